package search

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// inquiry is a request with what was understood of it.
type inquiry struct {
	*Request
	*understanding
	profile Profile
	weights Weights
	space
}

// inquire reads a request. Relative times are told from as_of, or from now.
func (s *Service) inquire(r *Request) (*inquiry, error) {
	now := s.now()
	if r.View.AsOf != nil {
		now = *r.View.AsOf
	}
	u := understand(r.Query, now)
	profile, err := u.profile(r.Profile)
	if err != nil {
		return nil, err
	}
	weights, err := s.weights(s.Weights, &profile, r)
	return &inquiry{Request: r, understanding: &u, profile: profile, weights: weights}, err
}

// depth is how many candidates each leg is asked for.
func (q *inquiry) depth() int { return max(legDepth, 2*q.Limit) }

// lexicalShare is what the lexical leg counts among those that found something, 0..1; 1 where it counts nothing at all.
func (q *inquiry) lexicalShare(found map[string][]Hit) float64 {
	total := 0.0
	for name, hits := range found {
		if len(hits) > 0 && name != string(Graph) {
			total += max(0, q.weights[name])
		}
	}
	words := max(0, q.weights[string(Lexical)])
	if words == 0 || len(found[string(Lexical)]) == 0 {
		return 1
	}
	return words / total
}

// retrieve asks the legs of the mode: first those that weigh in, all at once, then, where it counts at all, the one that
// goes on from what they found, and, when they found too little, those that only help out. A leg that fails is named, one that the budget does not pay for like any other: reads are never refused
// for want of money. Only when all fail is there no answer.
func (s *Service) retrieve(ctx context.Context, r *inquiry) (found map[string][]Hit, degraded []string, err error) {
	var main, next, helping []Leg
	for _, leg := range s.Legs {
		switch {
		case r.Mode != Hybrid && string(r.Mode) != leg.Name():
		case r.Mode == Hybrid && leg.Name() == string(Graph):
			if r.weights[leg.Name()] > 0 {
				next = append(next, leg)
			}
		case r.Mode == Hybrid && r.weights[leg.Name()] < 0:
			helping = append(helping, leg)
		default:
			main = append(main, leg)
		}
	}
	if len(main) == 0 {
		main, helping = helping, nil
	}
	if len(main) == 0 {
		return nil, nil, fault.BadField("body.mode", "%q is not offered by this deployment", r.Mode)
	}
	found = map[string][]Hit{}
	q := Query{Scope: r.Scope, Text: r.Query, Filter: r.Filter, View: r.View, Model: r.model}
	failure := s.ask(ctx, r, &q, main, found)
	if len(failure) == 0 {
		failure = s.askWithin(ctx, r, q, main, found)
	}
	if len(next) > 0 {
		q.Found = best(fuse(found, r.weights))
		failure = append(failure, s.ask(ctx, r, &q, next, found)...)
	}
	if distinct(found) < r.Limit {
		failure = append(failure, s.ask(ctx, r, &q, helping, found)...)
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	for _, f := range failure {
		degraded = append(degraded, f.leg)
	}
	slices.Sort(degraded)
	degraded = slices.Compact(degraded)
	if len(found) == 0 {
		return nil, nil, fault.Wrap(fault.Unavailable, failure[0].err, "no way of searching is available: %s", strings.Join(degraded, ", "))
	}
	return found, degraded, nil
}

// best are candidates as a leg is told of them.
func best(candidates []*candidate) []Hit {
	hits := make([]Hit, len(candidates))
	for i, c := range candidates {
		hits[i] = Hit{ID: c.id, Score: c.fused}
	}
	return hits
}

// askWithin asks the legs once more for what lies in the time the question names, if they gave as much as they were asked
// for: what was meant may be behind it. What they find now is added to what they found.
func (s *Service) askWithin(ctx context.Context, r *inquiry, q Query, legs []Leg, found map[string][]Hit) []failed {
	if len(r.spans) == 0 {
		return nil
	}
	legs = slices.DeleteFunc(slices.Clone(legs), func(l Leg) bool { return len(found[l.Name()]) < r.depth() })
	if len(legs) == 0 {
		return nil
	}
	span := r.spans[0]
	if q.Filter.Since == nil || q.Filter.Since.Before(span.From) {
		q.Filter.Since = &span.From
	}
	if q.Filter.Until == nil || q.Filter.Until.After(span.To) {
		q.Filter.Until = &span.To
	}
	within := map[string][]Hit{}
	failures := s.ask(ctx, r, &q, legs, within)
	for name, hits := range within {
		known := make(map[memory.ID]bool, len(found[name]))
		for _, hit := range found[name] {
			known[hit.ID] = true
		}
		for _, hit := range hits {
			if !known[hit.ID] {
				found[name] = append(found[name], hit)
			}
		}
	}
	return failures
}

// failed is a leg that gave no answer, or what a leg that answered had to do without.
type failed struct {
	leg string
	err error
}

// ask runs legs at once, each within its own time, and adds what they find.
func (s *Service) ask(ctx context.Context, r *inquiry, q *Query, legs []Leg, found map[string][]Hit) (failures []failed) {
	legs = slices.Clone(legs)
	dense := slices.IndexFunc(legs, func(l Leg) bool { return l.Name() == string(Dense) })
	if dense >= 0 && q.Vector == nil && (r.embedder != nil || r.space.err != nil) && strings.TrimSpace(r.Query) != "" {
		err := s.stage(ctx, "embed", func(ctx context.Context) (err error) {
			if r.space.err != nil {
				return r.space.err
			}
			q.Vector, err = r.embedder.EmbedQuery(ctx, r.Query)
			return err
		})
		if llm.IsDryRun(err) {
			if q.Vector = anyVector(r.embedder); q.Vector != nil {
				err = nil
			}
		}
		if err != nil {
			failures = append(failures, failed{string(Dense), err})
			legs = slices.Delete(legs, dense, dense+1)
		}
	}
	hits := make([][]Hit, len(legs))
	errs := make([]error, len(legs))
	without := make([]*Degraded, len(legs))
	var running sync.WaitGroup
	for i, leg := range legs {
		running.Go(func() {
			began := time.Now()
			errs[i] = s.stage(ctx, leg.Name(), func(ctx context.Context) (err error) {
				hits[i], err = leg.Retrieve(ctx, *q, r.depth())
				if errors.As(err, &without[i]) {
					return nil
				}
				return err
			})
			if without[i] != nil && s.Observe != nil {
				s.Observe(without[i].Stage, time.Since(began), without[i])
			}
		})
	}
	running.Wait()
	for i, leg := range legs {
		if errs[i] != nil {
			failures = append(failures, failed{leg.Name(), errs[i]})
			continue
		}
		if without[i] != nil {
			failures = append(failures, failed{without[i].Stage, without[i]})
		}
		found[leg.Name()] = hits[i]
	}
	return failures
}

// anyVector stands for that of a question which is only priced: it finds as many candidates for the second look as the real
// one would, if not the same. nil where the embedder doesn't tell how long a vector is.
func anyVector(e Embedder) []float32 {
	sized, ok := e.(interface{ Dimensions() int })
	if !ok || sized.Dimensions() < 1 {
		return nil
	}
	v := make([]float32, sized.Dimensions())
	v[0] = 1
	return v
}

// distinct counts the memories found.
func distinct(found map[string][]Hit) int {
	ids := map[memory.ID]struct{}{}
	for _, hits := range found {
		for _, hit := range hits {
			ids[hit.ID] = struct{}{}
		}
	}
	return len(ids)
}
