package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Neighbourhood finds the turns around hits.
type Neighbourhood struct{ DB *DB }

var _ search.Neighbourhood = Neighbourhood{}

// Around implements search.Neighbourhood. Turns are counted over the memories that stand in a session now; of those, the
// versions are returned that filter and view show. Its cost grows with hits and reach, not with the sessions.
func (n Neighbourhood) Around(ctx context.Context, q search.Query, hits []search.Hit, reach int) (around []search.Hit, err error) {
	var ids, sessions []string
	known := make(map[memory.ID]bool, len(hits))
	for _, hit := range hits {
		known[hit.ID] = true
		if hit.Place.Session != "" && isUUID(hit.ID) {
			ids, sessions = append(ids, string(hit.ID)), append(sessions, hit.Place.Session)
		}
	}
	if len(ids) == 0 || reach < 1 {
		return nil, ctx.Err()
	}
	turns := make(map[memory.ID]int, len(hits))
	for _, hit := range hits {
		turns[hit.ID] = hit.Place.Turn
	}
	err = n.DB.look(ctx, q.Scope, func(in *session) error {
		around = nil
		seen := make(map[memory.ID]bool, len(hits))
		s := sightOf(&q)
		if err := s.settle(in); err != nil {
			return err
		}
		return in.rows(s.around(ids, sessions, reach), s.args, func(rows pgx.Rows) error {
			var p placed
			var of string
			var step int
			if err := rows.Scan(append([]any{&of, &step}, p.into()...)...); err != nil {
				return err
			}
			if id := memory.ID(p.id); !known[id] && !seen[id] {
				seen[id] = true
				hit := p.hit(0)
				hit.Place.Turn = turns[memory.ID(of)] + step
				around = append(around, hit)
			}
			return nil
		})
	})
	if err != nil {
		return nil, n.DB.failed(ctx, "look around hits in "+q.Scope.String(), err)
	}
	return around, nil
}

// around selects the turns around memories in their sessions: the memory, how many turns away, and the turn.
func (s *sight) around(ids, sessions []string, reach int) string {
	i, in, n := s.arg(ids), s.arg(sessions), s.arg(reach)
	beside := func(sign, than, order string) string {
		return `(SELECT b.*, ` + sign + `row_number() OVER () AS step FROM (SELECT x.* FROM memories x WHERE x.tenant = $1 AND x.project = $2
			AND x.session_id = c.session_id AND x.session_id <> '' AND (x.filed_at, x.id) ` + than + ` (c.filed_at, c.id)
			ORDER BY x.filed_at` + order + `, x.id` + order + ` LIMIT ` + n + `) b)`
	}
	query := `unnest(` + i + `::uuid[], ` + in + `::text[]) WITH ORDINALITY h(id, session, n)
		CROSS JOIN LATERAL ` + currentAt("id", "h.id") + ` c
		CROSS JOIN LATERAL (` + beside(``, `>`, ``) + ` UNION ALL ` + beside(`-`, `<`, ` DESC`) + `) `
	const hit = ` AND c.id = h.id AND c.session_id = h.session`
	if !s.past {
		return `SELECT h.id::text, m.step, ` + placedColumns + ` FROM ` + query + `m` + s.where() + hit + ` ORDER BY h.n, m.step`
	}
	near := `(SELECT h.id AS of, h.session, h.n, t.step, t.id FROM ` + query + `t WHERE true` + hit + ` OFFSET 0)`
	return `SELECT w.of::text, w.step, ` + placedColumns + ` FROM ` + near + ` w CROSS JOIN LATERAL ` + s.versionsAt("w.id") + ` m` +
		s.where() + ` AND m.id = w.id AND m.session_id = w.session ORDER BY w.n, w.step`
}
