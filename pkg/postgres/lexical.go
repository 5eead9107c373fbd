package postgres

import (
	"cmp"
	"container/heap"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Lexical is the leg that matches words: relevance's BM25 with OR semantics, over the blocks of the question's terms and
// the tail that is not gathered yet.
type Lexical struct{ DB *DB }

var _ search.Leg = Lexical{}

// Name returns "lexical".
func (Lexical) Name() string { return "lexical" }

// Retrieve scores every visible memory that holds a term of the query. The score is its BM25 as a share of what a
// memory that holds every term without end would get, 0..1.
func (l Lexical) Retrieve(ctx context.Context, q search.Query, depth int) (hits []search.Hit, err error) {
	if depth < 1 {
		return nil, ctx.Err()
	}
	err = l.DB.view(ctx, q.Scope, func(s *session) error {
		hits = nil
		w, err := s.consult(l.DB, &q, true)
		if err != nil || w == nil {
			return err
		}
		r := retrieval{session: s, sight: sightOf(&q), question: w, depth: depth, last: latest{}}
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

// candidates scores every version that holds a term, by document. Gains are added in the order of the terms.
func (w *question) candidates() []candidate {
	var all, next []candidate
	for i, term := range w.Terms {
		o := &w.found[term.Asked]
		next = w.merge(next[:0], all, i, o.postings, o.tail)
		all, next = next, all
	}
	return all
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

// take removes the best, at least n and all that are as good as the last of them: which of equals comes first is decided
// by their ids, which nobody knows yet.
func (b *bestFirst) take(n int) []candidate {
	var taken []candidate
	for len(*b) > 0 && (len(taken) < n || (*b)[0].score == taken[len(taken)-1].score) {
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
	last  latest
}

// run asks of the best candidates which may be seen, then of the next best and more of them, until there are enough.
func (r *retrieval) run() ([]search.Hit, error) {
	rest := bestFirst(r.candidates())
	heap.Init(&rest)
	for n := r.depth + r.depth/4; len(rest) > 0 && len(r.hits) < r.depth; n *= 4 {
		if err := r.admit(rest.take(n)); err != nil {
			return nil, err
		}
	}
	r.hits = r.hits[:min(len(r.hits), r.depth)]
	r.seats(r.sight, r.hits, r.last)
	return r.hits, nil
}

// admit adds those of the candidates, which are worse than all hits so far, that may be seen.
func (r *retrieval) admit(candidates []candidate) error {
	documents := make([]memory.Seq, len(candidates))
	of := make(map[memory.Seq]*candidate, len(candidates))
	for i := range candidates {
		c := &candidates[i]
		documents[i], of[c.document] = c.document, c
	}
	before := len(r.hits)
	s := *r.sight
	s.and("m.document = ANY(%s::bigint[])", documents)
	body := "''"
	if len(s.filter.Metadata) > 0 {
		body = "m.body"
	}
	err := r.rows(`SELECT m.document, `+body+`, `+placedColumns+` FROM `+s.from+s.where(), s.args, func(rows pgx.Rows) error {
		var document memory.Seq
		var body string
		var p placed
		if err := rows.Scan(append([]any{&document, &body}, p.into()...)...); err != nil {
			return err
		}
		passes, err := s.passes(body)
		if err != nil || !passes {
			return err
		}
		c := of[document]
		hit := p.hit(r.Share(c.score))
		for i, term := range r.Terms {
			if c.terms&(1<<i) != 0 {
				hit.Terms = append(hit.Terms, r.words[term.Asked])
			}
		}
		r.hits = append(r.hits, hit)
		r.last.note(&p)
		return nil
	})
	slices.SortFunc(r.hits[before:], byScore)
	return err
}

// byScore orders hits, best first; ties by id, so that the same question has the same answer.
func byScore(a, b search.Hit) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID))
}
