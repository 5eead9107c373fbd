package budgettest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// model is a tenant's ledger anybody can check by eye: it keeps every booking and adds them up each time.
type model struct {
	defaults budget.Limits
	projects map[string]*budget.Limits // nil: never set
	tenant   *budget.Limits            // nil: never set
	holds    []*hold
	bookings []booking
}

type hold struct {
	id      memory.ID
	expires time.Time
	state   budget.State
	booking // of what is held
}

type booking struct {
	project string
	pot     bool
	at      time.Time
	cost    budget.Cost
	tokens  int64
}

// sums adds up what is booked in the month and on the day of now, and what is held at now, of the bookings that count.
func (m *model) sums(now time.Time, counts func(*booking) bool) (month, day, held booking) {
	add := func(to *booking, b *booking) { to.cost, to.tokens = to.cost+b.cost, to.tokens+b.tokens }
	for i := range m.bookings {
		b := &m.bookings[i]
		if counts(b) && b.at.Format("2006-01") == now.Format("2006-01") {
			add(&month, b)
		}
		if counts(b) && b.at.Format("2006-01-02") == now.Format("2006-01-02") {
			add(&day, b)
		}
	}
	for _, h := range m.holds {
		if counts(&h.booking) && h.state == budget.Held && now.Before(h.expires) {
			add(&held, &h.booking)
		}
	}
	return month, day, held
}

func of(project string) func(*booking) bool {
	return func(b *booking) bool { return b.project == project }
}
func everything(*booking) bool { return true }
func ofPot(b *booking) bool    { return b.pot }

// refusal says which limit stands against an amount, a zero one for none, and whether the amount would count in the pot.
func (m *model) refusal(now time.Time, project string, cost budget.Cost, count int64) (level budget.Level, period budget.Period, pot bool) {
	own := m.projects[project]
	limits := own
	if own == nil {
		limits = &m.defaults
	}
	pot = own == nil && m.tenant == nil
	if period := m.against(now, limits, of(project), cost, count); period != "" {
		return budget.ProjectLevel, period, pot
	}
	switch {
	case m.tenant != nil:
		period = m.against(now, m.tenant, everything, cost, count)
	case pot:
		period = m.against(now, &m.defaults, ofPot, cost, count)
	}
	if period != "" {
		level = budget.TenantLevel
	}
	return level, period, pot
}

// against says which of the limits stands against an amount, "" for none.
func (m *model) against(now time.Time, l *budget.Limits, counts func(*booking) bool, cost budget.Cost, count int64) budget.Period {
	month, day, held := m.sums(now, counts)
	switch {
	case l.Daily != nil && day.cost+held.cost+cost > *l.Daily:
		return budget.Daily
	case l.Monthly != nil && month.cost+held.cost+cost > *l.Monthly:
		return budget.Monthly
	case l.DailyTokens != nil && day.tokens+held.tokens+count > *l.DailyTokens:
		return budget.DailyTokens
	case l.MonthlyTokens != nil && month.tokens+held.tokens+count > *l.MonthlyTokens:
		return budget.MonthlyTokens
	}
	return ""
}

// runModel lets the ledger and the model live through the same random histories.
func runModel(t *testing.T, open Opener) {
	defaults := budget.Limits{Monthly: usd("60"), Daily: usd("20"), MonthlyTokens: tokens(2000), DailyTokens: tokens(500)}
	ledger := newFixture(t, open, budget.Policy{Defaults: defaults})
	start, histories := ledger.clock.Now(), 0
	rapid.Check(t, func(rt *rapid.T) {
		histories++
		f := ledger.in(fmt.Sprintf("history-%d", histories), "") // its own books, so that one ledger serves all
		f.clock.set(start)
		h := &history{f: f, model: model{defaults: defaults, projects: map[string]*budget.Limits{}}}
		rt.Repeat(map[string]func(*rapid.T){
			"limit":          h.limit,
			"reserve":        h.reserve,
			"settle":         h.settle,
			"release":        h.release,
			"expire":         h.expire,
			"wait":           h.wait,
			"limit a tenant": h.limitTenant,
			"":               h.balance,
		})
	})
}

