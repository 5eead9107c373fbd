package telemetry_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// gathered are the values of all series whose names begin with rae_, by name and labels.
func gathered(t *testing.T, from prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "rae_") || f.GetType() != dto.MetricType_COUNTER {
			continue
		}
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "," + l.GetName() + "=" + l.GetValue()
			}
			values[name] = m.GetCounter().GetValue()
		}
	}
	return values
}

var (
	acme = memory.Scope{Tenant: "acme", Project: "p"}
	chat = llm.Call{Operation: "chat", Provider: "openai", Model: "gpt-4o"}
)

func TestSpendingIsCountedExactlyByWhoSpends(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	s, err := telemetry.NewSpending(registry)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for range 10 {
		running.Go(func() {
			for range 1000 { // a tenth of a dollar added up as floats is no whole number of dollars
				s.Called(acme, chat, budget.Answered, &budget.Settlement{TokensIn: 10, TokensOut: 2, CachedTokens: 4, Cost: budget.USD / 10})
			}
		})
	}
	running.Wait()
	s.Called(acme, chat, budget.OverBudget, nil)
	s.Saved(acme, &budget.Line{Operation: "chat", Provider: "openai", Model: "gpt-4o", Saved: 3 * budget.USD})
	const by = ",model=gpt-4o,operation=chat"
	const whose = ",project_id=p,provider=openai,tenant_id=acme"
	want := map[string]float64{
		"rae_llm_cost_total" + by + whose:                                                               1000,
		"rae_cost_savings_total" + by + whose:                                                           3,
		"rae_llm_tokens_total,direction=in" + by + whose:                                                100_000,
		"rae_llm_tokens_total,direction=out" + by + whose:                                               20_000,
		"rae_llm_tokens_total,direction=cached" + by + whose:                                            40_000,
		"rae_llm_calls_total" + by + ",outcome=ok" + whose:                                              10_000,
		"rae_llm_calls_total" + by + ",outcome=over_budget,project_id=p,provider=openai,tenant_id=acme": 1,
	}
	if got := gathered(t, registry); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if again, err := telemetry.NewSpending(registry); err != nil || again != s {
		t.Errorf("a second one on the same registry: %v", err)
	}
	if _, err := telemetry.NewSpending(nil); err != nil {
		t.Error(err)
	}
}

func TestTenantsBeyondTheBoundAreCountedTogether(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	s, err := telemetry.NewSpending(registry)
	if err != nil {
		t.Fatal(err)
	}
	const tenants = 5000
	for i := range tenants {
		c := chat
		c.Model = fmt.Sprintf("model-%d", i%3)
		s.Called(memory.Scope{Tenant: fmt.Sprintf("t%d", i), Project: "p"}, c, budget.Answered, &budget.Settlement{Cost: budget.USD})
	}
	for i := range tenants { // models are the operator's, but if they were not
		c := chat
		c.Model = fmt.Sprintf("\xffodd-%d", i)
		s.Called(acme, c, budget.Answered, &budget.Settlement{Cost: budget.USD})
	}
	var series int
	var total, other float64
	for name, value := range gathered(t, registry) {
		if strings.HasPrefix(name, "rae_llm_cost_total") {
			series++
			total += value
			if strings.Contains(name, "tenant_id=(other)") && strings.Contains(name, "model=model-0") {
				other = value
			}
		}
	}
	if series > 2001 || total != 2*tenants || other == 0 {
		t.Errorf("%d series tell of %v dollars, %v of them of other tenants", series, total, other)
	}
}
