package postgres

import (
	"cmp"
	"container/heap"
	"context"
	"math"
	"slices"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Lexical is the leg that matches words: relevance's BM25 with OR semantics, over the blocks of the question's terms and
// the tail that is not gathered yet.
type Lexical struct {
	DB *DB

	few int // see prune.go; 0 = fewPostings
}

var _ search.Leg = Lexical{}

// Name returns "lexical".
func (Lexical) Name() string { return "lexical" }

// Retrieve scores every visible memory that holds a term of the query. The score is its BM25 as a share of what a
// memory that holds every term without end would get, 0..1.
func (l Lexical) Retrieve(ctx context.Context, q search.Query, depth int) (hits []search.Hit, err error) {
	if depth < 1 {
		return nil, ctx.Err()
	}
	err = l.DB.look(ctx, q.Scope, func(s *session) error {
		hits = nil
		sight, most := sightOf(&q), cmp.Or(l.few, fewPostings)
		if sight.restricted() {
			most = math.MaxInt64 // nobody knows how far down the last one is that passes
		}
		w, err := s.consult(l.DB, &q, most)
		if err != nil || w == nil {
			return err
		}
		s.sitting.keep(w, &q)
		r := retrieval{session: s, sight: sight, question: w, depth: depth}
		hits, err = r.run()
		return err
	})
	if err != nil {
		return nil, l.DB.failed(ctx, "search words in "+q.Scope.String(), err)
	}
	return hits, nil
}

// candidate is a version on its way to a hit.
type candidate struct {
	document memory.Seq
	score    float32
	terms    uint64 // a bit per term of the question that it holds
}

// merge appends to into what scored has and what the lists of postings of one term add, all by document.
func (w *question) merge(into, scored []candidate, term int, lists ...[]posting) []candidate {
	for _, list := range lists {
		for i := range list {
			p := &list[i]
			if !w.past && (p.past || w.gone[p.document]) {
				continue
			}
			for len(scored) > 0 && scored[0].document < p.document {
				into, scored = append(into, scored[0]), scored[1:]
			}
			c := candidate{document: p.document}
			if len(scored) > 0 && scored[0].document == p.document {
				c, scored = scored[0], scored[1:]
			}
			c.score += w.Gain(term, p.count, int(p.length))
			c.terms |= 1 << term
			into = append(into, c)
		}
	}
	return append(into, scored...)
}

// bestFirst is a heap of candidates.
type bestFirst []candidate

func (b bestFirst) Len() int           { return len(b) }
func (b bestFirst) Less(i, j int) bool { return b[i].score > b[j].score }
func (b bestFirst) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func (b *bestFirst) Push(x any)        { *b = append(*b, x.(candidate)) }
func (b *bestFirst) Pop() any {
	last := (*b)[len(*b)-1]
	*b = (*b)[:len(*b)-1]
	return last
}

// take removes the best that have more than rest, at least n and all that are as good as the last of them: which of
// equals comes first is decided by their ids, which nobody knows yet.
func (b *bestFirst) take(n int, rest float32) []candidate {
	var taken []candidate
	for len(*b) > 0 && (*b)[0].score > rest && (len(taken) < n || (*b)[0].score == taken[len(taken)-1].score) {
		taken = append(taken, heap.Pop(b).(candidate))
	}
	return taken
}

// retrieval is one question being answered.
type retrieval struct {
	*session
	*sight
	*question
	depth int
	hits  []search.Hit
}

// run asks of the best candidates which may be seen, then of the next best and more of them, until there are enough. A
// version that was not scored may be as good as the rest: below it nothing is certain, and everything is scored.
func (r *retrieval) run() ([]search.Hit, error) {
	for {
		all, rest, err := r.score()
		if err != nil {
			return nil, err
		}
		if err := r.choose(all, rest); err != nil {
			return nil, err
		}
		if rest == 0 || len(r.hits) >= r.depth {
			break
		}
		if err := r.load(r.Terms...); err != nil {
			return nil, err
		}
	}
	return r.hits[:min(len(r.hits), r.depth)], nil
}

// choose turns the best candidates that may be seen and have more than rest into hits.
func (r *retrieval) choose(all []candidate, rest float32) error {
	r.hits = nil
	best := bestFirst(all)
	heap.Init(&best)
	for n := r.depth + r.depth/4; len(best) > 0 && best[0].score > rest && len(r.hits) < r.depth; n *= 4 {
		if err := r.admit(best.take(n, rest)); err != nil {
			return err
		}
	}
	return nil
}

// admit adds those of the candidates, which are worse than all hits so far, that may be seen. The words of the best are
// read with them: a second look will ask for them.
func (r *retrieval) admit(candidates []candidate) error {
	documents := make([]memory.Seq, len(candidates))
	of := make(map[memory.Seq]*candidate, len(candidates))
	for i := range candidates {
		c := &candidates[i]
		documents[i], of[c.document] = c.document, c
	}
	before := len(r.hits)
	s := *r.sight
	from := s.byDocument(documents)
	body := "''"
	if len(s.filter.Metadata) > 0 {
		body = "m.body"
	}
	words := `CASE WHEN m.document = ANY(` + s.arg(documents[:min(len(documents), r.wordsAhead())]) + `::bigint[]) THEN m.words END`
	row := struct {
		document memory.Seq
		body     string
		words    *string
	}{}
	seats, err := r.placedRows(&s, "a.document, a.body, a.words",
		`SELECT m.document, `+body+` AS body, `+words+` AS words, `+placedColumns+` FROM `+from,
		func() []any { return []any{&row.document, &row.body, &row.words} }, func(p *placed) error {
			passes, err := s.passes(row.body)
			if err != nil || !passes {
				return err
			}
			c := of[row.document]
			hit := p.hit(r.Share(c.score))
			for i, term := range r.Terms {
				if c.terms&(1<<i) != 0 {
					hit.Terms = append(hit.Terms, r.words[term.Asked])
				}
			}
			if row.words != nil {
				r.sheets[hit.ID] = *row.words
			}
			r.hits = append(r.hits, hit)
			return nil
		})
	seats.seat(r.hits[before:])
	slices.SortFunc(r.hits[before:], byScore)
	return err
}

// A second look reads the words of the best hits. Where it will share the transaction, so many are read with the hits.
const reread = 128

func (r *retrieval) wordsAhead() int {
	if r.sheets == nil {
		return 0
	}
	return max(0, reread-len(r.hits))
}

// byScore orders hits, best first; ties by id, so that the same question has the same answer.
func byScore(a, b search.Hit) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID))
}
