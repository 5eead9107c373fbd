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
	ByProvider  Grouping = "provider"
	ByDay       Grouping = "day" // the UTC day a cost is booked on
)

// NoProvider is the group of calls for which nobody said who is paid.
const NoProvider = "(none)"

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
	case ByModel, ByOperation, ByProject, ByProvider, ByDay:
	default:
		return CostQuery{}, fault.BadField("query.group_by", "must be model, operation, project, provider or day")
	}
	if q.Limit < 0 || q.Limit > MaxGroups {
		return CostQuery{}, fault.BadField("query.limit", "must be between 1 and %d", MaxGroups)
	}
	return q, checkInterval(q.Since, q.Until)
}

// checkInterval refuses ends that no ledger has seen, and those that are the wrong way round.
func checkInterval(since, until *time.Time) error {
	switch {
	case since != nil && !inCalendar(*since):
		return fault.BadField("query.since", "must be between the years 1970 and 2200")
	case until != nil && !inCalendar(*until):
		return fault.BadField("query.until", "must be between the years 1970 and 2200")
	case since != nil && until != nil && !since.Before(*until):
		return fault.BadField("query.until", "must be later than since")
	}
	return nil
}

// inCalendar refuses times no ledger has seen and no column can hold.
func inCalendar(t time.Time) bool { return 1970 <= t.UTC().Year() && t.UTC().Year() <= 2200 }

// Costs is what a group of calls cost, and what caches spared of it.
type Costs struct {
	Calls        int64 `json:"calls"`
	TokensIn     int64 `json:"tokens_in"`
	TokensOut    int64 `json:"tokens_out"`
	CachedTokens int64 `json:"cached_tokens"`
	Cost         Cost  `json:"cost"`
	Overrun      Cost  `json:"overrun" doc:"Part of the cost that was booked beyond its reservation."`
	Unpriced     int64 `json:"unpriced" doc:"Calls of models in no price list, booked at the dearest known rate."`
	CacheHits    int64 `json:"cache_hits" doc:"Calls that were not made because RAE's own cache had the answer; they are not among calls."`
	SavedTokens  int64 `json:"saved_tokens" doc:"Tokens of those, estimated."`
	Saved        Cost  `json:"saved" doc:"What they would have cost."`
}

// Merge adds another sum. What no longer fits stays at the largest number there is: a report is not the ledger.
func (c *Costs) Merge(o Costs) {
	add := func(a, b int64) int64 { total, _ := sum(a, b); return total }
	c.Calls, c.Unpriced = add(c.Calls, o.Calls), add(c.Unpriced, o.Unpriced)
	c.TokensIn, c.TokensOut = add(c.TokensIn, o.TokensIn), add(c.TokensOut, o.TokensOut)
	c.CachedTokens = add(c.CachedTokens, o.CachedTokens)
	c.Cost = Cost(add(int64(c.Cost), int64(o.Cost)))
	c.Overrun = Cost(add(int64(c.Overrun), int64(o.Overrun)))
	c.CacheHits, c.SavedTokens = add(c.CacheHits, o.CacheHits), add(c.SavedTokens, o.SavedTokens)
	c.Saved = Cost(add(int64(c.Saved), int64(o.Saved)))
}

// CostGroup is one line of a report. Group is the model, operation, project, provider or day.
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
