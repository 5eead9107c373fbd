package inmem

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// How long answers and consumed events are remembered: well beyond what a client or a broker repeats.
const (
	answersKept  = 7 * 24 * time.Hour
	consumedKept = 30 * 24 * time.Hour
)

// Sweep deletes up to limit expired memories of any scope, and forgets old answers and events.
func (d *DB) Sweep(ctx context.Context, limit int) (int, error) {
	swept := 0
	err := d.write(ctx, func(u *undo) error {
		for scope, p := range d.scopes {
			t := d.begin(ctx, u, scope)
			for _, id := range slices.Clone(p.ids) {
				if swept == limit {
					break
				}
				if e := p.entries[id]; e.expired(t.now) {
					t.delete(id, e)
					swept++
				}
			}
			if err := t.finish(); err != nil {
				return err
			}
			maps.DeleteFunc(p.answers, func(_ answerKey, a answer) bool { return t.now.Sub(a.at) > answersKept })
			maps.DeleteFunc(p.consumed, func(_ consumedKey, at time.Time) bool { return t.now.Sub(at) > consumedKept })
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.scopes {
		p.tidy()
	}
	return swept, nil
}

// EraseTenant removes everything of the tenant, counts it and announces that it is gone.
func (d *DB) EraseTenant(ctx context.Context, tenant string) (memory.Receipt, error) {
	receipt, err := d.erase(ctx, tenant)
	if err == nil && d.options.OnCommit != nil {
		d.options.OnCommit()
	}
	return receipt, err
}

func (d *DB) erase(ctx context.Context, tenant string) (memory.Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := cmp.Or(ctx.Err(), llm.NoDryRun(ctx)); err != nil {
		return memory.Receipt{}, err
	}
	receipt := memory.Receipt{Tenant: tenant, ErasedAt: d.now()}
	for scope, p := range d.scopes {
		if scope.Tenant != tenant {
			continue
		}
		receipt.Memories += len(p.entries)
		for _, e := range p.entries {
			receipt.Versions += len(e.versions)
			receipt.Vectors += len(e.vectors)
		}
		receipt.Answers += len(p.answers)
		receipt.Other += len(p.operations)
		for _, r := range p.facts {
			receipt.Other += len(r.Versions) + len(r.Evidence)
		}
		d.erased = max(d.erased, p.head+1)
		delete(d.scopes, scope)
	}
	maps.DeleteFunc(d.models, func(s memory.Scope, _ memory.Models) bool { return s.Tenant == tenant })
	maps.DeleteFunc(d.projections, func(k projectionKey, _ projection) bool { return k.scope.Tenant == tenant })
	d.outbox.waiting = slices.DeleteFunc(d.outbox.waiting, func(w waiting) bool { // told anew below
		return w.Tenant == tenant && w.Type == outbox.TenantErased
	})
	before := len(d.outbox.waiting) + len(d.outbox.dead)
	d.outbox.waiting = slices.DeleteFunc(d.outbox.waiting, func(w waiting) bool { return w.Tenant == tenant })
	d.outbox.dead = slices.DeleteFunc(d.outbox.dead, func(r outbox.Record) bool { return r.Tenant == tenant })
	receipt.Events = before - len(d.outbox.waiting) - len(d.outbox.dead)
	for _, erase := range d.erasers {
		receipt.Other += erase(tenant)
	}
	d.emit(ctx, &undo{}, memory.Scope{Tenant: tenant}, memory.AnnounceErasure(tenant, receipt.ErasedAt))
	return receipt, nil
}
