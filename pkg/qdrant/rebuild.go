package qdrant

import (
	"context"
	"fmt"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// scopePage is how many scopes are listed at once.
const scopePage = 1000

// Rebuild makes the index anew from the store: of one tenant, or of all ("") and then also what belongs to no scope the
// store has is dropped, and a collection that cannot be used is replaced. It works in slices and scope by scope; searches
// of a scope that is being rebuilt are answered without Qdrant. Broken off, it is finished by the events to come or by
// calling again. told hears of each scope's progress. It returns how many scopes it made.
func (p *Projector) Rebuild(ctx context.Context, tenant string, told func(scope memory.Scope, mark, head memory.Seq)) (int, error) {
	if _, err := p.Index.renew(ctx); err != nil {
		return 0, away(err)
	}
	made := 0
	err := p.each(ctx, tenant, func(scope memory.Scope) error {
		made++
		return p.RebuildScope(ctx, scope, func(mark, head memory.Seq) { told(scope, mark, head) })
	})
	if err != nil {
		return made, err
	}
	return made, p.strays(ctx, tenant, func(scope memory.Scope, _ int) error {
		return away(p.Index.Tenant(scope).drop(ctx))
	})
}

// RebuildScope makes one scope anew. The mark goes back to the start before anything is dropped, so that a search never
// takes what is left for the whole.
func (p *Projector) RebuildScope(ctx context.Context, scope memory.Scope, told func(mark, head memory.Seq)) error {
	generation, err := p.prepare(ctx)
	if err != nil {
		return away(err)
	}
	ran := false
	_, err = p.Marks.Project(ctx, scope, p.Index.projection(generation), func(memory.Seq) (memory.Seq, error) {
		ran = true
		return 0, nil
	})
	if err == nil && !ran {
		err = fault.New(fault.Unavailable, "another process is at the vector index of %s; try again", scope)
	}
	if err != nil {
		return err
	}
	_, err = p.catchUp(ctx, scope, told)
	return err
}

// each visits the scopes of the store, of one tenant or of all ("").
func (p *Projector) each(ctx context.Context, tenant string, visit func(memory.Scope) error) error {
	after := memory.Scope{Tenant: tenant} // no project is named "", so it stands before the tenant's first
	for {
		scopes, err := p.Scopes.Scopes(ctx, after, scopePage)
		if err != nil {
			return fmt.Errorf("list scopes after %s: %w", after, err)
		}
		for _, scope := range scopes {
			if tenant != "" && scope.Tenant != tenant {
				return nil
			}
			if err := visit(scope); err != nil {
				return err
			}
			after = scope
		}
		if len(scopes) < scopePage {
			return nil
		}
	}
}
