package budgettest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

func runPolicy(t *testing.T, run *contract.Run, open Opener) {
	defaults := budget.Limits{Monthly: usd("100"), Daily: usd("10"), WarningThreshold: 0.7}
	run.Clause(t, "a scope that never set limits has the defaults, and they apply", func(t *testing.T) {
		f := newFixture(t, open, budget.Policy{Defaults: defaults})
		f.spend("10")
		is(f, "period", f.refused(ask("0.01")).Period, budget.Daily)
		s := f.current()
		is(f, "limits", []*budget.Cost{s.MonthlyLimit, s.DailyLimit}, []*budget.Cost{usd("100"), usd("10")})
		is(f, "threshold", s.WarningThreshold, 0.7)
	})
	run.Clause(t, "limits a scope sets replace the defaults, those left out too", func(t *testing.T) {
		f := newFixture(t, open, budget.Policy{Defaults: defaults})
		f.limit(budget.Limits{Monthly: usd("1000")})
		f.spend("500")
		f.in("acme", "other").refused(ask("11"))
	})
	run.Clause(t, "when enforcement is off nothing is refused and everything is booked", func(t *testing.T) {
		f := newFixture(t, open, budget.Policy{Defaults: defaults, Disabled: true})
		f.spend("5000")
		f.wantBooks("5000", "5000", "0")
		is(f, "enforced", f.current().Enforced, false)
	})
}

// told is what a record says, without what differs from run to run.
type told struct {
	Type, Period, Key, Usage string
}

func (f *fixture) told() []told {
	f.Helper()
	var all []told
	for _, r := range f.records() {
		if r.Type == outbox.BudgetChanged {
			continue // has a clause of its own
		}
		if r.Type != outbox.BudgetWarning && r.Type != outbox.BudgetExceeded {
			f.Errorf("a record of type %q", r.Type)
		}
		is(f, "scope of the record", memory.Scope{Tenant: r.Tenant, Project: r.Project}, f.scope)
		var data struct {
			Period string
			Key    string `json:"period_key"`
			Usage  json.Number
		}
		if err := json.Unmarshal(r.Data, &data); err != nil {
			f.Fatalf("data of the record: %v", err)
		}
		all = append(all, told{Type: r.Type, Period: data.Period, Key: data.Key, Usage: data.Usage.String()})
	}
	return all
}

func recordClauses() []clause {
	const warning, exceeded = outbox.BudgetWarning, outbox.BudgetExceeded
	return []clause{
		{"a crossing is told once, and a limit reached once", func(f *fixture) {
			f.monthly("10")
			f.spend("7.9")
			is(f, "below the threshold", f.told(), nil)
			f.spend("0.1")
			f.spend("1")
			is(f, "over the threshold", f.told(), []told{{warning, "monthly", "2026-11", "8"}})
			f.spend("1")
			f.refused(ask("1"))
			is(f, "at the limit", f.told(), []told{{exceeded, "monthly", "2026-11", "10"}})
		}},
		{"a limit of nothing, of which nothing was spent, alarms nobody", func(f *fixture) {
			f.monthly("0")
			f.refused(ask("1"))
			is(f, "records", f.told(), nil)
		}},
		{"holds are not usage: they warn nobody", func(f *fixture) {
			f.monthly("10")
			f.reserve(ask("10"))
			f.refused(ask("1"))
			is(f, "records", f.told(), nil)
		}},
		{"a refusal tells when what is spent leaves too little, once", func(f *fixture) {
			f.monthly("10")
			f.spend("7")
			f.refused(ask("11")) // would not fit an unspent budget either
			is(f, "a request too large for any month", f.told(), nil)
			f.refused(ask("4"))
			f.refused(ask("4"))
			is(f, "a request that came too late", f.told(), []told{{exceeded, "monthly", "2026-11", "7"}})
		}},
		{"the next day is told anew", func(f *fixture) {
			f.limit(budget.Limits{Daily: usd("10")})
			f.spend("9")
			f.clock.advance(24 * time.Hour)
			f.spend("9")
			got := f.told()
			is(f, "records", got, []told{{warning, "daily", "2026-11-23", "9"}, {warning, "daily", "2026-11-24", "9"}})
		}},
		{"tokens are told as tokens", func(f *fixture) {
			f.limit(budget.Limits{MonthlyTokens: tokens(100)})
			r := f.reserve(budget.Request{Operation: "chat", Model: "m", MaxCost: usd("0"), TokensIn: 85})
			f.settle(r.ID, budget.Settle{TokensIn: 85, Cost: usd("0")})
			is(f, "records", f.told(), []told{{warning, "monthly_tokens", "2026-11", "85"}})
		}},
		{"a raised limit is a new crossing, a lowered one is told at once", func(f *fixture) {
			f.monthly("10")
			f.spend("8")
			f.told()
			f.monthly("20")
			is(f, "raised", f.told(), nil)
			f.spend("8")
			is(f, "crossed again", f.told(), []told{{warning, "monthly", "2026-11", "16"}})
			f.monthly("16")
			is(f, "lowered", f.told(), []told{{exceeded, "monthly", "2026-11", "16"}})
		}},
		{"other limits are told once, the same ones again are not", func(f *fixture) {
			f.monthly("10")
			f.monthly("10")
			f.limit(budget.Limits{Monthly: usd("10"), OnExhausted: budget.Degrade})
			f.limit(budget.Limits{})
			changes := 0
			for _, r := range f.records() {
				is(f, "record", r.Type+" "+r.Tenant+" "+r.Project, outbox.BudgetChanged+" "+f.scope.Tenant+" "+f.scope.Project)
				changes++
			}
			is(f, "changes told", changes, 3)
		}},
		{"a settlement that is refused tells nothing", func(f *fixture) {
			f.monthly("10")
			r := f.reserve(ask("9"))
			_, err := f.ledger.Settle(f.ctx, f.scope, r.ID, budget.Settle{TokensIn: -1, Cost: usd("9")})
			if err == nil {
				f.Fatal("a negative count was booked")
			}
			is(f, "records", f.told(), nil)
		}},
	}
}
