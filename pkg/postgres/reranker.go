package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/search"
)

// Reranker is the built-in second look at the best candidates: relevance's evidence, the best passage of a memory and
// how closely the question's terms stand together in it.
type Reranker struct{ DB *DB }

var _ search.Reranker = Reranker{}

// Rerank implements search.Reranker.
func (r Reranker) Rerank(ctx context.Context, q search.Query, ids []memory.ID) ([]float64, error) {
	scores := make([]float64, len(ids))
	at := make(map[string][]int, len(ids))
	var wanted []string
	for i, id := range ids {
		if isUUID(id) {
			wanted = append(wanted, string(id))
			at[string(id)] = append(at[string(id)], i)
		}
	}
	if len(wanted) == 0 {
		return scores, ctx.Err()
	}
	err := r.DB.look(ctx, q.Scope, func(in *session) error {
		clear(scores)
		w := in.sitting.kept(&q)
		if w == nil {
			var err error
			if w, err = in.consult(r.DB, &q, 0); err != nil || w == nil {
				return err
			}
		}
		if len(w.Terms) == 0 {
			return nil
		}
		reader, document := w.Reader(), relevance.Document{}
		return in.eachSheet(&q, w.sheets, wanted, func(id, words string) {
			decodeWords(words, &document)
			for _, i := range at[id] {
				scores[i] = reader.Evidence(&document)
			}
		})
	})
	if err != nil {
		return nil, r.DB.failed(ctx, "rerank in "+q.Scope.String(), err)
	}
	return scores, nil
}

// eachSheet hands visit the words of those of the memories that the query shows, from known where they have been read.
func (in *session) eachSheet(q *search.Query, known map[memory.ID]string, ids []string, visit func(id, words string)) error {
	var unknown []string
	for _, id := range ids {
		if words, ok := known[memory.ID(id)]; ok {
			visit(id, words)
		} else {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	s := sightOf(q)
	if err := s.settle(in); err != nil {
		return err
	}
	from := s.byID(unknown)
	return in.rows(`SELECT m.id::text, m.words FROM `+from, s.args, func(rows pgx.Rows) error {
		var id, words string
		err := rows.Scan(&id, &words)
		visit(id, words)
		return err
	})
}
