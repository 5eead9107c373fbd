package when_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/when"
)

// now is a Wednesday.
var now = time.Date(2023, 6, 14, 15, 30, 0, 0, time.UTC)

func day(s string) time.Time {
	t, err := time.Parse("2006-01-02", s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestSpans(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ said, from, to string }{
		{"What happened yesterday?", "2023-06-13", "2023-06-14"},
		{"today", "2023-06-14", "2023-06-15"},
		{"what is planned for tomorrow", "2023-06-15", "2023-06-16"},
		{"last May", "2023-05-01", "2023-06-01"},
		{"last July", "2022-07-01", "2022-08-01"},
		{"this July", "2023-07-01", "2023-08-01"},
		{"next March", "2024-03-01", "2024-04-01"},
		{"in May", "2023-05-01", "2023-06-01"},
		{"in September", "2022-09-01", "2022-10-01"},
		{"in 2022", "2022-01-01", "2023-01-01"},
		{"on 7 May 2022", "2022-05-07", "2022-05-08"},
		{"in May 2021", "2021-05-01", "2021-06-01"},
		{"on 2023-02-03", "2023-02-03", "2023-02-04"},
		{"last month", "2023-05-01", "2023-06-01"},
		{"this year", "2023-01-01", "2024-01-01"},
		{"last weekend", "2023-06-10", "2023-06-12"},
		{"last Wednesday", "2023-06-07", "2023-06-08"},
		{"last Friday", "2023-06-09", "2023-06-10"},
		{"next Friday", "2023-06-16", "2023-06-17"},
		{"last summer", "2023-06-01", "2023-09-01"},
		{"last winter", "2022-12-01", "2023-03-01"},
		{"three days ago", "2023-06-11", "2023-06-12"},
		{"a day ago", "2023-06-13", "2023-06-14"},
		{"昨天发生了什么", "2023-06-13", "2023-06-14"},
		{"昨日の会議", "2023-06-13", "2023-06-14"},
	} {
		spans := when.Spans(c.said, now)
		if want := (when.Span{From: day(c.from), To: day(c.to)}); len(spans) != 1 || spans[0] != want {
			t.Errorf("%q names %v, want %v", c.said, spans, want)
		}
	}
}

func TestFindTellsTheWords(t *testing.T) {
	t.Parallel()
	const in = "Born 7 May 1990, moved last May, back on 3 June"
	var words []string
	var fixed []bool
	for _, told := range when.Find(in, now) {
		words, fixed = append(words, in[told.Start:told.End]), append(fixed, told.Fixed)
	}
	if want := []string{"7 May 1990", "last May", "3 June"}; !slices.Equal(words, want) || !slices.Equal(fixed, []bool{true, false, false}) {
		t.Errorf("%q %v, want %q", words, fixed, want)
	}
}

func TestSpansAroundALengthOfTime(t *testing.T) {
	t.Parallel()
	for said, middle := range map[string]string{
		"two weeks ago": "2023-05-31", "a couple of weeks ago": "2023-05-31", "3 months ago": "2023-03-16", "a year ago": "2022-06-14", "last week": "2023-06-07",
	} {
		spans := when.Spans(said, now)
		if len(spans) != 1 || spans[0].Near(day(middle).Add(12*time.Hour)) != 1 || spans[0].Near(now) == 1 {
			t.Errorf("%q names %v, not around %s", said, spans, middle)
		}
	}
	if spans := when.Spans("in the last two weeks", now); len(spans) != 1 || !spans[0].To.Equal(now) || !spans[0].From.Equal(now.AddDate(0, 0, -14)) {
		t.Errorf("the last two weeks are %v", spans)
	}
}

func TestSpansOfWhatNamesNoTime(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"", "May I ask who you are?", "we march on", "the last of us", "this is it", "a few good men", "next to the door", "🎉", "\xff", "10 days of rain", "version 3.5"} {
		if spans := when.Spans(said, now); len(spans) != 0 {
			t.Errorf("%q names %v", said, spans)
		}
	}
}

func TestOffsets(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]when.Offset{
		"two weeks after the trip": {Days: 14, Unit: 7}, "what did she do the day before the race": {Days: -1, Unit: 1}, "a month later": {Days: 30, Unit: 30},
	} {
		if got := when.Offsets(said); len(got) != 1 || got[0] != want {
			t.Errorf("%q tells %v, want %v", said, got, want)
		}
	}
	if got := when.Offsets("after two weeks of rain"); len(got) != 0 {
		t.Errorf("told %v", got)
	}
}

func TestNearFallsWithDistance(t *testing.T) {
	t.Parallel()
	may := when.Span{From: day("2023-05-01"), To: day("2023-06-01")}
	last := 2.0
	for _, at := range []string{"2023-05-01", "2023-06-02", "2023-07-02", "2024-01-01"} {
		near := may.Near(day(at))
		if near >= last || near <= 0 || near > 1 {
			t.Errorf("%s is %g near, after %g", at, near, last)
		}
		last = near
	}
}
