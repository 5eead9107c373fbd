package search

import (
	"context"
	"errors"
	"fmt"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/qdrant"
)

// EraseTenant drops everything held of an erased tenant; the receipt counts cached answers and indexes, and Qdrant's
// copies of vectors.
func (f *Function) EraseTenant(ctx context.Context, tenant string) (memory.Receipt, error) {
	receipt := memory.Receipt{CacheKeys: f.parts.forget(tenant)}
	var uncached error
	if f.service.Cache != nil {
		var forgotten int
		forgotten, uncached = f.service.Cache.ForgetTenant(ctx, tenant)
		receipt.CacheKeys += forgotten
	}
	var uncopied error
	receipt.Vectors, uncopied = f.qdrant.erase(ctx, tenant)
	return receipt, errors.Join(uncached, uncopied)
}

// erased takes tenant.erased. The event may come late, or twice, when the tenant has begun anew: what is dropped then of
// its new life is computed again, or copied again from the store.
func (f *Function) erased(ctx context.Context, e eventing.Event) error {
	tenant := e.Scope.Tenant
	if f.qdrant == nil {
		_, err := f.EraseTenant(ctx, tenant)
		return err
	}
	before, err := f.qdrant.disown(ctx, tenant, nil) // from here on searches do without the copies
	if err != nil {
		return err
	}
	if _, err := f.EraseTenant(ctx, tenant); err != nil {
		return err
	}
	if _, err := f.qdrant.disown(ctx, tenant, before); err != nil { // what came to life meanwhile
		return err
	}
	return f.qdrant.copyAgain(ctx, tenant)
}

// erase drops an erased tenant's vectors, of every model.
func (c *copies) erase(ctx context.Context, tenant string) (vectors int, err error) {
	if c == nil {
		return 0, nil
	}
	p, err := c.of("")
	if err != nil {
		return 0, err
	}
	receipt, err := p.Index.EraseTenant(ctx, tenant)
	if err != nil {
		err = fault.Wrap(fault.Unavailable, err, "the vector index could not be reached, and may still hold vectors of the tenant; repeat the erasure")
	}
	return receipt.Vectors, err
}

// disown takes back that anything is copied of the tenant's projects, but those in without, and returns all that there are.
func (c *copies) disown(ctx context.Context, tenant string, without map[memory.Scope]bool) (map[memory.Scope]bool, error) {
	all := map[memory.Scope]bool{}
	return all, c.eachOf(ctx, tenant, func(scope memory.Scope, p *qdrant.Projector) error {
		all[scope] = true
		if without[scope] {
			return nil
		}
		return p.Disown(ctx, scope)
	})
}

// copyAgain copies what the tenant has now.
func (c *copies) copyAgain(ctx context.Context, tenant string) error {
	return c.eachOf(ctx, tenant, func(scope memory.Scope, p *qdrant.Projector) error { return p.Follow(ctx, scope) })
}

// scopesPage is how many projects are listed at a time.
const scopesPage = 100

// eachOf visits every project the tenant has now, with the copy of each model its memories get vectors of.
func (c *copies) eachOf(ctx context.Context, tenant string, visit func(memory.Scope, *qdrant.Projector) error) error {
	for after := (memory.Scope{Tenant: tenant}); ; {
		page, err := c.store.Scopes(ctx, after, scopesPage)
		if err != nil {
			return fmt.Errorf("list projects of a tenant: %w", err)
		}
		for _, scope := range page {
			if scope.Tenant != tenant {
				return nil
			}
			embedders, err := c.spaces.Embedders(ctx, scope)
			for _, e := range embedders {
				p, failed := c.of(e.Model())
				if failed == nil {
					failed = visit(scope, p)
				}
				err = errors.Join(err, failed)
			}
			if err != nil {
				return err
			}
			after = scope
		}
		if len(page) < scopesPage {
			return nil
		}
	}
}
