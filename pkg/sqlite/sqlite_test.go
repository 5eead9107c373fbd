package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/memory/memorytest"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/outbox/outboxtest"
	"github.com/rae-memory/rae/pkg/sqlite"
)

// open returns a store in a new file, closed when the test ends.
func open(t testing.TB, options sqlite.Options) *sqlite.DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "rae.db"), options)
}

func openAt(t testing.TB, path string, options sqlite.Options) *sqlite.DB {
	t.Helper()
	db := sqlite.Open(path, options)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestStoreKeepsTheContractOfMemoryStore(t *testing.T) {
	t.Parallel()
	memorytest.Run(t, "sqlite", func(t *testing.T, clock func() time.Time) memory.Store {
		return open(t, sqlite.Options{Clock: clock})
	})
}

func TestStoreKeepsTheContractOfAFollowedStore(t *testing.T) {
	t.Parallel()
	memorytest.RunFollowed(t, func(t *testing.T, clock func() time.Time) memorytest.Followed {
		return open(t, sqlite.Options{Clock: clock})
	})
}

func TestModelsKeepTheContract(t *testing.T) {
	t.Parallel()
	memorytest.RunModelled(t, "sqlite", func(t *testing.T, clock func() time.Time) memorytest.ModelledStore {
		return open(t, sqlite.Options{Clock: clock})
	})
}

func TestAnnouncementsNameTheirTraces(t *testing.T) {
	t.Parallel()
	memorytest.RunTraced(t, "sqlite", func(t *testing.T, trace func(context.Context) string) memorytest.TracedStore {
		return open(t, sqlite.Options{TraceParent: trace})
	})
}

func TestQueueKeepsTheContractOfOutboxQueue(t *testing.T) {
	t.Parallel()
	outboxtest.Run(t, "sqlite", func(t *testing.T, clock func() time.Time) (outbox.Queue, outboxtest.Emit) {
		db := open(t, sqlite.Options{Clock: clock})
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
