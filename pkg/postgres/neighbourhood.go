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
	var ids []string
	of := make(map[memory.ID]search.Place, len(hits))
	for _, hit := range hits {
		if _, twice := of[hit.ID]; !twice && hit.Place.Session != "" && isUUID(hit.ID) {
			ids = append(ids, string(hit.ID))
		}
		of[hit.ID] = hit.Place
	}
	if len(ids) == 0 || reach < 1 {
		return nil, ctx.Err()
	}
	near := map[memory.ID][]search.Hit{}
	err = n.DB.look(ctx, q.Scope, func(in *session) error {
		clear(near)
		s := sightOf(&q)
		if err := s.settle(in); err != nil {
			return err
		}
		return in.rows(s.around(ids, reach), s.args, func(rows pgx.Rows) error {
			var p placed
			var id memory.ID
			var step int
			if err := rows.Scan(append([]any{&id, &step}, p.into()...)...); err != nil {
				return err
			}
			if place := of[id]; place.Session == p.session {
				hit := p.hit(0)
				hit.Place.Turn = place.Turn + step
				near[id] = append(near[id], hit)
			}
			return nil
		})
	})
	if err != nil {
		return nil, n.DB.failed(ctx, "look around hits in "+q.Scope.String(), err)
	}
	for _, id := range ids {
		for _, hit := range near[memory.ID(id)] {
			if _, known := of[hit.ID]; !known {
				of[hit.ID] = hit.Place
				around = append(around, hit)
			}
		}
	}
	return around, nil
}

// around selects the turns around memories in their sessions, in order: the memory, how many turns away, and the turn.
func (s *sight) around(ids []string, reach int) string {
	keys, n := s.arg(ids)+`::uuid[]`, s.arg(reach)
	beside := func(sign, than, order string) string {
		return `(SELECT b.*, ` + sign + `row_number() OVER () AS step FROM (SELECT x.* FROM memories x WHERE x.tenant = $1 AND x.project = $2
			AND x.session_id = c.session_id AND x.session_id <> '' AND (x.filed_at, x.id) ` + than + ` (c.filed_at, c.id)
			ORDER BY x.filed_at` + order + `, x.id` + order + ` LIMIT ` + n + `) b)`
	}
	turns := currentAmong("id", keys) + ` c CROSS JOIN LATERAL (` + beside(``, `>`, ``) + ` UNION ALL ` + beside(`-`, `<`, ` DESC`) + `) `
	if !s.past {
		return `SELECT c.id::text, m.step, ` + placedColumns + ` FROM ` + turns + `m` + s.where() + ` ORDER BY 2`
	}
	return `SELECT w.of::text, w.step, ` + placedColumns + ` FROM (SELECT c.id AS of, c.session_id, t.step, t.id FROM ` + turns + `t OFFSET 0) w
		CROSS JOIN LATERAL ` + s.versionsAt("w.id") + ` m` + s.where() + ` AND m.id = w.id AND m.session_id = w.session_id ORDER BY 2`
}
