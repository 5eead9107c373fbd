package budgettest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// defaults are the policy's limits where clauses are about those who set none.
func defaults() budget.Limits { return budget.Limits{Monthly: usd("100"), Daily: usd("10")} }

// project returns the fixture in another project of its tenant.
func (f *fixture) project(name string) *fixture { return f.in(f.scope.Tenant, name) }

// limitTenant sets limits of the tenant that must stand.
func (f *fixture) limitTenant(l budget.Limits) budget.TenantStatus {
	f.Helper()
	s, err := f.ledger.PutTenantLimits(f.ctx, f.scope.Tenant, l)
	if err != nil {
		f.Fatalf("put limits of the tenant: %v", err)
	}
	return s
}

func (f *fixture) tenant() budget.TenantStatus {
	f.Helper()
	s, err := f.ledger.CurrentTenant(f.ctx, f.scope.Tenant)
	if err != nil {
		f.Fatalf("current of the tenant: %v", err)
	}
	return s
}

// wantTenant compares the books of the tenant, given in dollars.
func (f *fixture) wantTenant(month, day, held string) {
	f.Helper()
	s := f.tenant()
	is(f, "books of the tenant", books{Month: s.MonthlyUsage, Day: s.DailyUsage, Held: s.MonthlyReserved},
		books{Month: *usd(month), Day: *usd(day), Held: *usd(held)})
}

// wantPot compares the books of what projects without limits share, given in dollars.
func (f *fixture) wantPot(month, day, held string) {
	f.Helper()
	s := f.tenant().Pot
	if s == nil {
		f.Fatal("the tenant tells of no pot")
	}
	is(f, "books of the pot", books{Month: s.MonthlyUsage, Day: s.DailyUsage, Held: s.MonthlyReserved},
		books{Month: *usd(month), Day: *usd(day), Held: *usd(held)})
}

