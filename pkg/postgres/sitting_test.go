package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/search/searchtest"
)

// toldStory returns a store with a few memories of a session, and a question for them.
func toldStory(t *testing.T, options postgres.Options) (*postgres.DB, search.Query) {
	t.Helper()
	url := lent(t)
	db := openAt(t, url, postgres.Options{})
	err := db.Write(t.Context(), acme, func(tx memory.Tx) error {
		for i := range 8 {
			m := memory.Memory{Content: fmt.Sprintf("Ada saw ship %d in the harbour.", i), SessionID: "s"}
			if _, _, err := tx.Put(t.Context(), m, memory.Why{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return openAt(t, url, options), search.Query{Scope: acme, Text: "ships in the harbour"}
}

// answered asks parts of a search that build on each other, and returns how many memories came of it.
func answered(t *testing.T, ctx context.Context, db *postgres.DB, q search.Query) int {
	t.Helper()
	legs := db.Legs(searchtest.Model)
	hits, err := legs.Lexical.Retrieve(ctx, q, 4)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := legs.Graph.Retrieve(ctx, q, 4); err != nil {
		t.Fatal(err)
	}
	around, err := legs.Neighbourhood.Around(ctx, q, hits, 1)
	if err != nil {
		t.Fatal(err)
	}
	var ids []memory.ID
	for _, hit := range append(hits, around...) {
		ids = append(ids, hit.ID)
	}
	if _, err := legs.Reranker.Rerank(ctx, q, ids); err != nil {
		t.Fatal(err)
	}
	found, err := db.Find(ctx, acme, ids, q.View)
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

func TestThePartsOfASearchShareATransaction(t *testing.T) {
	t.Parallel()
	db, q := toldStory(t, postgres.Options{})
	var transactions atomic.Int64
	err := db.OpenWith(t.Context(), func(config *pgxpool.Config) {
		config.PrepareConn = func(context.Context, *pgx.Conn) (bool, error) {
			transactions.Add(1)
			return true, nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	transactions.Store(0)
	alone := answered(t, t.Context(), db, q)
	if n := transactions.Swap(0); n < 4 {
		t.Fatalf("%d transactions were counted of parts that share nothing", n)
	}
	for range 20 { // on a busy machine a connection may be given back between two parts
		ctx, end := db.Sit(t.Context(), q)
		together := answered(t, ctx, db, q)
		end()
		if together != alone || alone == 0 {
			t.Fatalf("together they found %d memories, alone %d", together, alone)
		}
		if transactions.Swap(0) == 1 {
			if inUse, _, _ := db.Stats(); inUse != 0 {
				t.Errorf("%d connections were not returned", inUse)
			}
			return
		}
	}
	t.Error("the parts never did with one transaction")
}

func TestAPartThatIsStuckKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	db, q := toldStory(t, postgres.Options{})
	ctx, end := db.Sit(t.Context(), q)
	defer end()
	stuck, free := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		first := true
		done <- db.Look(ctx, acme, func(func(string) error) error {
			if first {
				first = false
				close(stuck)
			}
			<-free
			return nil
		})
	}()
	<-stuck
	if n := answered(t, ctx, db, q); n == 0 {
		t.Error("nothing was found beside a part that is stuck")
	}
	close(free)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAPartThatFailsTakesNoOtherAlong(t *testing.T) {
	t.Parallel()
	db, q := toldStory(t, postgres.Options{})
	ctx, end := db.Sit(t.Context(), q)
	defer end()
	if err := db.Look(ctx, acme, func(ask func(string) error) error { return ask(`SELECT 1/0`) }); err == nil {
		t.Error("a part that failed did not say so")
	}
	short, cancel := context.WithCancel(ctx)
	err := db.Look(short, acme, func(ask func(string) error) error {
		cancel()
		return ask(`SELECT pg_sleep(20)`)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a part that was cancelled: %v", err)
	}
	if n := answered(t, ctx, db, q); n == 0 {
		t.Error("nothing was found after a part had failed")
	}
}

// spoilt counts statements that came to a transaction which had failed.
type spoilt struct{ statements atomic.Int64 }

func (s *spoilt) look(err error) {
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "25P02" {
		s.statements.Add(1)
	}
}

func (s *spoilt) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (s *spoilt) TraceQueryEnd(_ context.Context, _ *pgx.Conn, d pgx.TraceQueryEndData) {
	s.look(d.Err)
}
func (s *spoilt) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (s *spoilt) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	s.look(d.Err)
}
func (s *spoilt) TraceBatchEnd(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchEndData) {
	s.look(d.Err)
}

func TestThePartsAfterOneThatFailedDoNotTryTheTransactionItSpoilt(t *testing.T) {
	t.Parallel()
	db, q := toldStory(t, postgres.Options{})
	var s spoilt
	if err := db.OpenWith(t.Context(), func(config *pgxpool.Config) { config.ConnConfig.Tracer = &s }); err != nil {
		t.Fatal(err)
	}
	for range 20 { // on a busy machine somebody may have ended it because nobody asked
		ctx, end := db.Sit(t.Context(), q)
		if err := db.Look(ctx, acme, func(ask func(string) error) error { return ask(`SELECT 1/0`) }); err == nil {
			t.Error("a part that failed did not say so")
		}
		if answered(t, ctx, db, q) == 0 {
			t.Error("nothing was found after a part had failed")
		}
		end()
	}
	if n := s.statements.Load(); n > 0 {
		t.Errorf("%d statements came to a transaction that had failed", n)
	}
}

// While a part asks something else than the database, others may have the connection.
func TestASearchThatAsksNothingGivesItsConnectionBack(t *testing.T) {
	t.Parallel()
	db, q := toldStory(t, postgres.Options{Connections: 1})
	ctx, end := db.Sit(t.Context(), q)
	defer end()
	answer := func() {
		if hits, err := db.Legs(searchtest.Model).Lexical.Retrieve(ctx, q, 4); err != nil || len(hits) == 0 {
			t.Fatalf("%d hits, %v", len(hits), err)
		}
	}
	answer()
	waiting, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := db.Head(waiting, acme); err != nil { // takes the only connection, which the search had
		t.Fatal(err)
	}
	answer()
}
