package budget

import "time"

// Day names a UTC day, "2026-11-23". The zero Day comes before every other.
type Day string

const dayLayout = "2006-01-02"

// DayOf returns the UTC day t lies in.
func DayOf(t time.Time) Day { return Day(t.UTC().Format(dayLayout)) }

// OpenDay returns the day a ledger books on at now, whose books were last open on the day last. A clock that falls
// back over one midnight does not open the day before again: what was spent and held since would be missing from
// it, and the budget would be there twice. A clock that falls back further is believed; the time before was wrong.
func OpenDay(last Day, now time.Time) Day {
	today := DayOf(now)
	if last > today && last == DayOf(now.Add(24*time.Hour)) {
		return last
	}
	return today
}

// Month names the UTC month the day lies in, "2026-11".
func (d Day) Month() string {
	if len(d) < 7 {
		return ""
	}
	return string(d[:7])
}

// start is the first moment of the day; the zero Day starts at the zero time.
func (d Day) start() time.Time {
	t, err := time.Parse(dayLayout, string(d))
	if err != nil {
		return time.Time{}
	}
	return t
}

// monthStart is the first moment of the day's month.
func (d Day) monthStart() time.Time {
	t := d.start()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// Resets returns when the day and its month end and their budgets are whole again.
func (d Day) Resets() Resets {
	return Resets{Daily: d.start().AddDate(0, 0, 1), Monthly: d.monthStart().AddDate(0, 1, 0)}
}

// Resets tells when each period ends, in UTC.
type Resets struct {
	Daily   time.Time `json:"daily"`
	Monthly time.Time `json:"monthly"`
}

// of returns the end of the period that p is counted in.
func (r Resets) of(p Period) time.Time {
	if p == Daily || p == DailyTokens {
		return r.Daily
	}
	return r.Monthly
}
