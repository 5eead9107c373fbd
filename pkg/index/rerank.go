package index

import (
	"context"
	"math"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// What the built-in reranker's score is made of. Fitted on every other LoCoMo conversation; README.md has the
// figures on the rest.
const (
	passageWeight   = .75
	closenessWeight = 1.1
	passageWindow   = 2  // sentences scored together
	longEntry       = 60 // terms from which a passage is worth looking at apart from its memory
	pairReach       = 3  // tokens two neighbours of the question may lie apart to count as a pair
)

// Reranker is the built-in second look at the best candidates: where the query's terms stand, which BM25 cannot see.
// It weighs the best passage of a long memory and how closely terms that stand together in the question stand
// together in it (Tao & Zhai, "An Exploration of Proximity Measures in Information Retrieval", 2007).
type Reranker struct{ Set *Set }

// Rerank implements search.Reranker.
func (r Reranker) Rerank(ctx context.Context, q search.Query, ids []memory.ID) ([]float64, error) {
	s, release, err := r.Set.read(ctx, q.Scope)
	if err != nil {
		return nil, err
	}
	defer release()
	scratch := r.Set.scratch.Get().(*scratch)
	defer r.Set.scratch.Put(scratch)

	query := s.lexicalQuery(&q)
	scores := make([]float64, len(ids))
	if len(query.terms) == 0 {
		return scores, nil
	}
	at := scratch.termsFor(len(s.termOf))
	for i, term := range query.terms {
		at[term] = uint8(i + 1)
	}
	defer func() {
		for _, term := range query.terms {
			at[term] = 0
		}
	}()
	lens := s.lens(&q, r.Set.now())
	for i, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, n := range s.byID[id] {
			if e := &s.entries[n]; lens.shows(e) {
				evidence := passageWeight*s.bestPassage(query, e, at) + closenessWeight*closeness(query, e.tokens, at)
				scores[i] = evidence / (query.total * (passageWeight + closenessWeight))
			}
		}
	}
	return scores, nil
}

// bestPassage is the BM25 of the best window of passageWindow sentences, with lengths relative to a window of usual
// size and the saturation of short texts.
func (s *scope) bestPassage(q lexicalQuery, e *entry, at []uint8) float64 {
	if e.length < longEntry { // a short memory is its own passage
		return s.wholeBM25(q, e, at)
	}
	const k1, b, usual = .6, .3, 12 * passageWindow
	var counts [passageWindow][maxQueryTerms]uint8
	var lengths [passageWindow]int
	best := 0.0
	slot, full := 0, false
	score := func() {
		length, sum := 0, 0.0
		for _, n := range lengths {
			length += n
		}
		norm := k1 * (1 - b + b*float64(length)/usual)
		for t := range q.terms {
			count := 0
			for w := range counts {
				count += int(counts[w][t])
			}
			if count > 0 {
				sum += q.idf[t] * float64(count) * (k1 + 1) / (float64(count) + norm)
			}
		}
		best = max(best, sum)
	}
	for _, term := range e.tokens {
		if term == sentenceBreak {
			if full || slot == passageWindow-1 {
				score()
			}
			slot++
			if slot == passageWindow {
				slot, full = 0, true
			}
			counts[slot] = [maxQueryTerms]uint8{}
			lengths[slot] = 0
			continue
		}
		lengths[slot]++
		if k := at[term]; k != 0 && counts[slot][k-1] < math.MaxUint8 {
			counts[slot][k-1]++
		}
	}
	score()
	return min(best, q.total) // saturation differs from the whole memory's; a passage is never worth more
}

// closeness adds up, for each pair of neighbours in the question, how near they come to each other in tokens:
// min(idf)/distance, distance 1..pairReach, sentence breaks counting one.
func closeness(q lexicalQuery, tokens []uint32, at []uint8) float64 {
	if len(q.pairs) == 0 {
		return 0
	}
	var nearest [maxQueryTerms][maxQueryTerms]uint8
	for i, term := range tokens {
		a := at[term]
		if term == sentenceBreak || a == 0 {
			continue
		}
		for j := i + 1; j < len(tokens) && j <= i+pairReach; j++ {
			b := at[tokens[j]]
			if tokens[j] == sentenceBreak || b == 0 || b == a {
				continue
			}
			x, y := min(a, b)-1, max(a, b)-1
			if d := uint8(j - i); nearest[x][y] == 0 || d < nearest[x][y] {
				nearest[x][y] = d
			}
		}
	}
	sum := 0.0
	for _, pair := range q.pairs {
		if d := nearest[min(pair[0], pair[1])][max(pair[0], pair[1])]; d > 0 {
			sum += min(q.idf[pair[0]], q.idf[pair[1]]) / float64(d)
		}
	}
	return sum
}

// wholeBM25 is the BM25 of one entry, as the lexical leg counts it.
func (s *scope) wholeBM25(q lexicalQuery, e *entry, at []uint8) float64 {
	var counts [maxQueryTerms]int
	for _, list := range [][]uint32{e.tokens, e.extra} {
		for _, term := range list {
			if k := at[term]; term != sentenceBreak && k != 0 {
				counts[k-1]++
			}
		}
	}
	sum := 0.0
	for t := range q.terms {
		if count := float64(counts[t]); count > 0 {
			sum += q.idf[t] * count * (q.k1 + 1) / (count + q.k1*(1-q.b+q.b*float64(e.length)/q.mean))
		}
	}
	return sum
}
