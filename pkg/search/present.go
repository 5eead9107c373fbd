package search

import (
	"math"
	"time"
)

// Priors are gentle: together they move a score by at most a twentieth, so they order equals and nothing else.
const (
	importancePrior = .03
	recencyPrior    = .02
	halfLife        = 30 * 24 * time.Hour
)

func (s *Service) addPriors(results []scored) {
	now := s.now()
	for i := range results {
		r := &results[i]
		age := max(0, now.Sub(r.memory.When()))
		r.recency = math.Exp2(-float64(age) / float64(halfLife))
		r.final *= 1 + importancePrior*(r.memory.Importance-.5) + recencyPrior*(r.recency-.5)
	}
}

// present turns scores into what the caller sees: 1-exp(-2x) keeps the order and lies in 0..1 however much context
// added.
func (s *Service) present(q *inquiry, results []scored, found map[string][]Hit, reranked bool) []Result {
	weights := Weights{}
	for name := range found {
		weights[name] = q.weights[name]
	}
	out := make([]Result, len(results))
	for i, r := range results {
		importance, recency := r.memory.Importance, r.recency
		scores := Scores{Importance: &importance, Recency: &recency}
		for name := range found {
			score := r.legs[name]
			switch name {
			case string(Dense):
				scores.Dense = &score
			case string(Lexical):
				scores.Lexical = &score
			case string(Graph):
				scores.Graph = &score
			}
		}
		if reranked {
			score := r.reranked
			scores.Rerank = &score
		}
		if q.timed() {
			score := r.features[inTime]
			scores.Temporal = &score
		}
		terms := r.terms
		if terms == nil {
			terms = []string{}
		}
		out[i] = Result{
			Memory: r.memory, Score: 1 - math.Exp(-2*max(0, r.final)), Scores: scores,
			Explain: &Explanation{MatchedTerms: terms, Fused: r.fused, Profile: q.profile.Name, Weights: weights, Context: r.context, Features: r.features.nonzero()},
		}
	}
	return out
}
