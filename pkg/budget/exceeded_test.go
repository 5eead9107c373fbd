package budget_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

func TestARefusalSpeaksInTheUnitOfItsPeriod(t *testing.T) {
	t.Parallel()
	e := budget.ExceededError{
		Scope: memory.Scope{Tenant: "acme", Project: "default"}, Level: budget.ProjectLevel, Limit: 2_500_000_000, Usage: 1_000_000_000, Reserved: 0,
		Requested: 2_000_000_000, ResetsAt: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), OnExhausted: budget.Degrade,
	}
	for period, want := range map[budget.Period]struct{ text, members string }{
		budget.Monthly: {
			"the monthly budget does not cover this: 1 USD used and 0 USD reserved of 2.5 USD, 2 USD requested; it resets at 2026-12-01T00:00:00Z",
			`{"level":"project","limit":2.5,"on_exhausted":"degrade","period":"monthly","requested":2,"reserved":0,"resets_at":"2026-12-01T00:00:00Z","usage":1}`,
		},
		budget.DailyTokens: {
			"the daily token budget does not cover this: 1000000000 tokens used and 0 tokens reserved of 2500000000 tokens, 2000000000 tokens requested; it resets at 2026-12-01T00:00:00Z",
			`{"level":"project","limit":2500000000,"on_exhausted":"degrade","period":"daily_tokens","requested":2000000000,"reserved":0,"resets_at":"2026-12-01T00:00:00Z","usage":1000000000}`,
		},
	} {
		refusal := e
		refusal.Period, refusal.Level = period, budget.ProjectLevel
		err := fmt.Errorf("complete: %w", &refusal)
		if fault.KindOf(err) != fault.OverBudget || fault.Public(err) != want.text {
			t.Errorf("got %v %q, want %q", fault.KindOf(err), fault.Public(err), want.text)
		}
		var detailed fault.Detailed
		if !errors.As(err, &detailed) {
			t.Fatal("a refusal carries no members")
		}
		if got, err := json.Marshal(detailed.ProblemMembers()); err != nil || string(got) != want.members {
			t.Errorf("members:\n got %s, %v\nwant %s", got, err, want.members)
		}
	}
}

func TestARefusalOfATenantSaysWhoseItIs(t *testing.T) {
	t.Parallel()
	e := budget.ExceededError{Level: budget.TenantLevel, Period: budget.Daily, Limit: 2, Requested: 3, OnExhausted: budget.Reject}
	want := "the tenant's daily budget does not cover this: 0 USD used and 0 USD reserved of 0.000000002 USD, 0.000000003 USD requested; it resets at 0001-01-01T00:00:00Z"
	if got := e.PublicMessage(); got != want || e.ProblemMembers()["level"] != budget.TenantLevel {
		t.Errorf("got %q of level %v, want %q", got, e.ProblemMembers()["level"], want)
	}
}

func TestOpenDayForgivesOneMidnight(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 31, 23, 59, 59, 0, time.FixedZone("", 3600)) // 22:59:59 UTC
	for last, want := range map[budget.Day]budget.Day{
		"": "2026-12-31", "2026-12-30": "2026-12-31", "2026-12-31": "2026-12-31", "2027-01-01": "2027-01-01", "2027-01-02": "2026-12-31",
	} {
		if got := budget.OpenDay(last, now); got != want {
			t.Errorf("after %q: got %s, want %s", last, got, want)
		}
	}
	want := budget.Resets{Daily: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Monthly: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	if got := budget.Day("2026-12-31").Resets(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
