package budgettest

import (
	"context"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

func limitClauses() []clause {
	return []clause{
		{"a scope without limits or defaults is unlimited and says so", func(f *fixture) {
			f.spend("1000000")
			got := f.current()
			want := budget.Status{
				TenantID: "acme", ProjectID: "default", MonthlyUsage: *usd("1000000"), DailyUsage: *usd("1000000"),
				ProjectedMonthEnd: got.ProjectedMonthEnd,
				ResetsAt:          budget.Resets{Daily: at("2026-11-24T00:00:00Z"), Monthly: at("2026-12-01T00:00:00Z")},
				Status:            budget.OK, WarningThreshold: 0.8, OnExhausted: budget.Reject, Enforced: true,
			}
			is(f, "status", got, want)
		}},
		{"limits 500 and 20 with 123.45 used leave 376.55, which is 24.7 percent", func(f *fixture) {
			f.limit(budget.Limits{Monthly: usd("500")})
			f.clock.set(at("2026-11-16T00:00:00Z"))
			f.spend("123.45")
			f.clock.advance(24 * time.Hour)
			f.limit(budget.Limits{Monthly: usd("500"), Daily: usd("20")})
			percent := budget.Percent(247)
			is(f, "status", f.current(), budget.Status{
				TenantID: "acme", ProjectID: "default",
				MonthlyLimit: usd("500"), MonthlyUsage: *usd("123.45"), MonthlyRemaining: usd("376.55"),
				DailyLimit: usd("20"), DailyRemaining: usd("20"), UsagePercentage: &percent,
				ProjectedMonthEnd: *usd("231.46875"), // 16 of 30 days are over
				ResetsAt:          budget.Resets{Daily: at("2026-11-18T00:00:00Z"), Monthly: at("2026-12-01T00:00:00Z")},
				Status:            budget.OK, WarningThreshold: 0.8, OnExhausted: budget.Reject, Own: true, Enforced: true,
			})
		}},
		{"limits that are put are the limits that are read, null meaning unlimited", func(f *fixture) {
			put := f.limit(budget.Limits{
				Monthly: usd("500"), Daily: usd("20"), MonthlyTokens: tokens(1000), DailyTokens: tokens(100),
				WarningThreshold: 0.5, OnExhausted: budget.Degrade,
			})
			is(f, "read after put", f.current(), put)
			is(f, "token limits", []*int64{put.MonthlyTokenLimit, put.DailyTokenLimit}, []*int64{tokens(1000), tokens(100)})
			is(f, "on exhausted", put.OnExhausted, budget.Degrade)
			again := f.limit(budget.Limits{})
			is(f, "limits after a put of none", []*budget.Cost{again.MonthlyLimit, again.DailyLimit, again.MonthlyRemaining},
				[]*budget.Cost{nil, nil, nil})
			is(f, "threshold after a put of none", again.WarningThreshold, 0.8)
		}},
		{"a dry run reads the books and changes nothing in them", func(f *fixture) {
			before := f.limit(budget.Limits{Monthly: usd("5")})
			dry, _ := llm.WithDryRun(f.ctx)
			for what, change := range map[string]func() error{
				"limits":      func() error { _, err := f.ledger.PutLimits(dry, f.scope, budget.Limits{}); return err },
				"reservation": func() error { _, err := f.ledger.Reserve(dry, f.scope, ask("1")); return err },
			} {
				if err := change(); !llm.IsDryRun(err) {
					f.Errorf("%s: %v", what, err)
				}
			}
			if status, err := f.ledger.Current(dry, f.scope); err != nil || !reflect.DeepEqual(status, before) {
				f.Errorf("got %+v, %v", status, err)
			}
		}},
		{"limits that cannot stand name their field and change nothing", func(f *fixture) {
			before := f.limit(budget.Limits{Monthly: usd("5")})
			negative, negativeTokens := budget.Cost(-1), int64(-1)
			for location, l := range map[string]budget.Limits{
				"body.monthly_limit":       {Monthly: &negative},
				"body.daily_limit":         {Monthly: usd("1"), Daily: usd("2")},
				"body.monthly_token_limit": {MonthlyTokens: &negativeTokens},
				"body.daily_token_limit":   {MonthlyTokens: tokens(1), DailyTokens: tokens(2)},
				"body.warning_threshold":   {WarningThreshold: math.NaN()},
				"body.on_exhausted":        {OnExhausted: "explode"},
			} {
				_, err := f.ledger.PutLimits(f.ctx, f.scope, l)
				f.fails(err, fault.Invalid, location)
			}
			is(f, "status", f.current(), before)
		}},
		{"a limit of zero lets nothing paid through and is exceeded", func(f *fixture) {
			f.monthly("0")
			f.refused(ask("0.000000001"))
			f.reserve(ask("0"))
			is(f, "standing", f.current().Status, budget.Exceeded)
		}},
		{"a budget is not critical before its owner wants to be warned", func(f *fixture) {
			f.limit(budget.Limits{Monthly: usd("100"), WarningThreshold: 0.95})
			f.spend("92")
			is(f, "at 92 percent", f.current().Status, budget.OK)
			f.spend("3")
			is(f, "at 95 percent", f.current().Status, budget.Critical)
		}},
		{"the standing follows the worst limit at 80, 90 and 100 percent", func(f *fixture) {
			f.limit(budget.Limits{Monthly: usd("100"), DailyTokens: tokens(100)})
			use := func(cost string, count int64) budget.Standing {
				r := f.reserve(budget.Request{Operation: "chat", Model: "m", MaxCost: usd(cost), TokensIn: max(count, 1)})
				f.settle(r.ID, budget.Settle{Cost: usd(cost), TokensIn: count})
				return f.current().Status
			}
			var got []budget.Standing
			got = append(got, use("79.999999999", 0), use("0.000000001", 0), use("0", 90), use("20", 0))
			is(f, "standings", got, []budget.Standing{budget.OK, budget.Warning, budget.Critical, budget.Exceeded})
		}},
		{"lowering a limit below usage refuses at once, raising it lets on", func(f *fixture) {
			f.monthly("10")
			f.spend("8")
			f.monthly("5")
			e := f.refused(ask("0.01"))
			is(f, "usage over limit", []int64{e.Usage, e.Limit}, []int64{int64(*usd("8")), int64(*usd("5"))})
			is(f, "remaining", *f.current().MonthlyRemaining, 0)
			f.monthly("9")
			f.spend("1")
		}},
	}
}

func reserveClauses() []clause {
	return []clause{
		{"a reservation is held, counts against both periods and reads back", func(f *fixture) {
			f.limit(budget.Limits{Monthly: usd("10"), Daily: usd("5")})
			got := f.reserve(budget.Request{
				Operation: "chat", Provider: "openai", Model: "gpt-4o", MaxCost: usd("1.5"), TokensIn: 3, MaxTokensOut: 4,
			})
			want := budget.Reservation{
				ID: got.ID, TenantID: "acme", ProjectID: "default", Operation: "chat", Provider: "openai", Model: "gpt-4o",
				Status: budget.Held, MaxCost: *usd("1.5"), MaxTokens: 7, PriceKnown: true,
				CreatedAt: at("2026-11-23T12:00:00Z"), ExpiresAt: at("2026-11-23T12:05:00Z"),
			}
			is(f, "reservation", got, want)
			if _, ok := memory.ParseID(string(got.ID)); !ok {
				f.Errorf("id %q is no UUID", got.ID)
			}
			read, err := f.ledger.Reservation(f.ctx, f.scope, got.ID)
			if err != nil {
				f.Fatal(err)
			}
			is(f, "read back", read, want)
			s := f.current()
			is(f, "reserved and remaining", []budget.Cost{s.MonthlyReserved, s.DailyReserved, *s.MonthlyRemaining, *s.DailyRemaining},
				[]budget.Cost{*usd("1.5"), *usd("1.5"), *usd("8.5"), *usd("3.5")})
			is(f, "tokens reserved", s.TokensReserved, 7)
		}},
		{"the last nano-dollar is granted and the next one refused", func(f *fixture) {
			f.monthly("1")
			f.reserve(ask("0.999999999"))
			f.reserve(ask("0.000000001"))
			f.refused(ask("0.000000001"))
		}},
		{"a refusal says which limit, how much and until when, and holds nothing", func(f *fixture) {
			f.limit(budget.Limits{Monthly: usd("10"), Daily: usd("3"), OnExhausted: budget.Degrade})
			f.spend("1")
			f.reserve(ask("1.5"))
			got := f.refused(ask("0.6"))
			is(f, "refusal", *got, budget.ExceededError{
				Scope: f.scope, Level: budget.ProjectLevel, Period: budget.Daily, Limit: int64(*usd("3")), Usage: int64(*usd("1")),
				Reserved: int64(*usd("1.5")), Requested: int64(*usd("0.6")), ResetsAt: at("2026-11-24T00:00:00Z"),
				OnExhausted: budget.Degrade,
			})
			f.wantBooks("1", "1", "1.5")
		}},
		{"limits are checked daily USD, monthly USD, daily tokens, monthly tokens", func(f *fixture) {
			limits := budget.Limits{Monthly: usd("1"), Daily: usd("1"), MonthlyTokens: tokens(10), DailyTokens: tokens(10)}
			request := budget.Request{Operation: "chat", Model: "m", MaxCost: usd("2"), TokensIn: 11}
			var order []budget.Period
			for _, drop := range []func(){
				func() { limits.Daily = nil }, func() { limits.Monthly = nil }, func() { limits.DailyTokens = nil }, func() {},
			} {
				f.limit(limits)
				order = append(order, f.refused(request).Period)
				drop()
			}
			is(f, "order", order, []budget.Period{budget.Daily, budget.Monthly, budget.DailyTokens, budget.MonthlyTokens})
		}},
		{"tokens in and out are priced by the table, cached ones not assumed", func(f *fixture) {
			r := f.reserve(budget.Request{Operation: "chat", Provider: "openai", Model: "gpt-4o", TokensIn: 1000, MaxTokensOut: 500})
			is(f, "hold", []int64{int64(r.MaxCost), r.MaxTokens}, []int64{int64(*usd("0.0075")), 1500})
			is(f, "price known", r.PriceKnown, true)
		}},
		{"a model nobody knows is held at the dearest rate and flagged", func(f *fixture) {
			unknown := f.reserve(budget.Request{Operation: "chat", Model: "mystery-9000", TokensIn: 1_000_000})
			dear := f.reserve(budget.Request{Operation: "chat", Model: "o1-pro", TokensIn: 1_000_000})
			is(f, "price known", []bool{unknown.PriceKnown, dear.PriceKnown}, []bool{false, true})
			if unknown.MaxCost < dear.MaxCost || unknown.MaxCost == 0 {
				f.Errorf("unknown model held %v, a dear one %v", unknown.MaxCost, dear.MaxCost)
			}
		}},
		{"where tokens are limited, a request must say how many", func(f *fixture) {
			f.limit(budget.Limits{DailyTokens: tokens(100)})
			_, err := f.ledger.Reserve(f.ctx, f.scope, ask("1"))
			f.fails(err, fault.Invalid, "body.tokens_in")
		}},
		{"a request that cannot stand names its field", func(f *fixture) {
			negative := budget.Cost(-1)
			good := ask("1")
			for _, wrong := range []struct {
				location string
				change   func(*budget.Request)
			}{
				{"body.operation", func(r *budget.Request) { r.Operation = "" }},
				{"body.operation", func(r *budget.Request) { r.Operation = strings.Repeat("x", 65) }},
				{"body.provider", func(r *budget.Request) { r.Provider = "a\x00b" }},
				{"body.model", func(r *budget.Request) { r.Model = "" }},
				{"body.model", func(r *budget.Request) { r.Model = "a\nb" }},
				{"body.max_cost", func(r *budget.Request) { r.MaxCost = nil }},
				{"body.max_cost", func(r *budget.Request) { r.MaxCost = &negative }},
				{"body.tokens_in", func(r *budget.Request) { r.TokensIn = -1 }},
				{"body.max_tokens_out", func(r *budget.Request) { r.MaxTokensOut = budget.MaxTokens + 1 }},
				{"body.ttl_seconds", func(r *budget.Request) { r.TTL = time.Millisecond }},
				{"body.ttl_seconds", func(r *budget.Request) { r.TTL = time.Hour + 1 }},
				{"header.Idempotency-Key", func(r *budget.Request) { r.IdempotencyKey = strings.Repeat("k", 256) }},
			} {
				r := good
				wrong.change(&r)
				_, err := f.ledger.Reserve(f.ctx, f.scope, r)
				f.fails(err, fault.Invalid, wrong.location)
			}
			f.wantBooks("0", "0", "0")
		}},
		{"amounts beyond what can be counted are refused, not wrapped around", func(f *fixture) {
			largest := budget.MaxCost
			r := f.reserve(budget.Request{Operation: "chat", Model: "m", MaxCost: &largest})
			_, err := f.ledger.Reserve(f.ctx, f.scope, ask("0.000000001"))
			f.fails(err, fault.Invalid, "body.max_cost")
			f.monthly("1")
			f.refused(budget.Request{Operation: "chat", Model: "m", MaxCost: &largest})
			f.limit(budget.Limits{})
			f.settle(r.ID, budget.Settle{Cost: &largest})
			again := f.reserve(ask("0"))
			_, err = f.ledger.Settle(f.ctx, f.scope, again.ID, budget.Settle{Cost: usd("1")})
			f.fails(err, fault.Invalid, "body.cost")
			is(f, "usage", f.books().Month, largest)
		}},
		{"the same key with the same request is one reservation and one answer", func(f *fixture) {
			f.monthly("10")
			request := ask("4")
			request.IdempotencyKey = "once"
			first := f.reserve(request)
			is(f, "repeated", f.reserve(request), first)
			f.wantBooks("0", "0", "4")
			f.settle(first.ID, budget.Settle{Cost: usd("3")})
			is(f, "repeated after the settlement", f.reserve(request), first)
			f.wantBooks("3", "3", "0")
		}},
		{"the same key with another request is a conflict", func(f *fixture) {
			request := ask("4")
			request.IdempotencyKey = "once"
			f.reserve(request)
			request.MaxCost = usd("5")
			_, err := f.ledger.Reserve(f.ctx, f.scope, request)
			f.fails(err, fault.Conflict, "")
			f.wantBooks("0", "0", "4")
		}},
		{"a refusal is not remembered under its key", func(f *fixture) {
			f.monthly("1")
			request := ask("4")
			request.IdempotencyKey = "later"
			f.refused(request)
			f.monthly("10")
			f.reserve(request)
		}},
		{"a cancelled request holds nothing", func(f *fixture) {
			ctx, cancel := context.WithCancel(f.ctx)
			cancel()
			_, err := f.ledger.Reserve(ctx, f.scope, ask("1"))
			f.fails(err, fault.Cancelled, "")
			f.wantBooks("0", "0", "0")
		}},
	}
}
