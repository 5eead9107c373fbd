package inmem

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
)

var _ memory.Uses = (*DB)(nil)

// Hit implements memory.Uses.
func (d *DB) Hit(ctx context.Context, scope memory.Scope, hits []memory.Hits) error {
	return d.write(ctx, func(u *undo) error {
		p, ok := d.scopes[scope]
		if !ok {
			return nil
		}
		now := d.now()
		for _, h := range hits {
			if e, stands := p.entries[h.ID]; !stands || e.expired(now) {
				continue
			}
			use := p.uses[h.ID]
			use.Hits += h.N
			if last := h.Last.UTC(); use.LastUsedAt == nil || use.LastUsedAt.Before(last) {
				use.LastUsedAt = &last
			}
			set(u, p.uses, h.ID, use)
		}
		return nil
	})
}

// Use implements memory.Uses.
func (d *DB) Use(ctx context.Context, scope memory.Scope, ids []memory.ID) (map[memory.ID]memory.Use, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found := map[memory.ID]memory.Use{}
	p, ok := d.scopes[scope]
	if !ok {
		return found, nil
	}
	now := d.now()
	for _, id := range ids {
		if use, used := p.uses[id]; used && !p.entries[id].expired(now) {
			use.Recent = append([]memory.Feedback{}, use.Recent...)
			found[id] = use
		}
	}
	return found, nil
}

// Rate adds what somebody says of a memory.
func (t *tx) Rate(_ context.Context, id memory.ID, f memory.Feedback) (memory.Use, error) {
	e := t.live(id)
	if e == nil {
		return memory.Use{}, notFound()
	}
	use := t.p.uses[id]
	use.Add(f)
	set(t.u, t.p.uses, id, use)
	use.Recent = append([]memory.Feedback{}, use.Recent...)
	return use, nil
}
