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

// model is a ledger anybody can check by eye: it keeps every booking and adds them up each time.
type model struct {
	limits   budget.Limits
	holds    []hold
	bookings []booking
}

type hold struct {
	id      memory.ID
	cost    budget.Cost
	tokens  int64
	expires time.Time
	state   budget.State
}

type booking struct {
	at     time.Time
	cost   budget.Cost
	tokens int64
}

// sums adds up what is booked in the month and on the day of now, and what is held at now.
func (m *model) sums(now time.Time) (month, day, held booking) {
	for _, b := range m.bookings {
		if b.at.Format("2006-01") == now.Format("2006-01") {
			month.cost, month.tokens = month.cost+b.cost, month.tokens+b.tokens
		}
		if b.at.Format("2006-01-02") == now.Format("2006-01-02") {
			day.cost, day.tokens = day.cost+b.cost, day.tokens+b.tokens
		}
	}
	for _, h := range m.holds {
		if h.state == budget.Held && now.Before(h.expires) {
			held.cost, held.tokens = held.cost+h.cost, held.tokens+h.tokens
		}
	}
	return month, day, held
}

// refusal says which limit stands against an amount, "" for none.
func (m *model) refusal(now time.Time, cost budget.Cost, count int64) budget.Period {
	month, day, held := m.sums(now)
	switch {
	case m.limits.Daily != nil && day.cost+held.cost+cost > *m.limits.Daily:
		return budget.Daily
	case m.limits.Monthly != nil && month.cost+held.cost+cost > *m.limits.Monthly:
		return budget.Monthly
	case m.limits.DailyTokens != nil && day.tokens+held.tokens+count > *m.limits.DailyTokens:
		return budget.DailyTokens
	case m.limits.MonthlyTokens != nil && month.tokens+held.tokens+count > *m.limits.MonthlyTokens:
		return budget.MonthlyTokens
	}
	return ""
}

// runModel lets the ledger and the model live through the same random histories.
func runModel(t *testing.T, open Opener) {
	ledger := newFixture(t, open, budget.Policy{})
	start, histories := ledger.clock.Now(), 0
	rapid.Check(t, func(rt *rapid.T) {
		histories++
		f := ledger.in(fmt.Sprintf("history-%d", histories), "default") // its own books, so that one ledger serves all
		f.clock.set(start)
		m := &model{}
		cost := rapid.Int64Range(0, 30*int64(budget.USD))
		count := rapid.Int64Range(1, 100)
		pick := func(rt *rapid.T) *hold {
			if len(m.holds) == 0 {
				rt.Skip("nothing was reserved yet")
			}
			return &m.holds[rapid.IntRange(0, len(m.holds)-1).Draw(rt, "which")]
		}
		rt.Repeat(map[string]func(*rapid.T){
			"limit": func(rt *rapid.T) {
				monthly, daily := budget.Cost(cost.Draw(rt, "monthly")*4), budget.Cost(cost.Draw(rt, "daily"))
				monthlyTokens, dailyTokens := count.Draw(rt, "monthly tokens")*20, count.Draw(rt, "daily tokens")*5
				m.limits = budget.Limits{
					Monthly: &monthly, Daily: ptr(min(daily, monthly)),
					MonthlyTokens: &monthlyTokens, DailyTokens: ptr(min(dailyTokens, monthlyTokens)),
				}
				if rapid.Bool().Draw(rt, "no daily limit") {
					m.limits.Daily, m.limits.DailyTokens = nil, nil
				}
				if _, err := f.ledger.PutLimits(f.ctx, f.scope, m.limits); err != nil {
					rt.Fatalf("put limits: %v", err)
				}
			},
			"reserve": func(rt *rapid.T) {
				c, n := budget.Cost(cost.Draw(rt, "cost")/10), count.Draw(rt, "tokens")
				ttl := time.Duration(rapid.IntRange(1, 3600).Draw(rt, "ttl")) * time.Second
				want := m.refusal(f.clock.Now(), c, n)
				r, err := f.ledger.Reserve(f.ctx, f.scope, budget.Request{Operation: "chat", Model: "m", MaxCost: &c, MaxTokensOut: n, TTL: ttl})
				var exceeded *budget.ExceededError
				switch {
				case err == nil && want == "":
					m.holds = append(m.holds, hold{id: r.ID, cost: c, tokens: n, expires: f.clock.Now().Add(ttl), state: budget.Held})
				case !errors.As(err, &exceeded) || exceeded.Period != want:
					rt.Fatalf("reserve: got %v, want a refusal by %q", err, want)
				}
			},
			"settle": func(rt *rapid.T) {
				h := pick(rt)
				c, n := budget.Cost(cost.Draw(rt, "cost")/10), count.Draw(rt, "tokens")
				_, err := f.ledger.Settle(f.ctx, f.scope, h.id, budget.Settle{TokensOut: n, Cost: &c})
				switch {
				case h.state == budget.Held && err == nil:
					h.state = budget.Settled
					m.bookings = append(m.bookings, booking{at: f.clock.Now(), cost: c, tokens: n})
				case h.state == budget.Held || err != nil && fault.KindOf(err) != fault.Conflict:
					rt.Fatalf("settle a reservation that is %s: %v", h.state, err)
				}
			},
			"release": func(rt *rapid.T) {
				h := pick(rt)
				_, err := f.ledger.Release(f.ctx, f.scope, h.id)
				switch {
				case h.state == budget.Settled && fault.KindOf(err) == fault.Conflict && err != nil:
				case h.state == budget.Settled || err != nil:
					rt.Fatalf("release a reservation that is %s: %v", h.state, err)
				case f.clock.Now().Before(h.expires):
					h.state = budget.Released
				}
			},
			"expire": func(rt *rapid.T) {
				if _, err := f.ledger.Expire(f.ctx, rapid.IntRange(1, 3).Draw(rt, "limit")); err != nil {
					rt.Fatalf("expire: %v", err)
				}
			},
			"wait": func(rt *rapid.T) {
				f.clock.advance(time.Duration(rapid.IntRange(1, 12*3600).Draw(rt, "seconds")) * time.Second)
			},
			"": func(rt *rapid.T) {
				got, err := f.ledger.Current(f.ctx, f.scope)
				if err != nil {
					rt.Fatalf("current: %v", err)
				}
				month, day, held := m.sums(f.clock.Now())
				want := []int64{int64(month.cost), int64(day.cost), int64(held.cost), month.tokens, day.tokens, held.tokens}
				have := []int64{
					int64(got.MonthlyUsage), int64(got.DailyUsage), int64(got.MonthlyReserved),
					got.MonthlyTokensUsed, got.DailyTokensUsed, got.TokensReserved,
				}
				for i := range want {
					if want[i] != have[i] {
						rt.Fatalf("month, day, held in nano-dollars and tokens:\n got %d\nwant %d", have, want)
					}
				}
				if m.limits.Monthly != nil {
					if left := max(*m.limits.Monthly-month.cost-held.cost, 0); *got.MonthlyRemaining != left {
						rt.Fatalf("remaining: got %v, want %v", *got.MonthlyRemaining, left)
					}
				}
			},
		})
	})
}

func ptr[T any](v T) *T { return &v }