// history is one life of a tenant, in the ledger and in the model.
type history struct {
	f     *fixture
	model model
}

// projects are few, so that they meet.
func projects() []string { return []string{"a", "b", "c"} }

func (h *history) project(rt *rapid.T) memory.Scope {
	return memory.Scope{Tenant: h.f.scope.Tenant, Project: rapid.SampledFrom(projects()).Draw(rt, "project")}
}

func dollars() *rapid.Generator[int64] { return rapid.Int64Range(0, 30*int64(budget.USD)) }
func counts() *rapid.Generator[int64]  { return rapid.Int64Range(1, 100) }

// limits are some that can stand.
func (h *history) limits(rt *rapid.T) *budget.Limits {
	monthly, daily := budget.Cost(dollars().Draw(rt, "monthly")*4), budget.Cost(dollars().Draw(rt, "daily"))
	monthlyTokens, dailyTokens := counts().Draw(rt, "monthly tokens")*20, counts().Draw(rt, "daily tokens")*5
	l := &budget.Limits{
		Monthly: &monthly, Daily: new(min(daily, monthly)), MonthlyTokens: &monthlyTokens, DailyTokens: new(min(dailyTokens, monthlyTokens)),
	}
	if rapid.Bool().Draw(rt, "no daily limit") {
		l.Daily, l.DailyTokens = nil, nil
	}
	return l
}

func (h *history) limit(rt *rapid.T) {
	scope, limits := h.project(rt), h.limits(rt)
	h.model.projects[scope.Project] = limits
	if _, err := h.f.ledger.PutLimits(h.f.ctx, scope, *limits); err != nil {
		rt.Fatalf("put limits: %v", err)
	}
}

// limitTenant sets limits of the tenant, the first ones rarely: there is no pot once there are any.
func (h *history) limitTenant(rt *rapid.T) {
	limits := h.limits(rt)
	if h.model.tenant == nil && rapid.IntRange(0, 9).Draw(rt, "go without the pot") > 0 {
		return
	}
	h.model.tenant = limits
	if _, err := h.f.ledger.PutTenantLimits(h.f.ctx, h.f.scope.Tenant, *limits); err != nil {
		rt.Fatalf("put limits of the tenant: %v", err)
	}
}

func (h *history) reserve(rt *rapid.T) {
	scope, now := h.project(rt), h.f.clock.Now()
	cost, n := budget.Cost(dollars().Draw(rt, "cost")/10), counts().Draw(rt, "tokens")
	ttl := time.Duration(rapid.IntRange(1, 3600).Draw(rt, "ttl")) * time.Second
	level, period, pot := h.model.refusal(now, scope.Project, cost, n)
	r, err := h.f.ledger.Reserve(h.f.ctx, scope, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost, MaxTokensOut: n, TTL: ttl})
	var exceeded *budget.ExceededError
	switch {
	case err == nil && period == "" && r.Pot == pot:
		h.model.holds = append(h.model.holds, &hold{
			id: r.ID, expires: now.Add(ttl), state: budget.Held, booking: booking{project: scope.Project, pot: pot, cost: cost, tokens: n},
		})
	case !errors.As(err, &exceeded) || exceeded.Period != period || exceeded.Level != level:
		rt.Fatalf("reserve: got %+v, %v, want a refusal by %q of %q; from the pot: %v", r, err, period, level, pot)
	}
}

// pick returns one of the reservations, or a stranger's that the ledger does not know: the zero state.
func (h *history) pick(rt *rapid.T) (memory.Scope, *hold) {
	i := rapid.IntRange(-1, len(h.model.holds)-1).Draw(rt, "which")
	if i < 0 {
		return h.project(rt), &hold{id: memory.NewID()}
	}
	picked := h.model.holds[i]
	return memory.Scope{Tenant: h.f.scope.Tenant, Project: picked.project}, picked
}

