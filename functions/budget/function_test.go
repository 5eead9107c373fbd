package budget_test

import (
	"context"
	"log/slog"
	"os"
	"reflect"
	"testing"

	"github.com/rae-memory/rae/eventing"
	function "github.com/rae-memory/rae/functions/budget"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/serve"
)

func TestTheDefaultsOfTheGuideReallyApply(t *testing.T) {
	cfg := function.Config{}
	if err := serve.Load(&cfg); err != nil {
		t.Fatal(err)
	}
	policy, err := cfg.Policy()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, policy)
	w.is(w.must(200, "GET", "/v1/budgets/current", ""), map[string]any{
		"monthly_limit": n("100"), "daily_limit": n("10"), "warning_threshold": n("0.8"), "enforced": true,
	})
	w.spend("10")
	const least = `{"operation":"chat","model":"gpt-4o","max_cost":0.000000001}`
	w.refused(402, "", "POST", "/v1/reservations", least)
	for _, another := range []string{"a", "b", "c"} { // a project nobody has named before has no ten dollars more
		w.is(w.refused(402, "", "POST", "/v1/reservations", least, "X-Project-ID", another), map[string]any{
			"level": "tenant", "period": "daily", "limit": n("10"), "usage": n("10"),
		})
	}
	w.is(w.must(200, "GET", "/v1/budgets/tenant", "")["pot"].(map[string]any), map[string]any{
		"daily_limit": n("10"), "daily_usage": n("10"), "monthly_limit": n("100"), "status": "exceeded", "warning_threshold": n("0.8"),
	})

	t.Setenv("ENABLE_COST_TRACKING", "false")
	if err := serve.Load(&cfg); err != nil {
		t.Fatal(err)
	}
	if policy, err = cfg.Policy(); err != nil || !policy.Disabled {
		t.Errorf("with ENABLE_COST_TRACKING=false: got %+v, %v", policy, err)
	}
}

func TestASettingThatCannotBeUsedStopsTheStartWithOneLine(t *testing.T) {
	for _, wrong := range []struct{ name, value, line string }{
		{"RAE_STORE", "oracle", "RAE_STORE=oracle is not allowed: it must be sqlite or postgres or inmem"},
		{"DEFAULT_DAILY_LIMIT", "-1", "DEFAULT_DAILY_LIMIT=-1 is not allowed: it must be a number of US dollars such as 10.00, with at most 9 decimals and not negative"},
		{"DEFAULT_MONTHLY_LIMIT", "NaN", "DEFAULT_MONTHLY_LIMIT=NaN is not allowed: it must be a number of US dollars such as 10.00, with at most 9 decimals and not negative"},
		{"DEFAULT_DAILY_LIMIT", "101", "DEFAULT_DAILY_LIMIT=101 is not allowed: it must be at most DEFAULT_MONTHLY_LIMIT (100.00)"},
		{"BUDGET_WARNING_THRESHOLD", "1.5", "BUDGET_WARNING_THRESHOLD=1.5 is not allowed: it must be above 0 and at most 1"},
		{"BUDGET_WARNING_THRESHOLD", "NaN", "BUDGET_WARNING_THRESHOLD=NaN is not allowed: it must be a number"},
		{"ENABLE_COST_TRACKING", "maybe", "ENABLE_COST_TRACKING=maybe is not allowed: it must be true or false"},
	} {
		t.Run(wrong.name+"="+wrong.value, func(t *testing.T) {
			t.Setenv(wrong.name, wrong.value)
			_, err := function.Open(t.Context(), serve.Runtime{Log: slog.New(slog.DiscardHandler)})
			if err == nil || err.Error() != wrong.line {
				t.Errorf("got  %v\nwant %s", err, wrong.line)
			}
		})
	}
}

func TestAnOpenedFunctionTouchesNothingUntilItIsAskedAndReportsItsDatabase(t *testing.T) {
	folder := t.TempDir() + "/data"
	t.Setenv("RAE_DATA_DIR", folder)
	f, err := function.Open(t.Context(), serve.Runtime{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("before the first use the folder exists: %v", err)
	}
	want := []serve.Component{{Name: "database", Critical: true}}
	if got := f.Health(t.Context()); !reflect.DeepEqual(got, want) {
		t.Errorf("health: got %+v, want %+v", got, want)
	}
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := f.Health(t.Context()); got[0].Err == nil {
		t.Error("a closed store reads as healthy")
	}
}

// backlog is a ledger with so many expired reservations.
type backlog struct {
	budget.Ledger
	left int
}

func (b *backlog) Expire(_ context.Context, limit int) (int, error) {
	n := min(limit, b.left)
	b.left -= n
	return n, nil
}

func TestATickReturnsEveryExpiredReservation(t *testing.T) {
	t.Parallel()
	ledger := &backlog{left: 1203}
	f := function.New(ledger, nil, slog.New(slog.DiscardHandler))
	if err := f.Consumers()[eventing.DrainDue](t.Context(), eventing.Event{}); err != nil || ledger.left != 0 {
		t.Errorf("%d left, %v", ledger.left, err)
	}
}
