package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/reflection"
)

// An erasure passes over one table after another. Who wrote to two of them meanwhile, to the outbox and then to another,
// would leave half of it behind.
func TestWhoeverWritesWaitsForAnErasure(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	conn := connect(t, url)
	db := openAt(t, url, postgres.Options{Connections: 16})
	cost := budget.USD
	writers := map[string]func(context.Context) error{
		"memories": func(ctx context.Context) error {
			return db.Write(ctx, acme, func(tx memory.Tx) error {
				_, _, err := tx.Put(ctx, memory.Memory{Content: "tea at four"}, memory.Why{})
				return err
			})
		},
		"budgets": func(ctx context.Context) error {
			_, err := postgres.NewLedger(db, budget.Policy{}).Reserve(ctx, acme, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost})
			return err
		},
		"prices": func(ctx context.Context) error {
			_, err := postgres.NewLedger(db, budget.Policy{}).PutPrice(ctx, acme.Tenant, budget.Price{Model: "m", Source: "test"})
			return err
		},
		"reflections": func(ctx context.Context) error {
			r := reflection.Reflection{ID: memory.NewID(), Kind: reflection.Insight, Status: reflection.Queued, CreatedAt: time.Now()}
			_, _, err := postgres.NewReflections(db).Create(ctx, acme, r, memory.Key{})
			return err
		},
		"events": func(ctx context.Context) error {
			_, err := postgres.NewReflections(db).Gather(ctx, acme, reflection.Gathered{Events: []reflection.Event{{Source: "s", ID: "1"}}, Every: 9}, reflection.Reflection{})
			return err
		},
		"jobs": func(ctx context.Context) error {
			_, _, err := postgres.NewJobs(db).Create(ctx, acme, job.Job{ID: memory.NewID(), Kind: "count"}, memory.Key{})
			return err
		},
		"blocks": func(ctx context.Context) error {
			service, said := block.Service{Store: postgres.NewBlocks(db)}, string(memory.NewID())
			own := memory.Scope{Tenant: acme.Tenant, Project: "blocks"} // in one project they take turns with memories
			_, err := service.Put(ctx, own, block.Ref{Name: "task"}, block.Settings{Content: &said}, block.Request{})
			return err
		},
		"projections": func(ctx context.Context) error {
			_, err := db.Project(ctx, acme, "index", func(memory.Seq) (memory.Seq, error) { return 1, nil })
			return err
		},
	}
	for name, write := range writers {
		if err := write(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	erasure, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := erasure.Exec(t.Context(), `SELECT pg_advisory_xact_lock(hashtextextended($1, 1))`, acme.Tenant); err != nil {
		t.Fatal(err)
	}
	ended := make(chan string, len(writers))
	for name, write := range writers {
		go func() {
			if err := write(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			ended <- name
		}()
	}
	for waiting := 0; waiting < len(writers); {
		err := erasure.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case name := <-ended:
			t.Fatalf("%s were written during an erasure", name)
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err := erasure.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range writers {
		<-ended
	}
}
