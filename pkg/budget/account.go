package budget

import (
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Usage is what was booked in one period, and what was announced of it.
type Usage struct {
	Amount
	Told Told
}

// Level says whose limits are meant.
type Level string

const (
	ProjectLevel Level = "project" // one project's
	TenantLevel  Level = "tenant"  // those above the projects of a tenant
)

// Account is what one project, or a tenant above its projects, has used and holds on the day its books are open.
type Account struct {
	Scope    memory.Scope // whose; a tenant's has no project
	Limits   Limits       // in force
	Own      bool         // somebody set them; otherwise the policy says what holds
	Enforced bool
	Day      Day
	Held     Amount // by live reservations, of whatever day
	Today    Usage
	Month    Usage
	Room     Room // means nothing unless it was loosened
}

// Level is the level of the account's limits.
func (a *Account) Level() Level {
	if a.Scope.Project == "" {
		return TenantLevel
	}
	return ProjectLevel
}

// used returns what is booked and held in the unit of the period.
func (a *Account) used(p Period) (used, held int64) {
	switch p {
	case Daily:
		return int64(a.Today.Cost), int64(a.Held.Cost)
	case Monthly:
		return int64(a.Month.Cost), int64(a.Held.Cost)
	case DailyTokens:
		return a.Today.Tokens, a.Held.Tokens
	default:
		return a.Month.Tokens, a.Held.Tokens
	}
}

// periods lists the limits in the order they are checked and announced.
func periods() [4]Period { return [...]Period{Daily, Monthly, DailyTokens, MonthlyTokens} }

// admit says which limit of the account stands against the amount; tell is whether that is news. It holds nothing.
func (a *Account) admit(asked Amount) (refusal *ExceededError, tell bool, err error) {
	for _, p := range periods() {
		limit, limited := a.Limits.of(p)
		if !limited || !a.Enforced {
			continue
		}
		requested := int64(asked.Cost)
		if p == DailyTokens || p == MonthlyTokens {
			requested = asked.Tokens
			if requested == 0 {
				return nil, false, fault.BadField("body.tokens_in", "is required with max_tokens_out: this budget limits tokens")
			}
		}
		used, held := a.used(p)
		if total, fits := sum(used, held, requested); fits && total <= limit {
			continue
		}
		return &ExceededError{
			Level: a.Level(), Period: p, Limit: limit, Usage: used, Reserved: held, Requested: requested,
			ResetsAt: a.Day.Resets().of(p), OnExhausted: a.Limits.OnExhausted,
		}, requested <= limit && used > limit-requested, nil
	}
	return nil, false, nil
}

// holding is the account with the amount held as well; false where that is more than can be counted.
func (a *Account) holding(asked Amount) (Account, bool) {
	next := *a
	var fits bool
	next.Held, fits = a.Held.plus(asked)
	_, all := next.Held.plus(a.Month.Amount)
	if fits = fits && all; fits {
		next.admitted()
	}
	return next, fits
}

// booked is the account with a hold, which may be nothing, turned into spending; false where that is more than can be
// counted.
func (a *Account) booked(hold, spent Amount) (Account, bool) {
	next := *a
	var month, today bool
	next.letGo(hold)
	next.Month.Amount, month = a.Month.plus(spent)
	next.Today.Amount, today = a.Today.plus(spent)
	_, all := next.Month.plus(next.Held)
	return next, month && today && all
}

// limit puts other limits in force, which is told where they differ from those before. Limits that usage is below again may
// be announced anew; limits that usage has already reached are announced at once.
func (a *Account) limit(l Limits, now time.Time) (records []outbox.Record) {
	if !a.Limits.equal(&l) {
		records = append(records, a.changed(now))
	}
	a.Limits, a.Own = l, true
	a.rearm()
	return append(records, a.announce(now)...)
}
