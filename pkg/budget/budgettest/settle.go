package budgettest

import (
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

func settleClauses() []clause {
	return []clause{
		{"a settlement books the cost and gives the rest back", func(f *fixture) {
			f.monthly("10")
			r := f.reserve(ask("4"))
			got := f.settle(r.ID, budget.Settle{TokensIn: 10, TokensOut: 5, CachedTokens: 4, Cost: usd("2.5")})
			want := r
			want.Status = budget.Settled
			want.Settlement = &budget.Settlement{
				TokensIn: 10, TokensOut: 5, CachedTokens: 4, Cost: *usd("2.5"), PriceKnown: true,
				Day: "2026-11-23", SettledAt: at("2026-11-23T12:00:00Z"),
			}
			is(f, "settled", got, want)
			read, err := f.ledger.Reservation(f.ctx, f.scope, r.ID)
			if err != nil {
				f.Fatal(err)
			}
			is(f, "read back", read, want)
			f.wantBooks("2.5", "2.5", "0")
			is(f, "tokens", f.current().MonthlyTokensUsed, 15)
		}},
		{"a settlement without a cost is priced, cached tokens at their own rate", func(f *fixture) {
			r := f.reserve(ask("1"))
			got := f.settle(r.ID, budget.Settle{TokensIn: 1000, CachedTokens: 400, TokensOut: 100})
			// 600 * 2.50 + 400 * 1.25 + 100 * 10 dollars per million
			is(f, "cost", got.Settlement.Cost, *usd("0.003"))
			is(f, "priced", got.Settlement.Priced, true)
		}},
		{"a price that does not come out even is rounded up to the nano-dollar", func(f *fixture) {
			if _, err := f.ledger.PutPrice(f.ctx, "acme", budget.Price{Model: "odd", Input: *usd("0.0000375")}); err != nil {
				f.Fatal(err)
			}
			var got []budget.Cost
			for _, count := range []int64{1, 26, 27, 80} { // at 0.0375 nano-dollars each
				r := f.reserve(budget.Request{Operation: "chat", Model: "odd", MaxCost: usd("1")})
				got = append(got, f.settle(r.ID, budget.Settle{TokensIn: count}).Settlement.Cost)
			}
			is(f, "costs in nano-dollars", got, []budget.Cost{1, 1, 2, 3})
		}},
		{"a settlement of an unknown model without a cost is never free and flagged", func(f *fixture) {
			r := f.reserve(budget.Request{Operation: "chat", Provider: "ollama", Model: "../gpt-4", MaxCost: usd("1")})
			got := f.settle(r.ID, budget.Settle{TokensIn: 1000})
			if got.Settlement.Cost == 0 || got.Settlement.PriceKnown {
				f.Errorf("got %+v, want a cost that is flagged", got.Settlement)
			}
		}},
		{"a settlement that says neither cost nor tokens is refused, and the hold stands", func(f *fixture) {
			f.monthly("10")
			r := f.reserve(ask("4"))
			_, err := f.ledger.Settle(f.ctx, f.scope, r.ID, budget.Settle{})
			is(f, "kind", fault.KindOf(err), fault.Invalid)
			f.wantBooks("0", "0", "4")
			is(f, "a free call", f.settle(r.ID, budget.Settle{Cost: usd("0")}).Settlement.Cost, 0)
		}},
		{"a settlement larger than its reservation is booked in full and blocks the next", func(f *fixture) {
			f.monthly("10")
			r := f.reserve(ask("4"))
			got := f.settle(r.ID, budget.Settle{Cost: usd("12")})
			is(f, "overrun", got.Settlement.Overrun, *usd("8"))
			f.wantBooks("12", "12", "0")
			is(f, "remaining", *f.current().MonthlyRemaining, 0)
			is(f, "standing", f.current().Status, budget.Exceeded)
			f.refused(ask("0.01"))
		}},
		{"settling again with the same numbers is the same answer and books once", func(f *fixture) {
			r := f.reserve(ask("4"))
			first := f.settle(r.ID, budget.Settle{TokensIn: 7, Cost: usd("2")})
			f.clock.advance(time.Hour)
			is(f, "again", f.settle(r.ID, budget.Settle{TokensIn: 7, Cost: usd("2")}), first)
			priced := f.reserve(ask("4"))
			first = f.settle(priced.ID, budget.Settle{TokensIn: 1000})
			is(f, "priced again", f.settle(priced.ID, budget.Settle{TokensIn: 1000}), first)
			is(f, "usage", f.books().Month, *usd("2.0025"))
		}},
		{"settling again with other numbers is a conflict", func(f *fixture) {
			r := f.reserve(ask("4"))
			f.settle(r.ID, budget.Settle{TokensIn: 7, Cost: usd("2")})
			for _, other := range []budget.Settle{
				{TokensIn: 7, Cost: usd("2.1")}, {TokensIn: 8, Cost: usd("2")}, {TokensIn: 7},
				{TokensIn: 7, TokensOut: 1, Cost: usd("2")}, {TokensIn: 7, CachedTokens: 1, Cost: usd("2")},
			} {
				_, err := f.ledger.Settle(f.ctx, f.scope, r.ID, other)
				f.fails(err, fault.Conflict, "")
			}
			f.wantBooks("2", "2", "0")
		}},
		{"numbers that cannot be are refused and the hold stays", func(f *fixture) {
			r := f.reserve(ask("4"))
			negative := budget.Cost(-1)
			for location, s := range map[string]budget.Settle{
				"body.tokens_in":     {TokensIn: -1},
				"body.tokens_out":    {TokensOut: budget.MaxTokens + 1},
				"body.cached_tokens": {TokensIn: 1, CachedTokens: 2},
				"body.cost":          {Cost: &negative},
			} {
				_, err := f.ledger.Settle(f.ctx, f.scope, r.ID, s)
				f.fails(err, fault.Invalid, location)
			}
			f.wantBooks("0", "0", "4")
		}},
		{"an unknown id is not found", func(f *fixture) {
			_, err := f.ledger.Settle(f.ctx, f.scope, memory.NewID(), budget.Settle{})
			f.fails(err, fault.NotFound, "")
		}},
		{"a settlement after the lease is booked in full as overrun, and only once", func(f *fixture) {
			f.monthly("10")
			r := f.reserve(ask("4"))
			f.clock.advance(budget.DefaultTTL)
			f.reserve(ask("9")) // takes what came back
			got := f.settle(r.ID, budget.Settle{Cost: usd("3")})
			is(f, "late and overrun", []any{got.Status, got.Settlement.Late, got.Settlement.Overrun},
				[]any{budget.Settled, true, *usd("3")})
			is(f, "again", f.settle(r.ID, budget.Settle{Cost: usd("3")}), got)
			f.wantBooks("3", "3", "9")
			f.refused(ask("0.01"))
		}},
		{"a late settlement reads the same whether anybody swept before or not", func(f *fixture) {
			swept, kept := f.in("acme", "swept"), f.in("acme", "kept")
			a, b := swept.reserve(ask("4")), kept.reserve(ask("4"))
			f.clock.advance(budget.DefaultTTL)
			swept.reserve(ask("0"))
			x := *swept.settle(a.ID, budget.Settle{Cost: usd("3")}).Settlement
			y := *kept.settle(b.ID, budget.Settle{Cost: usd("3")}).Settlement
			is(f, "settlement", x, y)
			is(f, "books", swept.books(), kept.books())
		}},
		{"settling a released reservation is a conflict and books nothing", func(f *fixture) {
			r := f.reserve(ask("4"))
			f.release(r.ID)
			_, err := f.ledger.Settle(f.ctx, f.scope, r.ID, budget.Settle{Cost: usd("1")})
			f.fails(err, fault.Conflict, "")
			f.wantBooks("0", "0", "0")
		}},
	}
}

// release releases what must be released.
func (f *fixture) release(id memory.ID) budget.Reservation {
	f.Helper()
	r, err := f.ledger.Release(f.ctx, f.scope, id)
	if err != nil {
		f.Fatalf("release: %v", err)
	}
	return r
}

func leaseClauses() []clause {
	return []clause{
		{"a release gives the hold back, twice as well as once", func(f *fixture) {
			f.monthly("10")
			r := f.reserve(ask("10"))
			want := r
			want.Status = budget.Released
			is(f, "released", f.release(r.ID), want)
			is(f, "again", f.release(r.ID), want)
			f.wantBooks("0", "0", "0")
			f.reserve(ask("10"))
		}},
		{"releasing a settled reservation is a conflict", func(f *fixture) {
			r := f.reserve(ask("4"))
			f.settle(r.ID, budget.Settle{Cost: usd("1")})
			_, err := f.ledger.Release(f.ctx, f.scope, r.ID)
			f.fails(err, fault.Conflict, "")
			f.wantBooks("1", "1", "0")
		}},
		{"releasing an unknown id is not found", func(f *fixture) {
			_, err := f.ledger.Release(f.ctx, f.scope, memory.NewID())
			f.fails(err, fault.NotFound, "")
		}},
		{"a hold lasts to the end of its lease and not a microsecond longer", func(f *fixture) {
			f.monthly("10")
			request := ask("10")
			request.TTL = time.Minute
			r := f.reserve(request)
			f.clock.advance(time.Minute - time.Microsecond)
			f.refused(ask("1"))
			f.clock.advance(time.Microsecond)
			f.wantBooks("0", "0", "0")
			read, err := f.ledger.Reservation(f.ctx, f.scope, r.ID)
			if err != nil {
				f.Fatal(err)
			}
			is(f, "status", read.Status, budget.Expired)
			f.reserve(ask("10"))
		}},
		{"releasing an expired reservation changes nothing", func(f *fixture) {
			r := f.reserve(ask("10"))
			f.clock.advance(budget.DefaultTTL)
			is(f, "status", f.release(r.ID).Status, budget.Expired)
			f.wantBooks("0", "0", "0")
			f.settle(r.ID, budget.Settle{Cost: usd("1")})
			f.wantBooks("1", "1", "0")
		}},
		{"expire gives back what has ended, in slices, in every scope, and once", func(f *fixture) {
			for range 3 {
				f.reserve(ask("1"))
			}
			f.in("other", "default").reserve(ask("2"))
			long := ask("5")
			long.TTL = time.Hour
			f.reserve(long)
			f.clock.advance(budget.DefaultTTL)
			var slices []int
			for range 4 {
				n, err := f.ledger.Expire(f.ctx, 3)
				if err != nil {
					f.Fatal(err)
				}
				slices = append(slices, n)
			}
			is(f, "slices", slices, []int{3, 1, 0, 0})
			f.wantBooks("0", "0", "5")
			f.in("other", "default").wantBooks("0", "0", "0")
		}},
		{"an expired hold is given back once, by whoever comes first", func(f *fixture) {
			f.reserve(ask("4"))
			f.clock.advance(time.Minute)
			f.reserve(ask("3"))
			f.clock.advance(budget.DefaultTTL - time.Minute)
			f.reserve(ask("0"))
			if _, err := f.ledger.Expire(f.ctx, 100); err != nil {
				f.Fatal(err)
			}
			f.wantBooks("0", "0", "3")
		}},
	}
}
