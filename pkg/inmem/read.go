package inmem

import (
	"context"
	"slices"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Get returns one memory as the view shows it.
func (d *DB) Get(ctx context.Context, scope memory.Scope, id memory.ID, at memory.View) (memory.Memory, error) {
	found, err := d.Find(ctx, scope, []memory.ID{id}, at)
	if err != nil {
		return memory.Memory{}, err
	}
	if len(found) == 0 {
		return memory.Memory{}, notFound()
	}
	return found[0], nil
}

// Find returns those of ids the view shows, in the order of ids.
func (d *DB) Find(ctx context.Context, scope memory.Scope, ids []memory.ID, at memory.View) ([]memory.Memory, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, ok := d.scopes[scope]
	if !ok {
		return nil, nil
	}
	now := d.now()
	var found []memory.Memory
	for _, id := range ids {
		e, ok := p.entries[id]
		if !ok || e.expired(now) {
			continue
		}
		if shown := e.in(at); shown != nil {
			found = append(found, shown.Clone())
		}
	}
	return found, nil
}

// List pages through the memories that match, newest id first.
func (d *DB) List(ctx context.Context, scope memory.Scope, q memory.Query) (memory.Page, error) {
	if q.Limit < 1 || q.Limit > 1000 {
		return memory.Page{}, fault.BadField("query.limit", "must lie in 1..1000")
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return memory.Page{}, err
	}
	p, ok := d.scopes[scope]
	if !ok {
		return memory.Page{}, nil
	}
	now := d.now()
	end := len(p.ids)
	if q.After != "" {
		end, _ = slices.BinarySearch(p.ids, q.After)
	}
	var page memory.Page
	bytes := 0
	for i := end - 1; i >= 0; i-- {
		e := p.entries[p.ids[i]]
		if e.expired(now) {
			continue
		}
		shown := e.in(q.View)
		if shown == nil || !q.Match(&shown.Memory) {
			continue
		}
		if n := len(page.Memories); n == q.Limit || bytes >= memory.PageBytes {
			page.Next = page.Memories[n-1].ID
			break
		}
		page.Memories = append(page.Memories, shown.Clone())
		bytes += len(shown.Content)
	}
	return page, nil
}

// History returns every version, newest first.
func (d *DB) History(ctx context.Context, scope memory.Scope, id memory.ID) ([]memory.Version, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, ok := d.scopes[scope]
	if !ok {
		return nil, notFound()
	}
	e, ok := p.entries[id]
	if !ok || e.expired(d.now()) {
		return nil, notFound()
	}
	history := make([]memory.Version, 0, len(e.versions))
	for i := len(e.versions) - 1; i >= 0; i-- {
		history = append(history, clone(&e.versions[i].Version))
	}
	return history, nil
}

// Head returns the number of the scope's last change.
func (d *DB) Head(ctx context.Context, scope memory.Scope) (memory.Seq, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if p, ok := d.scopes[scope]; ok && len(p.feed) > 0 { // without a change there is a partition, but no head
		return p.head, nil
	}
	return 0, nil
}

// Changes returns what changed after the number. An expired memory that has not been swept yet is told as gone.
func (d *DB) Changes(ctx context.Context, scope memory.Scope, model string, after memory.Seq, limit int) ([]memory.Change, error) {
	if limit < 1 {
		return nil, fault.BadField("query.limit", "must be positive")
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, ok := d.scopes[scope]
	if !ok {
		return nil, nil
	}
	now := d.now()
	var changes []memory.Change
	if 0 < after && after < p.floor && len(p.feed) > 0 { // a reader of a feed that has been erased since
		changes = append(changes, memory.Change{Seq: p.floor, Reset: true})
	}
	for _, k := range p.after(after) {
		if len(changes) == limit {
			break
		}
		if k.version == 0 {
			changes = append(changes, gone(k))
			continue
		}
		v := p.at(k)
		if v == nil {
			continue
		}
		e := p.entries[k.id]
		if e.expired(now) {
			changes = append(changes, gone(k))
			continue
		}
		c := memory.Change{Seq: k.seq, Version: clone(&v.Version)}
		if v == e.current() {
			c.Vector = slices.Clone(e.vectors[model])
		}
		changes = append(changes, c)
	}
	return changes, nil
}

func gone(k mark) memory.Change {
	return memory.Change{Seq: k.seq, Gone: true, Version: memory.Version{Memory: memory.Memory{ID: k.id}}}
}

func clone(v *memory.Version) memory.Version {
	c := *v
	c.Memory = v.Memory.Clone()
	if v.RecordedTo != nil {
		to := *v.RecordedTo
		c.RecordedTo = &to
	}
	return c
}
