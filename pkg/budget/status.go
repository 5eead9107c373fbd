package budget

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

// Standing says how near a budget is to its nearest limit.
type Standing string

const (
	OK       Standing = "ok"
	Warning  Standing = "warning"  // at the warning threshold of a limit or above
	Critical Standing = "critical" // at 90 % or above, and not below the warning threshold
	Exceeded Standing = "exceeded" // a limit is used up
)

// criticalPPM is where a budget becomes critical, in millionths of its limit.
const criticalPPM = 900_000

// Status is how the budget of a scope stands. Money is dollars; a null limit is no limit and has no remaining.
// Remaining is limit - usage - reserved and never below zero: what was overrun shows in the usage.
type Status struct {
	TenantID          string     `json:"tenant_id"`
	ProjectID         string     `json:"project_id"`
	MonthlyLimit      *Cost      `json:"monthly_limit" nullable:"true"`
	MonthlyUsage      Cost       `json:"monthly_usage"`
	MonthlyReserved   Cost       `json:"monthly_reserved" doc:"Held by live reservations; it counts against both periods."`
	MonthlyRemaining  *Cost      `json:"monthly_remaining" nullable:"true"`
	DailyLimit        *Cost      `json:"daily_limit" nullable:"true"`
	DailyUsage        Cost       `json:"daily_usage"`
	DailyReserved     Cost       `json:"daily_reserved"`
	DailyRemaining    *Cost      `json:"daily_remaining" nullable:"true"`
	MonthlyTokenLimit *int64     `json:"monthly_token_limit" nullable:"true"`
	MonthlyTokensUsed int64      `json:"monthly_tokens_used"`
	DailyTokenLimit   *int64     `json:"daily_token_limit" nullable:"true"`
	DailyTokensUsed   int64      `json:"daily_tokens_used"`
	TokensReserved    int64      `json:"tokens_reserved"`
	UsagePercentage   *Percent   `json:"usage_percentage" nullable:"true" doc:"Of the monthly limit, one decimal; null without one."`
	ProjectedMonthEnd Cost       `json:"projected_month_end" doc:"Usage at the end of the month if it goes on like this."`
	ResetsAt          Resets     `json:"resets_at"`
	Status            Standing   `json:"status" enum:"ok,warning,critical,exceeded"`
	WarningThreshold  float64    `json:"warning_threshold"`
	OnExhausted       Exhaustion `json:"on_exhausted" enum:"reject,degrade"`
	Own               bool       `json:"own" doc:"False while nobody has set limits: then they are the deployment's defaults."`
	Enforced          bool       `json:"enforced" doc:"False when the operator turned enforcement off."`
}

// TenantStatus is how the budget of a tenant stands: all its projects together, so project_id is empty. Where the tenant
// never set limits, Pot is what those projects use together that set none either, of the defaults they share.
type TenantStatus struct {
	Status
	Pot *Status `json:"pot,omitempty" doc:"What the projects without limits of their own use together of the defaults, which they share; absent where the tenant has limits."`
}

// Percent is a share in tenths of a percent; in JSON it is a number with one decimal at most: 24.7.
type Percent int64

// MarshalJSON writes the decimal number.
func (p Percent) MarshalJSON() ([]byte, error) {
	if p%10 == 0 {
		return strconv.AppendInt(nil, int64(p/10), 10), nil
	}
	return fmt.Appendf(nil, "%d.%d", p/10, p%10), nil
}

// UnmarshalJSON reads what MarshalJSON writes, however far a limit of next to nothing is passed.
func (p *Percent) UnmarshalJSON(b []byte) error {
	whole, tenth, broken := strings.Cut(string(b), ".")
	if !broken {
		tenth = "0"
	}
	n, err := strconv.ParseInt(whole+tenth, 10, 64)
	if err != nil || len(tenth) != 1 {
		return fault.New(fault.Invalid, "must be a number with at most one decimal")
	}
	*p = Percent(n)
	return nil
}

// Status tells how the books stand at now.
func (a *Account) Status(now time.Time) Status {
	l := &a.Limits
	s := Status{
		TenantID: a.Scope.Tenant, ProjectID: a.Scope.Project,
		MonthlyLimit: l.Monthly, MonthlyUsage: a.Month.Cost, MonthlyReserved: a.Held.Cost,
		MonthlyRemaining: remaining(l.Monthly, a.Month.Cost, a.Held.Cost),
		DailyLimit:       l.Daily, DailyUsage: a.Today.Cost, DailyReserved: a.Held.Cost,
		DailyRemaining:    remaining(l.Daily, a.Today.Cost, a.Held.Cost),
		MonthlyTokenLimit: l.MonthlyTokens, MonthlyTokensUsed: a.Month.Tokens,
		DailyTokenLimit: l.DailyTokens, DailyTokensUsed: a.Today.Tokens,
		TokensReserved:    a.Held.Tokens,
		ProjectedMonthEnd: a.projection(now), ResetsAt: a.Day.Resets(), Status: a.standing(),
		WarningThreshold: l.WarningThreshold, OnExhausted: l.OnExhausted, Own: a.Own, Enforced: a.Enforced,
	}
	if l.Monthly != nil {
		percent := Percent(1000) // of nothing, everything is used
		if *l.Monthly > 0 {
			percent = Percent(tenthsOfPercent(int64(a.Month.Cost), int64(*l.Monthly)))
		}
		s.UsagePercentage = &percent
	}
	return s
}

// TenantStatus tells how the accounts above the projects stand at now.
func (b *Books) TenantStatus(now time.Time) TenantStatus {
	s := TenantStatus{Status: b.Tenant.Status(now)}
	if !b.Tenant.Own {
		pot := b.Pot.Status(now)
		s.Pot = &pot
	}
	return s
}

// standing takes the worst of the four limits.
func (a *Account) standing() Standing {
	worst := OK
	for _, p := range periods() {
		limit, limited := a.Limits.of(p)
		used, _ := a.used(p)
		switch threshold := a.Limits.warningPPM(); {
		case !limited:
		case used >= limit:
			return Exceeded
		case atLeast(used, limit, max(criticalPPM, threshold)):
			worst = Critical
		case worst == OK && atLeast(used, limit, threshold):
			worst = Warning
		}
	}
	return worst
}

// remaining is what may still be reserved under the limit, nil without one.
func remaining(limit *Cost, used, held Cost) *Cost {
	if limit == nil {
		return nil
	}
	left := Cost(0)
	if total, fits := sum(int64(used), int64(held)); fits && total < int64(*limit) {
		left = *limit - Cost(total)
	}
	return &left
}

// projection extends the month's usage evenly to its end. The first day counts as whole, or the first call of a
// month would project to a fortune.
func (a *Account) projection(now time.Time) Cost {
	const day = 24 * time.Hour
	start, end := a.Day.monthStart(), a.Day.Resets().Monthly
	length := end.Sub(start)
	elapsed := min(max(now.Sub(start), day), length)
	return a.Month.Cost.scaled(uint64(length/time.Second), uint64(elapsed/time.Second))
}
