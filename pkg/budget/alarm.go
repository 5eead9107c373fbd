package budget

import (
	"encoding/json"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Told remembers what was announced of a period, so that each crossing is announced once.
type Told uint8

const (
	toldWarning Told = 1 << iota
	toldExceeded
	toldTokenWarning
	toldTokenExceeded
)

// Alarm is the data of a budget.warning or budget.exceeded record. Limit, Usage and Reserved are dollars, or tokens
// where the period counts tokens.
type Alarm struct {
	TenantID  string    `json:"tenant_id"`
	ProjectID string    `json:"project_id"`
	Period    Period    `json:"period"`
	PeriodKey string    `json:"period_key"` // the UTC day or month: "2026-11-23", "2026-11"
	Limit     any       `json:"limit"`
	Usage     any       `json:"usage"`
	Reserved  any       `json:"reserved"`
	Threshold float64   `json:"threshold"` // share of the limit that is announced: warning_threshold, or 1
	ResetsAt  time.Time `json:"resets_at"`
}

// usage returns the books of the period p is counted in.
func (a *Account) usage(p Period) *Usage {
	if p == Daily || p == DailyTokens {
		return &a.Today
	}
	return &a.Month
}

// marks returns the two marks of a period.
func marks(p Period) (warning, exceeded Told) {
	if p == Daily || p == Monthly {
		return toldWarning, toldExceeded
	}
	return toldTokenWarning, toldTokenExceeded
}

// rearm forgets the announcements that the limits in force no longer bear out.
func (a *Account) rearm() {
	for _, p := range periods() {
		usage := a.usage(p)
		warning, exceeded := marks(p)
		used, _ := a.used(p)
		limit, limited := a.Limits.of(p)
		if !limited || used < limit {
			usage.Told &^= exceeded
		}
		if !limited || !atLeast(used, limit, a.Limits.warningPPM()) {
			usage.Told &^= warning
		}
	}
}

// announce writes a record for every threshold that usage has reached and nobody was told of.
func (a *Account) announce(now time.Time) {
	for _, p := range periods() {
		limit, limited := a.Limits.of(p)
		used, _ := a.used(p)
		if !limited || !a.Enforced || used == 0 {
			continue
		}
		warning, _ := marks(p)
		if usage := a.usage(p); usage.Told&warning == 0 && atLeast(used, limit, a.Limits.warningPPM()) {
			usage.Told |= warning
			a.record(outbox.BudgetWarning, p, float64(a.Limits.warningPPM())/1_000_000, now)
		}
		if used >= limit {
			a.announceExceeded(p, now)
		}
	}
}

// announceExceeded writes that a budget is used up: usage has reached the limit, or what is left does not cover a
// request that an unspent budget would have covered.
func (a *Account) announceExceeded(p Period, now time.Time) {
	usage := a.usage(p)
	if _, exceeded := marks(p); usage.Told&exceeded == 0 {
		usage.Told |= exceeded
		a.record(outbox.BudgetExceeded, p, 1, now)
	}
}

// changed writes that other limits are in force.
func (a *Account) changed(now time.Time) {
	data, err := json.Marshal(map[string]string{"tenant_id": a.Scope.Tenant, "project_id": a.Scope.Project})
	if err != nil { // strings always marshal
		data = []byte("{}")
	}
	a.Records = append(a.Records, outbox.Record{
		ID: string(memory.NewID()), Type: outbox.BudgetChanged, Tenant: a.Scope.Tenant, Project: a.Scope.Project,
		Subject: a.Scope.String(), Data: data, Time: now.UTC(),
	})
}

func (a *Account) record(kind string, p Period, threshold float64, now time.Time) {
	limit, _ := a.Limits.of(p)
	used, held := a.used(p)
	key := string(a.Day)
	if p == Monthly || p == MonthlyTokens {
		key = a.Day.Month()
	}
	unit := func(n int64) any {
		if p == Daily || p == Monthly {
			return Cost(n)
		}
		return n
	}
	data, err := json.Marshal(Alarm{
		TenantID: a.Scope.Tenant, ProjectID: a.Scope.Project, Period: p, PeriodKey: key,
		Limit: unit(limit), Usage: unit(used), Reserved: unit(held), Threshold: threshold, ResetsAt: a.Day.Resets().of(p),
	})
	if err != nil { // numbers, strings and times always marshal
		data = []byte("{}")
	}
	a.Records = append(a.Records, outbox.Record{
		ID: string(memory.NewID()), Type: kind, Tenant: a.Scope.Tenant, Project: a.Scope.Project,
		Subject: a.Scope.String() + "/" + string(p), Data: data, Time: now.UTC(),
	})
}
