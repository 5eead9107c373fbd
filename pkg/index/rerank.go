package index

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/search"
)

// Reranker is the built-in second look at the best candidates: relevance's evidence, the best passage of a memory and
// how closely the question's terms stand together in it.
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

	query := s.ask(&q)
	scores := make([]float64, len(ids))
	if len(query.terms) == 0 {
		return scores, nil
	}
	marks := scratch.marksFor(len(s.termOf))
	marks[sentenceBreak] = relevance.Break
	for i, term := range query.terms {
		marks[term] = relevance.Mark(i + 1)
	}
	defer func() {
		marks[sentenceBreak] = relevance.Other
		for _, term := range query.terms {
			marks[term] = relevance.Other
		}
	}()
	lens := s.lens(&q, r.Set.now())
	for i, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, n := range s.byID[id] {
			if e := &s.entries[n]; lens.shows(e) {
				scratch.content = mark(marks, e.tokens, scratch.content[:0])
				scratch.extra = mark(marks, e.extra, scratch.extra[:0])
				scores[i] = query.Evidence(scratch.content, scratch.extra, e.length)
			}
		}
	}
	return scores, nil
}

// mark appends what each term is to the question.
func mark(marks []relevance.Mark, terms []uint32, into []relevance.Mark) []relevance.Mark {
	for _, term := range terms {
		into = append(into, marks[term])
	}
	return into
}
