package budget

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

// Overseer is the port of those who look after several tenants. Who may ask it is not its business: whoever asks for every
// tenant must be allowed to see every tenant.
type Overseer interface {
	// Spending sums the log of all projects of a tenant or, where tenant is "", of every tenant.
	Spending(ctx context.Context, tenant string, q SpendingQuery) (Spending, error)
}

// Bounds of a SpendingQuery.
const (
	MaxDays = 365
	MaxTop  = 100
)

// SpendingQuery says of which days: the last Days UTC days, today among them, or since the first moment of the month.
type SpendingQuery struct {
	Days      int  // 1..MaxDays; not looked at with ThisMonth
	ThisMonth bool // the UTC month the ledger's clock is in
	Top       int  // how many groups of each kind, 1..MaxTop
}

// Complete checks the query.
func (q SpendingQuery) Complete() (SpendingQuery, error) {
	switch {
	case !q.ThisMonth && (q.Days < 1 || q.Days > MaxDays):
		return SpendingQuery{}, fault.BadField("query.days", "must be between 1 and %d", MaxDays)
	case q.Top < 1 || q.Top > MaxTop:
		return SpendingQuery{}, fault.BadField("query.top", "must be between 1 and %d", MaxTop)
	}
	return q, nil
}

// Since is the first moment of what is summed, by the ledger's clock.
func (q SpendingQuery) Since(now time.Time) time.Time {
	today := DayOf(now)
	if q.ThisMonth {
		return today.monthStart()
	}
	return today.start().AddDate(0, 0, 1-q.Days)
}

// Spending is what was spent, and by whom the most: groups come the dearest first, equal ones by name.
type Spending struct {
	Since, Until time.Time // Until is when it was asked
	Total        Costs
	LatencyMS    int64 // mean of the calls that were measured, rounded down
	Tenants      int64 // that spent, or were spared, anything
	ByTenant     []CostGroup
	ByProject    []CostGroup // "tenant/project" where every tenant was asked for
	ByModel      []CostGroup
	ByOperation  []CostGroup
	ByProvider   []CostGroup
}

// Portion is what one project spent on one model for one purpose.
type Portion struct {
	Tenant, Project, Model, Operation, Provider string
	Costs                                       Costs
	Measured                                    int64 // calls whose latency is known
	LatencyMS                                   int64 // of those, summed
}

// PortionOf is the portion that is one line.
func PortionOf(tenant, project string, l *Line) Portion {
	p := Portion{Tenant: tenant, Project: project, Model: l.Model, Operation: l.Operation, Provider: l.Provider, Costs: l.Costs()}
	if l.LatencyMS > 0 {
		p.Measured, p.LatencyMS = 1, l.LatencyMS
	}
	return p
}

// Tally makes a Spending of portions, in whatever order they come.
type Tally struct {
	top      int
	all      bool // every tenant
	spending Spending
	groups   [5]map[string]*Costs
	measured struct{ calls, total int64 }
}

// NewTally begins to sum what q asks for at now.
func NewTally(tenant string, q SpendingQuery, now time.Time) *Tally {
	t := &Tally{top: q.Top, all: tenant == "", spending: Spending{Since: q.Since(now), Until: now.UTC()}}
	for i := range t.groups {
		t.groups[i] = map[string]*Costs{}
	}
	return t
}

// Since is the first moment of what is summed.
func (t *Tally) Since() time.Time { return t.spending.Since }

// Add counts a portion in.
func (t *Tally) Add(p *Portion) {
	project := p.Project
	if t.all {
		project = p.Tenant + "/" + project
	}
	for i, name := range [...]string{p.Tenant, project, p.Model, p.Operation, cmp.Or(p.Provider, NoProvider)} {
		if t.groups[i][name] == nil {
			t.groups[i][name] = &Costs{}
		}
		t.groups[i][name].Merge(p.Costs)
	}
	t.spending.Total.Merge(p.Costs)
	t.measured.calls, t.measured.total = t.measured.calls+p.Measured, t.measured.total+p.LatencyMS
}

// Spending is the sum.
func (t *Tally) Spending() Spending {
	s := t.spending
	s.Tenants = int64(len(t.groups[0]))
	if t.measured.calls > 0 {
		s.LatencyMS = t.measured.total / t.measured.calls
	}
	for i, into := range []*[]CostGroup{&s.ByTenant, &s.ByProject, &s.ByModel, &s.ByOperation, &s.ByProvider} {
		groups := make([]CostGroup, 0, len(t.groups[i]))
		for name, costs := range t.groups[i] {
			groups = append(groups, CostGroup{Group: name, Costs: *costs})
		}
		*into = dearest(groups, t.top)
	}
	return s
}

// dearest orders groups as a Spending has them and leaves the first ones.
func dearest(groups []CostGroup, top int) []CostGroup {
	slices.SortFunc(groups, func(a, b CostGroup) int {
		return cmp.Or(cmp.Compare(b.Cost, a.Cost), strings.Compare(a.Group, b.Group))
	})
	return groups[:min(top, len(groups))]
}
