package learn

import (
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

// What holds of a fact is a function of the evidence that stands, its own and that of the facts it may contradict. So it does
// not matter whether evidence came, went, or came late.

// Certainty is what the confidence of a fact never exceeds, however many memories say so.
const Certainty = 0.99

// summary is what the evidence of a record comes to.
type summary struct {
	r        *work
	fact     *knowledge.Fact
	from, to *time.Time // as told
	// When the first and the newest of the evidence that may end other facts were told; nil: there is none.
	first, newest *time.Time
	observed      time.Time // when the newest of all was told
}

func summarise(r *work) summary {
	s := summary{r: r, fact: r.after.Current()}
	closing := slices.ContainsFunc(r.after.Evidence, func(e knowledge.Evidence) bool { return e.Closes })
	for i := range r.after.Evidence { // in the order they were told: what was told last is what holds
		e := &r.after.Evidence[i]
		s.observed = e.Told
		if e.Closes {
			s.newest = &e.Told
			if s.first == nil {
				s.first = &e.Told
			}
		}
		if closing && !e.Closes {
			continue
		}
		if e.From != nil {
			s.from = e.From
			if s.to != nil && !s.from.Before(*s.to) {
				s.to = nil
			}
		}
		if e.To != nil {
			s.to = e.To
			if s.from != nil && !s.from.Before(*s.to) {
				s.from = nil
			}
		}
	}
	return s
}

// ends returns when a fact ends for another, and whether it does. Both are of one subject and one relation.
func (s *summary) ends(other *summary, one *single) (time.Time, bool) {
	if s.newest == nil || s.to != nil || !s.later(other) { // what is itself over, or rests on no firm evidence, ends nothing
		return time.Time{}, false
	}
	at := *s.newest
	switch {
	case s.from != nil:
		at = *s.from
	case s.first.After(other.observed):
		at = *s.first
	}
	if other.from != nil && !other.from.Before(at) || other.to != nil && !at.Before(*other.to) {
		return time.Time{}, false
	}
	return at, s.contradicts(other, one)
}

// later reports whether s is news after other: by when they are true where both say so, else by when they were told.
func (s *summary) later(other *summary) bool {
	if s.from != nil && other.from != nil {
		return s.from.After(*other.from)
	}
	return s.newest.After(other.observed)
}

func (s *summary) contradicts(other *summary, one *single) bool {
	if s.fact.Negated != other.fact.Negated {
		return s.r.object == other.r.object
	}
	return one != nil && !s.fact.Negated && s.r.object != other.r.object && one.differ(s.fact, other.fact)
}

// outcome is what the evidence of a record, and that of the others of its group, comes to.
type outcome struct {
	summary
	next knowledge.Fact
	by   []knowledge.Evidence // what made it end, else what it rests on
}

// outcomes tells what holds of a group: all facts that may contradict one another.
func outcomes(group []*work, one *single) []outcome {
	all, begins := make([]outcome, len(group)), make([]*time.Time, len(group))
	for i, r := range group {
		all[i].summary = summarise(r)
	}
	for i := range all {
		s := &all[i]
		evidence := s.r.after.Evidence
		newest := &evidence[len(evidence)-1]
		s.next, s.by = s.fact.Clone(), evidence
		s.next.ValidFrom, s.next.ValidTo, s.next.ClosedBy = copied(s.from), copied(s.to), ""
		s.next.Confidence, s.next.Observed, s.next.Method, s.next.Edition = confidence(evidence), s.observed, newest.Method, newest.Edition
		for j := range all {
			g := &all[j].summary
			if i == j {
				continue
			}
			at, ends := g.ends(&s.summary, one)
			if ends && (s.next.ValidTo == nil || at.Before(*s.next.ValidTo)) {
				s.next.ValidTo, s.next.ClosedBy, s.by = &at, g.fact.ID, g.r.after.Evidence
			}
			if ends && g.from == nil && (begins[j] == nil || begins[j].Before(at)) {
				begins[j] = &at
			}
		}
	}
	for i := range all { // what ended another, and of which nobody said since when it is so, is so since then
		if next := &all[i].next; begins[i] != nil && (next.ValidTo == nil || begins[i].Before(*next.ValidTo)) {
			next.ValidFrom = begins[i]
		}
	}
	return all
}

func copied(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	c := *t
	return &c
}

// settle gives every record of a group the version its evidence comes to, where that says something else than the current one.
// It is the work of the operation, or, where that is "", of the one whose evidence makes the difference.
func settle(group []*work, one *single, operation memory.ID, now time.Time) {
	for _, s := range outcomes(group, one) {
		if s.next.Operation = operation; operation == "" {
			s.next.Operation = latest(s.by).Operation
		}
		s.r.version(s.next, now)
	}
}

// latest is the evidence that was recorded last.
func latest(of []knowledge.Evidence) *knowledge.Evidence {
	last := &of[0]
	for i := range of {
		if of[i].RecordedAt.After(last.RecordedAt) {
			last = &of[i]
		}
	}
	return last
}

// confidence is that at least one of the memories is right, were each wrong by itself: a noisy-or (Pearl, Probabilistic
// Reasoning in Intelligent Systems, 1988), at most Certainty.
func confidence(of []knowledge.Evidence) float64 {
	wrong := 1.0
	for i := range of {
		wrong *= 1 - of[i].Confidence
	}
	return min(1-wrong, Certainty)
}
