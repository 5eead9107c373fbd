package budget_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	function "github.com/rae-memory/rae/functions/budget"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
)

// shown scrapes the registry: one line a gauge, sorted.
func shown(t *testing.T, registry *prometheus.Registry) (lines []string) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %v %s", family.GetName(), m.GetGauge().GetValue(), strings.Join(labels, " "))))
		}
	}
	slices.Sort(lines)
	return lines
}

// counted is a ledger that counts how often it is asked, and may be away.
type counted struct {
	*inmem.Ledger
	mu    sync.Mutex
	asked int
	away  error
}

func (c *counted) Current(ctx context.Context, scope memory.Scope) (budget.Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked++; c.away != nil {
		return budget.Status{}, c.away
	}
	return c.Ledger.Current(ctx, scope)
}

// gauged is a ledger with three budgets at 2000-01-01, and two registries that show it, as two instances would.
func gauged(t *testing.T) (c *counted, one, other *prometheus.Registry) {
	t.Helper()
	c = &counted{Ledger: inmem.NewLedger(inmem.New(inmem.Options{}), budget.Policy{})}
	dollars := func(n budget.Cost) *budget.Cost { n *= budget.USD; return &n }
	tokens := int64(1000)
	for scope, limits := range map[memory.Scope]budget.Limits{
		{Tenant: "acme", Project: "p"}:       {Daily: dollars(10), Monthly: dollars(100)},
		{Tenant: "acme", Project: "free"}:    {},
		{Tenant: "beta", Project: "default"}: {DailyTokens: &tokens},
	} {
		if _, err := c.PutLimits(t.Context(), scope, limits); err != nil {
			t.Fatal(err)
		}
		for _, settled := range []bool{true, false} {
			cost := 2 * budget.USD
			r, err := c.Reserve(t.Context(), scope, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost, TokensIn: 100})
			if err == nil && settled {
				_, err = c.Settle(t.Context(), scope, r.ID, budget.Settle{TokensIn: 100, Cost: &cost})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	registries := []*prometheus.Registry{prometheus.NewRegistry(), prometheus.NewRegistry()}
	for _, registry := range registries {
		if err := function.New(c, nil, slog.New(slog.DiscardHandler)).Gauge(registry); err != nil {
			t.Fatal(err)
		}
	}
	return c, registries[0], registries[1]
}

func TestTheGaugesShowWhatTheLedgerHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, one, other := gauged(t)
		const day, month = "9.467712e+08", "9.493632e+08" // 2000-01-02 and 2000-02-01
		want := []string{
			"rae_budget_limit 10 period=daily project_id=p tenant_id=acme",
			"rae_budget_limit 100 period=monthly project_id=p tenant_id=acme",
			"rae_budget_limit 1000 period=daily_tokens project_id=default tenant_id=beta",
			"rae_budget_remaining 6 period=daily project_id=p tenant_id=acme",
			"rae_budget_remaining 800 period=daily_tokens project_id=default tenant_id=beta",
			"rae_budget_remaining 96 period=monthly project_id=p tenant_id=acme",
			"rae_budget_reserved 100 period=daily_tokens project_id=default tenant_id=beta",
			"rae_budget_reserved 2 period=daily project_id=p tenant_id=acme",
			"rae_budget_reserved 2 period=monthly project_id=p tenant_id=acme",
			"rae_budget_reset_timestamp_seconds " + day + " period=daily project_id=p tenant_id=acme",
			"rae_budget_reset_timestamp_seconds " + day + " period=daily_tokens project_id=default tenant_id=beta",
			"rae_budget_reset_timestamp_seconds " + month + " period=monthly project_id=p tenant_id=acme",
			"rae_budget_scopes 3", "rae_budget_scopes_truncated 0",
		}
		for _, registry := range []*prometheus.Registry{one, other} {
			if got := shown(t, registry); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		time.Sleep(25 * time.Hour) // the day is another, the hold has come back
		got := shown(t, one)
		for _, line := range []string{
			"rae_budget_remaining 10 period=daily project_id=p tenant_id=acme", "rae_budget_remaining 98 period=monthly project_id=p tenant_id=acme",
			"rae_budget_reserved 0 period=daily project_id=p tenant_id=acme", "rae_budget_reset_timestamp_seconds 9.468576e+08 period=daily project_id=p tenant_id=acme",
		} {
			if !slices.Contains(got, line) {
				t.Errorf("the next day lacks %q:\n%s", line, strings.Join(got, "\n"))
			}
		}
	})
}

