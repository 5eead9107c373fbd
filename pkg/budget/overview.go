package budget

import (
	"context"
	"math"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// Where an overview says that a tenant comes near its limits, in millionths of a monthly one. Who set a warning threshold of
// its own is warned by it, not here.
const (
	overviewWarningPPM  = 750_000
	overviewCriticalPPM = criticalPPM
	overviewExceededPPM = 1_000_000
)

// topOfAll and topOfOne are how many groups an overview has, of all tenants and of one.
const (
	topOfAll = 5
	topOfOne = MaxTop
)

// Overview is what several tenants, or one, spent in a period, and how they stand. Groups come the dearest first.
type Overview struct {
	TenantID         string           `json:"tenant_id" doc:"Whose overview it is; empty: of all tenants."`
	PeriodStart      time.Time        `json:"period_start" doc:"First moment of the first UTC day."`
	PeriodEnd        time.Time        `json:"period_end" doc:"When it was asked."`
	Total            Costs            `json:"total"`
	TotalTokens      int64            `json:"total_tokens" doc:"In and out."`
	UniqueTenants    int64            `json:"unique_tenants" doc:"Tenants with any call or cache hit."`
	AverageCost      Cost             `json:"average_cost_per_call" doc:"Rounded up to the nano-dollar."`
	AverageLatencyMS int64            `json:"average_latency_ms" doc:"Of the calls that were measured."`
	CacheHitRate     float64          `json:"cache_hit_rate" minimum:"0" maximum:"1" doc:"Cache hits in all that was asked for: hits / (hits + calls)."`
	TopTenants       []TenantSpending `json:"top_tenants" doc:"At most 5."`
	TopProjects      []CostGroup      `json:"top_projects" doc:"At most 5, named tenant/project; of one tenant at most 100, named by the project alone."`
	TopModels        []CostGroup      `json:"top_models" doc:"At most 5, of one tenant 100."`
	TopOperations    []CostGroup      `json:"top_operations" doc:"At most 5, of one tenant 100."`
}

// TenantSpending is what a tenant spent in the period, and where its month is going.
type TenantSpending struct {
	TenantID string `json:"tenant_id"`
	Costs
	Month Outlook `json:"month"`
}

// Outlook is how the current UTC month of a tenant stands: the sums of its projects, and the worst of their standings. Its
// hundred dearest projects of the period are asked.
type Outlook struct {
	Limit           *Cost    `json:"monthly_limit" nullable:"true" doc:"Sum of its projects' limits; null where one of them has none."`
	Usage           Cost     `json:"monthly_usage"`
	Projected       Cost     `json:"projected_month_end" doc:"Usage at the end of the month if it goes on like this."`
	UsagePercentage *Percent `json:"usage_percentage" nullable:"true"`
	Status          Standing `json:"status" enum:"ok,warning,critical,exceeded" doc:"Of the project that is worst off: from 75, 90 and 100 percent of its monthly limit; warning also where its month would end above it."`
}

// Oversee makes the overview of the last so many UTC days, of one tenant or, where tenant is "", of all of them.
func Oversee(ctx context.Context, l Ledger, tenant string, days int) (Overview, error) {
	top := topOfAll
	if tenant != "" {
		top = topOfOne
	}
	s, err := l.Spending(ctx, tenant, SpendingQuery{Days: days, Top: top})
	if err != nil {
		return Overview{}, err
	}
	tokens, _ := sum(s.Total.TokensIn, s.Total.TokensOut)
	o := Overview{
		TenantID: tenant, PeriodStart: s.Since, PeriodEnd: s.Until, Total: s.Total, TotalTokens: tokens, UniqueTenants: s.Tenants,
		AverageLatencyMS: s.LatencyMS, TopTenants: []TenantSpending{}, TopProjects: s.ByProject, TopModels: s.ByModel, TopOperations: s.ByOperation,
	}
	if s.Total.Calls > 0 {
		o.AverageCost = s.Total.Cost / Cost(s.Total.Calls)
		if s.Total.Cost%Cost(s.Total.Calls) > 0 {
			o.AverageCost++
		}
	}
	if asked, _ := sum(s.Total.Calls, s.Total.CacheHits); asked > 0 {
		o.CacheHitRate = float64(s.Total.CacheHits) / float64(asked)
	}
	for _, g := range s.ByTenant {
		month, err := outlook(ctx, l, g.Group, days)
		if err != nil {
			return Overview{}, err
		}
		o.TopTenants = append(o.TopTenants, TenantSpending{TenantID: g.Group, Costs: g.Costs, Month: month})
	}
	return o, nil
}

// outlook asks how a tenant stands: by its own limits where it has any, else by those of the projects that spent anything in
// the period or in this month, and of what the others share.
func outlook(ctx context.Context, l Ledger, tenant string, days int) (Outlook, error) {
	all, err := l.CurrentTenant(ctx, tenant)
	if err != nil {
		return Outlook{}, err
	}
	o := Outlook{Usage: all.MonthlyUsage, Projected: all.ProjectedMonthEnd, Limit: new(Cost), Status: OK}
	if all.Pot == nil {
		o.under(&all.Status)
	} else {
		const month = 31
		s, err := l.Spending(ctx, tenant, SpendingQuery{Days: max(days, month), Top: MaxTop})
		if err != nil {
			return Outlook{}, err
		}
		shared := len(s.ByProject) == 0
		for _, g := range s.ByProject {
			status, err := l.Current(ctx, memory.Scope{Tenant: tenant, Project: g.Group})
			if err != nil {
				return Outlook{}, err
			}
			if shared = shared || !status.Own; status.Own {
				o.under(&status)
			}
		}
		if shared {
			o.under(all.Pot)
		}
	}
	if o.Limit != nil {
		percent := Percent(1000) // of nothing, everything is used
		if *o.Limit > 0 {
			percent = Percent(tenthsOfPercent(int64(o.Usage), int64(*o.Limit)))
		}
		o.UsagePercentage = &percent
	}
	return o, nil
}

// under adds the limit of one budget of the tenant, and takes its standing where it is worse.
func (o *Outlook) under(s *Status) {
	switch {
	case s.MonthlyLimit == nil:
		o.Limit = nil
	case o.Limit != nil:
		*o.Limit = capped(*o.Limit, *s.MonthlyLimit)
	}
	if s.MonthlyLimit != nil {
		o.Status = worse(o.Status, s.overseen())
	}
}

// capped adds amounts up to the largest there is.
func capped(a, b Cost) Cost {
	total, fits := sum(int64(a), int64(b))
	if !fits {
		return math.MaxInt64
	}
	return Cost(total)
}

// overseen is the standing by an overview's marks.
func (s *Status) overseen() Standing {
	at := func(ppm uint64) bool { return atLeast(int64(s.MonthlyUsage), int64(*s.MonthlyLimit), ppm) }
	switch {
	case at(overviewExceededPPM):
		return Exceeded
	case at(overviewCriticalPPM):
		return Critical
	case at(overviewWarningPPM), s.ProjectedMonthEnd > *s.MonthlyLimit:
		return Warning
	}
	return OK
}

// worse is the one of two standings that is worse off.
func worse(a, b Standing) Standing {
	rank := map[Standing]int{OK: 0, Warning: 1, Critical: 2, Exceeded: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}
