package budgettest

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/memory"
)

// RunRoster holds a ledger, named by on, that is a budget.Roster to that contract.
func RunRoster(t *testing.T, on string, open Opener) {
	t.Helper()
	run := contract.Begin(t, "budgettest.Roster", on)
	for _, c := range []clause{
		{"nobody has a budget at first", func(f *fixture) { is(f, "scopes", f.budgeted(10), []memory.Scope(nil)) }},
		{"who set limits or spent is listed once, who moved last first", func(f *fixture) {
			limited, spender, both := memory.Scope{Tenant: "b", Project: "limited"}, memory.Scope{Tenant: "b", Project: "spender"}, memory.Scope{Tenant: "a", Project: "both"}
			for _, scope := range []memory.Scope{limited, both} {
				if _, err := f.ledger.PutLimits(f.ctx, scope, budget.Limits{Daily: usd("1")}); err != nil {
					f.Fatal(err)
				}
			}
			f.clock.advance(24 * time.Hour)
			if _, err := f.ledger.Reserve(f.ctx, spender, ask("1")); err != nil {
				f.Fatal(err)
			}
			is(f, "by day", f.budgeted(10), []memory.Scope{spender, both, limited})
			if _, err := f.ledger.Reserve(f.ctx, both, ask("1")); err != nil {
				f.Fatal(err)
			}
			is(f, "by tenant within a day", f.budgeted(10), []memory.Scope{both, spender, limited})
			is(f, "no more than asked for", f.budgeted(2), []memory.Scope{both, spender})
		}},
		{"who only looked has none", func(f *fixture) {
			f.current()
			is(f, "scopes", f.budgeted(10), []memory.Scope(nil))
		}},
	} {
		run.Clause(t, c.fact, func(t *testing.T) { c.prove(newFixture(t, open, budget.Policy{})) })
	}
}

func (f *fixture) budgeted(limit int) []memory.Scope {
	f.Helper()
	scopes, err := f.ledger.(budget.Roster).Budgeted(f.ctx, limit)
	if err != nil {
		f.Fatal(err)
	}
	if len(scopes) == 0 {
		return nil
	}
	return scopes
}
