package budget

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/pkg/budget"
)

const (
	gaugedScopes = 500             // of which gauges are shown, those whose budgets moved last: labels must have a bound
	gaugesKept   = 5 * time.Second // so that many who scrape do not ask the ledger as often
	gaugesTime   = 3 * time.Second // to read them all, within the ten seconds a scrape usually has
)

// gauges show how the budgets stand, as the ledger has it when they are scraped, so that every instance shows the same. An
// instance that is not running shows nothing: what was shown last is carried on by the recording rules in
// charts/rae-memory/rules/budget.yaml until the period ends (docs/adr/0044). They tell by rae_budget_scopes whether somebody
// has shown all there is.
type gauges struct {
	ledger standing
	log    *slog.Logger

	limit, remaining, reserved, resets, scopes, truncated *prometheus.Desc

	mu    sync.Mutex
	until time.Time // when shown is too old
	shown []prometheus.Metric
}

// standing is what gauges read of a ledger.
type standing interface {
	budget.Roster
	budget.Statements
}

var _ prometheus.Collector = (*gauges)(nil)

func newGauges(ledger standing, log *slog.Logger) *gauges {
	of := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	const unit = " US dollars, or tokens where the period counts tokens."
	labels := []string{"tenant_id", "project_id", "period"} // no project: above all of the tenant's
	return &gauges{
		ledger: ledger, log: log,
		limit:     of("rae_budget_limit", "What may be spent in the period; none where it is unlimited."+unit, labels...),
		remaining: of("rae_budget_remaining", "What is left of the limit, without what is reserved."+unit, labels...),
		reserved:  of("rae_budget_reserved", "What live reservations hold; it counts against every period."+unit, labels...),
		resets:    of("rae_budget_reset_timestamp_seconds", "When the period ends and the budget begins anew, in Unix time.", labels...),
		scopes:    of("rae_budget_scopes", "Projects whose budgets are shown. None while the ledger cannot be read."),
		truncated: of("rae_budget_scopes_truncated", "1 where there are more projects with budgets than are shown, else 0."),
	}
}

// Gauge shows how the budgets stand on the registry; nil is nobody to show them to.
func (f *Function) Gauge(registry prometheus.Registerer) error {
	ledger, ok := f.ledger.(standing)
	if !ok || registry == nil { // nobody can tell whose budgets there are
		return nil
	}
	return registry.Register(newGauges(ledger, f.log))
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.limit, g.remaining, g.reserved, g.resets, g.scopes, g.truncated} {
		descriptions <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(metrics chan<- prometheus.Metric) {
	for _, m := range g.now() {
		metrics <- m
	}
}

// now are the gauges as they were at most gaugesKept ago.
func (g *gauges) now() []prometheus.Metric {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Now().Before(g.until) {
		return g.shown
	}
	ctx, stop := context.WithTimeout(context.Background(), gaugesTime) // a scrape tells nobody its own deadline
	defer stop()
	all, whole, err := budget.Standings(ctx, g.ledger, gaugedScopes)
	g.shown = nil
	for i := range all {
		g.show(&all[i])
	}
	if err == nil {
		err = g.showTenants(ctx, all)
	}
	if err != nil {
		g.log.WarnContext(ctx, "budgets could not be read for their gauges", "read", len(all), "err", err)
	} else {
		truncated := 0.0
		if !whole {
			truncated = 1
		}
		g.add(g.scopes, float64(len(all)))
		g.add(g.truncated, truncated)
	}
	g.until = time.Now().Add(gaugesKept)
	return g.shown
}

// showTenants adds the gauges of what stands above the projects: their tenants' limits, or, where a project has none of its
// own, those that such projects share. They name no project.
func (g *gauges) showTenants(ctx context.Context, projects []budget.Status) error {
	var tenants []string
	sharing := map[string]bool{}
	for i := range projects {
		p := &projects[i]
		if _, known := sharing[p.TenantID]; !known {
			tenants = append(tenants, p.TenantID)
		}
		sharing[p.TenantID] = sharing[p.TenantID] || !p.Own
	}
	for _, tenant := range tenants {
		s, err := g.ledger.CurrentTenant(ctx, tenant)
		switch {
		case err != nil:
			return err
		case s.Pot == nil:
			g.show(&s.Status)
		case sharing[tenant]:
			g.show(s.Pot)
		}
	}
	return nil
}

// show adds the gauges of a scope: of the periods that have a limit, while limits are enforced.
func (g *gauges) show(s *budget.Status) {
	if !s.Enforced {
		return
	}
	dollars := func(p budget.Period, limit, remaining *budget.Cost, reserved budget.Cost, resets time.Time) {
		if limit != nil && remaining != nil {
			g.period(s, p, usd(*limit), usd(*remaining), usd(reserved), resets)
		}
	}
	tokens := func(p budget.Period, limit *int64, used int64, resets time.Time) {
		if limit != nil {
			g.period(s, p, float64(*limit), float64(max(0, *limit-used-s.TokensReserved)), float64(s.TokensReserved), resets)
		}
	}
	dollars(budget.Daily, s.DailyLimit, s.DailyRemaining, s.DailyReserved, s.ResetsAt.Daily)
	dollars(budget.Monthly, s.MonthlyLimit, s.MonthlyRemaining, s.MonthlyReserved, s.ResetsAt.Monthly)
	tokens(budget.DailyTokens, s.DailyTokenLimit, s.DailyTokensUsed, s.ResetsAt.Daily)
	tokens(budget.MonthlyTokens, s.MonthlyTokenLimit, s.MonthlyTokensUsed, s.ResetsAt.Monthly)
}

func (g *gauges) period(s *budget.Status, p budget.Period, limit, remaining, reserved float64, resets time.Time) {
	labels := []string{s.TenantID, s.ProjectID, string(p)}
	g.add(g.limit, limit, labels...)
	g.add(g.remaining, remaining, labels...)
	g.add(g.reserved, reserved, labels...)
	g.add(g.resets, float64(resets.Unix()), labels...)
}

func (g *gauges) add(d *prometheus.Desc, value float64, labels ...string) {
	g.shown = append(g.shown, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...))
}

// usd is an amount in dollars, as near as a float comes.
func usd(c budget.Cost) float64 { return float64(c) / float64(budget.USD) }
