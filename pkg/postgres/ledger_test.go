package postgres_test

import (
	"sync"
	"sync/atomic"
	"testing"

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
