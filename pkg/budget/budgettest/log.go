package budgettest

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// calls reads a page of the log.
func (f *fixture) calls(q budget.CallQuery) budget.CallPage {
	f.Helper()
	page, err := f.ledger.Calls(f.ctx, f.scope, q)
	if err != nil {
		f.Fatalf("read the log: %v", err)
	}
	return page
}

// save writes down savings that must stand.
func (f *fixture) save(s ...budget.Saving) []budget.Line {
	f.Helper()
	lines, err := f.ledger.Save(f.ctx, f.scope, s)
	if err != nil {
		f.Fatalf("save: %v", err)
	}
	return lines
}

// spared are so many embeddings of a million tokens, two cents each, that a cache had.
func spared(calls int64) budget.Saving {
	return budget.Saving{
		ID: memory.NewID(), Operation: "embeddings", Provider: "openai", Model: "text-embedding-3-small", Calls: calls, TokensIn: calls * 1_000_000,
	}
}

func (f *fixture) spending(tenant string, q budget.SpendingQuery) budget.Spending {
	f.Helper()
	s, err := f.ledger.Spending(f.ctx, tenant, q)
	if err != nil {
		f.Fatalf("spending: %v", err)
	}
	return s
}

// pay settles a call of a model that cost so much and took so long.
func (f *fixture) pay(model, cost string, took time.Duration) memory.ID {
	f.Helper()
	r := f.reserve(budget.Request{Operation: "chat", Provider: "openai", Model: model, MaxCost: usd(cost)})
	f.settle(r.ID, budget.Settle{TokensIn: 10, TokensOut: 5, Cost: usd(cost), Latency: took})
	return r.ID
}

