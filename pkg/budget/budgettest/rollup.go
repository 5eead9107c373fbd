package budgettest

import (
	"testing"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// RolledUp holds a ledger to what a migration must have summed up above the projects of tenant acme, from the rows that the
// tests of the stores insert before it: what each project had used and held, and of that what projects without limits share.
func RolledUp(t *testing.T, ledger budget.Ledger) {
	t.Helper()
	got, err := ledger.CurrentTenant(t.Context(), "acme")
	if err != nil || got.Pot == nil {
		t.Fatalf("got %+v, %v", got, err)
	}
	type books struct {
		month, day, held budget.Cost
		tokens           int64
	}
	of := func(s *budget.Status) books {
		return books{s.MonthlyUsage, s.DailyUsage, s.MonthlyReserved, s.MonthlyTokensUsed + s.TokensReserved}
	}
	const half = budget.USD / 2
	if all, want := of(&got.Status), (books{34*budget.USD + half, 3*budget.USD + half, 3 * budget.USD, 375}); all != want {
		t.Errorf("all projects: got %+v, want %+v", all, want)
	}
	if pot, want := of(got.Pot), (books{4*budget.USD + half, 3*budget.USD + half, 2 * budget.USD, 65}); pot != want {
		t.Errorf("the pot: got %+v, want %+v", pot, want)
	}
	for project, id := range map[string]memory.ID{"a": "01968f3e-0000-7000-8000-000000000001", "own": "01968f3e-0000-7000-8000-000000000002"} {
		r, err := ledger.Release(t.Context(), memory.Scope{Tenant: "acme", Project: project}, id)
		if err != nil || r.Pot != (project == "a") {
			t.Errorf("a reservation from before: %+v, %v", r, err)
		}
	}
	if got, err = ledger.CurrentTenant(t.Context(), "acme"); err != nil || got.MonthlyReserved != 0 || got.Pot.MonthlyReserved != 0 {
		t.Errorf("held after they were released: %v, %v of the pot; %v", got.MonthlyReserved, got.Pot.MonthlyReserved, err)
	}
}