func TestTheGaugesShowWhatStandsAboveProjects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger, registry, _ := gauged(t)
		dollars := 50 * budget.USD
		if _, err := ledger.PutTenantLimits(t.Context(), "acme", budget.Limits{Daily: &dollars}); err != nil {
			t.Fatal(err)
		}
		got := shown(t, registry)
		for _, line := range []string{ // of both its projects
			"rae_budget_limit 50 period=daily project_id= tenant_id=acme", "rae_budget_remaining 42 period=daily project_id= tenant_id=acme",
			"rae_budget_reserved 4 period=daily project_id= tenant_id=acme", "rae_budget_scopes 3",
		} {
			if !slices.Contains(got, line) {
				t.Errorf("lacks %q:\n%s", line, strings.Join(got, "\n"))
			}
		}
		shared := 10 * budget.USD
		pot := inmem.NewLedger(inmem.New(inmem.Options{}), budget.Policy{Defaults: budget.Limits{Daily: &shared}})
		for _, project := range []string{"p", "q"} {
			cost := budget.USD
			if _, err := pot.Reserve(t.Context(), memory.Scope{Tenant: "acme", Project: project}, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost}); err != nil {
				t.Fatal(err)
			}
		}
		other := prometheus.NewRegistry()
		if err := function.New(pot, nil, slog.New(slog.DiscardHandler)).Gauge(other); err != nil {
			t.Fatal(err)
		}
		if got, want := shown(t, other), "rae_budget_remaining 8 period=daily project_id= tenant_id=acme"; !slices.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, strings.Join(got, "\n"))
		}
	})
}

func TestManyWhoScrapeAskTheLedgerOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger, registry, _ := gauged(t)
		for range 10 {
			shown(t, registry)
		}
		if ledger.asked != 3 {
			t.Errorf("three budgets were read %d times", ledger.asked)
		}
		time.Sleep(6 * time.Second)
		if shown(t, registry); ledger.asked != 6 {
			t.Errorf("six seconds later they have been read %d times", ledger.asked)
		}
	})
}

func TestALedgerThatIsAwayShowsNoGaugeRatherThanAWrongOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger, registry, _ := gauged(t)
		ledger.away = fault.New(fault.Unavailable, "away")
		if got := shown(t, registry); len(got) != 0 {
			t.Errorf("got %q", got)
		}
	})
}

func TestGaugesHaveABound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger := inmem.NewLedger(inmem.New(inmem.Options{}), budget.Policy{})
		limit := budget.USD
		for i := range 501 {
			if _, err := ledger.PutLimits(t.Context(), memory.Scope{Tenant: fmt.Sprintf("t%d", i), Project: "p"}, budget.Limits{Daily: &limit}); err != nil {
				t.Fatal(err)
			}
		}
		registry := prometheus.NewRegistry()
		if err := function.New(ledger, nil, slog.New(slog.DiscardHandler)).Gauge(registry); err != nil {
			t.Fatal(err)
		}
		got := shown(t, registry)
		if len(got) != 4*500+2 || !slices.Contains(got, "rae_budget_scopes 500") || !slices.Contains(got, "rae_budget_scopes_truncated 1") {
			t.Errorf("%d lines, the last %q", len(got), got[len(got)-2:])
		}
	})
}