func logClauses() []clause {
	return []clause{
		{"a settled call is a line that tells all that is known of it", func(f *fixture) {
			r := f.reserve(ask("4"))
			f.reserve(ask("1")) // is not settled
			f.clock.advance(time.Second)
			settled := f.settle(r.ID, budget.Settle{
				TokensIn: 10, TokensOut: 5, CachedTokens: 4, Cost: usd("5"),
				Latency: 1500*time.Millisecond + time.Nanosecond, Estimated: true, RequestID: "req-1~!",
			})
			is(f, "told by the settlement", []any{settled.Settlement.LatencyMS, settled.Settlement.Estimated, settled.Settlement.RequestID},
				[]any{int64(1501), true, "req-1~!"})
			read, err := f.ledger.Reservation(f.ctx, f.scope, r.ID)
			if err != nil {
				f.Fatal(err)
			}
			is(f, "read back", read, settled)
			is(f, "log", f.calls(budget.CallQuery{}), budget.CallPage{Calls: []budget.Line{{
				ID: r.ID, ReservationID: r.ID, At: at("2026-11-23T12:00:01Z"), Operation: "chat", Provider: "openai", Model: "gpt-4o", Calls: 1,
				TokensIn: 10, TokensOut: 5, CachedTokens: 4, Cost: *usd("5"), Overrun: *usd("1"), PriceKnown: true, Estimated: true,
				LatencyMS: 1501, RequestID: "req-1~!",
			}}})
		}},
		{"what is told for the log alone does not make a repeated settlement another one", func(f *fixture) {
			r := f.reserve(ask("4"))
			first := f.settle(r.ID, budget.Settle{Cost: usd("2"), Latency: time.Second, RequestID: "a"})
			is(f, "again", f.settle(r.ID, budget.Settle{Cost: usd("2"), Latency: time.Minute, Estimated: true, RequestID: "b"}), first)
		}},
		{"what cannot be told of a call is refused, and the hold stands", func(f *fixture) {
			r := f.reserve(ask("4"))
			for _, wrong := range []struct {
				location string
				settle   budget.Settle
			}{
				{"body.latency_ms", budget.Settle{Cost: usd("1"), Latency: -time.Millisecond}},
				{"body.latency_ms", budget.Settle{Cost: usd("1"), Latency: budget.MaxLatency + time.Millisecond}},
				{"body.request_id", budget.Settle{Cost: usd("1"), RequestID: "a b"}},
				{"body.request_id", budget.Settle{Cost: usd("1"), RequestID: strings.Repeat("a", 129)}},
			} {
				_, err := f.ledger.Settle(f.ctx, f.scope, r.ID, wrong.settle)
				f.fails(err, fault.Invalid, wrong.location)
			}
			f.wantBooks("0", "0", "4")
		}},
		{"the log is the newest first and comes in pages that lose nothing, equal times too", func(f *fixture) {
			var ids []memory.ID
			for range 2 {
				var together []memory.ID
				for range 3 {
					together = append(together, f.pay("m", "1", 0))
				}
				together = append(together, f.save(spared(1))[0].ID)
				slices.Sort(together)
				ids = append(ids, together...)
				f.clock.advance(time.Microsecond)
			}
			slices.Reverse(ids)
			var got []memory.ID
			pages, query := 0, budget.CallQuery{Limit: 3}
			for {
				page := f.calls(query)
				pages++
				for _, l := range page.Calls {
					got = append(got, l.ID)
				}
				if query.After = page.Next; page.Next == "" || pages > 3 {
					break
				}
			}
			is(f, "ids", got, ids)
			is(f, "pages", pages, 3)
		}},
		{"the log is asked for an operation, a model and an interval that excludes its end", func(f *fixture) {
			start := f.clock.Now()
			f.pay("a", "1", 0)
			f.clock.advance(time.Hour)
			f.pay("b", "2", 0)
			f.save(spared(1))
			f.clock.advance(time.Hour)
			f.pay("a", "3", 0)
			hour, two := start.Add(time.Hour), start.Add(2*time.Hour)
			for _, c := range []struct {
				query budget.CallQuery
				want  []string
			}{
				{budget.CallQuery{Operation: "embeddings"}, []string{"text-embedding-3-small 0"}},
				{budget.CallQuery{Operation: "chat", Model: "a"}, []string{"a 3", "a 1"}},
				{budget.CallQuery{Operation: "chat", Since: &hour}, []string{"a 3", "b 2"}},
				{budget.CallQuery{Operation: "chat", Until: &two}, []string{"b 2", "a 1"}},
				{budget.CallQuery{Operation: "chat", Since: &hour, Until: &two}, []string{"b 2"}},
				{budget.CallQuery{Model: "c"}, nil},
			} {
				var got []string
				for _, l := range f.calls(c.query).Calls {
					got = append(got, l.Model+" "+l.Cost.String())
				}
				if !slices.Equal(got, c.want) {
					f.Errorf("%+v: got %v, want %v", c.query, got, c.want)
				}
			}
		}},
		{"a question to the log that cannot be answered names its field", func(f *fixture) {
			now, early := f.clock.Now(), at("1969-12-31T00:00:00Z")
			for _, wrong := range []struct {
				location string
				query    budget.CallQuery
			}{
				{"query.limit", budget.CallQuery{Limit: 1001}},
				{"query.operation", budget.CallQuery{Operation: strings.Repeat("x", 65)}},
				{"query.model", budget.CallQuery{Model: "a\nb"}},
				{"query.since", budget.CallQuery{Since: &early}},
				{"query.until", budget.CallQuery{Since: &now, Until: &now}},
				{"query.cursor", budget.CallQuery{After: "yesterday"}},
			} {
				_, err := f.ledger.Calls(f.ctx, f.scope, wrong.query)
				f.fails(err, fault.Invalid, wrong.location)
			}
		}},
		{"a saving is a line of what the calls would have cost, and books nothing", func(f *fixture) {
			f.monthly("0")
			s := spared(3)
			s.RequestID = "req-1"
			want := []budget.Line{{
				ID: s.ID, At: f.clock.Now(), Operation: "embeddings", Provider: "openai", Model: "text-embedding-3-small", Calls: 3,
				PriceKnown: true, Estimated: true, CacheHit: true, SavedTokens: 3_000_000, Saved: *usd("0.06"), RequestID: "req-1",
			}}
			is(f, "answer", f.save(s), want)
			is(f, "log", f.calls(budget.CallQuery{}).Calls, want)
			f.wantBooks("0", "0", "0")
		}},
		{"a saving that is written down again is written down once, whatever it says then", func(f *fixture) {
			s := spared(1)
			first := f.save(s)
			f.clock.advance(time.Hour)
			s.Calls = 7
			is(f, "again, beside another", len(f.save(spared(1), s)), 2)
			is(f, "again", f.save(s), first)
			is(f, "lines", len(f.calls(budget.CallQuery{}).Calls), 2)
			id := f.pay("m", "1", 0)
			s.ID = id
			is(f, "under a reservation's id", f.save(s)[0].Cost, *usd("1"))
		}},
		{"a tenant's own price is what a saving is worth to it", func(f *fixture) {
			if _, err := f.ledger.PutPrice(f.ctx, "acme", budget.Price{Model: "text-embedding-3-small", Input: *usd("5")}); err != nil {
				f.Fatal(err)
			}
			is(f, "saved", f.save(spared(1))[0].Saved, *usd("5"))
		}},
		{"savings that cannot be are refused, all of them", func(f *fixture) {
			for location, change := range map[string]func(*budget.Saving){
				"body.savings.id":         func(s *budget.Saving) { s.ID = "mine" },
				"body.savings.operation":  func(s *budget.Saving) { s.Operation = "" },
				"body.savings.provider":   func(s *budget.Saving) { s.Provider = "a\nb" },
				"body.savings.model":      func(s *budget.Saving) { s.Model = strings.Repeat("x", 201) },
				"body.savings.calls":      func(s *budget.Saving) { s.Calls = -1 },
				"body.savings.tokens_in":  func(s *budget.Saving) { s.TokensIn = -1 },
				"body.savings.tokens_out": func(s *budget.Saving) { s.TokensOut = math.MaxInt64 },
				"body.savings.request_id": func(s *budget.Saving) { s.RequestID = "é" },
			} {
				wrong := spared(1)
				change(&wrong)
				_, err := f.ledger.Save(f.ctx, f.scope, []budget.Saving{spared(1), wrong})
				if fault.KindOf(err) != fault.Invalid || !named(err, location) {
					f.Errorf("%s: got %v, fields %+v", location, err, fault.FieldsOf(err))
				}
			}
			for _, wrong := range [][]budget.Saving{{}, slices.Repeat([]budget.Saving{spared(1)}, budget.MaxSavings+1)} {
				_, err := f.ledger.Save(f.ctx, f.scope, wrong)
				f.fails(err, fault.Invalid, "body.savings")
			}
			is(f, "lines", f.calls(budget.CallQuery{}).Calls, []budget.Line{})
		}},
		{"a report tells what was spared beside what was spent", func(f *fixture) {
			f.pay("text-embedding-3-small", "1", 0)
			f.save(spared(2), spared(3))
			for _, by := range []budget.Grouping{budget.ByModel, budget.ByProject, budget.ByProvider, budget.ByDay} {
				report, err := f.ledger.Costs(f.ctx, f.scope, budget.CostQuery{GroupBy: by})
				if err != nil {
					f.Fatal(err)
				}
				want := budget.Costs{
					Calls: 1, TokensIn: 10, TokensOut: 5, Cost: *usd("1"), CacheHits: 5, SavedTokens: 5_000_000, Saved: *usd("0.1"),
				}
				name := map[budget.Grouping]string{
					budget.ByModel: "text-embedding-3-small", budget.ByProject: "default", budget.ByProvider: "openai", budget.ByDay: "2026-11-23",
				}[by]
				is(f, "by "+string(by), report, budget.CostReport{Groups: []budget.CostGroup{{Group: name, Costs: want}}, Total: want})
			}
		}},
		{"the log is of one tenant and one project", func(f *fixture) {
			f.pay("m", "1", 0)
			s := spared(1)
			mine := f.save(s)
			for _, other := range []*fixture{f.in("other", "default"), f.in("acme", "other"), f.in("ac", "medefault")} {
				is(other, "another's log", other.calls(budget.CallQuery{}), budget.CallPage{Calls: []budget.Line{}})
				other.clock.advance(time.Second)
				if theirs := other.save(s); theirs[0].At.Equal(mine[0].At) {
					other.Error("another scope's saving was answered with mine")
				}
			}
			is(f, "lines", len(f.calls(budget.CallQuery{}).Calls), 2)
		}},
		{"spending is of one tenant, or of all where all are asked for, the dearest first", func(f *fixture) {
			f.pay("a", "1", 100*time.Millisecond)
			f.in("acme", "side").pay("b", "4", 301*time.Millisecond)
			f.in("other", "default").pay("a", "2", 0)
			f.in("other", "default").save(spared(1))
			group := func(name, cost string, calls int64) budget.CostGroup {
				return budget.CostGroup{Group: name, Costs: budget.Costs{Calls: calls, TokensIn: 10 * calls, TokensOut: 5 * calls, Cost: *usd(cost)}}
			}
			hit := budget.Costs{CacheHits: 1, SavedTokens: 1_000_000, Saved: *usd("0.02")}
			with := func(g budget.CostGroup) budget.CostGroup { g.Merge(hit); return g }
			since := at("2026-10-25T00:00:00Z")
			is(f, "all", f.spending("", budget.SpendingQuery{Days: 30, Top: 2}), budget.Spending{
				Since: since, Until: f.clock.Now(), Total: with(group("", "7", 3)).Costs, LatencyMS: 200, Tenants: 2,
				ByTenant:    []budget.CostGroup{group("acme", "5", 2), with(group("other", "2", 1))},
				ByProject:   []budget.CostGroup{group("acme/side", "4", 1), with(group("other/default", "2", 1))},
				ByModel:     []budget.CostGroup{group("b", "4", 1), group("a", "3", 2)},
				ByOperation: []budget.CostGroup{group("chat", "7", 3), {Group: "embeddings", Costs: hit}},
				ByProvider:  []budget.CostGroup{with(group("openai", "7", 3))},
			})
			is(f, "one", f.spending("acme", budget.SpendingQuery{ThisMonth: true, Top: 1}), budget.Spending{
				Since: at("2026-11-01T00:00:00Z"), Until: f.clock.Now(), Total: group("", "5", 2).Costs, LatencyMS: 200, Tenants: 1,
				ByTenant: []budget.CostGroup{group("acme", "5", 2)}, ByProject: []budget.CostGroup{group("side", "4", 1)},
				ByModel: []budget.CostGroup{group("b", "4", 1)}, ByOperation: []budget.CostGroup{group("chat", "5", 2)},
				ByProvider: []budget.CostGroup{group("openai", "5", 2)},
			})
			is(f, "nobody", f.spending("nobody", budget.SpendingQuery{Days: 1, Top: 1}), budget.Spending{
				Since: at("2026-11-23T00:00:00Z"), Until: f.clock.Now(), ByTenant: []budget.CostGroup{}, ByProject: []budget.CostGroup{},
				ByModel: []budget.CostGroup{}, ByOperation: []budget.CostGroup{}, ByProvider: []budget.CostGroup{},
			})
		}},
		{"spending is of whole UTC days, today among them", func(f *fixture) {
			for range 3 {
				f.pay("m", "1", 0)
				f.clock.advance(24 * time.Hour)
			}
			f.clock.set(at("2026-11-25T00:00:00Z")) // the third was paid at noon of this day
			for days, want := range map[int]string{1: "1", 2: "2", 3: "3", budget.MaxDays: "3"} {
				is(f, "cost", f.spending("", budget.SpendingQuery{Days: days, Top: 1}).Total.Cost, *usd(want))
			}
			f.clock.set(at("2026-12-01T00:00:00Z"))
			is(f, "next month", f.spending("acme", budget.SpendingQuery{ThisMonth: true, Top: 1}).Total, budget.Costs{})
			for location, wrong := range map[string]budget.SpendingQuery{
				"query.days": {Days: budget.MaxDays + 1, Top: 1}, "query.top": {Days: 1, Top: budget.MaxTop + 1},
			} {
				_, err := f.ledger.Spending(f.ctx, "", wrong)
				f.fails(err, fault.Invalid, location)
			}
		}},
	}
}

// named reports whether the error names the field, as the port or as the wire names it: body.savings.id, body.savings[1].id.
func named(err error, location string) bool {
	fields := fault.FieldsOf(err)
	return len(fields) > 0 && strings.NewReplacer("[0]", "", "[1]", "").Replace(fields[0].Location) == location
}

func logErasureClauses() []clause {
	return []clause{
		{"an erased tenant's log is gone, what was spared too, and another's stays", func(f *fixture) {
			other := f.in("other", "default")
			for _, one := range []*fixture{f, other} {
				one.pay("m", "1", 0)
				one.save(spared(1))
			}
			if _, err := f.erase(f.ctx, "acme"); err != nil {
				f.Fatal(err)
			}
			is(f, "log", f.calls(budget.CallQuery{}).Calls, []budget.Line{})
			is(f, "another's", len(other.calls(budget.CallQuery{}).Calls), 2)
			is(f, "tenants", f.spending("", budget.SpendingQuery{Days: 1, Top: 5}).Tenants, 1)
		}},
	}
}
