package budget

import (
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

// Grouping is what a cost report sums by.
type Grouping string

const (
	ByModel     Grouping = "model"
	ByOperation Grouping = "operation"
	ByProject   Grouping = "project"
	ByDay       Grouping = "day" // the UTC day a cost is booked on
)

// MaxGroups is the most groups of one page of a report.
const MaxGroups = 1000

// CostQuery selects and groups what was booked. The interval is half open: Since <= settled_at < Until.
type CostQuery struct {
	GroupBy Grouping   // "" means ByModel
	Since   *time.Time // nil: from the beginning
	Until   *time.Time // nil: until now
	After   string     // the last group of the page before
	Limit   int        // 1..MaxGroups; 0 means MaxGroups
}

// Complete checks the query and sets its defaults.
func (q CostQuery) Complete() (CostQuery, error) {
	if q.GroupBy == "" {
		q.GroupBy = ByModel
	}
	if q.Limit == 0 {
		q.Limit = MaxGroups
	}
	switch q.GroupBy {
	case ByModel, ByOperation, ByProject, ByDay:
	default:
		return CostQuery{}, fault.BadField("query.group_by", "must be model, operation, project or day")
	}
	switch {
	case q.Limit < 0 || q.Limit > MaxGroups:
		return CostQuery{}, fault.BadField("query.limit", "must be between 1 and %d", MaxGroups)
	case q.Since != nil && !inCalendar(*q.Since):
		return CostQuery{}, fault.BadField("query.since", "must be between the years 1970 and 2200")
	case q.Until != nil && !inCalendar(*q.Until):
		return CostQuery{}, fault.BadField("query.until", "must be between the years 1970 and 2200")
	case q.Since != nil && q.Until != nil && !q.Since.Before(*q.Until):
		return CostQuery{}, fault.BadField("query.until", "must be later than since")
	}
	return q, nil
}

// inCalendar refuses times no ledger has seen and no column can hold.
func inCalendar(t time.Time) bool { return 1970 <= t.UTC().Year() && t.UTC().Year() <= 2200 }

// Costs is what a group of calls cost.
type Costs struct {
	Calls        int64 `json:"calls"`
	TokensIn     int64 `json:"tokens_in"`
	TokensOut    int64 `json:"tokens_out"`
	CachedTokens int64 `json:"cached_tokens"`
	Cost         Cost  `json:"cost"`
	Overrun      Cost  `json:"overrun" doc:"Part of the cost that was booked beyond its reservation."`
	Unpriced     int64 `json:"unpriced" doc:"Calls of models in no price list, booked at the dearest known rate."`
}

// Add counts a settlement in.
func (c *Costs) Add(s *Settlement) {
	one := Costs{
		Calls: 1, TokensIn: s.TokensIn, TokensOut: s.TokensOut, CachedTokens: s.CachedTokens,
		Cost: s.Cost, Overrun: s.Overrun,
	}
	if !s.PriceKnown {
		one.Unpriced = 1
	}
	c.Merge(one)
}

// Merge adds another sum. What no longer fits stays at the largest number there is: a report is not the ledger.
func (c *Costs) Merge(o Costs) {
	add := func(a, b int64) int64 { total, _ := sum(a, b); return total }
	c.Calls, c.Unpriced = add(c.Calls, o.Calls), add(c.Unpriced, o.Unpriced)
	c.TokensIn, c.TokensOut = add(c.TokensIn, o.TokensIn), add(c.TokensOut, o.TokensOut)
	c.CachedTokens = add(c.CachedTokens, o.CachedTokens)
	c.Cost = Cost(add(int64(c.Cost), int64(o.Cost)))
	c.Overrun = Cost(add(int64(c.Overrun), int64(o.Overrun)))
}

// CostGroup is one line of a report. Group is the model, operation, project or day.
type CostGroup struct {
	Group string `json:"group"`
	Costs
}

// CostReport is one page of groups in the order of their names, and the total of all pages.
type CostReport struct {
	Groups []CostGroup
	Total  Costs
	Next   string // After of the next page; "" on the last
}
