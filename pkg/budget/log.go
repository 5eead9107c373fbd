package budget

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Log is the port of the log of costs: a line per settled call, written by Settle in the transaction that books it, and
// lines of what caches spared. It is kept when reservations are forgotten, and erased with its tenant.
type Log interface {
	// Calls reads the log of a scope, newest first; lines of one time by id, the last one first.
	Calls(ctx context.Context, scope memory.Scope, q CallQuery) (CallPage, error)
	// Save writes down 1..MaxSavings calls that were not made because a cache had their answers, at what they would have
	// cost, and returns their lines in the order of s. One whose ID is in the log already changes nothing and is returned
	// as it was written. Nothing is booked and no limit is asked.
	Save(ctx context.Context, scope memory.Scope, s []Saving) ([]Line, error)
}

// Bounds of what is told of a call besides its numbers.
const (
	MaxLatency    = 24 * time.Hour
	MaxSavings    = 100 // in one Save
	maxRequestID  = 128
	maxSavedCalls = 1_000_000_000
)

// Line is one line of the log of costs.
type Line struct {
	ID            memory.ID `json:"id"`
	At            time.Time `json:"at" doc:"When the call was settled, or the saving written down."`
	Operation     string    `json:"operation"`
	Provider      string    `json:"provider"`
	Model         string    `json:"model"`
	Calls         int64     `json:"calls" doc:"1; of a cache, as many as it spared meanwhile, 0 where it only made them cheaper."`
	TokensIn      int64     `json:"tokens_in"`
	TokensOut     int64     `json:"tokens_out"`
	CachedTokens  int64     `json:"cached_tokens" doc:"Part of tokens_in that was billed at the cached price."`
	Cost          Cost      `json:"cost"`
	Overrun       Cost      `json:"overrun" doc:"Part of the cost that was booked beyond its reservation."`
	Late          bool      `json:"late" doc:"True when the lease had ended before the call was settled."`
	PriceKnown    bool      `json:"price_known" doc:"False when the model is in no price list and the dearest known rate was assumed."`
	Estimated     bool      `json:"estimated" doc:"True when the provider did not say how many tokens it counted."`
	LatencyMS     int64     `json:"latency_ms" doc:"Milliseconds, rounded up; 0 when nobody measured."`
	CacheHit      bool      `json:"cache_hit" doc:"True where RAE's own cache answered and nobody was asked: then the cost is 0."`
	SavedTokens   int64     `json:"saved_tokens" doc:"Tokens a cache hit spared, estimated."`
	Saved         Cost      `json:"saved" doc:"What they would have cost."`
	RequestID     string    `json:"request_id" doc:"X-Request-ID of the request that caused the call, empty when unknown."`
	ReservationID memory.ID `json:"reservation_id" doc:"Empty for a cache hit: nothing was reserved."`
}

// LineOf is the line of a settled reservation.
func LineOf(r *Reservation) Line {
	s := r.Settlement
	return Line{
		ID: r.ID, At: s.SettledAt, Operation: r.Operation, Provider: r.Provider, Model: r.Model, Calls: 1,
		TokensIn: s.TokensIn, TokensOut: s.TokensOut, CachedTokens: s.CachedTokens, Cost: s.Cost, Overrun: s.Overrun, Late: s.Late,
		PriceKnown: s.PriceKnown, Estimated: s.Estimated, LatencyMS: s.LatencyMS, RequestID: s.RequestID, ReservationID: r.ID,
	}
}

// Costs is what the line adds to a report.
func (l *Line) Costs() Costs {
	if l.CacheHit {
		return Costs{CacheHits: l.Calls, SavedTokens: l.SavedTokens, Saved: l.Saved}
	}
	c := Costs{
		Calls: l.Calls, TokensIn: l.TokensIn, TokensOut: l.TokensOut, CachedTokens: l.CachedTokens, Cost: l.Cost, Overrun: l.Overrun,
	}
	if !l.PriceKnown {
		c.Unpriced = l.Calls
	}
	return c
}

// Position names where the line stands in the log, as CallQuery.After takes it.
func (l *Line) Position() string {
	return strconv.FormatInt(l.At.UnixMicro(), 10) + "/" + string(l.ID)
}

// CallQuery selects lines of the log. The interval is half open: Since <= at < Until.
type CallQuery struct {
	Operation string     // "" = any
	Model     string     // "" = any
	Since     *time.Time // nil: from the beginning
	Until     *time.Time // nil: until now
	After     string     // Next of the page before; "" = the newest
	Limit     int        // 1..MaxGroups; 0 means MaxGroups
}

// Complete checks the query and sets its defaults.
func (q CallQuery) Complete() (CallQuery, error) {
	if q.Limit == 0 {
		q.Limit = MaxGroups
	}
	if q.Limit < 0 || q.Limit > MaxGroups {
		return CallQuery{}, fault.BadField("query.limit", "must be between 1 and %d", MaxGroups)
	}
	if q.Operation != "" {
		if err := checkName("query.operation", q.Operation, maxName); err != nil {
			return CallQuery{}, err
		}
	}
	if q.Model != "" {
		if err := checkName("query.model", q.Model, maxModel); err != nil {
			return CallQuery{}, err
		}
	}
	if err := checkInterval(q.Since, q.Until); err != nil {
		return CallQuery{}, err
	}
	if _, _, err := q.Position(); err != nil {
		return CallQuery{}, err
	}
	return q, nil
}

