package embed

import (
	"context"
	"fmt"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Store is what Backfill needs of a memory.Store.
type Store interface {
	Get(ctx context.Context, scope memory.Scope, id memory.ID, at memory.View) (memory.Memory, error)
	Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error
}

// Backfill gives pending memories their vectors.
type Backfill struct {
	Store    Store
	Embedder embed.Embedder
	Timeout  time.Duration // of one call of the embedder; 0: the context's alone
	// PutOff sees to it that pending memories of the scope get their vectors when the budget has been refilled; nil: what
	// the budget refuses is an error.
	PutOff func(ctx context.Context, scope memory.Scope) error
}

// Run embeds the memory if it still waits for its vector, attaches the vector and announces memory.embedded, all or
// nothing. done is false, and nothing is wrong, when there was nothing to do (the memory is gone, has its vector, or was
// changed meanwhile, which announced itself and will be filled in on its own) or what there was has been put off. Running
// again changes nothing.
func (b *Backfill) Run(ctx context.Context, scope memory.Scope, id memory.ID) (done bool, err error) {
	m, err := b.Store.Get(ctx, scope, id, memory.View{})
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read memory %s: %w", id, err)
	case m.Embedding != memory.EmbeddingPending:
		return false, nil
	}
	vectors, err := embed.Documents(llm.WithPayer(ctx, scope), b.Embedder, b.Timeout, []string{m.Content})
	if fault.KindOf(err) == fault.OverBudget && b.PutOff != nil {
		return false, b.PutOff(ctx, scope)
	}
	if err != nil {
		return false, fmt.Errorf("embed memory %s: %w", id, err)
	}
	told, err := eventing.Embedded(eventing.Embedding{
		MemoryID: id, Scope: scope, Version: m.Version, Model: b.Embedder.Model(), Vector: vectors[0],
	}, time.Now())
	if err != nil {
		return false, err
	}
	err = b.Store.Write(ctx, scope, func(tx memory.Tx) error {
		done = false
		now, err := tx.Get(ctx, id)
		switch {
		case fault.KindOf(err) == fault.NotFound:
			return nil
		case err != nil:
			return err
		case now.Embedding != memory.EmbeddingPending:
			return nil
		}
		done, err = tx.Attach(ctx, id, m.Version, memory.Vector{Model: b.Embedder.Model(), Values: vectors[0]})
		if err != nil || !done {
			return err
		}
		return tx.Emit(ctx, told)
	})
	if err != nil {
		return false, fmt.Errorf("attach vector to memory %s: %w", id, err)
	}
	return done, nil
}

// take consumes memory.stored and memory.updated.
func (b *Backfill) take(ctx context.Context, e eventing.Event) error {
	change, err := eventing.Data[memory.Announcement](e)
	if err != nil {
		return err
	}
	if change.Embedding != memory.EmbeddingPending {
		return nil // most events, at the price of no query
	}
	_, err = b.Run(ctx, e.Scope, change.MemoryID)
	return err
}
