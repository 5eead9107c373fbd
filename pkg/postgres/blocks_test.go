package postgres_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/block/blocktest"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/postgres"
)

func TestBlocksKeepTheContract(t *testing.T) {
	t.Parallel()
	blocktest.Run(t, "postgres", func(t *testing.T, clock func() time.Time) (block.Store, outbox.Queue) {
		db := open(t, postgres.Options{Clock: clock})
		return postgres.NewBlocks(db), db
	})
}

// batches counts how often something was sent.
type batches struct{ n atomic.Int64 }

func (b *batches) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	b.n.Add(1)
	return ctx
}
func (b *batches) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (b *batches) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	b.n.Add(1)
	return ctx
}
func (b *batches) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (b *batches) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

func TestTheBlocksOfAContextAreOneRoundTrip(t *testing.T) {
	t.Parallel()
	db := open(t, postgres.Options{})
	var sent batches
	if err := db.OpenWith(t.Context(), func(config *pgxpool.Config) { config.ConnConfig.Tracer = &sent }); err != nil {
		t.Fatal(err)
	}
	store := postgres.NewBlocks(db)
	said := "You are the desk."
	for _, ref := range []block.Ref{{Name: "persona"}, {Name: "task"}, {Owner: block.Owner{UserID: "u"}, Name: "facts"}} {
		if _, err := (&block.Service{Store: store}).Put(t.Context(), acme, ref, block.Settings{Content: &said}, block.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		sent.n.Store(0)
		blocks, err := store.Standing(t.Context(), acme, block.Owner{UserID: "u"})
		if n := sent.n.Load(); err != nil || len(blocks) != 3 || n != 1 {
			t.Errorf("%d blocks in %d round trips, %v", len(blocks), n, err)
		}
	}
}

func TestErasingATenantErasesItsBlocks(t *testing.T) {
	t.Parallel()
	db := open(t, postgres.Options{})
	blocktest.Erase(t, postgres.NewBlocks(db), db)
}
