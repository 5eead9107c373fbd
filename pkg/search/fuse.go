package search

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/memory"
)

// candidate is a memory on its way through the stages.
type candidate struct {
	id       memory.ID
	place    Place
	legs     map[string]float64 // score per leg that found it
	terms    []string
	fused    float64 // weighted share of the legs' scores, 0..1
	context  contextShare
	reranked float64 // by the reranker, 0..1
	own      float64 // fused and reranked, 0..1: what it is worth by itself
	relevant float64 // own and what its context lends it; orders the candidates
}

// contextShare is what a candidate borrows from its conversation.
type contextShare struct {
	Neighbours float64 `json:"neighbours"`
	Session    float64 `json:"session"`
	Best       float64 `json:"session_best"`
	Speaker    float64 `json:"speaker"`
}

// Weights says how much each leg counts. Only the legs of a search take part, so that lexical alone scores as lexical.
//
// A negative weight marks a leg that repeats the evidence of the others (hashed n-grams see the same words as BM25,
// only blurred): it is asked only when the others found too little, and counts, by the weight's size, for what they
// did not find.
type Weights map[string]float64

// fuse merges the legs' lists. Scores of one leg are comparable between queries (0..1), so they are added by weight
// rather than by rank: a rank forgets how much better the first is than the second (Bruch et al., "An Analysis of
// Fusion Functions for Hybrid Retrieval", 2023). A candidate a leg did not find gets nothing from it.
func fuse(found map[string][]Hit, weights Weights) []*candidate {
	total := 0.0
	for name, hits := range found {
		if len(hits) > 0 { // a leg with nothing to say (no entity named) must not dilute the others
			total += max(0, weights[name])
		}
	}
	if total == 0 {
		total = 1
	}
	byID := map[memory.ID]*candidate{}
	var all []*candidate
	order := slices.Sorted(maps.Keys(found))
	for _, name := range order {
		for _, hit := range found[name] {
			c := byID[hit.ID]
			if c == nil {
				c = &candidate{id: hit.ID, place: hit.Place, legs: map[string]float64{}}
				byID[hit.ID] = c
				all = append(all, c)
			}
			if c.place == (Place{}) { // not every leg knows where a memory stands
				c.place = hit.Place
			}
			c.legs[name] = hit.Score
			if len(hit.Terms) > 0 {
				c.terms = hit.Terms
			}
		}
	}
	for _, c := range all {
		for _, name := range order { // always in one order, so that equal sums are equal to the last bit
			score, scored := c.legs[name]
			if !scored {
				continue
			}
			switch weight := weights[name]; {
			case weight > 0:
				c.fused += weight / total * score
			case len(found) == 1:
				c.fused += score
			case len(c.legs) == 1:
				c.fused -= weight * score
			}
		}
		c.own, c.relevant = c.fused, c.fused
	}
	slices.SortFunc(all, byRelevance)
	return all
}

func byRelevance(a, b *candidate) int {
	return cmp.Or(cmp.Compare(b.relevant, a.relevant), cmp.Compare(a.id, b.id))
}

// What a turn borrows from the turns before and after it, nearest first, from its session, and for being said by
// somebody the query names. Fitted on every other LoCoMo conversation; README.md has the figures on the rest.
var (
	fromBefore = [...]float64{.3, .28}
	fromAfter  = [...]float64{.2, .14}
)

const (
	fromSession = .4
	fromSpeaker = .07
	reach       = len(fromBefore)
)

// addContext lets every candidate borrow from its conversation: a good answer often shares no word with the question
// it follows. A session counts by its three best turns (1, 1/2, 1/3), never by its mean, which a long session drowns.
func addContext(u *understanding, all []*candidate) {
	sessions := map[string][]*candidate{}
	for _, c := range all {
		if c.place.Session != "" {
			sessions[c.place.Session] = append(sessions[c.place.Session], c)
		}
	}
	for _, turns := range sessions {
		if len(turns) < 2 {
			continue
		}
		at := make(map[int]float64, len(turns))
		for _, c := range turns {
			at[c.place.Turn] = c.own
		}
		slices.SortFunc(turns, func(a, b *candidate) int {
			return cmp.Or(cmp.Compare(b.own, a.own), cmp.Compare(a.id, b.id))
		})
		session := 0.0
		for i, c := range turns[:min(3, len(turns))] {
			session += c.own / float64(i+1)
		}
		for _, c := range turns {
			for i := range reach {
				c.context.Neighbours += fromBefore[i]*at[c.place.Turn-i-1] + fromAfter[i]*at[c.place.Turn+i+1]
			}
			c.context.Session, c.context.Best = session, turns[0].own
		}
	}
	for _, c := range all {
		if c.place.Speaker != "" && saidBy(c.place.Speaker, u.words) {
			c.context.Speaker = 1
		}
		c.relevant = c.own + c.context.Neighbours + fromSession*c.context.Session + fromSpeaker*c.context.Speaker
	}
	slices.SortFunc(all, byRelevance)
}

// saidBy reports whether the question names the speaker: every word of a full name or its first name.
func saidBy(speaker string, asked map[string]bool) bool {
	first, _, _ := strings.Cut(speaker, " ")
	return asked[first]
}
