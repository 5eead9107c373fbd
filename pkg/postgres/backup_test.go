package postgres_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/backup"
	"github.com/rae-memory/rae/pkg/backup/backuptest"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/sqlite"
)

func TestStoreKeepsTheContractOfBackupStore(t *testing.T) {
	t.Parallel()
	backuptest.Run(t, "postgres", func(t *testing.T) backuptest.Store { return open(t, postgres.Options{}) })
}

func TestBackupsLoseNoColumn(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), fresh(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // the database goes with the test
	rows, err := conn.Query(t.Context(), `SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
		AND EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant')`)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string][]string{}
	var table, column string
	_, err = pgx.ForEachRow(rows, []any{&table, &column}, func() error {
		columns[table] = append(columns[table], column)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]string{
		"document": "numbers versions in blocks and edges of this store", "filed_at": "generated",
		"tags": "of the body", "speaker": "of the content", "words": "of the content",
	}
	backuptest.CheckSchema(t, columns, backuptest.Derived{
		"memories":        of,
		"memory_versions": of,
		"scopes": {"documents": "counted", "length": "counted", "gathered": "of the blocks",
			"language": "of the program that restores: words are read anew"},
		"memory_vectors": {"indexed": "of the indexes of this store"},
		"tenant_accounts": {"stamp": "of what processes remember", "spent_cost": "counts movements", "spent_tokens": "counts movements",
			"pot_spent_cost": "counts movements", "pot_spent_tokens": "counts movements", "lapses_at": "of the reservations"},
		"budget_accounts": {"spent_cost": "counts movements", "spent_tokens": "counts movements"},
		"term_blocks":     {"*": "of the words"},
		"graph_nodes":     {"*": "of the bodies"},
		"memory_sources":  {"*": "of the bodies"},
		"graph_edges":     {"*": "of the bodies"},
		"outbox":          {"position": "rows are told in its order", "due_at": "a lease or a wait of this store's relay"},
		"dead_letters":    {"position": "rows are told in its order"},
		"projections":     {"*": "of indexes elsewhere, which follow a restored feed from its beginning"},
		"restores":        {"*": "of this store"},
	})
}

// A tenant goes from a file into PostgreSQL, through an archive into another database, and back into a file.
func TestBackupsMoveBetweenStores(t *testing.T) {
	t.Parallel()
	scope, noon := memory.Scope{Tenant: "acme", Project: "default"}, time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	file := func() *sqlite.DB {
		db := sqlite.Open(filepath.Join(t.TempDir(), "rae.db"), sqlite.Options{Clock: func() time.Time { return noon }})
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	first, second, third, last := file(), open(t, postgres.Options{}), open(t, postgres.Options{}), file()
	backuptest.Fill(t, first, scope)
	if err := first.Restore(t.Context(), "made", "x", backuptest.Each(backuptest.Rows("up", 50))); err != nil {
		t.Fatal(err)
	}
	spend(t, sqlite.NewLedger(first, budget.Policy{}), scope)
	path := filepath.Join(t.TempDir(), "archive")
	steps := []struct {
		name string
		to   backuptest.Store
		move func() error
	}{
		{"sqlite to postgres", second, func() error {
			_, err := (&backup.Restorer{Into: second}).Copy(t.Context(), first, "")
			return err
		}},
		{"postgres to postgres, by archive", third, func() error {
			if _, err := backup.Write(t.Context(), second, path, backup.Header{Format: backup.Format}, nil); err != nil {
				return err
			}
			archive, err := os.Open(path)
			if err != nil {
				return err
			}
			defer archive.Close() //nolint:errcheck // it is only read
			_, err = (&backup.Restorer{Into: third}).Restore(t.Context(), archive, "")
			return err
		}},
		{"postgres to sqlite", last, func() error {
			_, err := (&backup.Restorer{Into: last}).Copy(t.Context(), third, "")
			return err
		}},
	}
	for _, step := range steps {
		if err := step.move(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got, want := backuptest.Ask(t, step.to, scope), backuptest.Ask(t, first, scope); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: answers differ", step.name)
		}
		for _, tenant := range []string{"acme", "made"} {
			want, err := backup.Digest(t.Context(), first, tenant)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := backup.Digest(t.Context(), step.to, tenant); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: tenant %s has %v, %v, want %v", step.name, tenant, got, err, want)
			}
		}
	}
	before, err := sqlite.NewLedger(first, budget.Policy{}).Current(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	after, err := sqlite.NewLedger(last, budget.Policy{}).Current(t.Context(), scope)
	if err != nil || !reflect.DeepEqual(after, before) || after.MonthlyUsage == 0 || after.MonthlyReserved == 0 {
		t.Errorf("budget: %+v, %v, want %+v", after, err, before)
	}
}

// spend sets limits, books what one call cost and holds what another may.
func spend(t *testing.T, l *sqlite.Ledger, scope memory.Scope) {
	t.Helper()
	limit, most, cost := budget.Cost(9_000_000_000), budget.Cost(1_000_000), budget.Cost(700_000)
	if _, err := l.PutLimits(t.Context(), scope, budget.Limits{Monthly: &limit}); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		r, err := l.Reserve(t.Context(), scope, budget.Request{Operation: "chat", Model: "m", MaxCost: &most})
		if err == nil && i == 0 {
			_, err = l.Settle(t.Context(), scope, r.ID, budget.Settle{Cost: &cost})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Words, edges and vectors are found in a restored scope as in the one before, whose words no block has gathered yet.
func TestRestoredScopesAreSearchedAlike(t *testing.T) {
	t.Parallel()
	scope := memory.Scope{Tenant: "acme", Project: "default"}
	from, to := open(t, postgres.Options{}), open(t, postgres.Options{})
	backuptest.Fill(t, from, scope)
	if _, err := (&backup.Restorer{Into: to}).Copy(t.Context(), from, ""); err != nil {
		t.Fatal(err)
	}
	past, filled := time.Now().Add(-time.Hour), time.Now()
	for _, view := range []memory.View{{}, {AsOf: &past}, {KnownAt: &filled}} {
		query := search.Query{Scope: scope, Text: "Who visited Zoë in Oslo on day 3 and came back?", Vector: []float32{1, 7, 0.25}, View: view}
		before, after := from.Legs("a"), to.Legs("a")
		for _, leg := range []struct{ before, after search.Leg }{
			{before.Lexical, after.Lexical}, {before.Dense, after.Dense}, {before.Graph, after.Graph},
		} {
			want, err := leg.before.Retrieve(t.Context(), query, 50)
			if err != nil {
				t.Fatal(err)
			}
			got, err := leg.after.Retrieve(t.Context(), query, 50)
			if err != nil || len(want) < 10 || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %d hits before, %d after, %v", leg.before.Name(), len(want), len(got), err)
			}
		}
	}
}
