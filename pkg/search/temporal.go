package search

import (
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/when"
)

// timed reports whether the question names a time.
func (u *understanding) timed() bool { return len(u.spans) > 0 || len(u.offsets) > 0 }

// addTimes lets results gain by how near they are to the time the question names: by when they happened, or by a date
// they tell. Their final scores are set.
func (u *understanding) addTimes(results []scored) {
	if !u.timed() {
		return
	}
	spans := u.meant(results)
	for i := range results {
		r := &results[i]
		near := u.agrees(r.memory.Content)
		if r.memory.OccurredAt != nil {
			for _, span := range spans {
				near = max(near, span.Near(*r.memory.OccurredAt))
			}
		}
		r.features[inTime] = near
		r.final += learned[inTime] * near
	}
}

// meant are the spans a question names. When nothing found lies in any, it may have been asked from where the memories
// end, as one does of a conversation of long ago. What it tells from something that happened is told from the best of the
// results with a time.
func (u *understanding) meant(results []scored) []when.Span {
	var last, best *time.Time
	worth := 0.0
	for i := range results {
		r := &results[i]
		at := r.memory.OccurredAt
		if at == nil {
			continue
		}
		if last == nil || at.After(*last) {
			last = at
		}
		if best == nil || r.final > worth {
			best, worth = at, r.final
		}
	}
	if last == nil {
		return nil
	}
	spans := u.spans
	if !slices.ContainsFunc(results, func(r scored) bool { return within(spans, r.memory.OccurredAt) }) {
		if others := when.Spans(u.question, *last); slices.ContainsFunc(results, func(r scored) bool { return within(others, r.memory.OccurredAt) }) {
			spans = others
		}
	}
	for _, offset := range u.offsets {
		middle := best.AddDate(0, 0, offset.Days)
		half := time.Duration(offset.Unit) * 12 * time.Hour
		spans = append(slices.Clone(spans), when.Span{From: middle.Add(-half), To: middle.Add(half)})
	}
	return spans
}

func within(spans []when.Span, at *time.Time) bool {
	return at != nil && slices.ContainsFunc(spans, func(s when.Span) bool { return s.Near(*at) == 1 })
}

// agrees tells how well a date that a short memory tells agrees with one the question names.
func (u *understanding) agrees(content string) float64 {
	if len(u.dates) == 0 || len(content) > readBytes {
		return 0
	}
	best := 0.0
	for _, told := range when.Dates(content) {
		for _, asked := range u.dates {
			best = max(best, asked.Agrees(told))
		}
	}
	return best
}
