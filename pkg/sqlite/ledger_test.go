package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/budget/budgettest"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/sqlite"
)

func TestLedgerKeepsTheContract(t *testing.T) {
	t.Parallel()
	budgettest.Run(t, "sqlite", func(t *testing.T, s budgettest.Setup) budgettest.Opened {
		db := sqlite.Open(filepath.Join(t.TempDir(), "rae.db"), sqlite.Options{Clock: s.Clock})
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return budgettest.Opened{Ledger: sqlite.NewLedger(db, s.Policy), Outbox: db, Erase: db.EraseTenant}
	})
}

func TestLedgerKeepsItsBooksAcrossARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rae.db")
	scope := memory.Scope{Tenant: "acme", Project: "default"}
	limit, cost := 10*budget.USD, 4*budget.USD
	ask := budget.Request{Operation: "chat", Model: "gpt-4o", MaxCost: &cost, IdempotencyKey: "once"}
	// life opens the ledger, lets do work with it, and closes it.
	life := func(do func(*sqlite.Ledger) (budget.Reservation, error)) (budget.Reservation, budget.Status) {
		t.Helper()
		db := sqlite.Open(path, sqlite.Options{})
		ledger := sqlite.NewLedger(db, budget.Policy{})
		r, err := do(ledger)
		if err != nil {
			t.Fatal(err)
		}
		status, err := ledger.Current(t.Context(), scope)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		return r, status
	}
	first, before := life(func(l *sqlite.Ledger) (budget.Reservation, error) {
		if _, err := l.PutLimits(t.Context(), scope, budget.Limits{Monthly: &limit}); err != nil {
			return budget.Reservation{}, err
		}
		return l.Reserve(t.Context(), scope, ask)
	})
	again, after := life(func(l *sqlite.Ledger) (budget.Reservation, error) { return l.Reserve(t.Context(), scope, ask) })
	if !reflect.DeepEqual(again, first) {
		t.Errorf("the same key after a restart: got %+v, want %+v", again, first)
	}
	if !reflect.DeepEqual(after, before) {
		t.Errorf("the books after a restart: got %+v, want %+v", after, before)
	}
	_, settled := life(func(l *sqlite.Ledger) (budget.Reservation, error) {
		return l.Settle(t.Context(), scope, first.ID, budget.Settle{Cost: &limit})
	})
	if settled.MonthlyUsage != limit || settled.MonthlyReserved != 0 {
		t.Errorf("after the settlement: got %+v", settled)
	}
}

func TestTwoProcessesOnOneFileDoNotOverspend(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rae.db")
	scope := memory.Scope{Tenant: "acme", Project: "default"}
	limit, cost := 20*budget.USD, budget.USD
	ledgers := make([]*sqlite.Ledger, 2)
	for i := range ledgers { // two handles stand for two processes: they share the file and nothing else
		db := sqlite.Open(path, sqlite.Options{})
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		ledgers[i] = sqlite.NewLedger(db, budget.Policy{Defaults: budget.Limits{Monthly: &limit}})
	}
	var granted atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			_, err := ledgers[i%2].Reserve(t.Context(), scope, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost})
			if err == nil {
				granted.Add(1)
			} else if fault.KindOf(err) != fault.OverBudget {
				t.Errorf("reserve: %v", err)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 20 {
		t.Errorf("granted %d, want 20", granted.Load())
	}
}

func TestAStoreThatCannotBeOpenedGrantsNothing(t *testing.T) {
	t.Parallel()
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db := sqlite.Open(filepath.Join(blocked, "rae.db"), sqlite.Options{})
	cost := budget.Cost(0)
	_, err := sqlite.NewLedger(db, budget.Policy{Disabled: true}).Reserve(t.Context(), memory.Scope{Tenant: "acme", Project: "default"},
		budget.Request{Operation: "chat", Model: "m", MaxCost: &cost})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
}

// What projects used before there were budgets above them counts in these.
func TestBooksFromBeforeAreRolledUp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rae.db")
	file, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlite.MigrateTo(t.Context(), file, 9); err != nil {
		t.Fatal(err)
	}
	if _, err := file.ExecContext(t.Context(), `INSERT INTO budgets (tenant, project, warning_threshold, on_exhausted, updated_at, monthly_limit) VALUES ('acme', 'own', 0.8, 'reject', 1795435200000000, 100000000000);
	INSERT INTO budget_accounts (tenant, project, day, held_cost, held_tokens) VALUES ('acme', 'own', '2026-11-23', 1000000000, 10), ('acme', 'a', '2026-11-23', 2000000000, 20), ('acme', 'b', '2026-11-23', 0, 0);
	INSERT INTO budget_usage (tenant, project, period, cost, tokens, told) VALUES ('acme', 'own', '2026-11', 30000000000, 300, 0), ('acme', 'a', '2026-11', 4000000000, 40, 0),
		('acme', 'a', '2026-11-23', 3000000000, 30, 1), ('acme', 'b', '2026-11', 500000000, 5, 0), ('acme', 'b', '2026-11-23', 500000000, 5, 0), ('other', 'a', '2026-11', 1, 1, 0);
	INSERT INTO reservations (tenant, project, id, operation, provider, model, status, max_cost, max_tokens, price_known, created_at, expires_at, idempotency_key, fingerprint) VALUES
		('acme', 'a', '01968f3e-0000-7000-8000-000000000001', 'chat', '', 'm', 'held', 2000000000, 20, true, 1795435200000000, 1795438800000000, '', ''),
		('acme', 'own', '01968f3e-0000-7000-8000-000000000002', 'chat', '', 'm', 'held', 1000000000, 10, true, 1795435200000000, 1795438800000000, '', '');`); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	db := sqlite.Open(path, sqlite.Options{Clock: func() time.Time { return time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC) }})
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	limits := budget.Limits{Daily: new(10 * budget.USD), Monthly: new(100 * budget.USD)}
	ledger := sqlite.NewLedger(db, budget.Policy{Defaults: limits})
	budgettest.RolledUp(t, ledger)
}
