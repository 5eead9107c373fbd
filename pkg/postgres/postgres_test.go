package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/memory/memorytest"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/outbox/outboxtest"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/servicetest"
)

func TestMain(m *testing.M) { servicetest.Main(m) }

// open returns a store in a new database, closed when the test ends.
func open(t testing.TB, options postgres.Options) *postgres.DB {
	t.Helper()
	return openAt(t, lent(t), options)
}

func openAt(t testing.TB, url string, options postgres.Options) *postgres.DB {
	t.Helper()
	if options.Patience == 0 {
		options.Patience = 20 * time.Second // many tests share one server and two cores
	}
	db, err := postgres.Open(url, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestStoreKeepsTheContractOfMemoryStore(t *testing.T) {
	t.Parallel()
	memorytest.Run(t, "postgres", func(t *testing.T, clock func() time.Time) memory.Store {
		return open(t, postgres.Options{Clock: clock})
	})
}

func TestAnnouncementsNameTheirTraces(t *testing.T) {
	t.Parallel()
	memorytest.RunTraced(t, "postgres", func(t *testing.T, trace func(context.Context) string) memorytest.TracedStore {
		return open(t, postgres.Options{TraceParent: trace})
	})
}

func TestQueueKeepsTheContractOfOutboxQueue(t *testing.T) {
	t.Parallel()
	outboxtest.Run(t, "postgres", func(t *testing.T, clock func() time.Time) (outbox.Queue, outboxtest.Emit) {
		db := open(t, postgres.Options{Clock: clock})
		return db, func(ctx context.Context, records ...outbox.Record) error {
			scope := memory.Scope{Tenant: records[0].Tenant, Project: records[0].Project}
			return db.Write(ctx, scope, func(tx memory.Tx) error {
				for _, r := range records {
					if err := tx.Emit(ctx, r); err != nil {
						return err
					}
				}
				return nil
			})
		}
	})
}
