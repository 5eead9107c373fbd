package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

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
