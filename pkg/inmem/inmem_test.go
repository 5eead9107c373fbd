package inmem_test

import (
	"context"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/memory/memorytest"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/outbox/outboxtest"
)

func TestStoreKeepsTheContractOfMemoryStore(t *testing.T) {
	t.Parallel()
	memorytest.Run(t, "inmem", func(_ *testing.T, clock func() time.Time) memory.Store {
		return inmem.New(inmem.Options{Clock: clock})
	})
}

func TestStoreKeepsTheContractOfAFollowedStore(t *testing.T) {
	t.Parallel()
	memorytest.RunFollowed(t, func(_ *testing.T, clock func() time.Time) memorytest.Followed {
		return inmem.New(inmem.Options{Clock: clock})
	})
}

func TestModelsKeepTheContract(t *testing.T) {
	t.Parallel()
	memorytest.RunModelled(t, "inmem", func(_ *testing.T, clock func() time.Time) memorytest.ModelledStore {
		return inmem.New(inmem.Options{Clock: clock})
	})
}

func TestAnnouncementsNameTheirTraces(t *testing.T) {
	t.Parallel()
	memorytest.RunTraced(t, "inmem", func(t *testing.T, trace func(context.Context) string) memorytest.TracedStore {
		return inmem.New(inmem.Options{TraceParent: trace})
	})
}

func TestQueueKeepsTheContractOfOutboxQueue(t *testing.T) {
	t.Parallel()
	outboxtest.Run(t, "inmem", func(_ *testing.T, clock func() time.Time) (outbox.Queue, outboxtest.Emit) {
		db := inmem.New(inmem.Options{Clock: clock})
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
