package budget

import (
	"math"

	"github.com/rae-memory/rae/pkg/fault"
)

// Limits is what a scope may spend. A nil limit is no limit; a limit of zero lets nothing paid through.
type Limits struct {
	Monthly          *Cost
	Daily            *Cost
	MonthlyTokens    *int64
	DailyTokens      *int64
	WarningThreshold float64    // share of a limit, 0 < t <= 1, at which a warning is due; 0 means DefaultWarning
	OnExhausted      Exhaustion // "" means Reject
}

// DefaultWarning is the warning threshold of limits that name none.
const DefaultWarning = 0.8

// Exhaustion says what a caller should do when the budget refuses. The ledger refuses either way.
type Exhaustion string

const (
	Reject  Exhaustion = "reject"  // the caller's request fails with 402
	Degrade Exhaustion = "degrade" // the caller takes its free path and says so
)

// Period names a limit by what it counts and for how long.
type Period string

const (
	Daily         Period = "daily"          // USD per UTC day
	Monthly       Period = "monthly"        // USD per UTC month
	DailyTokens   Period = "daily_tokens"   // tokens per UTC day
	MonthlyTokens Period = "monthly_tokens" // tokens per UTC month
)

// Complete returns the limits with defaults in place of what was left out, or an Invalid fault that names the field.
// A daily limit above the monthly one is refused: it could never be reached, so one of the two is a mistake.
func (l Limits) Complete() (Limits, error) {
	l = l.withDefaults()
	switch {
	case l.Monthly != nil && *l.Monthly < 0:
		return Limits{}, fault.BadField("body.monthly_limit", "must not be negative")
	case l.Daily != nil && *l.Daily < 0:
		return Limits{}, fault.BadField("body.daily_limit", "must not be negative")
	case l.MonthlyTokens != nil && *l.MonthlyTokens < 0:
		return Limits{}, fault.BadField("body.monthly_token_limit", "must not be negative")
	case l.DailyTokens != nil && *l.DailyTokens < 0:
		return Limits{}, fault.BadField("body.daily_token_limit", "must not be negative")
	case l.Monthly != nil && l.Daily != nil && *l.Daily > *l.Monthly:
		return Limits{}, fault.BadField("body.daily_limit", "must not be above monthly_limit: it could never be reached")
	case l.MonthlyTokens != nil && l.DailyTokens != nil && *l.DailyTokens > *l.MonthlyTokens:
		return Limits{}, fault.BadField("body.daily_token_limit", "must not be above monthly_token_limit: it could never be reached")
	case math.IsNaN(l.WarningThreshold) || l.WarningThreshold <= 0 || l.WarningThreshold > 1:
		return Limits{}, fault.BadField("body.warning_threshold", "must be above 0 and at most 1")
	case l.OnExhausted != Reject && l.OnExhausted != Degrade:
		return Limits{}, fault.BadField("body.on_exhausted", "must be reject or degrade")
	}
	return l, nil
}

// withDefaults fills in what was left out.
func (l Limits) withDefaults() Limits {
	if l.WarningThreshold == 0 {
		l.WarningThreshold = DefaultWarning
	}
	if l.OnExhausted == "" {
		l.OnExhausted = Reject
	}
	return l
}

// equal reports whether both let the same through and say the same of it.
func (l *Limits) equal(other *Limits) bool {
	for _, p := range periods() {
		limit, limited := l.of(p)
		if otherLimit, otherLimited := other.of(p); limit != otherLimit || limited != otherLimited {
			return false
		}
	}
	return l.warningPPM() == other.warningPPM() && l.withDefaults().OnExhausted == other.withDefaults().OnExhausted
}

// warningPPM is the warning threshold in millionths, so that no comparison of money goes through a float.
func (l *Limits) warningPPM() uint64 {
	if l.WarningThreshold <= 0 {
		return DefaultWarning * 1_000_000
	}
	return uint64(math.Round(l.WarningThreshold * 1_000_000))
}

// of returns the limit of a period and whether there is one.
func (l *Limits) of(p Period) (int64, bool) {
	switch {
	case p == Daily && l.Daily != nil:
		return int64(*l.Daily), true
	case p == Monthly && l.Monthly != nil:
		return int64(*l.Monthly), true
	case p == DailyTokens && l.DailyTokens != nil:
		return *l.DailyTokens, true
	case p == MonthlyTokens && l.MonthlyTokens != nil:
		return *l.MonthlyTokens, true
	}
	return 0, false
}
