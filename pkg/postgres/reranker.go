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
	err := r.DB.view(ctx, q.Scope, func(in *session) error {
		clear(scores)
		w, err := in.consult(r.DB, &q, false)
		if err != nil || w == nil || len(w.Terms) == 0 {
			return err
		}
		s := sightOf(&q)
		s.and("m.id = ANY(%s::uuid[])", wanted)
		if err := s.settle(in); err != nil {
			return err
		}
		reader, document := w.Reader(), relevance.Document{}
		return in.rows(`SELECT m.id::text, m.words FROM `+s.from+s.where(), s.args, func(rows pgx.Rows) error {
			var id, words string
			if err := rows.Scan(&id, &words); err != nil {
				return err
			}
			decodeWords(words, &document)
			for _, i := range at[id] {
				scores[i] = reader.Evidence(&document)
			}
			return nil
		})
	})
	if err != nil {
		return nil, r.DB.failed(ctx, "rerank in "+q.Scope.String(), err)
	}
	return scores, nil
}
