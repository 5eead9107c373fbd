package index

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/text"
)

// Limits of a lexical query. Longer questions are cut, not refused: the rarest terms of the first maxQueryWords decide.
const (
	maxQueryWords = 512
	maxQueryTerms = 48
)

// Lexical is the leg that matches words: BM25 (Robertson & Zaragoza, "The Probabilistic Relevance Framework", 2009)
// with OR semantics over stemmed terms. Package searchtest writes the formula down.
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

	query := s.lexicalQuery(&q)
	if len(query.terms) == 0 {
		return nil, nil
	}
	lens := s.lens(&q, l.Set.now())
	candidates := s.bm25(query, lens, depth, scratch)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	hits := make([]search.Hit, len(candidates))
	for i, c := range candidates {
		hits[i] = search.Hit{ID: s.entries[c.entry].id, Score: c.score, Place: s.place(c.entry), Terms: s.matched(query, c.entry)}
	}
	return hits, nil
}

// lexicalQuery is a question in the vocabulary of one scope.
type lexicalQuery struct {
	terms  []uint32 // distinct known terms, rarest first
	idf    []float64
	pairs  [][2]int // indexes into terms of neighbours in the question
	total  float64  // BM25 of a memory that matches every term as well as can be
	k1, b  float64
	mean   float64 // terms per memory
	phrase float64 // weight of all pairs
}

func (s *scope) lexicalQuery(asked *search.Query) lexicalQuery {
	q, past := lexicalQuery{mean: 1}, asked.View.KnownAt != nil // a word of the past may be said no more
	if s.current > 0 && s.length > 0 {
		q.mean = float64(s.length) / float64(s.current)
	}
	// Short memories say a thing once, so repetition and length mean less in them than in documents.
	long := min(1, max(0, (q.mean-20)/80))
	q.k1, q.b = .6+.3*long, .3+.1*long

	tokens := text.Analyze(asked.Text)
	if len(tokens) > maxQueryWords {
		tokens = tokens[:maxQueryWords]
	}
	var order []uint32
	seen := map[uint32]bool{}
	for _, token := range tokens {
		if term, known := s.terms[token.Term]; known && (past || s.documents[term] > 0) {
			order = append(order, term)
			if !seen[term] {
				seen[term] = true
				q.terms = append(q.terms, term)
			}
		} else {
			order = append(order, sentenceBreak)
		}
	}
	slices.SortStableFunc(q.terms, func(a, b uint32) int { return cmp.Compare(s.documents[a], s.documents[b]) })
	if len(q.terms) > maxQueryTerms {
		q.terms = q.terms[:maxQueryTerms]
	}
	at := map[uint32]int{}
	q.idf = make([]float64, len(q.terms))
	for i, term := range q.terms {
		at[term] = i
		q.idf[i] = s.idf(term)
		q.total += q.idf[i] * (q.k1 + 1)
	}
	for i := 0; i+1 < len(order); i++ {
		a, known := at[order[i]]
		b, alsoKnown := at[order[i+1]]
		if known && alsoKnown && a != b && !slices.Contains(q.pairs, [2]int{a, b}) && !slices.Contains(q.pairs, [2]int{b, a}) {
			q.pairs = append(q.pairs, [2]int{a, b})
			q.phrase += min(q.idf[a], q.idf[b])
		}
	}
	return q
}

func (s *scope) idf(term uint32) float64 {
	n, with := float64(s.current), float64(s.documents[term])
	return math.Log((n-with+.5)/(with+.5) + 1)
}

// candidate is an entry on its way to a hit.
type candidate struct {
	entry uint32
	score float64
}

// bm25 returns the best depth visible entries.
func (s *scope) bm25(q lexicalQuery, lens *lens, depth int, scratch *scratch) []candidate {
	scores := scratch.scoresFor(len(s.entries))
	touched := scratch.touched[:0]
	for i, term := range q.terms {
		weight := float32(q.idf[i] * (q.k1 + 1))
		for _, p := range s.postings[term] {
			e := &s.entries[p.entry]
			count := float32(p.count)
			gain := weight * count / (count + float32(q.k1)*(1-float32(q.b)+float32(q.b)*float32(e.length)/float32(q.mean)))
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
		candidates[i].score /= q.total
	}
	return candidates
}

// matched names the query terms an entry holds.
func (s *scope) matched(q lexicalQuery, n uint32) []string {
	var names []string
	e := &s.entries[n]
	for _, term := range q.terms {
		if slices.Contains(e.tokens, term) || slices.Contains(e.extra, term) {
			names = append(names, s.termOf[term])
		}
	}
	return names
}
