package inmem

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ knowledge.FactStore = (*Facts)(nil)

// Facts keeps facts in the same store as the memories.
type Facts struct{ db *DB }

// NewFacts returns the facts of the store.
func NewFacts(db *DB) *Facts { return &Facts{db: db} }

// view runs do over what the scope holds; it must change nothing.
func (s *Facts) view(ctx context.Context, scope memory.Scope, do func(*partition)) error {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	p, ok := s.db.scopes[scope]
	if !ok {
		p = newPartition(0)
	}
	do(p)
	return nil
}

// Get implements knowledge.Facts.
func (s *Facts) Get(ctx context.Context, scope memory.Scope, id memory.ID, at memory.View) (fact knowledge.Fact, err error) {
	found := false
	err = s.view(ctx, scope, func(p *partition) {
		r := p.facts[id]
		fact, found = r.In(at)
	})
	if err == nil && !found {
		err = noFact()
	}
	return fact, err
}

// List implements knowledge.Facts.
func (s *Facts) List(ctx context.Context, scope memory.Scope, q knowledge.FactQuery) (page knowledge.FactPage, err error) {
	if err := q.Check(); err != nil {
		return page, err
	}
	err = s.view(ctx, scope, func(p *partition) {
		for id, r := range p.facts {
			if id <= q.After {
				continue
			}
			if f, shown := r.In(q.View); shown && q.Match(&f, r.Evidence) {
				page.Facts = append(page.Facts, f)
			}
		}
	})
	slices.SortFunc(page.Facts, func(a, b knowledge.Fact) int { return cmp.Compare(a.ID, b.ID) })
	if len(page.Facts) > q.Limit {
		page.Facts = page.Facts[:q.Limit]
		page.Next = page.Facts[q.Limit-1].ID
	}
	return page, err
}

// History implements knowledge.Facts.
func (s *Facts) History(ctx context.Context, scope memory.Scope, id memory.ID) (history []knowledge.Fact, err error) {
	err = s.view(ctx, scope, func(p *partition) {
		r := p.facts[id]
		history = r.History()
	})
	if err == nil && len(history) == 0 {
		err = noFact()
	}
	return history, err
}

// Operation implements knowledge.FactStore.
func (s *Facts) Operation(ctx context.Context, scope memory.Scope, id memory.ID) (o knowledge.Operation, err error) {
	found := false
	err = s.view(ctx, scope, func(p *partition) {
		o, found = p.operations[id]
		o = o.Clone()
	})
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no such operation")
	}
	return o, err
}

// Operations implements knowledge.FactStore.
func (s *Facts) Operations(ctx context.Context, scope memory.Scope, q knowledge.OperationQuery) (page knowledge.OperationPage, err error) {
	if q.Limit < 1 || q.Limit > 1000 {
		return page, fault.BadField("query.limit", "must lie in 1..1000")
	}
	order := func(a, b knowledge.OperationCursor) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID)) }
	err = s.view(ctx, scope, func(p *partition) {
		for id, o := range p.operations {
			behind := q.After.ID == "" || order(q.After, knowledge.OperationCursor{At: o.At, ID: id}) < 0
			if behind && (!q.Closing || o.Closing()) {
				page.Operations = append(page.Operations, o.Clone())
			}
		}
	})
	slices.SortFunc(page.Operations, func(a, b knowledge.Operation) int { return order(a.Cursor(), b.Cursor()) })
	if len(page.Operations) > q.Limit {
		page.Operations = page.Operations[:q.Limit]
		page.Next = page.Operations[q.Limit-1].Cursor()
	}
	return page, err
}

// Change implements knowledge.FactStore.
func (s *Facts) Change(ctx context.Context, scope memory.Scope, do func(knowledge.FactTx) error) error {
	if err := scope.Check(); err != nil {
		return err
	}
	return s.db.write(ctx, func(u *undo) error { return do(factTx{s.db.begin(ctx, u, scope)}) })
}

// factTx are the facts of a transaction.
type factTx struct{ *tx }

// Now implements knowledge.FactTx.
func (t factTx) Now() time.Time { return t.now }

// Told implements knowledge.FactTx.
func (t factTx) Told(_ context.Context, ids []memory.ID) (told []memory.Memory, err error) {
	for _, id := range ids {
		if e, ok := t.p.entries[id]; ok && !e.expired(t.now) {
			told = append(told, e.current().Clone())
		}
	}
	return told, nil
}

// Records implements knowledge.FactTx.
func (t factTx) Records(_ context.Context, q knowledge.RecordQuery) (records []knowledge.Record, err error) {
	for _, r := range t.p.facts {
		if q.Has(t.scope, &r) {
			records = append(records, r.Clone())
		}
	}
	slices.SortFunc(records, func(a, b knowledge.Record) int { return cmp.Compare(a.ID(), b.ID()) })
	return records, nil
}

// Save implements knowledge.FactTx.
func (t factTx) Save(_ context.Context, before, after knowledge.Record) error {
	if after.ID() == "" {
		unset(t.u, t.p.facts, before.ID())
		return nil
	}
	after = after.Clone()
	after.Sort()
	set(t.u, t.p.facts, after.ID(), after)
	return nil
}

// Known implements knowledge.FactTx.
func (t factTx) Known(_ context.Context, q knowledge.KnownQuery) (known []knowledge.Operation, err error) {
	for id, o := range t.p.operations {
		if slices.Contains(q.IDs, id) || slices.Contains(q.Memories, o.MemoryID) {
			known = append(known, o.Clone())
		}
	}
	slices.SortFunc(known, func(a, b knowledge.Operation) int { return cmp.Compare(a.ID, b.ID) })
	return known, nil
}

// Keep implements knowledge.FactTx.
func (t factTx) Keep(_ context.Context, o knowledge.Operation) error {
	o = o.Clone()
	o.TenantID, o.ProjectID = t.scope.Tenant, t.scope.Project
	set(t.u, t.p.operations, o.ID, o)
	return nil
}

// Drop implements knowledge.FactTx.
func (t factTx) Drop(_ context.Context, ids []memory.ID) error {
	for _, id := range ids {
		unset(t.u, t.p.operations, id)
	}
	return nil
}

func noFact() error { return fault.New(fault.NotFound, "there is no such fact") }
