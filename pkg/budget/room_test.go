package budget_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// Whoever decides by accounts as they were, and leaves them room, is answered as by accounts that have moved within it.
func TestWithinItsRoomAnAccountDecidesAsItDid(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		limits := func(name string) *budget.Limits {
			if !rapid.Bool().Draw(t, name+" has limits") {
				return nil
			}
			daily := rapid.Int64Range(0, 60).Draw(t, name+" daily")
			tokens := rapid.Int64Range(0, 60).Draw(t, name+" tokens")
			return &budget.Limits{Daily: new(budget.Cost(daily)), Monthly: new(budget.Cost(daily + 20)), MonthlyTokens: &tokens}
		}
		believed := open(budget.Policy{Defaults: budget.Limits{Monthly: new(budget.Cost(50))}}, limits("project"), limits("tenant"), now)
		for i, a := range believed.accounts() {
			a.Held = amount(t, 10, fmt.Sprint("held ", i))
			used := amount(t, 20, fmt.Sprint("used ", i))
			a.Today.Amount, a.Month.Amount = used, used
		}
		book(&believed.Books, 0, 0, now) // what is due to be announced has been
		actual := believed.clone()
		for _, a := range believed.accounts() {
			a.Loosen()
		}
		type step struct{ cost, tokens, spent int64 }
		steps := make([]step, rapid.IntRange(1, 6).Draw(t, "steps"))
		for i := range steps {
			draw := func(what string, most int64) int64 { return rapid.Int64Range(0, most).Draw(t, fmt.Sprint(what, i)) }
			steps[i] = step{draw("cost ", 15), draw("tokens ", 15), draw("spent ", 20)}
		}
		run := func(l *ledger) (answers []string) {
			l.Records = nil
			for _, s := range steps {
				r, err := l.Reserve(budget.Request{Operation: "chat", Model: "m", MaxCost: new(budget.Cost(s.cost)), TokensIn: s.tokens}, budget.Prices(nil), now)
				if err != nil {
					return append(answers, "refused")
				}
				answers = append(answers, "granted")
				if s.spent%2 == 0 {
					if _, _, err := l.Settle(r, budget.Settle{Cost: new(budget.Cost(s.spent)), TokensIn: s.spent}, budget.Prices(nil), now); err != nil {
						t.Fatal(err)
					}
				}
			}
			return append(answers, fmt.Sprint(len(l.Records), " announced"))
		}
		want := run(believed)
		if want[len(want)-1] != "0 announced" {
			return // then the very numbers count
		}
		for i, a := range actual.accounts() {
			room := believed.accounts()[i].Room
			a.Today.Cost, a.Held.Cost = move(t, fmt.Sprint("cost ", i), a.Today.Cost, a.Held.Cost, room.Total.Cost, room.Used.Cost)
			a.Today.Tokens, a.Held.Tokens = move(t, fmt.Sprint("tokens ", i), a.Today.Tokens, a.Held.Tokens, room.Total.Tokens, room.Used.Tokens)
			a.Month.Amount = a.Today.Amount
		}
		if got := run(actual); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("moved within their room the accounts answer %v, want %v", got, want)
		}
	})
}

// move draws how far others have moved an account: as far as the room goes as often as not.
func move[N ~int64](t *rapid.T, what string, used, held, total, usedOnly N) (N, N) {
	spent := N(rapid.Int64Range(0, 40).Draw(t, what+" spent"))
	spent = max(min(spent, usedOnly), 0)
	holds := N(rapid.Int64Range(-int64(held), 60).Draw(t, what+" held"))
	holds = max(min(holds, total-spent), -held)
	if spent+holds > total { // nothing but less would do
		return used, max(held+min(total, 0), 0)
	}
	return used + spent, held + holds
}

func amount(t *rapid.T, most int64, what string) budget.Amount {
	return budget.Amount{
		Cost: budget.Cost(rapid.Int64Range(0, most).Draw(t, what)), Tokens: rapid.Int64Range(0, most).Draw(t, what+" tokens"),
	}
}

type ledger struct{ budget.Books }

func open(p budget.Policy, project, tenant *budget.Limits, now time.Time) *ledger {
	scope := memory.Scope{Tenant: "acme", Project: "default"}
	account := p.Project(scope, project, budget.DayOf(now))
	all, pot := p.Tenant("acme", tenant, "", now)
	return &ledger{budget.Books{Project: &account, Tenant: &all, Pot: &pot}}
}

func (l *ledger) accounts() []*budget.Account { return []*budget.Account{l.Project, l.Tenant, l.Pot} }

func (l *ledger) clone() *ledger {
	project, all, pot := *l.Project, *l.Tenant, *l.Pot
	return &ledger{budget.Books{Project: &project, Tenant: &all, Pot: &pot}}
}

// book books a call in all accounts.
func book(b *budget.Books, cost budget.Cost, tokens int64, now time.Time) {
	for _, pot := range []bool{false, true} {
		r := budget.Reservation{ProjectID: "default", Status: budget.Held, ExpiresAt: now.Add(time.Hour), Pot: pot}
		_, _, _ = b.Settle(r, budget.Settle{Cost: &cost, TokensIn: tokens}, budget.Prices(nil), now)
	}
}

// One who gives back more than an account holds, as it is believed, is no longer believed.
func TestAnAccountThatHoldsTooLittleHasNoRoom(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := open(budget.Policy{}, nil, nil, now)
	for _, a := range l.accounts() {
		a.Loosen()
	}
	r := budget.Reservation{ProjectID: "default", Status: budget.Held, MaxCost: 5, ExpiresAt: now.Add(time.Hour), Pot: true}
	if _, _, err := l.Release(r, now); err != nil {
		t.Fatal(err)
	}
	for _, a := range l.accounts() {
		if a.Room.Total.Cost != math.MinInt64 {
			t.Errorf("%v has room for %v", a.Scope, a.Room.Total.Cost)
		}
	}
}
