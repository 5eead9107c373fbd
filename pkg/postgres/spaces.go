package postgres

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ memory.Modelled = (*DB)(nil)

// Models returns what stands.
func (d *DB) Models(ctx context.Context, scope memory.Scope) (m memory.Models, err error) {
	err = d.view(ctx, scope, func(s *session) (err error) {
		m, err = s.models(scope)
		return err
	})
	return m, d.failed(ctx, "read the embedding models of "+scope.String(), err)
}

// models asks for both at once: what was chosen, and what most vectors of the oldest memories are of.
func (s *session) models(scope memory.Scope) (m memory.Models, err error) {
	err = s.row(`SELECT active, next, previous, chosen FROM (
			SELECT 0 AS rank, active, next, previous, chosen FROM embedding_models WHERE tenant = $1 AND project = $2
			UNION ALL (SELECT 1, v.model, '', '', false FROM (SELECT model FROM memory_vectors WHERE tenant = $1 AND project = $2
				ORDER BY memory_id LIMIT $3) v GROUP BY v.model ORDER BY count(*) DESC, v.model LIMIT 1)) m ORDER BY rank LIMIT 1`,
		[]any{scope.Tenant, scope.Project, memory.ModelSample}, &m.Active, &m.Next, &m.Previous, &m.Chosen)
	if errors.Is(err, pgx.ErrNoRows) {
		return memory.Models{}, nil
	}
	return m, err
}

// ChooseModels keeps what do returns, as one of the writers of the scope.
func (d *DB) ChooseModels(ctx context.Context, scope memory.Scope, do func(memory.Models) (memory.Models, error)) (chosen memory.Models, err error) {
	var own error // of do, to be returned as it is
	err = d.write(ctx, scope, func(g *group) error {
		stands, err := g.models(scope)
		if err != nil {
			return err
		}
		if chosen, own = do(stands); own != nil {
			return own
		}
		if chosen.Active == "" {
			return fault.BadField("active", "must name a model")
		}
		if g.stands.exists && chosen != stands {
			if _, err := g.number(); err != nil {
				return err
			}
		}
		g.exec(`INSERT INTO embedding_models (tenant, project, active, next, previous, chosen) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (tenant, project) DO UPDATE SET active = excluded.active, next = excluded.next,
			previous = excluded.previous, chosen = excluded.chosen`,
			scope.Tenant, scope.Project, chosen.Active, chosen.Next, chosen.Previous, chosen.Chosen)
		return nil
	})
	if own != nil {
		return memory.Models{}, own
	}
	return chosen, d.failed(ctx, "choose the embedding models of "+scope.String(), err)
}

// Coverage counts memories and vectors.
func (d *DB) Coverage(ctx context.Context, scope memory.Scope, model string) (c memory.Coverage, err error) {
	err = d.view(ctx, scope, func(s *session) error {
		return s.row(`SELECT count(*), count(v.memory_id) FROM memories m LEFT JOIN memory_vectors v
			ON v.tenant = $1 AND v.project = $2 AND v.memory_id = m.id AND v.model = $3
			WHERE m.tenant = $1 AND m.project = $2 AND (m.expires_at IS NULL OR m.expires_at > rae_now())`,
			[]any{scope.Tenant, scope.Project, model}, &c.Memories, &c.Vectors)
	})
	return c, d.failed(ctx, "count vectors of "+scope.String(), err)
}

// VectorModels tells which models there are vectors of.
func (d *DB) VectorModels(ctx context.Context, scope memory.Scope, ids []memory.ID) (models map[memory.ID][]string, err error) {
	wanted := make([]string, 0, len(ids))
	for _, id := range ids {
		if isUUID(id) {
			wanted = append(wanted, string(id))
		}
	}
	err = d.view(ctx, scope, func(s *session) error {
		models = map[memory.ID][]string{}
		return s.rows(`SELECT v.memory_id::text, v.model FROM memory_vectors v JOIN memories m ON m.tenant = $1 AND m.project = $2
			AND m.id = v.memory_id WHERE v.tenant = $1 AND v.project = $2 AND v.memory_id = ANY($3::uuid[])
			AND (m.expires_at IS NULL OR m.expires_at > rae_now()) ORDER BY v.memory_id, v.model`,
			[]any{scope.Tenant, scope.Project, wanted}, func(rows pgx.Rows) error {
				var id memory.ID
				var model string
				err := rows.Scan(&id, &model)
				models[id] = append(models[id], model)
				return err
			})
	})
	return models, d.failed(ctx, "list models of memories of "+scope.String(), err)
}

// ForgetModel removes vectors of a model nobody wants.
func (d *DB) ForgetModel(ctx context.Context, scope memory.Scope, model string, limit int) (forgotten int, err error) {
	err = d.write(ctx, scope, func(g *group) error {
		forgotten = 0
		stands, err := g.models(scope)
		if err != nil {
			return err
		}
		if slices.Contains(stands.Wanted(), model) {
			return fault.New(fault.Conflict, "the project uses vectors of %s", model)
		}
		return g.row(`WITH gone AS (DELETE FROM memory_vectors v USING (SELECT memory_id FROM memory_vectors
				WHERE tenant = $1 AND project = $2 AND model = $3 LIMIT $4) d
				WHERE v.tenant = $1 AND v.project = $2 AND v.model = $3 AND v.memory_id = d.memory_id RETURNING v.memory_id),
			bare AS (UPDATE memories m SET embedding = $5 FROM gone WHERE m.tenant = $1 AND m.project = $2 AND m.id = gone.memory_id
				AND NOT EXISTS (SELECT FROM memory_vectors o WHERE o.tenant = $1 AND o.project = $2 AND o.memory_id = m.id AND o.model <> $3))
			SELECT count(*) FROM gone`,
			[]any{scope.Tenant, scope.Project, model, limit, string(memory.EmbeddingPending)}, &forgotten)
	})
	return forgotten, d.failed(ctx, "forget vectors of "+scope.String(), err)
}
