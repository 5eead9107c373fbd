package telemetry

import (
	"errors"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Bounds of the series of Spending. Tenants have no bound: those that come when all series are taken are counted
// together, under otherTenants, so that sums over models stay right.
const (
	maxSpendingSeries = 1000
	otherTenants      = "(other)"
)

// Spending counts what is spent on paid models and what caches spare, where it is spent. Amounts are kept as whole
// nano-dollars and become floats when they are read, so that no sum drifts. It begins at zero with the process: what was
// spent before, the log of costs tells.
type Spending struct {
	mu     sync.Mutex
	series map[spender]*spent

	cost, tokens, calls, saved *prometheus.Desc
}

var (
	_ budget.Observer      = (*Spending)(nil)
	_ prometheus.Collector = (*Spending)(nil)
)

// spender is a set of labels.
type spender struct{ tenant, project, provider, model, operation string }

// spent is what is counted under it.
type spent struct {
	cost, saved     budget.Cost
	in, out, cached int64
	calls           map[budget.Outcome]int64
}

// NewSpending registers the counters rae_llm_cost_total, rae_llm_tokens_total, rae_llm_calls_total and
// rae_cost_savings_total, or returns those that stand there already. With nil nobody reads them.
func NewSpending(to prometheus.Registerer) (*Spending, error) {
	labels := []string{"tenant_id", "project_id", "provider", "model", "operation"}
	with := func(label string) []string { return append(labels[:len(labels):len(labels)], label) }
	s := &Spending{
		series: map[spender]*spent{},
		cost:   prometheus.NewDesc("rae_llm_cost_total", "US dollars booked for calls of paid models.", labels, nil),
		tokens: prometheus.NewDesc("rae_llm_tokens_total", "Tokens booked; cached ones are part of those in.", with("direction"), nil),
		calls:  prometheus.NewDesc("rae_llm_calls_total", "Calls of paid models, by how they went.", with("outcome"), nil),
		saved:  prometheus.NewDesc("rae_cost_savings_total", "US dollars that calls would have cost for which a cache had the answer.", labels, nil),
	}
	if to == nil {
		return s, nil
	}
	err := to.Register(s)
	var there prometheus.AlreadyRegisteredError
	if errors.As(err, &there) {
		if standing, ok := there.ExistingCollector.(*Spending); ok {
			return standing, nil
		}
	}
	return s, err
}

// Called implements budget.Observer.
func (s *Spending) Called(payer memory.Scope, c llm.Call, o budget.Outcome, booked *budget.Settlement) {
	s.count(payer, c.Provider, c.Model, c.Operation, func(to *spent) {
		to.calls[o]++
		if booked != nil {
			to.cost += booked.Cost
			to.in, to.out, to.cached = to.in+booked.TokensIn, to.out+booked.TokensOut, to.cached+booked.CachedTokens
		}
	})
}

// Saved implements budget.Observer.
func (s *Spending) Saved(payer memory.Scope, l *budget.Line) {
	s.count(payer, l.Provider, l.Model, l.Operation, func(to *spent) { to.saved += l.Saved })
}

func (s *Spending) count(payer memory.Scope, provider, model, operation string, do func(*spent)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	by := spender{payer.Tenant, payer.Project, label(provider), label(model), label(operation)}
	for _, instead := range []spender{ // each is tried where there is no room for the one before
		{otherTenants, otherTenants, by.provider, by.model, by.operation},
		{otherTenants, otherTenants, otherTenants, otherTenants, otherTenants},
	} {
		if s.series[by] != nil || len(s.series) < maxSpendingSeries || by.tenant == otherTenants && len(s.series) < 2*maxSpendingSeries {
			break
		}
		by = instead
	}
	if s.series[by] == nil {
		s.series[by] = &spent{calls: map[budget.Outcome]int64{}}
	}
	do(s.series[by])
}

// label is a text as a label may be.
func label(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// Describe implements prometheus.Collector.
func (s *Spending) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.cost, s.tokens, s.calls, s.saved} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (s *Spending) Collect(to chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for by, n := range s.series {
		labels := []string{by.tenant, by.project, by.provider, by.model, by.operation}
		tell := func(d *prometheus.Desc, value float64, more ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, append(labels[:len(labels):len(labels)], more...)...)
		}
		tell(s.cost, dollars(n.cost))
		tell(s.saved, dollars(n.saved))
		tell(s.tokens, float64(n.in), "in")
		tell(s.tokens, float64(n.out), "out")
		tell(s.tokens, float64(n.cached), "cached")
		for outcome, calls := range n.calls {
			tell(s.calls, float64(calls), string(outcome))
		}
	}
}

// dollars are nano-dollars as the nearest float.
func dollars(c budget.Cost) float64 { return float64(c) / float64(budget.USD) }
