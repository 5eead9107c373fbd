package postgres_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/budget/budgettest"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
)

func TestLedgerKeepsTheContract(t *testing.T) {
	t.Parallel()
	budgettest.Run(t, "postgres", func(t *testing.T, s budgettest.Setup) budgettest.Opened {
		db := open(t, postgres.Options{Clock: s.Clock})
		return budgettest.Opened{Ledger: postgres.NewLedger(db, s.Policy), Outbox: db, Erase: db.EraseTenant}
	})
}

// Two processes share the database and nothing else.
func TestTwoProcessesShareABudget(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	scope := memory.Scope{Tenant: "acme", Project: "default"}
	limit, cost := 20*budget.USD, budget.USD
	ledgers := make([]*postgres.Ledger, 2)
	for i := range ledgers {
		ledgers[i] = postgres.NewLedger(openAt(t, url, postgres.Options{}), budget.Policy{Defaults: budget.Limits{Monthly: &limit}})
	}
	var granted atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			r, err := ledgers[i%2].Reserve(t.Context(), scope, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost})
			switch {
			case err == nil:
				granted.Add(1)
				if _, err := ledgers[(i+1)%2].Settle(t.Context(), scope, r.ID, budget.Settle{Cost: &cost}); err != nil {
					t.Errorf("settle in the other process: %v", err)
				}
			case fault.KindOf(err) != fault.OverBudget:
				t.Errorf("reserve: %v", err)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 20 {
		t.Errorf("granted %d, want 20", granted.Load())
	}
	status, err := ledgers[0].Current(t.Context(), scope)
	if err != nil || status.MonthlyUsage != limit || status.MonthlyReserved != 0 {
		t.Errorf("the books say %v used, %v held: %v", status.MonthlyUsage, status.MonthlyReserved, err)
	}
}

func TestADatabaseThatIsAwayGrantsNothing(t *testing.T) {
	t.Parallel()
	db := openAt(t, "postgres://nobody@127.0.0.1:1/none", postgres.Options{})
	cost := budget.Cost(0)
	_, err := postgres.NewLedger(db, budget.Policy{Disabled: true}).Reserve(t.Context(), memory.Scope{Tenant: "acme", Project: "default"},
		budget.Request{Operation: "chat", Model: "m", MaxCost: &cost})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
}

// One who leaves in the middle of a settlement takes back what it did to the books, and nothing of those who share its
// transaction.
func TestOneWhoLeavesTakesBackOnlyItsOwn(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	leaving, leave := context.WithCancel(t.Context())
	db := openAt(t, url, postgres.Options{TraceParent: func(ctx context.Context) string {
		if ctx == leaving { // its settlement has changed the books, and has a warning to write
			leave()
		}
		return ""
	}})
	limit, cost := 10*budget.USD, 9*budget.USD
	small := budget.USD / 2
	policy := budget.Policy{Defaults: budget.Limits{Monthly: &limit}}
	ledger := postgres.NewLedger(db, policy)
	r, err := postgres.NewLedger(db, policy).Reserve(t.Context(), acme, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost})
	if err != nil {
		t.Fatal(err)
	}
	other, err := connect(t, url).Begin(t.Context()) // another process has its turn: both have to wait, and come together
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(t.Context(), `SELECT pg_advisory_xact_lock(hashtextextended($1, 3))`, acme.Tenant); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := ledger.Settle(leaving, acme, r.ID, budget.Settle{Cost: &cost}); !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}
	})
	until(t, func() (waits bool) {
		err := other.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waits)
		return waits || err != nil
	})
	wg.Go(func() {
		if _, err := ledger.Reserve(t.Context(), acme, budget.Request{Operation: "chat", Model: "m", MaxCost: &small}); err != nil {
			t.Errorf("who stayed got %v", err)
		}
	})
	until(t, func() bool { return ledger.Waiting(acme.Tenant) == 1 })
	if err := other.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	status, err := ledger.Current(t.Context(), acme)
	if err != nil || status.MonthlyUsage != 0 || status.MonthlyReserved != cost+small {
		t.Errorf("the books say %v used, %v held: %v", status.MonthlyUsage, status.MonthlyReserved, err)
	}
	if _, err := ledger.Settle(t.Context(), acme, r.ID, budget.Settle{Cost: &cost}); err != nil {
		t.Errorf("settled after all: %v", err)
	}
}

// until waits for what another goroutine is about to do.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}
