package budget

import (
	"fmt"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

var (
	_ fault.Classified = (*ExceededError)(nil)
	_ fault.Detailed   = (*ExceededError)(nil)
)

// ExceededError says which limit refused and by how much. The four quantities are nano-dollars for Daily and Monthly,
// tokens for DailyTokens and MonthlyTokens.
type ExceededError struct {
	Scope       memory.Scope // who asked
	Level       Level        // whose limit it is; at TenantLevel the quantities are the tenant's
	Period      Period
	Limit       int64
	Usage       int64 // booked in the period
	Reserved    int64 // held by live reservations
	Requested   int64
	ResetsAt    time.Time
	OnExhausted Exhaustion
}

func (e *ExceededError) Error() string {
	return "reserve in " + e.Scope.String() + ": " + e.PublicMessage()
}

// FaultKind is OverBudget.
func (e *ExceededError) FaultKind() fault.Kind { return fault.OverBudget }

// Degrades reports whether the scope wants to do without what it cannot pay, rather than to be refused.
func (e *ExceededError) Degrades() bool { return e.OnExhausted == Degrade }

// RefilledAt is ResetsAt; llm.RefilledAt reads it.
func (e *ExceededError) RefilledAt() time.Time { return e.ResetsAt }

// PublicMessage says it in one sentence.
func (e *ExceededError) PublicMessage() string {
	whose := ""
	if e.Level == TenantLevel {
		whose = "tenant's "
	}
	return fmt.Sprintf("the %s%s budget does not cover this: %s used and %s reserved of %s, %s requested; it resets at %s", whose,
		map[Period]string{Daily: "daily", Monthly: "monthly", DailyTokens: "daily token", MonthlyTokens: "monthly token"}[e.Period],
		e.quantity(e.Usage), e.quantity(e.Reserved), e.quantity(e.Limit), e.quantity(e.Requested),
		e.ResetsAt.Format(time.RFC3339))
}

// quantity writes one of the four in the unit of the period.
func (e *ExceededError) quantity(n int64) string {
	if e.counts() {
		return fmt.Sprintf("%d tokens", n)
	}
	return Cost(n).String() + " USD"
}

// counts reports whether the period counts tokens rather than dollars.
func (e *ExceededError) counts() bool { return e.Period == DailyTokens || e.Period == MonthlyTokens }

// ProblemMembers are the members of the 402 problem document.
func (e *ExceededError) ProblemMembers() map[string]any {
	value := func(n int64) any {
		if e.counts() {
			return n
		}
		return Cost(n)
	}
	return map[string]any{
		"level": e.Level, "period": e.Period, "limit": value(e.Limit), "usage": value(e.Usage), "reserved": value(e.Reserved),
		"requested": value(e.Requested), "resets_at": e.ResetsAt, "on_exhausted": e.OnExhausted,
	}
}