func potClauses() []clause {
	return []clause{
		{"projects that set no limits share the defaults, so that naming another gains nothing", func(f *fixture) {
			f.project("a").spend("6")
			f.project("b").spend("3")
			f.project("b").reserve(ask("0.5"))
			c := f.project("c")
			is(c, "refusal", *c.refused(ask("0.500000001")), budget.ExceededError{
				Scope: c.scope, Level: budget.TenantLevel, Period: budget.Daily, Limit: int64(*usd("10")), Usage: int64(*usd("9")),
				Reserved: int64(*usd("0.5")), Requested: int64(*usd("0.500000001")), ResetsAt: at("2026-11-24T00:00:00Z"),
				OnExhausted: budget.Reject,
			})
			c.reserve(ask("0.5"))
			f.wantPot("9", "9", "1")
			f.in("other", "a").reserve(ask("10"))
		}},
		{"the monthly default is shared, too", func(f *fixture) {
			f.clock.set(at("2026-11-01T12:00:00Z"))
			for day := range 10 {
				f.project(fmt.Sprintf("p%d", day)).spend("10")
				f.clock.advance(24 * time.Hour)
			}
			f.wantPot("100", "0", "0")
			e := f.project("late").refused(ask("0.01"))
			is(f, "level and period", []any{e.Level, e.Period}, []any{budget.TenantLevel, budget.Monthly})
			f.clock.set(at("2026-12-01T00:00:00Z"))
			f.project("late").spend("10")
		}},
		{"a refusal of the pot holds nothing in the project", func(f *fixture) {
			f.project("a").reserve(ask("10"))
			f.project("b").refused(ask("1"))
			f.project("b").wantBooks("0", "0", "0")
			f.wantPot("0", "0", "10")
			f.wantTenant("0", "0", "10")
		}},
		{"a release gives back to the pot, once", func(f *fixture) {
			r := f.project("a").reserve(ask("6"))
			f.project("b").refused(ask("5"))
			f.project("a").release(r.ID)
			f.project("a").release(r.ID)
			f.wantPot("0", "0", "0")
			f.wantTenant("0", "0", "0")
			f.project("b").reserve(ask("10"))
		}},
		{"a project with limits of its own neither draws on the pot nor is bound by it", func(f *fixture) {
			own := f.project("own")
			own.monthly("50")
			own.spend("40")
			f.project("a").spend("10")
			f.project("b").refused(ask("0.01"))
			is(f, "pot", []bool{own.reserve(ask("10")).Pot}, []bool{false})
			f.wantPot("10", "10", "0")
			f.wantTenant("50", "50", "10")
		}},
		{"a lease that ends gives back to the project and to the pot, whichever project asks", func(f *fixture) {
			a, b := f.project("a"), f.project("b")
			request := ask("10")
			request.TTL = time.Minute
			r := a.reserve(request)
			is(f, "pot", r.Pot, true)
			f.clock.advance(time.Minute - time.Microsecond)
			b.refused(ask("1"))
			f.clock.advance(time.Microsecond)
			f.wantPot("0", "0", "0")
			f.wantTenant("0", "0", "0")
			b.reserve(ask("9"))
			f.wantPot("0", "0", "9")
			a.wantBooks("0", "0", "0")
			a.reserve(ask("1"))
			a.wantBooks("0", "0", "1")
			late := a.settle(r.ID, budget.Settle{Cost: usd("2")})
			is(f, "late and pot", []bool{late.Settlement.Late, late.Pot}, []bool{true, true})
			f.wantPot("2", "2", "10")
			f.wantTenant("2", "2", "10")
			a.wantBooks("2", "2", "1")
		}},
		{"what nobody asks for comes back by a sweep, at every level", func(f *fixture) {
			a, b := f.project("a"), f.project("b")
			a.reserve(ask("4"))
			b.reserve(ask("5"))
			f.clock.advance(budget.DefaultTTL)
			n, err := f.ledger.Expire(f.ctx, 10)
			if err != nil || n != 2 {
				f.Fatalf("expired %d: %v", n, err)
			}
			a.wantBooks("0", "0", "0")
			b.wantBooks("0", "0", "0")
			f.wantPot("0", "0", "0")
			f.wantTenant("0", "0", "0")
			b.reserve(ask("10"))
		}},
		{"a settlement larger than its reservation is booked in full at every level and blocks the next at every level", func(f *fixture) {
			a, b := f.project("a"), f.project("b")
			r := a.reserve(ask("4"))
			a.settle(r.ID, budget.Settle{Cost: usd("12")})
			a.wantBooks("12", "12", "0")
			f.wantPot("12", "12", "0")
			is(f, "levels", []budget.Level{a.refused(ask("0.01")).Level, b.refused(ask("0.01")).Level},
				[]budget.Level{budget.ProjectLevel, budget.TenantLevel})
		}},
		{"limits set between reserve and settle leave in the pot what was drawn on it", func(f *fixture) {
			a := f.project("a")
			settled, released, left := a.reserve(ask("4")), a.reserve(ask("3")), a.reserve(ask("2"))
			a.monthly("50")
			a.settle(settled.ID, budget.Settle{Cost: usd("3.5")})
			f.wantPot("3.5", "3.5", "5")
			a.release(released.ID)
			f.wantPot("3.5", "3.5", "2")
			f.clock.advance(budget.DefaultTTL)
			a.reserve(ask("40")) // of its own
			f.wantPot("3.5", "3.5", "0")
			a.settle(left.ID, budget.Settle{Cost: usd("1")})
			f.wantPot("4.5", "4.5", "0")
			a.wantBooks("4.5", "4.5", "40")
			f.wantTenant("4.5", "4.5", "40")
			f.project("b").refused(ask("5.6"))
			f.project("b").reserve(ask("5.5"))
		}},
		{"a settlement that is repeated with other numbers, or is another's, changes no level", func(f *fixture) {
			a := f.project("a")
			r := a.reserve(ask("4"))
			_, err := f.ledger.Settle(f.ctx, f.project("b").scope, r.ID, budget.Settle{Cost: usd("1")})
			f.fails(err, fault.NotFound, "")
			f.wantPot("0", "0", "4")
			a.settle(r.ID, budget.Settle{Cost: usd("3")})
			a.settle(r.ID, budget.Settle{Cost: usd("3")})
			_, err = f.ledger.Settle(f.ctx, a.scope, r.ID, budget.Settle{Cost: usd("2")})
			f.fails(err, fault.Conflict, "")
			f.wantPot("3", "3", "0")
			f.wantTenant("3", "3", "0")
		}},
		{"a request repeated under its key counts once at every level", func(f *fixture) {
			request := ask("4")
			request.IdempotencyKey = "once"
			is(f, "repeated", f.reserve(request), f.reserve(request))
			f.wantPot("0", "0", "4")
		}},
		{"a clock that falls back over midnight opens the day before in no project", func(f *fixture) {
			f.clock.set(at("2026-12-01T00:10:00Z"))
			f.project("a").spend("9")
			f.clock.set(at("2026-11-30T23:50:00Z"))
			b := f.project("b")
			is(f, "level", b.refused(ask("2")).Level, budget.TenantLevel)
			r := b.reserve(ask("1"))
			is(f, "day", b.settle(r.ID, budget.Settle{Cost: usd("1")}).Settlement.Day, "2026-12-01")
			f.clock.set(at("2026-12-01T00:20:00Z"))
			f.wantPot("10", "10", "0")
			b.wantBooks("1", "1", "0")
			b.refused(ask("0.01"))
		}},
		{"a project sees nothing of another in its own budget", func(f *fixture) {
			before := f.project("a").current()
			f.project("b").spend("10")
			is(f, "status", f.project("a").current(), before)
		}},
		{"of concurrent reservations in many projects exactly those succeed that the shared defaults cover", func(f *fixture) {
			granted, refused := f.storm(100, 10)
			is(f, "granted and refused", []int64{granted, refused}, []int64{10, 90})
			f.wantPot("0", "0", "10")
			f.wantTenant("0", "0", "10")
		}},
	}
}

