package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/servicetest"
)

// lasting returns the URL of a new database on a server that keeps what it confirms.
func lasting(b *testing.B) string {
	b.Helper()
	url := servicetest.OwnPostgres(b, nil).Database(b, "")
	if _, err := postgres.Migrate(context.Background(), url); err != nil {
		b.Fatal(err)
	}
	return url
}

// BenchmarkSpend reserves and settles in one scope, alone and with others, in the ledger's own line and in those of four
// ledgers that share nothing but the database; while memories are imported into the scope; and, to compare, by two guarded
// UPDATEs in the database that note what they did, which know no rule but one limit, and by a single one that notes nothing.
func BenchmarkSpend(b *testing.B) {
	url := lasting(b)
	db := openAt(b, url, postgres.Options{Connections: 4})
	limit, cost := 1_000_000_000*budget.USD, budget.USD
	ledgers := []*postgres.Ledger{postgres.NewLedger(db, budget.Policy{Defaults: budget.Limits{Monthly: &limit}})}
	for range 3 {
		db := openAt(b, url, postgres.Options{Connections: 4})
		ledgers = append(ledgers, postgres.NewLedger(db, budget.Policy{Defaults: budget.Limits{Monthly: &limit}}))
	}
	spendAt := func(ctx context.Context, ledger *postgres.Ledger) error {
		r, err := ledger.Reserve(ctx, acme, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost})
		if err == nil {
			_, err = ledger.Settle(ctx, acme, r.ID, budget.Settle{Cost: &cost})
		}
		return err
	}
	spend := func(ctx context.Context) error { return spendAt(ctx, ledgers[0]) }
	var next atomic.Int64
	anywhere := func(ctx context.Context) error { return spendAt(ctx, ledgers[next.Add(1)%4]) }
	guarded, bare := guardedSpend(b, url)
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprintf("line/%d", writers), func(b *testing.B) { measure(b, writers, spend) })
		b.Run(fmt.Sprintf("lines/%d", writers), func(b *testing.B) { measure(b, writers, anywhere) })
		b.Run(fmt.Sprintf("guarded/%d", writers), func(b *testing.B) { measure(b, writers, guarded) })
		b.Run(fmt.Sprintf("bare/%d", writers), func(b *testing.B) { measure(b, writers, bare) })
	}
	b.Run("line/1/import", func(b *testing.B) {
		ctx, stop := context.WithCancel(b.Context())
		var importing sync.WaitGroup
		importing.Go(func() { importMemories(ctx, db) })
		measure(b, 1, spend)
		stop()
		importing.Wait()
	})
}

// importMemories keeps the scope's memories written to, 200 a transaction.
func importMemories(ctx context.Context, db *postgres.DB) {
	for n := 0; ctx.Err() == nil; n += 200 {
		_ = db.Write(ctx, acme, func(tx memory.Tx) error {
			for i := range 200 {
				m := memory.Memory{Content: fmt.Sprintf("memory %d: she said that the tea was ready", n+i)}
				if _, _, err := tx.Put(ctx, m, memory.Why{Actor: "bench"}); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// measure runs b.N calls by so many callers and reports the median and the slowest hundredth.
func measure(b *testing.B, callers int, call func(context.Context) error) {
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var calling sync.WaitGroup
	b.ResetTimer()
	for range callers {
		calling.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				began := time.Now()
				if err := call(b.Context()); err != nil {
					b.Error(err)
				}
				took[i-1] = time.Since(began)
			}
		})
	}
	calling.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[b.N/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds())/1000, "p99-ms")
}

// guardedSpend is the least that a database must do: hold, if it fits, and note it; book, and note it. One round trip each.
// bare only takes it, if it fits.
func guardedSpend(b *testing.B, url string) (spend, bare func(context.Context) error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		b.Fatal(err)
	}
	config.MaxConns = 32
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	for _, statement := range []string{
		`CREATE TABLE guarded (scope text PRIMARY KEY, most bigint NOT NULL, used bigint NOT NULL, held bigint NOT NULL) WITH (fillfactor = 50)`,
		`CREATE TABLE guarded_holds (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, cost bigint NOT NULL, status text NOT NULL)`,
		`INSERT INTO guarded VALUES ('acme', 1000000000000000000, 0, 0)`,
	} {
		if _, err := pool.Exec(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	const hold = `WITH fits AS (UPDATE guarded SET held = held + $1 WHERE scope = 'acme' AND used + held + $1 <= most RETURNING 1)
		INSERT INTO guarded_holds (cost, status) SELECT $1, 'held' FROM fits RETURNING id`
	const book = `WITH ended AS (UPDATE guarded_holds SET status = 'settled' WHERE id = $1 AND status = 'held' RETURNING cost)
		UPDATE guarded SET held = held - ended.cost, used = used + ended.cost FROM ended WHERE scope = 'acme'`
	spend = func(ctx context.Context) error {
		var id int64
		if err := pool.QueryRow(ctx, hold, int64(budget.USD)).Scan(&id); err != nil {
			return err
		}
		_, err := pool.Exec(ctx, book, id)
		return err
	}
	bare = func(ctx context.Context) error {
		_, err := pool.Exec(ctx, `UPDATE guarded SET used = used + $1 WHERE scope = 'acme' AND used + held + $1 <= most`, int64(budget.USD))
		return err
	}
	return spend, bare
}
