package ledger

import (
	"fmt"
	"math"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// Kind is which method of the ledger was called.
type Kind string

const (
	Reserve Kind = "reserve"
	Settle  Kind = "settle"
	Release Kind = "release"
	Current Kind = "current"
)

// Outcome is what came of a call.
type Outcome string

const (
	Unknown  Outcome = ""         // no answer, or that of a store that could not be reached: it may have happened, or will
	Granted  Outcome = "granted"  // of a reserve
	Refused  Outcome = "refused"  // of a reserve: over budget
	Settled  Outcome = "settled"  // of a settle
	Released Outcome = "released" // of a release
	Expired  Outcome = "expired"  // of a release, when the lease had ended before
	Told     Outcome = "told"     // of a current
	Conflict Outcome = "conflict"
	NotFound Outcome = "not found"
	Broken   Outcome = "broken" // an error that no call of the driver may get
)

// Never is when a call returned that did not.
const Never = math.MaxInt64

// Op is a call and what came of it.
type Op struct {
	Name  string       `json:"name"` // unique
	Kind  Kind         `json:"kind"`
	Scope memory.Scope `json:"scope"`
	Call  int64        `json:"call"` // nanoseconds since 1970, before it was made

	Key         string      `json:"key,omitempty"`         // of a reserve
	Lease       int64       `json:"lease,omitempty"`       // of a reserve, in microseconds
	Cost        budget.Cost `json:"cost,omitempty"`        // asked by a reserve, spent by a settle
	Reservation memory.ID   `json:"reservation,omitempty"` // ended by a settle or a release

	Return int64  `json:"return,omitempty"` // nanoseconds since 1970, after its answer; Never
	Answer Answer `json:"answer,omitzero"`
}

// Answer is what the ledger answered.
type Answer struct {
	Outcome     Outcome       `json:"outcome"`
	Reservation memory.ID     `json:"reservation,omitempty"` // granted
	At          int64         `json:"at,omitempty"`          // granted or settled: when, by the ledger's clock, microseconds since 1970
	Expires     int64         `json:"expires,omitempty"`     // granted: likewise
	Late        bool          `json:"late,omitempty"`        // settled
	Overrun     budget.Cost   `json:"overrun,omitempty"`     // settled
	Period      budget.Period `json:"period,omitempty"`      // refused
	Limit       int64         `json:"limit,omitempty"`       // refused
	Today       int64         `json:"today,omitempty"`       // usage: told, or refused by the day's limit
	Month       int64         `json:"month,omitempty"`       // usage: told, or refused by the month's limit
	Held        int64         `json:"held,omitempty"`        // told or refused
	Error       string        `json:"error,omitempty"`       // unknown or broken: what was said
}

// String tells the call as in a log.
func (o Op) String() string {
	clock := func(ns int64) string {
		if ns == Never {
			return "never"
		}
		return time.Unix(0, ns).UTC().Format("15:04:05.000000")
	}
	s := fmt.Sprintf("%s [%s..%s] %s", o.Name, clock(o.Call), clock(o.Return), o.Kind)
	switch o.Kind {
	case Reserve:
		s += fmt.Sprintf(" %d for %s key %q", o.Cost, time.Duration(o.Lease)*time.Microsecond, o.Key)
	case Settle:
		s += fmt.Sprintf(" %s for %d", o.Reservation, o.Cost)
	case Release:
		s += " " + string(o.Reservation)
	}
	a := o.Answer
	s += ": " + string(a.Outcome)
	switch a.Outcome {
	case Granted:
		s += fmt.Sprintf(" %s at %s", a.Reservation, clock(a.At*1000))
	case Settled:
		s += fmt.Sprintf(" at %s, late %v, overrun %d", clock(a.At*1000), a.Late, a.Overrun)
	case Refused:
		s += fmt.Sprintf(" by the %s limit of %d: %d used, %d held", a.Period, a.Limit, a.Today+a.Month, a.Held)
	case Told:
		s += fmt.Sprintf(" %d today, %d this month, %d held", a.Today, a.Month, a.Held)
	}
	if a.Error != "" {
		s += ": " + a.Error
	}
	return s
}
