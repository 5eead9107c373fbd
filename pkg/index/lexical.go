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

// Weights of the evidence a lexical score is made of, relative to BM25 = 1. Fitted on the odd-numbered LoCoMo
// conversations; docs/quality.md has the figures on the others.
const (
	passageWeight   = .5
	proximityWeight = .8
	passageWindow   = 2  // sentences scored together
	longEntry       = 60 // terms from which a passage is worth looking at apart from its memory
	pairReach       = 3  // terms two query neighbours may lie apart to count as a pair
	refined         = 200
)

// Lexical is the leg that matches words: BM25 (Robertson & Zaragoza, "The Probabilistic Relevance Framework", 2009)
// with OR semantics over stemmed terms, then, for the best candidates, the best passage of a long memory and how
// closely query terms that stand together stand together in it.
type Lexical struct{ Set *Set }

// Name returns "lexical".
func (Lexical) Name() string { return "lexical" }

// Retrieve scores every visible memory that holds a term of the query. The score is the share of the evidence a
// perfect match would give, 0..1.
func (l Lexical) Retrieve(ctx context.Context, q search.Query, depth int) ([]search.Hit, error) {
	s, release, err := l.Set.read(ctx, q.Scope)
	if err != nil {
		return nil, err
	}
	defer release()
	scratch := l.Set.scratch.Get().(*scratch)
	defer l.Set.scratch.Put(scratch)

	query := s.lexicalQuery(q.Text)
	if len(query.terms) == 0 {
		return nil, nil
	}
	lens := s.lens(&q, l.Set.now())
	candidates := s.bm25(query, lens, max(depth, refined), scratch)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.refine(query, candidates[:min(len(candidates), refined)], scratch)
	s.rank(candidates)
	hits := make([]search.Hit, min(depth, len(candidates)))
	for i := range hits {
		c := &candidates[i]
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

func (s *scope) lexicalQuery(question string) lexicalQuery {
	q := lexicalQuery{mean: 1}
	if s.current > 0 && s.length > 0 {
		q.mean = float64(s.length) / float64(s.current)
	}
	// Short memories say a thing once, so repetition and length mean less in them than in documents.
	long := min(1, max(0, (q.mean-20)/80))
	q.k1, q.b = .6+.3*long, .3+.1*long

	tokens := text.Analyze(question)
	if len(tokens) > maxQueryWords {
		tokens = tokens[:maxQueryWords]
	}
	var order []uint32
	seen := map[uint32]bool{}
	for _, token := range tokens {
		if term, known := s.terms[token.Term]; known && s.documents[term] > 0 {
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
	scale := 1 / (q.total * (1 + passageWeight + proximityWeight))
	for i := range candidates {
		// A short memory is its own passage, so it earns the passage weight by its BM25.
		candidates[i].score *= scale * (1 + passageWeight)
	}
	return candidates
}

// refine adds what BM25 cannot see: where the terms stand.
func (s *scope) refine(q lexicalQuery, candidates []candidate, scratch *scratch) {
	at := scratch.termsFor(len(s.termOf))
	for i, term := range q.terms {
		at[term] = uint8(i + 1)
	}
	defer func() {
		for _, term := range q.terms {
			at[term] = 0
		}
	}()
	scale := 1 / (q.total * (1 + passageWeight + proximityWeight))
	for i := range candidates {
		c := &candidates[i]
		e := &s.entries[c.entry]
		if e.length >= longEntry {
			own := c.score / (1 + passageWeight)
			c.score = own + passageWeight*scale*s.bestPassage(q, e, at)
		}
		c.score += proximityWeight * scale * closeness(q, e.tokens, at)
	}
}

// bestPassage is the BM25 of the best window of passageWindow sentences, with lengths relative to a window of usual
// size and the saturation of short texts.
func (s *scope) bestPassage(q lexicalQuery, e *entry, at []uint8) float64 {
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