// storm asks for so many dollars at once, one by one, in so many projects.
func (f *fixture) storm(callers, projects int) (granted, refused int64) {
	f.Helper()
	var yes, no atomic.Int64
	inParallel(callers, func(i int) {
		f := f.project(fmt.Sprintf("p%d", i%projects))
		_, err := f.ledger.Reserve(context.WithoutCancel(f.ctx), f.scope, ask("1"))
		var exceeded *budget.ExceededError
		switch {
		case err == nil:
			yes.Add(1)
		case errors.As(err, &exceeded) && exceeded.Level == budget.TenantLevel:
			no.Add(1)
		default:
			f.Errorf("reserve: %v", err)
		}
	})
	return yes.Load(), no.Load()
}

func tenantClauses() []clause {
	return []clause{
		{"a tenant that set no limits tells what its projects use together, and of what they share", func(f *fixture) {
			own := f.project("own")
			own.monthly("200")
			own.spend("150")
			f.project("a").spend("9")
			f.project("b").reserve(ask("0.5"))
			got := f.tenant()
			resets := budget.Resets{Daily: at("2026-11-24T00:00:00Z"), Monthly: at("2026-12-01T00:00:00Z")}
			percent := budget.Percent(90)
			is(f, "status", got.Status, budget.Status{
				TenantID: "acme", MonthlyUsage: *usd("159"), MonthlyReserved: *usd("0.5"), DailyUsage: *usd("159"), DailyReserved: *usd("0.5"),
				ProjectedMonthEnd: got.ProjectedMonthEnd, ResetsAt: resets, Status: budget.OK, WarningThreshold: 0.8,
				OnExhausted: budget.Reject, Enforced: true,
			})
			is(f, "pot", *got.Pot, budget.Status{
				TenantID: "acme", MonthlyLimit: usd("100"), MonthlyUsage: *usd("9"), MonthlyReserved: *usd("0.5"), MonthlyRemaining: usd("90.5"),
				DailyLimit: usd("10"), DailyUsage: *usd("9"), DailyReserved: *usd("0.5"), DailyRemaining: usd("0.5"), UsagePercentage: &percent,
				ProjectedMonthEnd: got.Pot.ProjectedMonthEnd, ResetsAt: resets, Status: budget.Critical, WarningThreshold: 0.8,
				OnExhausted: budget.Reject, Enforced: true,
			})
		}},
		{"limits of a tenant that are put are those that are read, null meaning unlimited", func(f *fixture) {
			f.project("a").spend("5")
			put := f.limitTenant(budget.Limits{
				Monthly: usd("500"), Daily: usd("20"), MonthlyTokens: tokens(1000), DailyTokens: tokens(100),
				WarningThreshold: 0.5, OnExhausted: budget.Degrade,
			})
			is(f, "read after put", f.tenant(), put)
			is(f, "limits", []*budget.Cost{put.MonthlyLimit, put.DailyLimit, put.DailyRemaining}, []*budget.Cost{usd("500"), usd("20"), usd("15")})
			is(f, "token limits", []*int64{put.MonthlyTokenLimit, put.DailyTokenLimit}, []*int64{tokens(1000), tokens(100)})
			is(f, "threshold and what then", []any{put.WarningThreshold, put.OnExhausted, put.Pot}, []any{0.5, budget.Degrade, (*budget.Status)(nil)})
			again := f.limitTenant(budget.Limits{})
			is(f, "limits after a put of none", []*budget.Cost{again.MonthlyLimit, again.DailyLimit}, []*budget.Cost{nil, nil})
			is(f, "another tenant's", f.in("other", "a").tenant().MonthlyLimit, nil)
			is(f, "a project's", []*budget.Cost{f.project("a").current().MonthlyLimit, f.project("a").current().DailyLimit}, []*budget.Cost{usd("100"), usd("10")})
		}},
		{"limits of a tenant that cannot stand name their field and change nothing", func(f *fixture) {
			before := f.limitTenant(budget.Limits{Monthly: usd("5")})
			negative := budget.Cost(-1)
			for location, l := range map[string]budget.Limits{
				"body.monthly_limit":     {Monthly: &negative},
				"body.daily_limit":       {Monthly: usd("1"), Daily: usd("2")},
				"body.daily_token_limit": {MonthlyTokens: tokens(1), DailyTokens: tokens(2)},
				"body.warning_threshold": {WarningThreshold: 1.5},
				"body.on_exhausted":      {OnExhausted: "explode"},
			} {
				_, err := f.ledger.PutTenantLimits(f.ctx, f.scope.Tenant, l)
				f.fails(err, fault.Invalid, location)
			}
			is(f, "status", f.tenant(), before)
		}},
		{"a tenant's limit below the sum of its projects' stops them all, and says whose it is", func(f *fixture) {
			f.limitTenant(budget.Limits{Monthly: usd("15"), OnExhausted: budget.Degrade})
			a, b := f.project("a"), f.project("b")
			a.monthly("10")
			b.monthly("10")
			a.spend("9")
			b.reserve(ask("5"))
			is(b, "refusal", *b.refused(ask("1.000000001")), budget.ExceededError{
				Scope: b.scope, Level: budget.TenantLevel, Period: budget.Monthly, Limit: int64(*usd("15")), Usage: int64(*usd("9")),
				Reserved: int64(*usd("5")), Requested: int64(*usd("1.000000001")), ResetsAt: at("2026-12-01T00:00:00Z"),
				OnExhausted: budget.Degrade,
			})
			is(f, "level of what the project refuses itself", a.refused(ask("1.1")).Level, budget.ProjectLevel)
			b.reserve(ask("1"))
			f.in("other", "a").reserve(ask("10"))
			a.wantBooks("9", "9", "0")
			f.wantTenant("9", "9", "6")
		}},
		{"under a tenant's limits every project has the defaults for itself", func(f *fixture) {
			f.limitTenant(budget.Limits{Monthly: usd("25")})
			f.project("a").spend("10")
			f.project("b").spend("10")
			is(f, "own default", f.project("a").refused(ask("1")).Level, budget.ProjectLevel)
			is(f, "the tenant's", f.project("c").refused(ask("6")).Level, budget.TenantLevel)
			f.project("c").spend("5")
		}},
		{"what was spent before a tenant had limits counts against them", func(f *fixture) {
			own := f.project("own")
			own.limit(budget.Limits{})
			own.spend("30")
			f.project("a").spend("4")
			held := f.project("a").reserve(ask("2"))
			f.limitTenant(budget.Limits{Monthly: usd("40")})
			own.refused(ask("5"))
			own.reserve(ask("4"))
			f.project("a").settle(held.ID, budget.Settle{Cost: usd("1")})
			f.wantTenant("35", "35", "4")
			own.reserve(ask("1"))
			own.refused(ask("0.01"))
		}},
		{"the project's limits are checked before the tenant's, each in their order", func(f *fixture) {
			limits := func() *budget.Limits {
				return &budget.Limits{Monthly: usd("1"), Daily: usd("1"), MonthlyTokens: tokens(10), DailyTokens: tokens(10)}
			}
			request := budget.Request{Operation: "chat", Model: "m", MaxCost: usd("2"), TokensIn: 11}
			type refusal struct {
				level  budget.Level
				period budget.Period
			}
			var order []refusal
			project, tenant := limits(), limits()
			for _, l := range []*budget.Limits{project, tenant} {
				for _, lift := range []func(){
					func() { l.Daily = nil }, func() { l.Monthly = nil }, func() { l.DailyTokens = nil }, func() { l.MonthlyTokens = nil },
				} {
					f.limit(*project)
					f.limitTenant(*tenant)
					e := f.refused(request)
					order = append(order, refusal{e.Level, e.Period})
					lift()
				}
			}
			f.limitTenant(*tenant)
			f.reserve(request)
			var want []refusal
			for _, level := range []budget.Level{budget.ProjectLevel, budget.TenantLevel} {
				for _, p := range []budget.Period{budget.Daily, budget.Monthly, budget.DailyTokens, budget.MonthlyTokens} {
					want = append(want, refusal{level, p})
				}
			}
			is(f, "order", order, want)
		}},
		{"where a tenant's tokens are limited, a request must say how many", func(f *fixture) {
			f.limitTenant(budget.Limits{DailyTokens: tokens(100)})
			_, err := f.ledger.Reserve(f.ctx, f.scope, ask("1"))
			f.fails(err, fault.Invalid, "body.tokens_in")
			request := ask("1")
			request.TokensIn = 100
			f.project("a").reserve(request)
			request.TokensIn = 1
			is(f, "period", f.project("b").refused(request).Period, budget.DailyTokens)
		}},
		{"a lease that ends gives back to the tenant, whichever project asks, and a late settlement is booked", func(f *fixture) {
			f.limitTenant(budget.Limits{Monthly: usd("10")})
			a, b := f.project("a"), f.project("b")
			a.monthly("10")
			b.monthly("10")
			r := a.reserve(ask("10"))
			f.clock.advance(budget.DefaultTTL)
			f.wantTenant("0", "0", "0")
			b.reserve(ask("9"))
			a.settle(r.ID, budget.Settle{Cost: usd("3")})
			f.wantTenant("3", "3", "9")
			is(f, "level", b.refused(ask("0.01")).Level, budget.TenantLevel)
		}},
		{"a settlement beyond the hold is booked with the tenant and blocks every project", func(f *fixture) {
			f.limitTenant(budget.Limits{Monthly: usd("10")})
			a, b := f.project("a"), f.project("b")
			a.settle(a.reserve(ask("4")).ID, budget.Settle{Cost: usd("9")})
			f.wantTenant("9", "9", "0")
			b.refused(ask("1.1"))
			b.settle(b.reserve(ask("1")).ID, budget.Settle{Cost: usd("3")})
			f.wantTenant("12", "12", "0")
			is(f, "standing", f.tenant().Status.Status, budget.Exceeded)
			is(f, "level", b.refused(ask("0.01")).Level, budget.TenantLevel)
		}},
		{"at midnight the tenant's day is new in every project", func(f *fixture) {
			f.limitTenant(budget.Limits{Monthly: usd("100"), Daily: usd("10")})
			f.clock.set(at("2026-11-30T23:59:00Z"))
			r := f.project("a").reserve(ask("8"))
			f.project("b").spend("2")
			f.project("c").refused(ask("0.01"))
			f.clock.set(at("2026-12-01T00:01:00Z"))
			f.project("c").refused(ask("3"))
			f.project("a").settle(r.ID, budget.Settle{Cost: usd("8")})
			f.wantTenant("8", "8", "0")
			f.project("c").spend("2")
			f.project("b").refused(ask("0.01"))
		}},
		{"of 200 concurrent reservations in 8 projects against a tenant's budget for 20 exactly 20 succeed, 10 times", func(f *fixture) {
			for run := range 10 {
				f := f.in(fmt.Sprintf("run-%d", run), "default")
				f.limitTenant(budget.Limits{Monthly: usd("20")})
				granted, refused := f.storm(200, 8)
				is(f, "granted and refused", []int64{granted, refused}, []int64{20, 180})
				f.wantTenant("0", "0", "20")
			}
		}},
		{"concurrent spenders of many projects never exceed the tenant's limit and never lose a nano-dollar", func(f *fixture) {
			f.limitTenant(budget.Limits{Monthly: usd("5"), Daily: usd("5")})
			var spent [4]atomic.Int64
			var broken atomic.Int64
			inParallel(32, func(i int) {
				f := f.project(fmt.Sprintf("p%d", i%len(spent)))
				for n := range 10 {
					cost := budget.Cost(int64(i*n+1) * 7_654_321)
					r, err := f.ledger.Reserve(f.ctx, f.scope, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost})
					if err != nil {
						continue
					}
					if (i+n)%3 == 0 {
						_, err = f.ledger.Release(f.ctx, f.scope, r.ID)
					} else {
						actual := cost * 2 / 3
						_, err = f.ledger.Settle(f.ctx, f.scope, r.ID, budget.Settle{Cost: &actual})
						spent[i%len(spent)].Add(int64(actual))
					}
					if err != nil {
						f.Errorf("end a reservation: %v", err)
					}
					if s, err := f.ledger.CurrentTenant(f.ctx, f.scope.Tenant); err != nil || s.MonthlyUsage+s.MonthlyReserved > *usd("5") {
						broken.Add(1)
					}
				}
			})
			is(f, "moments over the limit", broken.Load(), 0)
			var all budget.Cost
			for i := range spent {
				one := budget.Cost(spent[i].Load())
				all += one
				f := f.project(fmt.Sprintf("p%d", i))
				is(f, "books", f.books(), books{Month: one, Day: one})
			}
			s := f.tenant()
			is(f, "books of the tenant", books{Month: s.MonthlyUsage, Day: s.DailyUsage, Held: s.MonthlyReserved}, books{Month: all, Day: all})
		}},
	}
}

