package budget

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Bounds of a reservation.
const (
	DefaultTTL  = 5 * time.Minute
	MinTTL      = time.Second
	MaxTTL      = time.Hour
	MaxTokens   = 1_000_000_000_000 // in one count
	maxName     = 64                // characters of an operation or provider
	maxModel    = 200               // characters of a model
	maxKeyChars = 255
)

// Request asks for a hold before a paid call. It names MaxCost, or the tokens to be priced by the price table, or
// both: then MaxCost is held, and the tokens count against token limits.
type Request struct {
	Operation      string        // what the call is for: "chat", "embeddings", "reflection.extract"
	Provider       string        // who is paid: "openai"; may be empty
	Model          string        // as the provider names it
	MaxCost        *Cost         // the most the call can cost
	TokensIn       int64         // 0..MaxTokens
	MaxTokensOut   int64         // 0..MaxTokens
	TTL            time.Duration // lease, MinTTL..MaxTTL; 0 means DefaultTTL
	IdempotencyKey string        // the caller's own, unique in the scope; "" = none
}

// Fingerprint identifies what an idempotency key stands for. Parts are length-prefixed.
func (r Request) Fingerprint() string {
	cost := ""
	if r.MaxCost != nil {
		cost = r.MaxCost.String()
	}
	hash := sha256.New()
	for _, part := range []string{
		r.Operation, r.Provider, r.Model, cost,
		fmt.Sprint(r.TokensIn), fmt.Sprint(r.MaxTokensOut), r.TTL.String(),
	} {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// complete checks the request and sets its defaults.
func (r Request) complete() (Request, error) {
	if r.TTL == 0 {
		r.TTL = DefaultTTL
	}
	if err := checkName("body.operation", r.Operation, maxName); err != nil {
		return Request{}, err
	}
	if r.Provider != "" {
		if err := checkName("body.provider", r.Provider, maxName); err != nil {
			return Request{}, err
		}
	}
	if err := checkName("body.model", r.Model, maxModel); err != nil {
		return Request{}, err
	}
	switch {
	case r.MaxCost == nil && r.TokensIn == 0 && r.MaxTokensOut == 0:
		return Request{}, fault.BadField("body.max_cost", "or tokens_in and max_tokens_out must say how much to reserve")
	case r.MaxCost != nil && *r.MaxCost < 0:
		return Request{}, fault.BadField("body.max_cost", "must not be negative")
	case r.TokensIn < 0 || r.TokensIn > MaxTokens:
		return Request{}, fault.BadField("body.tokens_in", "must be between 0 and %d", int64(MaxTokens))
	case r.MaxTokensOut < 0 || r.MaxTokensOut > MaxTokens:
		return Request{}, fault.BadField("body.max_tokens_out", "must be between 0 and %d", int64(MaxTokens))
	case r.TTL < MinTTL || r.TTL > MaxTTL:
		return Request{}, fault.BadField("body.ttl_seconds", "must be between %d and %d", int(MinTTL.Seconds()), int(MaxTTL.Seconds()))
	case utf8.RuneCountInString(r.IdempotencyKey) > maxKeyChars:
		return Request{}, fault.BadField("header.Idempotency-Key", "must be at most %d characters", maxKeyChars)
	}
	return r, nil
}

// amount returns what the request holds, and whether its price is known rather than assumed.
func (r Request) amount(prices Pricelist) (Amount, bool, error) {
	asked := Amount{Tokens: r.TokensIn + r.MaxTokensOut}
	if r.MaxCost != nil {
		asked.Cost = *r.MaxCost
		return asked, true, nil
	}
	price, known := prices.Find(r.Provider, r.Model)
	cost, fits := price.cost(r.TokensIn, 0, r.MaxTokensOut)
	if !fits {
		return Amount{}, false, fault.BadField("body.tokens_in", "cost more than the ledger can count")
	}
	asked.Cost = cost
	return asked, known, nil
}

// checkName refuses what cannot be a name in a report: nothing, too much, or characters nobody can see.
func checkName(location, s string, limit int) error {
	switch {
	case s == "":
		return fault.BadField(location, "is required")
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsGraphic(c) }):
		return fault.BadField(location, "must not hold control or invisible characters")
	case utf8.RuneCountInString(s) > limit:
		return fault.BadField(location, "must be at most %d characters", limit)
	}
	return nil
}

// State is where a reservation stands.
type State string

const (
	Held     State = "held"     // counts against the budget until it is settled, released or expired
	Settled  State = "settled"  // what it cost is booked
	Released State = "released" // given back by its owner
	Expired  State = "expired"  // given back because its lease ended; may still be settled, late
)

// Reservation is an amount set aside for one call.
type Reservation struct {
	ID         memory.ID   `json:"id"`
	TenantID   string      `json:"tenant_id"`
	ProjectID  string      `json:"project_id"`
	Operation  string      `json:"operation"`
	Provider   string      `json:"provider"`
	Model      string      `json:"model"`
	Status     State       `json:"status" enum:"held,settled,released,expired"`
	MaxCost    Cost        `json:"max_cost" doc:"Dollars held."`
	MaxTokens  int64       `json:"max_tokens" doc:"Tokens held, in and out."`
	PriceKnown bool        `json:"price_known" doc:"False when the model is in no price list and the dearest known rate was assumed."`
	Pot        bool        `json:"pot" doc:"True when neither the project nor its tenant had limits: then it counts against the defaults that such projects share."`
	CreatedAt  time.Time   `json:"created_at"`
	ExpiresAt  time.Time   `json:"expires_at" doc:"When the hold comes back by itself."`
	Settlement *Settlement `json:"settlement,omitempty"`
}

