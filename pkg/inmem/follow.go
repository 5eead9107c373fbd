package inmem

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

var (
	_ memory.Directory  = (*DB)(nil)
	_ memory.Watermarks = (*DB)(nil)
)

// Scopes lists the scopes that were written to.
func (d *DB) Scopes(ctx context.Context, after memory.Scope, limit int) ([]memory.Scope, error) {
	if limit < 1 {
		return nil, fault.BadField("query.limit", "must be positive")
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var scopes []memory.Scope
	for scope, p := range d.scopes {
		if len(p.feed) > 0 && byName(scope, after) > 0 {
			scopes = append(scopes, scope)
		}
	}
	slices.SortFunc(scopes, byName)
	return scopes[:min(limit, len(scopes))], nil
}

func byName(a, b memory.Scope) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Project, b.Project))
}

type projectionKey struct {
	scope memory.Scope
	name  string
}

// projection is a mark with its lock. Who holds it is told by a number, so that one that was overtaken is recognised.
type projection struct {
	seq    memory.Seq
	holder int64
	until  time.Time // held until then; zero: free
}

// Project runs do alone for the scope and name.
func (d *DB) Project(ctx context.Context, scope memory.Scope, name string, do func(memory.Seq) (memory.Seq, error)) (memory.Seq, error) {
	key := projectionKey{scope, name}
	after, holder, err := d.hold(ctx, key)
	if err != nil || holder == 0 {
		return after, err
	}
	kept := false
	defer func() {
		if !kept { // do failed or panicked
			_ = d.release(key, holder, nil)
		}
	}()
	seq, err := do(after)
	if err != nil {
		return after, err
	}
	kept = true
	return seq, d.release(key, holder, &seq)
}

// hold takes the lock; holder is 0 when somebody else has it.
func (d *DB) hold(ctx context.Context, key projectionKey) (after memory.Seq, holder int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := cmp.Or(ctx.Err(), llm.NoDryRun(ctx)); err != nil {
		return 0, 0, err
	}
	p, now := d.projections[key], d.now()
	if now.Before(p.until) {
		return p.seq, 0, nil
	}
	d.holders++
	p.holder, p.until = d.holders, now.Add(memory.ProjectFor)
	d.projections[key] = p
	return p.seq, p.holder, nil
}

// release gives the lock back and keeps the mark, if there is one to keep.
func (d *DB) release(key projectionKey, holder int64, seq *memory.Seq) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.projections[key]
	if !ok || p.holder != holder {
		return overtaken()
	}
	if seq != nil {
		p.seq = *seq
	}
	p.until = time.Time{}
	d.projections[key] = p
	return nil
}

func overtaken() error {
	return fault.New(fault.Conflict, "the projection was erased or taken over while it was being made")
}

// Projected returns the standing mark.
func (d *DB) Projected(ctx context.Context, scope memory.Scope, name string) (memory.Seq, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.projections[projectionKey{scope, name}].seq, ctx.Err()
}
