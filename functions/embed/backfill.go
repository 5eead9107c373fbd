package embed

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Store is what Backfill needs of a memory.Store.
type Store interface {
	Get(ctx context.Context, scope memory.Scope, id memory.ID, at memory.View) (memory.Memory, error)
	Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error
	VectorModels(ctx context.Context, scope memory.Scope, ids []memory.ID) (map[memory.ID][]string, error)
}

// Backfill gives memories the vectors they lack: those that are pending theirs, and, while a scope is moved from one
// model to another, those that were written by a process that did not know of it yet the other's.
type Backfill struct {
	Store    Store
	Embedder embed.Embedder
	Spaces   *embed.Spaces // which models a scope's memories get vectors of; nil: the Embedder's alone
	Timeout  time.Duration // of one call of an embedder; 0: the context's alone
	// PutOff sees to it that memories of the scope get their vectors of the model when the budget has been refilled; nil:
	// what the budget refuses is an error.
	PutOff func(ctx context.Context, scope memory.Scope, model string) error
}

// Run embeds the memory by every model whose vector it lacks, attaches the vectors and announces memory.embedded, all or
// nothing. done is false, and nothing is wrong, when there was nothing to do (the memory is gone, has its vectors, or was
// changed meanwhile, which announced itself and will be filled in on its own) or what there was has been put off. Running
// again changes nothing.
func (b *Backfill) Run(ctx context.Context, scope memory.Scope, id memory.ID) (done bool, err error) {
	m, err := b.Store.Get(ctx, scope, id, memory.View{})
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read memory %s: %w", id, err)
	}
	missing, err := b.missing(ctx, scope, id)
	if err != nil || len(missing) == 0 {
		return false, err
	}
	var vectors []memory.Vector
	var told []outbox.Record
	for _, e := range missing {
		made, err := embed.Documents(llm.WithPayer(ctx, scope), e, b.Timeout, []string{m.Content})
		if fault.KindOf(err) == fault.OverBudget && b.PutOff != nil {
			if err := b.PutOff(ctx, scope, e.Model()); err != nil {
				return false, err
			}
			continue
		}
		if err != nil {
			return false, fmt.Errorf("embed memory %s by %s: %w", id, e.Model(), err)
		}
		news, err := eventing.Embedded(eventing.Embedding{
			MemoryID: id, Scope: scope, Version: m.Version, Model: e.Model(), Vector: made[0],
		}, time.Now())
		if err != nil {
			return false, err
		}
		vectors, told = append(vectors, memory.Vector{Model: e.Model(), Values: made[0]}), append(told, news)
	}
	err = b.Store.Write(ctx, scope, func(tx memory.Tx) (err error) {
		for i := range vectors {
			if done, err = tx.Attach(ctx, id, m.Version, vectors[i]); err != nil || !done {
				return err
			}
			if err := tx.Emit(ctx, told[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("attach vectors to memory %s: %w", id, err)
	}
	return done, nil
}

// missing are the embedders of the models whose vector the memory lacks.
func (b *Backfill) missing(ctx context.Context, scope memory.Scope, id memory.ID) (missing []embed.Embedder, err error) {
	embedders := []embed.Embedder{b.Embedder}
	if b.Spaces != nil {
		if embedders, err = b.Spaces.Embedders(ctx, scope); err != nil {
			return nil, err
		}
	}
	has, err := b.Store.VectorModels(ctx, scope, []memory.ID{id})
	if err != nil {
		return nil, fmt.Errorf("read which vectors memory %s has: %w", id, err)
	}
	for _, e := range embedders {
		if !slices.Contains(has[id], e.Model()) {
			missing = append(missing, e)
		}
	}
	return missing, nil
}

// take consumes memory.stored and memory.updated.
func (b *Backfill) take(ctx context.Context, e eventing.Event) error {
	change, err := eventing.Data[memory.Announcement](e)
	if err != nil {
		return err
	}
	if change.Embedding != memory.EmbeddingPending {
		moving, err := b.moving(ctx, e.Scope)
		if err != nil || !moving {
			return err // most events
		}
	}
	_, err = b.Run(ctx, e.Scope, change.MemoryID)
	return err
}

// moving reports whether the scope's memories get vectors of several models.
func (b *Backfill) moving(ctx context.Context, scope memory.Scope) (bool, error) {
	if b.Spaces == nil {
		return false, nil
	}
	models, err := b.Spaces.Models(ctx, scope)
	return len(models.Wanted()) > 1, err
}