// Hold is what the reservation sets aside while it is held.
func (r *Reservation) Hold() Amount { return Amount{Cost: r.MaxCost, Tokens: r.MaxTokens} }

// At returns the reservation as it reads at now: one whose lease has ended is expired, swept or not.
func (r Reservation) At(now time.Time) Reservation {
	if r.Status == Held && !now.Before(r.ExpiresAt) {
		r.Status = Expired
	}
	return r
}

// AsMade returns the reservation as Reserve answered it, for a request repeated under its idempotency key.
func (r Reservation) AsMade() Reservation {
	r.Status, r.Settlement = Held, nil
	return r
}

// Settle is what a call really consumed. A nil Cost is computed from the tokens and the price table; without tokens it
// is Invalid: who forgot to say what a call cost would have had it for nothing.
type Settle struct {
	TokensIn     int64
	TokensOut    int64
	CachedTokens int64 // the part of TokensIn that was billed at the cached price
	Cost         *Cost

	// For the log alone: a settlement repeated with others is still the same.
	Latency   time.Duration // of the call, 0..MaxLatency; 0 = nobody measured
	Estimated bool          // the provider did not say how many tokens it counted
	RequestID string        // X-Request-ID of the request that caused the call; "" = unknown
}

// Settlement is a settled reservation's entry in the books.
type Settlement struct {
	TokensIn     int64     `json:"tokens_in"`
	TokensOut    int64     `json:"tokens_out"`
	CachedTokens int64     `json:"cached_tokens"`
	Cost         Cost      `json:"cost"`
	Priced       bool      `json:"priced" doc:"True when the cost was computed from tokens, false when the caller told it."`
	PriceKnown   bool      `json:"price_known" doc:"False when the dearest known rate was assumed."`
	Overrun      Cost      `json:"overrun" doc:"What was booked beyond the hold; all of it when the lease had ended."`
	Late         bool      `json:"late" doc:"True when the lease had ended before."`
	Day          Day       `json:"day" doc:"UTC day the cost is booked on."`
	SettledAt    time.Time `json:"settled_at"`
	LatencyMS    int64     `json:"latency_ms" doc:"Milliseconds, rounded up; 0 when nobody measured."`
	Estimated    bool      `json:"estimated" doc:"True when the provider did not say how many tokens it counted."`
	RequestID    string    `json:"request_id" doc:"Of the request that caused the call, empty when unknown."`
}

// equal reports whether s asks for what was booked.
func (s *Settle) equal(b *Settlement) bool {
	if b == nil || s.TokensIn != b.TokensIn || s.TokensOut != b.TokensOut || s.CachedTokens != b.CachedTokens {
		return false
	}
	if s.Cost == nil {
		return b.Priced
	}
	return *s.Cost == b.Cost
}

// price checks the numbers and computes what is to be booked for r.
func (s *Settle) price(r Reservation, prices Pricelist) (Amount, Settlement, error) {
	for _, count := range []struct {
		location string
		tokens   int64
	}{
		{"body.tokens_in", s.TokensIn}, {"body.tokens_out", s.TokensOut}, {"body.cached_tokens", s.CachedTokens},
	} {
		if count.tokens < 0 || count.tokens > MaxTokens {
			return Amount{}, Settlement{}, fault.BadField(count.location, "must be between 0 and %d", int64(MaxTokens))
		}
	}
	if s.Cost == nil && s.TokensIn == 0 && s.TokensOut == 0 {
		return Amount{}, Settlement{}, fault.BadField("body.cost", "or tokens_in and tokens_out must say what the call cost; 0 says that it was free")
	}
	if s.CachedTokens > s.TokensIn {
		return Amount{}, Settlement{}, fault.BadField("body.cached_tokens", "must not be more than tokens_in, which they are part of")
	}
	if s.Latency < 0 || s.Latency > MaxLatency {
		return Amount{}, Settlement{}, fault.BadField("body.latency_ms", "must be between 0 and %d", MaxLatency.Milliseconds())
	}
	if err := checkRequestID("body.request_id", s.RequestID); err != nil {
		return Amount{}, Settlement{}, err
	}
	b := Settlement{
		TokensIn: s.TokensIn, TokensOut: s.TokensOut, CachedTokens: s.CachedTokens, PriceKnown: true,
		LatencyMS: (s.Latency + time.Millisecond - 1).Milliseconds(), Estimated: s.Estimated, RequestID: s.RequestID,
	}
	if s.Cost != nil {
		b.Cost = *s.Cost
		if b.Cost < 0 {
			return Amount{}, Settlement{}, fault.BadField("body.cost", "must not be negative")
		}
	} else {
		price, known := prices.Find(r.Provider, r.Model)
		cost, fits := price.cost(s.TokensIn, s.CachedTokens, s.TokensOut)
		if !fits {
			return Amount{}, Settlement{}, fault.BadField("body.tokens_in", "cost more than the ledger can count")
		}
		b.Cost, b.PriceKnown, b.Priced = cost, known, true
	}
	return Amount{Cost: b.Cost, Tokens: s.TokensIn + s.TokensOut}, b, nil
}

// NoReservation is the answer to an id that is unknown or another scope's; the two look the same.
func NoReservation() error { return fault.New(fault.NotFound, "no such reservation") }

// OtherRequest is the answer to an idempotency key that stands for another request.
func OtherRequest() error {
	return fault.New(fault.Conflict, "the idempotency key was used for another reservation")
}
