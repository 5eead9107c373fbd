package index

import (
	"context"
	"slices"

	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/search"
)

// Lexical is the leg that matches words: relevance's BM25 with OR semantics.
type Lexical struct{ Set *Set }

// Name returns "lexical".
func (Lexical) Name() string { return "lexical" }

// Retrieve scores every visible memory that holds a term of the query. The score is its BM25 as a share of what a
// memory that holds every term without end would get, 0..1.
func (l Lexical) Retrieve(ctx context.Context, q search.Query, depth int) ([]search.Hit, error) {
	s, release, err := l.Set.read(ctx, q.Scope)
	if err != nil {
		return nil, err
	}
	defer release()
	scratch := l.Set.scratch.Get().(*scratch)
	defer l.Set.scratch.Put(scratch)

	query := s.ask(&q)
	if len(query.terms) == 0 {
		return nil, nil
	}
	lens := s.lens(&q, l.Set.now())
	candidates := s.bm25(&query, lens, depth, scratch)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	hits := make([]search.Hit, len(candidates))
	for i, c := range candidates {
		hits[i] = search.Hit{ID: s.entries[c.entry].id, Score: c.score, Place: s.place(c.entry), Terms: s.matched(&query, c.entry)}
	}
	return hits, nil
}

// question is a question in the vocabulary of one scope.
type question struct {
	relevance.Question
	terms []uint32 // Question.Terms as the scope numbers them
}

// ask weighs a question by what the scope holds. A word of the past may be said no more.
func (s *scope) ask(q *search.Query) question {
	asked := relevance.Ask(q.Text, s.language)
	numbers, statistics := make([]uint32, len(asked.Terms)), relevance.Statistics{
		Memories: s.current, Length: s.length, Holding: make([]int, len(asked.Terms)),
	}
	if q.View.KnownAt != nil {
		statistics.Past = make([]bool, len(asked.Terms))
	}
	for i, term := range asked.Terms {
		number, known := s.terms[term]
		if !known {
			continue
		}
		numbers[i], statistics.Holding[i] = number, int(s.documents[number])
		if statistics.Past != nil {
			statistics.Past[i] = true
		}
	}
	weighed := question{Question: asked.Weigh(statistics)}
	weighed.terms = make([]uint32, len(weighed.Terms))
	for i, term := range weighed.Terms {
		weighed.terms[i] = numbers[term.Asked]
	}
	return weighed
}

// candidate is an entry on its way to a hit.
type candidate struct {
	entry uint32
	score float64
}

// bm25 returns the best depth visible entries.
func (s *scope) bm25(q *question, lens *lens, depth int, scratch *scratch) []candidate {
	scores := scratch.scoresFor(len(s.entries))
	touched := scratch.touched[:0]
	for i, term := range q.terms {
		for _, p := range s.postings[term] {
			gain := q.Gain(i, p.count, s.entries[p.entry].length)
			if scores[p.entry] == 0 {
				touched = append(touched, p.entry)
			}
			scores[p.entry] += gain
		}
	}
	best := newTop(depth)
	for _, n := range touched {
		score := scores[n]
		scores[n] = 0
		if best.admits(float64(score)) && lens.shows(&s.entries[n]) {
			best.offer(candidate{n, float64(score)}, s)
		}
	}
	scratch.touched = touched
	candidates := best.sorted(s)
	for i := range candidates {
		candidates[i].score = q.Share(float32(candidates[i].score))
	}
	return candidates
}

// matched names the query terms an entry holds.
func (s *scope) matched(q *question, n uint32) []string {
	var names []string
	e := &s.entries[n]
	for i, term := range q.terms {
		if slices.Contains(e.tokens, term) || slices.Contains(e.extra, term) {
			names = append(names, q.Terms[i].Text)
		}
	}
	return names
}
