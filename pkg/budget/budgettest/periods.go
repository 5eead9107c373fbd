package budgettest

import (
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

func periodClauses() []clause {
	return []clause{
		{"at midnight UTC the day is new and the month goes on", func(f *fixture) {
			f.limit(budget.Limits{Monthly: usd("100"), Daily: usd("10")})
			f.clock.set(at("2026-11-23T23:59:59.999999Z"))
			f.spend("10")
			f.refused(ask("0.01"))
			f.clock.set(at("2026-11-24T00:00:00Z"))
			f.wantBooks("10", "0", "0")
			f.spend("10")
			f.wantBooks("20", "10", "0")
		}},
		{"the first of a month is a new month and a new day", func(f *fixture) {
			f.limit(budget.Limits{Monthly: usd("10"), Daily: usd("10")})
			for _, edge := range []struct{ before, after string }{
				{"2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z"},
				{"2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"},
				{"2028-02-29T23:59:59Z", "2028-03-01T00:00:00Z"},
			} {
				f.clock.set(at(edge.before))
				f.spend("10")
				e := f.refused(ask("0.01"))
				is(f, "resets", e.ResetsAt, at(edge.after))
				f.clock.set(at(edge.after))
				f.wantBooks("0", "0", "0")
				f.reserve(ask("0"))
			}
		}},
		{"periods are UTC, whatever zone the clock speaks", func(f *fixture) {
			f.limit(budget.Limits{Monthly: usd("100"), Daily: usd("10")})
			f.clock.set(at("2026-11-24T08:30:00+09:00")) // 23:30 on the 23rd
			f.spend("10")
			f.clock.set(at("2026-11-23T23:45:00Z"))
			f.refused(ask("0.01"))
			f.clock.set(at("2026-11-24T09:00:00+09:00"))
			f.spend("10")
		}},
		{"a call across midnight is booked where it is settled, and its hold counts all along", func(f *fixture) {
			f.limit(budget.Limits{Monthly: usd("100"), Daily: usd("10")})
			f.clock.set(at("2026-11-30T23:59:00Z"))
			r := f.reserve(ask("8"))
			f.wantBooks("0", "0", "8")
			f.clock.set(at("2026-12-01T00:01:00Z"))
			f.wantBooks("0", "0", "8")
			f.refused(ask("3"))
			got := f.settle(r.ID, budget.Settle{Cost: usd("8")})
			is(f, "day", got.Settlement.Day, "2026-12-01")
			f.wantBooks("8", "8", "0")
			f.refused(ask("3"))
		}},
		{"a clock that falls back over midnight does not bring the old budget back", func(f *fixture) {
			f.limit(budget.Limits{Monthly: usd("10"), Daily: usd("10")})
			f.clock.set(at("2026-12-01T00:10:00Z"))
			f.spend("9")
			f.clock.set(at("2026-11-30T23:50:00Z"))
			f.wantBooks("9", "9", "0")
			f.refused(ask("2"))
			f.spend("1")
			f.clock.set(at("2026-12-01T00:20:00Z"))
			f.wantBooks("10", "10", "0")
		}},
		{"a clock that was wrong by more than a day is believed once it is right", func(f *fixture) {
			f.limit(budget.Limits{Monthly: usd("10"), Daily: usd("10")})
			f.clock.set(at("2099-01-01T00:00:00Z"))
			f.spend("10")
			f.clock.set(at("2026-11-23T12:00:00Z"))
			f.spend("10")
			is(f, "resets", f.current().ResetsAt.Daily, at("2026-11-24T00:00:00Z"))
		}},
		{"the projection extends the month and counts the first day as whole", func(f *fixture) {
			f.clock.set(at("2026-11-01T00:00:01Z"))
			f.spend("1")
			is(f, "on the first", f.current().ProjectedMonthEnd, *usd("30"))
			f.clock.set(at("2026-11-16T00:00:00Z"))
			is(f, "in the middle", f.current().ProjectedMonthEnd, *usd("2"))
			f.clock.set(at("2026-11-30T23:59:59.999999Z"))
			if got := f.current().ProjectedMonthEnd; got < *usd("1") || got > *usd("1.000001") {
				f.Errorf("at the end: got %v, want 1", got)
			}
		}},
	}
}

func isolationClauses() []clause {
	foreign := func(f *fixture) []*fixture {
		return []*fixture{f.in("other", "default"), f.in("acme", "other"), f.in("ac", "medefault")}
	}
	return []clause{
		{"usage, holds and limits are of one tenant and one project", func(f *fixture) {
			f.monthly("10")
			f.spend("3")
			f.reserve(ask("4"))
			for _, other := range foreign(f) {
				is(other, "limit", other.current().MonthlyLimit, nil)
				other.wantBooks("0", "0", "0")
				other.monthly("1")
				other.spend("1")
			}
			f.wantBooks("3", "3", "4")
			is(f, "limit", f.current().MonthlyLimit, usd("10"))
		}},
		{"another scope's reservation does not exist", func(f *fixture) {
			r := f.reserve(ask("4"))
			for _, other := range foreign(f) {
				_, unknown := other.ledger.Settle(f.ctx, other.scope, memory.NewID(), budget.Settle{Cost: usd("1")})
				_, settle := other.ledger.Settle(f.ctx, other.scope, r.ID, budget.Settle{Cost: usd("1")})
				_, release := other.ledger.Release(f.ctx, other.scope, r.ID)
				_, read := other.ledger.Reservation(f.ctx, other.scope, r.ID)
				for _, err := range []error{settle, release, read} {
					other.fails(err, fault.NotFound, "")
					is(other, "text", fault.Public(err), fault.Public(unknown))
				}
			}
			f.wantBooks("0", "0", "4")
		}},
		{"an idempotency key is of one scope", func(f *fixture) {
			request := ask("4")
			request.IdempotencyKey = "mine"
			seen := map[memory.ID]bool{f.reserve(request).ID: true}
			request.MaxCost = usd("5")
			for _, other := range foreign(f) {
				seen[other.reserve(request).ID] = true
			}
			is(f, "reservations", len(seen), 4)
		}},
		{"costs are of one scope, and by project of one tenant", func(f *fixture) {
			f.spend("1")
			f.in("acme", "other").spend("2")
			f.in("other", "default").spend("4")
			for grouping, want := range map[budget.Grouping]string{budget.ByModel: "1", budget.ByDay: "1", budget.ByProject: "3"} {
				report, err := f.ledger.Costs(f.ctx, f.scope, budget.CostQuery{GroupBy: grouping})
				if err != nil {
					f.Fatal(err)
				}
				is(f, "total by "+string(grouping), report.Total.Cost, *usd(want))
			}
		}},
		{"a tenant's own prices are its own", func(f *fixture) {
			if _, err := f.ledger.PutPrice(f.ctx, "other", budget.Price{Model: "gpt-4o", Input: *usd("1000")}); err != nil {
				f.Fatal(err)
			}
			r := f.reserve(budget.Request{Operation: "chat", Model: "gpt-4o", TokensIn: 1_000_000})
			is(f, "hold", r.MaxCost, *usd("2.5"))
		}},
	}
}

func erasureClauses() []clause {
	return []clause{
		{"a tenant that is erased leaves nothing, and nobody else notices", func(f *fixture) {
			kept := f.in("other", "default")
			for _, each := range []*fixture{f, f.in("acme", "second"), kept} {
				each.monthly("10")
				each.limitTenant(budget.Limits{Monthly: usd("20")})
				each.spend("3")
				each.reserve(ask("4"))
			}
			if _, err := f.ledger.PutPrice(f.ctx, "acme", budget.Price{Model: "gpt-4o"}); err != nil {
				f.Fatal(err)
			}
			receipt, err := f.erase(f.ctx, "acme")
			if err != nil || receipt.Other == 0 {
				f.Fatalf("erase: %+v, %v", receipt, err)
			}
			for _, gone := range []*fixture{f, f.in("acme", "second")} {
				gone.wantBooks("0", "0", "0")
				is(gone, "limit", gone.current().MonthlyLimit, nil)
			}
			f.wantTenant("0", "0", "0")
			is(f, "limit of the tenant", f.tenant().MonthlyLimit, nil)
			kept.wantBooks("3", "3", "4")
			kept.wantTenant("3", "3", "4")
			is(f, "limit of another tenant", kept.tenant().MonthlyLimit, usd("20"))
			report, err := f.ledger.Costs(f.ctx, f.scope, budget.CostQuery{GroupBy: budget.ByProject})
			if err != nil {
				f.Fatal(err)
			}
			is(f, "costs", report, budget.CostReport{Groups: []budget.CostGroup{}})
			r := f.reserve(budget.Request{Operation: "chat", Model: "gpt-4o", TokensIn: 1_000_000})
			is(f, "hold at the catalogue's price", r.MaxCost, *usd("2.5"))
		}},
	}
}

func costClauses() []clause {
	call := func(f *fixture, operation, model, cost string, in int64) {
		f.Helper()
		r := f.reserve(budget.Request{Operation: operation, Model: model, MaxCost: usd(cost)})
		f.settle(r.ID, budget.Settle{TokensIn: in, TokensOut: 1, CachedTokens: in / 2, Cost: usd(cost)})
	}
	line := func(group, cost string, calls, in int64) budget.CostGroup {
		return budget.CostGroup{Group: group, Costs: budget.Costs{
			Calls: calls, TokensIn: in, TokensOut: calls, CachedTokens: in / 2, Cost: *usd(cost),
		}}
	}
	return []clause{
		{"costs are grouped by model, operation, project, provider and day, in order", func(f *fixture) {
			call(f, "chat", "b", "1", 10)
			call(f, "extract", "a", "2", 20)
			f.clock.advance(24 * time.Hour)
			call(f, "chat", "a", "0.5", 30)
			for grouping, want := range map[budget.Grouping][]budget.CostGroup{
				"":                 {line("a", "2.5", 2, 50), line("b", "1", 1, 10)},
				budget.ByModel:     {line("a", "2.5", 2, 50), line("b", "1", 1, 10)},
				budget.ByOperation: {line("chat", "1.5", 2, 40), line("extract", "2", 1, 20)},
				budget.ByProject:   {line("default", "3.5", 3, 60)},
				budget.ByProvider:  {line(budget.NoProvider, "3.5", 3, 60)},
				budget.ByDay:       {line("2026-11-23", "3", 2, 30), line("2026-11-24", "0.5", 1, 30)},
			} {
				got, err := f.ledger.Costs(f.ctx, f.scope, budget.CostQuery{GroupBy: grouping})
				if err != nil {
					f.Fatal(err)
				}
				is(f, "report by "+string(grouping), got, budget.CostReport{Groups: want, Total: line("", "3.5", 3, 60).Costs})
			}
		}},
		{"costs of an interval include its beginning and not its end", func(f *fixture) {
			start := f.clock.Now()
			for range 3 {
				call(f, "chat", "a", "1", 0)
				f.clock.advance(time.Hour)
			}
			since, until := start.Add(time.Hour), start.Add(2*time.Hour)
			got, err := f.ledger.Costs(f.ctx, f.scope, budget.CostQuery{Since: &since, Until: &until})
			if err != nil {
				f.Fatal(err)
			}
			is(f, "report", got, budget.CostReport{Groups: []budget.CostGroup{line("a", "1", 1, 0)}, Total: line("", "1", 1, 0).Costs})
		}},
		{"a long report comes in pages that lose nothing", func(f *fixture) {
			for _, model := range []string{"c", "a", "e", "b", "d"} {
				call(f, "chat", model, "1", 0)
			}
			var names string
			query := budget.CostQuery{Limit: 2}
			for range 3 {
				page, err := f.ledger.Costs(f.ctx, f.scope, query)
				if err != nil {
					f.Fatal(err)
				}
				is(f, "total", page.Total.Cost, *usd("5"))
				for _, g := range page.Groups {
					names += g.Group
				}
				names += ";"
				query.After = page.Next
			}
			is(f, "pages", names, "ab;cd;e;")
			is(f, "after the last page", query.After, "")
		}},
		{"nothing booked is an empty report", func(f *fixture) {
			f.reserve(ask("1"))
			got, err := f.ledger.Costs(f.ctx, f.scope, budget.CostQuery{})
			if err != nil {
				f.Fatal(err)
			}
			is(f, "report", got, budget.CostReport{Groups: []budget.CostGroup{}})
		}},
		{"a query that cannot be answered names its field", func(f *fixture) {
			now, early, late := f.clock.Now(), at("1969-12-31T00:00:00Z"), at("2201-01-01T00:00:00Z")
			for _, wrong := range []struct {
				location string
				query    budget.CostQuery
			}{
				{"query.group_by", budget.CostQuery{GroupBy: "colour"}},
				{"query.limit", budget.CostQuery{Limit: 1001}},
				{"query.since", budget.CostQuery{Since: &early}},
				{"query.until", budget.CostQuery{Until: &late}},
				{"query.until", budget.CostQuery{Since: &now, Until: &now}},
			} {
				_, err := f.ledger.Costs(f.ctx, f.scope, wrong.query)
				f.fails(err, fault.Invalid, wrong.location)
			}
		}},
		{"a price that is set is listed, applies by the longest prefix and can be set again", func(f *fixture) {
			put := func(model, in string) {
				f.Helper()
				price := budget.Price{Model: model, Input: *usd(in), Output: *usd("2"), CachedInput: *usd("0.5")}
				got, err := f.ledger.PutPrice(f.ctx, f.scope.Tenant, price)
				if err != nil {
					f.Fatal(err)
				}
				price.Source, price.AsOf, price.Own = got.Source, "2026-11-23", true
				is(f, "price", got, price)
			}
			before, err := f.ledger.Prices(f.ctx, f.scope.Tenant)
			if err != nil {
				f.Fatal(err)
			}
			put("acme-1", "7")
			put("acme-1-mini", "3")
			put("acme-1", "1")
			put("gpt-4o-mini", "9")
			after, err := f.ledger.Prices(f.ctx, f.scope.Tenant)
			if err != nil {
				f.Fatal(err)
			}
			is(f, "number of prices", len(after), len(before)+2)
			for model, want := range map[string]string{
				"acme-1": "1", "acme-1-2026": "1", "acme-1-mini-2026": "3", "gpt-4o-mini-2024-07-18": "9", "gpt-4o": "2.5",
			} {
				r := f.reserve(budget.Request{Operation: "chat", Model: model, TokensIn: 1_000_000})
				is(f, "cost of "+model, r.MaxCost, *usd(want))
			}
		}},
		{"a price that cannot be names its field", func(f *fixture) {
			for location, p := range map[string]budget.Price{
				"path.model":                    {Model: ""},
				"body.input_per_million":        {Model: "m", Input: -1},
				"body.output_per_million":       {Model: "m", Output: -1},
				"body.cached_input_per_million": {Model: "m", CachedInput: -1},
			} {
				_, err := f.ledger.PutPrice(f.ctx, f.scope.Tenant, p)
				f.fails(err, fault.Invalid, location)
			}
		}},
	}
}
