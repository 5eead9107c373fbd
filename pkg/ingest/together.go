package ingest

import (
	"context"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/groupcommit"
	"github.com/rae-memory/rae/pkg/memory"
)

// What callers tell while others' memories of the scope are being written is written together after them: a store does
// for all of them by a few statements what it would do for each. Nobody waits who would not have waited for the scope's
// turn anyway.

// putBytes is the size of contents from which memories written together are full.
const putBytes = 4 << 20

// put writes one memory and returns what became of it, and the head of its scope with it.
func (s *Service) put(ctx context.Context, scope memory.Scope, e memory.Entry, why memory.Why) (memory.Written, memory.Seq, error) {
	if err := named(scope); err != nil {
		return memory.Written{}, 0, err
	}
	q, leave := s.putting.Enter(scope, func(q *groupcommit.Queue[*putting]) {
		q.Begin = func(context.Context) (*putting, func(), error) {
			return &putting{service: s, scope: scope}, func() {}, nil
		}
	})
	defer leave()
	e.Why, e.Told = &why, ctx
	own := &told{Entry: e}
	err := q.Write(ctx, func(p *putting) error {
		p.told, p.bytes = append(p.told, own), p.bytes+len(e.Content)
		return nil
	})
	if err == nil {
		err = own.err
	}
	return own.written, own.head, err
}

// told is what one caller tells, and what became of it.
type told struct {
	memory.Entry
	written memory.Written
	head    memory.Seq
	err     error
}

// putting is what callers tell of a scope at once. To them it is a transaction: they put down what they tell, and hear
// when it is done.
type putting struct {
	service *Service
	scope   memory.Scope
	told    []*told
	bytes   int
}

func (p *putting) Savepoint() error { return nil }
func (p *putting) Release() error   { return nil }
func (p *putting) TakeBack() error  { return nil }
func (p *putting) Rollback()        {}
func (p *putting) Full() bool       { return p.bytes >= putBytes }

// Commit writes all of it. What one of them may be to blame for is not the others' failure: then each is written alone.
func (p *putting) Commit() error {
	err := p.write(p.told)
	if len(p.told) == 1 || err == nil {
		return nil
	}
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Timeout, fault.Cancelled:
		return nil
	}
	for i := range p.told {
		_ = p.write(p.told[i : i+1]) // it has been told
	}
	return nil
}

// write writes what is told in one transaction, and tells those who told it.
func (p *putting) write(all []*told) error {
	ctx := all[0].Told
	if len(all) > 1 {
		ctx = context.WithoutCancel(ctx) // the others wait as well
	}
	entries := make([]memory.Entry, len(all))
	for i, t := range all {
		entries[i] = t.Entry
	}
	var written []memory.Written
	var head memory.Seq
	err := p.service.write(ctx, p.scope, func(tx memory.Tx) (err error) {
		if written, err = tx.PutAll(ctx, entries, memory.Why{}); err == nil {
			head, err = tx.Head(ctx)
		}
		return err
	})
	for i, t := range all {
		t.written, t.head, t.err = memory.Written{}, 0, err
		if err == nil {
			t.written, t.head, t.err = written[i], head, written[i].Err
		}
	}
	return err
}
