package when

import (
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/text"
)

// Span is a stretch of time, From inclusive to To exclusive.
type Span struct{ From, To time.Time }

// Near tells how near a time lies: 1 inside the span, and outside it falls with the distance in lengths of the span (but
// at least days) to a half at one, a third at two and so on.
func (s Span) Near(t time.Time) float64 {
	distance := time.Duration(0)
	switch {
	case t.Before(s.From):
		distance = s.From.Sub(t)
	case !t.Before(s.To):
		distance = t.Sub(s.To)
	}
	return 1 / (1 + float64(distance)/float64(max(s.To.Sub(s.From), 24*time.Hour)))
}

// Offset is a time told from something that happened: "two weeks after the trip" is 14 days, "the day before" -1.
type Offset struct {
	Days int
	Unit int // days of the unit it was told in: how exact it is
}

// Told is a stretch of time and the words that name it: Source[Start:End].
type Told struct {
	text.Span
	Time  Span
	Date  Date // for words that name a date; zero for others
	Fixed bool // the words mean the same whenever they are said: they name a year
}

// Spans finds the stretches of time a text names for somebody who says it at now, in the order of the text. A month or
// a day without its year is the last one that has begun. English, and the commonest words of Chinese and Japanese.
func Spans(s string, now time.Time) []Span {
	var spans []Span
	for _, told := range Find(s, now) {
		spans = append(spans, told.Time)
	}
	for _, c := range unspaced {
		if strings.Contains(s, c.word) {
			spans = append(spans, around(now.UTC(), c.unit, c.steps))
		}
	}
	return spans
}

// Find is Spans with the words that name them. It knows English alone.
func Find(s string, now time.Time) []Told {
	now = now.UTC()
	words := text.Words(s)
	var all []Told
	for i := 0; i < len(words); {
		span, used := spanAt(words[i:], now)
		if used == 0 {
			i++
			continue
		}
		told := Told{Span: text.Span{Start: words[i].Start, End: words[i+used-1].End}, Time: span}
		if d, n := dateAt(words[i:]); n == used {
			told.Date, told.Fixed = d, d.Year > 0
		}
		all = append(all, told)
		i += used
	}
	return all
}

// Offsets finds times told from something that happened.
func Offsets(s string) []Offset {
	words := text.Words(s)
	var offsets []Offset
	for i := range words {
		n, used := amount(words[i:])
		if used == 0 || i+used+1 >= len(words) {
			continue
		}
		unit := units[singular(words[i+used].Term)]
		if unit == 0 {
			continue
		}
		switch words[i+used+1].Term {
		case "after", "later", "following":
			offsets = append(offsets, Offset{n * unit, unit})
		case "before", "earlier", "prior":
			offsets = append(offsets, Offset{-n * unit, unit})
		}
	}
	return offsets
}

// units are lengths in days.
var units = map[string]int{"day": 1, "night": 1, "evening": 1, "morning": 1, "week": 7, "weekend": 7, "month": 30, "season": 91, "year": 365, "decade": 3650}

// unspaced are words of scripts without spaces.
var unspaced = []struct {
	word        string
	unit, steps int
}{
	{"昨天", 1, -1}, {"昨日", 1, -1}, {"今天", 1, 0}, {"今日", 1, 0}, {"明天", 1, 1}, {"明日", 1, 1}, {"前天", 1, -2},
	{"上周", 7, -1}, {"上週", 7, -1}, {"上个星期", 7, -1}, {"先週", 7, -1}, {"这周", 7, 0}, {"本周", 7, 0}, {"今週", 7, 0},
	{"上个月", 30, -1}, {"上個月", 30, -1}, {"先月", 30, -1}, {"这个月", 30, 0}, {"今月", 30, 0},
	{"去年", 365, -1}, {"今年", 365, 0}, {"前年", 365, -2}, {"明年", 365, 1}, {"어제", 1, -1}, {"오늘", 1, 0}, {"작년", 365, -1}, {"올해", 365, 0},
}

// spanAt reads a span that begins with the first word and returns how many words it took.
func spanAt(words []text.Token, now time.Time) (Span, int) {
	at := func(i int) string {
		if i < len(words) {
			return words[i].Term
		}
		return ""
	}
	switch at(0) {
	case "yesterday":
		return around(now, 1, -1), 1
	case "today", "tonight":
		return around(now, 1, 0), 1
	case "tomorrow":
		return around(now, 1, 1), 1
	case "recently", "lately":
		return Span{now.AddDate(0, 0, -30), now}, 1
	}
	if step, relative := steps[at(0)]; relative {
		if span, used := relativeTo(words[1:], now, step); used > 0 {
			return span, used + 1
		}
	}
	if n, used := amount(words); used > 0 {
		if unit := units[singular(at(used))]; unit > 0 && at(used+1) == "ago" {
			return around(now, unit, -n), used + 2
		}
	}
	if d, used := dateAt(words); used > 0 {
		return d.span(now), used
	}
	return Span{}, 0
}

// steps are how many of a unit away what follows lies.
var steps = map[string]int{"last": -1, "past": -1, "previous": -1, "this": 0, "current": 0, "next": 1, "coming": 1, "upcoming": 1}