func (h *history) settle(rt *rapid.T) {
	scope, picked := h.pick(rt)
	cost, n := budget.Cost(dollars().Draw(rt, "cost")/10), counts().Draw(rt, "tokens")
	_, err := h.f.ledger.Settle(h.f.ctx, scope, picked.id, budget.Settle{TokensOut: n, Cost: &cost})
	switch {
	case picked.state == budget.Held && err == nil:
		picked.state = budget.Settled
		h.model.bookings = append(h.model.bookings, booking{project: picked.project, pot: picked.pot, at: h.f.clock.Now(), cost: cost, tokens: n})
	case picked.state == "" && fault.KindOf(err) == fault.NotFound:
	case picked.state == budget.Held || picked.state == "" || err != nil && fault.KindOf(err) != fault.Conflict:
		rt.Fatalf("settle a reservation that is %q: %v", picked.state, err)
	}
}

func (h *history) release(rt *rapid.T) {
	scope, picked := h.pick(rt)
	_, err := h.f.ledger.Release(h.f.ctx, scope, picked.id)
	switch {
	case picked.state == "" && fault.KindOf(err) == fault.NotFound:
	case picked.state == budget.Settled && err != nil && fault.KindOf(err) == fault.Conflict:
	case picked.state == budget.Settled || picked.state == "" || err != nil:
		rt.Fatalf("release a reservation that is %q: %v", picked.state, err)
	case h.f.clock.Now().Before(picked.expires):
		picked.state = budget.Released
	}
}

func (h *history) expire(rt *rapid.T) {
	if _, err := h.f.ledger.Expire(h.f.ctx, rapid.IntRange(1, 3).Draw(rt, "limit")); err != nil {
		rt.Fatalf("expire: %v", err)
	}
}

func (h *history) wait(rt *rapid.T) {
	h.f.clock.advance(time.Duration(rapid.IntRange(1, 12*3600).Draw(rt, "seconds")) * time.Second)
}

// balance compares all books.
func (h *history) balance(rt *rapid.T) {
	for _, project := range projects() {
		got, err := h.f.ledger.Current(h.f.ctx, memory.Scope{Tenant: h.f.scope.Tenant, Project: project})
		if err != nil {
			rt.Fatalf("current: %v", err)
		}
		h.balanced(rt, project, &got, of(project))
	}
	got, err := h.f.ledger.CurrentTenant(h.f.ctx, h.f.scope.Tenant)
	if err != nil {
		rt.Fatalf("current of the tenant: %v", err)
	}
	h.balanced(rt, "the tenant", &got.Status, everything)
	if (got.Pot == nil) != (h.model.tenant != nil) {
		rt.Fatalf("the pot is told: %v; the tenant has limits: %v", got.Pot != nil, h.model.tenant != nil)
	}
	if got.Pot != nil {
		h.balanced(rt, "the pot", got.Pot, ofPot)
	}
}

func (h *history) balanced(rt *rapid.T, whose string, got *budget.Status, counts func(*booking) bool) {
	month, day, held := h.model.sums(h.f.clock.Now(), counts)
	want := []int64{int64(month.cost), int64(day.cost), int64(held.cost), month.tokens, day.tokens, held.tokens}
	have := []int64{
		int64(got.MonthlyUsage), int64(got.DailyUsage), int64(got.MonthlyReserved),
		got.MonthlyTokensUsed, got.DailyTokensUsed, got.TokensReserved,
	}
	for i := range want {
		if want[i] != have[i] {
			rt.Fatalf("month, day, held of %s in nano-dollars and tokens:\n got %d\nwant %d", whose, have, want)
		}
	}
	if got.MonthlyLimit != nil {
		if left := max(*got.MonthlyLimit-month.cost-held.cost, 0); *got.MonthlyRemaining != left {
			rt.Fatalf("remaining of %s: got %v, want %v", whose, *got.MonthlyRemaining, left)
		}
	}
}
