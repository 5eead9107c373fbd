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
	ProjectID string    `json:"project_id,omitempty"` // "" at the tenant's level
	Level     Level     `json:"level"`
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

// announce tells of every threshold that usage has reached and nobody was told of.
func (a *Account) announce(now time.Time) (records []outbox.Record) {
	for _, p := range periods() {
		limit, limited := a.Limits.of(p)
		used, _ := a.used(p)
		if !limited || !a.Enforced || used == 0 {
			continue
		}
		warning, _ := marks(p)
		if usage := a.usage(p); usage.Told&warning == 0 && atLeast(used, limit, a.Limits.warningPPM()) {
			usage.Told |= warning
			records = append(records, a.record(outbox.BudgetWarning, p, float64(a.Limits.warningPPM())/1_000_000, now))
		}
		if used >= limit {
			records = append(records, a.announceExceeded(p, now)...)
		}
	}
	return records
}

// announceExceeded tells, once, that a budget is used up: usage has reached the limit, or what is left does not cover a
// request that an unspent budget would have covered.
func (a *Account) announceExceeded(p Period, now time.Time) []outbox.Record {
	usage := a.usage(p)
	_, exceeded := marks(p)
	if usage.Told&exceeded != 0 {
		return nil
	}
	usage.Told |= exceeded
	return []outbox.Record{a.record(outbox.BudgetExceeded, p, 1, now)}
}

// changed tells that other limits are in force.
func (a *Account) changed(now time.Time) outbox.Record {
	data, err := json.Marshal(struct {
		Tenant  string `json:"tenant_id"`
		Project string `json:"project_id,omitempty"`
	}{a.Scope.Tenant, a.Scope.Project})
	if err != nil { // strings always marshal
		data = []byte("{}")
	}
	return a.told(outbox.BudgetChanged, a.whose(), data, now)
}

// whose names the account in the subject of a record.
func (a *Account) whose() string {
	if a.Level() == ProjectLevel {
		return a.Scope.String()
	}
	return a.Scope.Tenant
}

func (a *Account) told(kind, subject string, data []byte, now time.Time) outbox.Record {
	return outbox.Record{
		ID: string(memory.NewID()), Type: kind, Tenant: a.Scope.Tenant, Project: a.Scope.Project,
		Subject: subject, Data: data, Time: now.UTC(),
	}
}

func (a *Account) record(kind string, p Period, threshold float64, now time.Time) outbox.Record {
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
		TenantID: a.Scope.Tenant, ProjectID: a.Scope.Project, Level: a.Level(), Period: p, PeriodKey: key,
		Limit: unit(limit), Usage: unit(used), Reserved: unit(held), Threshold: threshold, ResetsAt: a.Day.Resets().of(p),
	})
	if err != nil { // numbers, strings and times always marshal
		data = []byte("{}")
	}
	return a.told(kind, a.whose()+"/"+string(p), data, now)
}