// relativeTo reads what stands behind "last", "this" or "next": a unit, a number of units, a weekday, a month, a season.
func relativeTo(words []text.Token, now time.Time, step int) (Span, int) {
	if len(words) == 0 {
		return Span{}, 0
	}
	word := words[0].Term
	switch word {
	case "month":
		from := firstOfMonth(now).AddDate(0, step, 0)
		return Span{from, from.AddDate(0, 1, 0)}, 1
	case "year":
		from := time.Date(now.Year()+step, 1, 1, 0, 0, 0, 0, time.UTC)
		return Span{from, from.AddDate(1, 0, 0)}, 1
	case "weekend":
		monday := startOfDay(now).AddDate(0, 0, -daysSince(now, time.Monday)+7*step)
		return Span{monday.AddDate(0, 0, 5), monday.AddDate(0, 0, 7)}, 1
	}
	if unit := units[word]; unit > 0 {
		return around(now, unit, step), 1
	}
	if n, used := amount(words); used > 0 && step != 0 && used < len(words) {
		if unit := units[singular(words[used].Term)]; unit > 0 {
			from, to := now, now.AddDate(0, 0, step*n*unit)
			if step < 0 {
				from, to = to, from
			}
			return Span{from, to}, used + 1
		}
	}
	if day, known := weekdays[word]; known {
		from := startOfDay(now).AddDate(0, 0, -daysSince(now, day))
		if step > 0 {
			from = from.AddDate(0, 0, 7)
		} else if from.Equal(startOfDay(now)) && step < 0 {
			from = from.AddDate(0, 0, -7)
		}
		return Span{from, from.AddDate(0, 0, 1)}, 1
	}
	if first, known := seasons[word]; known {
		return inYear(Date{Month: first}, now, step, 3), 1
	}
	if m := month(word); m > 0 {
		return inYear(Date{Month: m}, now, step, 1), 1
	}
	return Span{}, 0
}

var weekdays = map[string]time.Weekday{
	"monday": time.Monday, "tuesday": time.Tuesday, "wednesday": time.Wednesday, "thursday": time.Thursday,
	"friday": time.Friday, "saturday": time.Saturday, "sunday": time.Sunday,
}

// seasons begin with these months, as the northern hemisphere has them.
var seasons = map[string]int{"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}

// amount reads "3", "three", "a", "a few", "a couple of".
func amount(words []text.Token) (n, used int) {
	if len(words) == 0 {
		return 0, 0
	}
	if words[0].Term == "a" || words[0].Term == "an" || words[0].Term == "the" {
		if more, used := amount(words[1:]); used > 0 && more > 1 {
			return more, used + 1
		}
		return 1, 1
	}
	if words[0].Term == "couple" {
		if len(words) > 1 && words[1].Term == "of" {
			return 2, 2
		}
		return 2, 1
	}
	if n, known := numbers[words[0].Term]; known {
		return n, 1
	}
	if n := numeric(words[0].Term, 999); n > 0 {
		return n, 1
	}
	return 0, 0
}

var numbers = map[string]int{
	"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12, "few": 3, "several": 4,
}

func singular(word string) string { return strings.TrimSuffix(word, "s") }

// around is the stretch of one unit, that many units from now: for a day the calendar's, for longer ones as long a
// stretch with that moment in its middle, because "a month ago" is no exact day.
func around(now time.Time, unit, steps int) Span {
	if unit == 1 {
		from := startOfDay(now).AddDate(0, 0, steps)
		return Span{from, from.AddDate(0, 0, 1)}
	}
	middle := now.AddDate(0, 0, steps*unit)
	half := time.Duration(unit) * 12 * time.Hour
	return Span{middle.Add(-half), middle.Add(half)}
}

// span is the date's stretch; a year that is not said is the last in which it has begun at now.
func (d Date) span(now time.Time) Span {
	switch {
	case d.Year == 0:
		return inYear(d, now, -1, 1)
	case d.Month == 0:
		from := time.Date(d.Year, 1, 1, 0, 0, 0, 0, time.UTC)
		return Span{from, from.AddDate(1, 0, 0)}
	case d.Day == 0:
		from := time.Date(d.Year, time.Month(d.Month), 1, 0, 0, 0, 0, time.UTC)
		return Span{from, from.AddDate(0, 1, 0)}
	}
	from := time.Date(d.Year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC)
	return Span{from, from.AddDate(0, 0, 1)}
}

// inYear is the stretch of a date without a year, of so many months if it has no day: the last that has begun at now, or
// with step 1 the first that has not, with step 0 this year's.
func inYear(d Date, now time.Time, step, months int) Span {
	year := now.Year()
	at := func() time.Time { return time.Date(year, time.Month(d.Month), max(1, d.Day), 0, 0, 0, 0, time.UTC) }
	if step < 0 && at().After(now) {
		year--
	} else if step > 0 && !at().After(now) {
		year++
	}
	if d.Day > 0 {
		return Span{at(), at().AddDate(0, 0, 1)}
	}
	return Span{at(), at().AddDate(0, months, 0)}
}

func startOfDay(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

func firstOfMonth(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// daysSince is how many days ago it was that day of the week, 0 on the day itself.
func daysSince(t time.Time, day time.Weekday) int { return (int(t.Weekday()) - int(day) + 7) % 7 }