// Position reads After: only lines before that time, or of that time with a smaller id, come after it. Without After the
// id is "".
func (q *CallQuery) Position() (at time.Time, id memory.ID, err error) {
	if q.After == "" {
		return time.Time{}, "", nil
	}
	micros, rest, _ := strings.Cut(q.After, "/")
	n, err := strconv.ParseInt(micros, 10, 64)
	id, ok := memory.ParseID(rest)
	if err != nil || !ok || !inCalendar(time.UnixMicro(n)) {
		return time.Time{}, "", fault.BadField("query.cursor", "is no place in the log")
	}
	return time.UnixMicro(n).UTC(), id, nil
}

// Selects reports whether the line is one the query asks for, wherever its page begins.
func (q *CallQuery) Selects(l *Line) bool {
	return (q.Operation == "" || q.Operation == l.Operation) && (q.Model == "" || q.Model == l.Model) &&
		(q.Since == nil || !l.At.Before(*q.Since)) && (q.Until == nil || l.At.Before(*q.Until))
}

// CallPage is one page of the log.
type CallPage struct {
	Calls []Line
	Next  string // After of the next page; "" on the last
}

// Saving is calls that were not made.
type Saving struct {
	ID        memory.ID `json:"id" doc:"The caller's own, a UUID: repeating it changes nothing."`
	Operation string    `json:"operation" minLength:"1" maxLength:"64"`
	Provider  string    `json:"provider,omitempty" maxLength:"64"`
	Model     string    `json:"model" minLength:"1" maxLength:"200"`
	Calls     int64     `json:"calls" minimum:"0" maximum:"1000000000" doc:"How many calls were spared; 0 where they were made for less."`
	TokensIn  int64     `json:"tokens_in,omitempty" minimum:"0" maximum:"1000000000000"`
	TokensOut int64     `json:"tokens_out,omitempty" minimum:"0" maximum:"1000000000000"`
	RequestID string    `json:"request_id,omitempty" maxLength:"128" doc:"Of the request, where it is one."`
}

// Lines are the savings as lines of the log at now, priced. Invalid names the field that cannot stand.
func Lines(savings []Saving, prices Pricelist, now time.Time) ([]Line, error) {
	if len(savings) == 0 || len(savings) > MaxSavings {
		return nil, fault.BadField("body.savings", "must be 1 to %d", MaxSavings)
	}
	lines := make([]Line, len(savings))
	for i := range savings {
		line, err := savings[i].line(prices, now)
		if err != nil {
			return nil, err
		}
		lines[i] = line
	}
	return lines, nil
}

func (s *Saving) line(prices Pricelist, now time.Time) (Line, error) {
	id, ok := memory.ParseID(string(s.ID))
	if !ok {
		return Line{}, fault.BadField("body.savings.id", "must be a UUID")
	}
	if err := checkName("body.savings.operation", s.Operation, maxName); err != nil {
		return Line{}, err
	}
	if s.Provider != "" {
		if err := checkName("body.savings.provider", s.Provider, maxName); err != nil {
			return Line{}, err
		}
	}
	if err := checkName("body.savings.model", s.Model, maxModel); err != nil {
		return Line{}, err
	}
	if err := checkRequestID("body.savings.request_id", s.RequestID); err != nil {
		return Line{}, err
	}
	switch {
	case s.Calls < 0 || s.Calls > maxSavedCalls:
		return Line{}, fault.BadField("body.savings.calls", "must be between 0 and %d", maxSavedCalls)
	case s.TokensIn < 0 || s.TokensIn > MaxTokens:
		return Line{}, fault.BadField("body.savings.tokens_in", "must be between 0 and %d", int64(MaxTokens))
	case s.TokensOut < 0 || s.TokensOut > MaxTokens:
		return Line{}, fault.BadField("body.savings.tokens_out", "must be between 0 and %d", int64(MaxTokens))
	}
	price, known := prices.Find(s.Provider, s.Model)
	saved, fits := price.cost(s.TokensIn, 0, s.TokensOut)
	if !fits {
		return Line{}, fault.BadField("body.savings.tokens_in", "cost more than the ledger can count")
	}
	return Line{
		ID: id, At: now.UTC(), Operation: s.Operation, Provider: s.Provider, Model: s.Model, Calls: s.Calls, PriceKnown: known,
		Estimated: true, CacheHit: true, SavedTokens: s.TokensIn + s.TokensOut, Saved: saved, RequestID: s.RequestID,
	}, nil
}

// checkRequestID takes what an X-Request-ID may be, or nothing.
func checkRequestID(location, id string) error {
	if len(id) > maxRequestID || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return fault.BadField(location, "must be at most %d characters of visible ASCII", maxRequestID)
	}
	return nil
}