func nowhereClauses() []clause {
	return []clause{
		{"no budget is kept for a scope that names no project", func(f *fixture) {
			nowhere := memory.Scope{Tenant: "acme"}
			_, reserve := f.ledger.Reserve(f.ctx, nowhere, ask("1"))
			_, settle := f.ledger.Settle(f.ctx, nowhere, memory.NewID(), budget.Settle{Cost: usd("1")})
			_, release := f.ledger.Release(f.ctx, nowhere, memory.NewID())
			_, read := f.ledger.Reservation(f.ctx, nowhere, memory.NewID())
			_, put := f.ledger.PutLimits(f.ctx, nowhere, budget.Limits{})
			_, current := f.ledger.Current(f.ctx, nowhere)
			for _, err := range []error{reserve, settle, release, read, put, current} {
				f.fails(err, fault.Invalid, "project_id")
			}
			f.wantTenant("0", "0", "0")
		}},
	}
}

// heard is what a record says at its level.
type heard struct {
	Project, Level, Type, Period, Usage string
}

func (f *fixture) heard() []heard {
	f.Helper()
	var all []heard
	for _, r := range f.records() {
		if r.Type == outbox.BudgetChanged {
			continue // has clauses of its own
		}
		var data struct {
			Tenant  string `json:"tenant_id"`
			Project string `json:"project_id"`
			Level   string
			Period  string
			Usage   json.Number
		}
		if err := json.Unmarshal(r.Data, &data); err != nil {
			f.Fatalf("data of the record: %v", err)
		}
		is(f, "scope of the record", memory.Scope{Tenant: r.Tenant, Project: r.Project}, memory.Scope{Tenant: data.Tenant, Project: data.Project})
		all = append(all, heard{Project: r.Project, Level: data.Level, Type: r.Type, Period: data.Period, Usage: data.Usage.String()})
	}
	return all
}

