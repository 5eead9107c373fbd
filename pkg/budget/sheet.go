package budget

import (
	"strconv"
	"time"
)

// CostHeading names the cells of a report's groups in a table.
func CostHeading(by Grouping) []string {
	return []string{
		string(by), "calls", "tokens_in", "tokens_out", "cached_tokens", "cost", "overrun", "unpriced", "cache_hits", "saved_tokens", "saved",
	}
}

// Cells are the group as a row of a table: money in dollars, exact.
func (g *CostGroup) Cells() []string {
	return []string{
		g.Group, count(g.Calls), count(g.TokensIn), count(g.TokensOut), count(g.CachedTokens), g.Cost.String(), g.Overrun.String(),
		count(g.Unpriced), count(g.CacheHits), count(g.SavedTokens), g.Saved.String(),
	}
}

// LineHeading names the cells of lines of the log in a table.
func LineHeading() []string {
	return []string{
		"at", "id", "operation", "provider", "model", "calls", "tokens_in", "tokens_out", "cached_tokens", "cost", "overrun", "late",
		"price_known", "estimated", "latency_ms", "cache_hit", "saved_tokens", "saved", "request_id", "reservation_id",
	}
}

// Cells are the line as a row of a table.
func (l *Line) Cells() []string {
	return []string{
		l.At.UTC().Format(time.RFC3339Nano), string(l.ID), l.Operation, l.Provider, l.Model, count(l.Calls), count(l.TokensIn), count(l.TokensOut),
		count(l.CachedTokens), l.Cost.String(), l.Overrun.String(), strconv.FormatBool(l.Late), strconv.FormatBool(l.PriceKnown),
		strconv.FormatBool(l.Estimated), count(l.LatencyMS), strconv.FormatBool(l.CacheHit), count(l.SavedTokens), l.Saved.String(),
		l.RequestID, string(l.ReservationID),
	}
}

func count(n int64) string { return strconv.FormatInt(n, 10) }
