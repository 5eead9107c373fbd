package ingest_test

import (
	"context"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// picky is a store that refuses one content, as a database refuses a value that only it knows to be wrong.
type picky struct{ memory.Store }

func (p picky) Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error {
	return p.Store.Write(ctx, scope, func(tx memory.Tx) error { return do(pickyTx{tx}) })
}

type pickyTx struct{ memory.Tx }

func (p pickyTx) Put(ctx context.Context, m memory.Memory, why memory.Why, vectors ...memory.Vector) (memory.Memory, memory.Outcome, error) {
	if m.Content == "refuse me" {
		return memory.Memory{}, "", fault.New(fault.Invalid, "content cannot be indexed")
	}
	return p.Tx.Put(ctx, m, why, vectors...)
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