func tenantRecordClauses() []clause {
	const warning, exceeded = outbox.BudgetWarning, outbox.BudgetExceeded
	return []clause{
		{"a crossing of what projects share is told once, of no project", func(f *fixture) {
			f.project("a").spend("5")
			f.project("b").spend("2.9")
			is(f, "below the threshold", f.heard(), nil)
			f.project("c").spend("0.1")
			f.project("a").spend("1")
			is(f, "over the threshold", f.heard(), []heard{{"", "tenant", warning, "daily", "8"}})
			f.project("b").refused(ask("2"))
			f.project("c").refused(ask("2"))
			is(f, "what is left covers no more", f.heard(), []heard{{"", "tenant", exceeded, "daily", "9"}})
		}},
		{"a crossing of a project's limit and of the tenant's are two", func(f *fixture) {
			f.limitTenant(budget.Limits{Monthly: usd("20")})
			f.project("a").monthly("10")
			f.project("b").monthly("100")
			f.project("b").spend("7")
			f.project("a").spend("9")
			is(f, "records", f.heard(), []heard{{"a", "project", warning, "monthly", "9"}, {"", "tenant", warning, "monthly", "16"}})
			f.project("b").spend("4")
			is(f, "at the limit", f.heard(), []heard{{"", "tenant", exceeded, "monthly", "20"}})
		}},
		{"other limits of a tenant are told, equal ones are not", func(f *fixture) {
			changes := func() (of []memory.Scope) {
				f.Helper()
				for _, r := range f.records() {
					if r.Type == outbox.BudgetChanged {
						of = append(of, memory.Scope{Tenant: r.Tenant, Project: r.Project})
					}
				}
				return of
			}
			f.limitTenant(budget.Limits{Monthly: usd("100")})
			is(f, "first limits", changes(), []memory.Scope{{Tenant: f.scope.Tenant}})
			f.limitTenant(budget.Limits{Monthly: usd("100")})
			is(f, "the same limits", changes(), nil)
			f.limitTenant(budget.Limits{})
			is(f, "none", changes(), []memory.Scope{{Tenant: f.scope.Tenant}})
		}},
		{"limits of a tenant end what the pot has to tell, and a lowered one is told at once", func(f *fixture) {
			f.limitTenant(budget.Limits{Monthly: usd("100")})
			f.project("a").spend("6")
			f.project("b").spend("6")
			is(f, "records", f.heard(), nil)
			f.limitTenant(budget.Limits{Monthly: usd("15")})
			is(f, "lowered", f.heard(), []heard{{"", "tenant", warning, "monthly", "12"}})
			f.limitTenant(budget.Limits{Monthly: usd("100")})
			f.limitTenant(budget.Limits{Monthly: usd("12")})
			is(f, "raised and lowered", f.heard(), []heard{{"", "tenant", warning, "monthly", "12"}, {"", "tenant", exceeded, "monthly", "12"}})
		}},
	}
}
