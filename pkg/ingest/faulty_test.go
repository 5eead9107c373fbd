package ingest_test

import (
	"context"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// picky is a store that refuses one content, as a store refuses a value that only it knows to be wrong.
type picky struct{ memory.Store }

func (p picky) Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error {
	return p.Store.Write(ctx, scope, func(tx memory.Tx) error { return do(pickyTx{tx}) })
}

type pickyTx struct{ memory.Tx }

func (p pickyTx) Put(ctx context.Context, m memory.Memory, why memory.Why, vectors ...memory.Vector) (memory.Memory, memory.Outcome, error) {
	return memory.One(p.PutAll(ctx, []memory.Entry{{Memory: m, Vectors: vectors}}, why))
}

func (p pickyTx) PutAll(ctx context.Context, entries []memory.Entry, why memory.Why) ([]memory.Written, error) {
	all := make([]memory.Written, len(entries))
	var liked []memory.Entry
	var at []int
	for i := range entries {
		if entries[i].Content == "refuse me" {
			all[i].Err = fault.New(fault.Invalid, "content cannot be indexed")
			continue
		}
		liked, at = append(liked, entries[i]), append(at, i)
	}
	written, err := p.Tx.PutAll(ctx, liked, why)
	for i, w := range written {
		all[at[i]] = w
	}
	return all, err
}

// failing is a store whose writes fail from the given one on.
type failing struct {
	memory.Store
	writes *int
	from   int
}

func (f failing) Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error {
	if *f.writes++; *f.writes >= f.from {
		return fault.Wrap(fault.Unavailable, errAway, "the store is away")
	}
	return f.Store.Write(ctx, scope, do)
}

// away is an eraser that cannot be reached.
type away struct{}

func (*away) EraseTenant(context.Context, string) (memory.Receipt, error) {
	return memory.Receipt{}, fault.Wrap(fault.Unavailable, errAway, "the index is away")
}

// cacheKeys is an eraser that removes so many keys.
type cacheKeys int

func (c cacheKeys) EraseTenant(context.Context, string) (memory.Receipt, error) {
	return memory.Receipt{CacheKeys: int(c)}, nil
}
