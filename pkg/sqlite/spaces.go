package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ memory.Modelled = (*DB)(nil)

// Models returns what stands.
func (d *DB) Models(ctx context.Context, scope memory.Scope) (memory.Models, error) {
	db, err := d.read(ctx)
	if err != nil {
		return memory.Models{}, err
	}
	m, err := modelsOf(ctx, db, scope)
	return m, classify(ctx, err)
}

func modelsOf(ctx context.Context, q querier, scope memory.Scope) (m memory.Models, err error) {
	err = q.QueryRowContext(ctx, `SELECT active, next, previous, chosen FROM embedding_models WHERE tenant = ? AND project = ?`,
		scope.Tenant, scope.Project).Scan(&m.Active, &m.Next, &m.Previous, &m.Chosen)
	if errors.Is(err, sql.ErrNoRows) {
		err = q.QueryRowContext(ctx, `SELECT model FROM (SELECT model FROM memory_vectors WHERE tenant = ? AND project = ?
			ORDER BY memory_id LIMIT ?) GROUP BY model ORDER BY count(*) DESC, model LIMIT 1`,
			scope.Tenant, scope.Project, memory.ModelSample).Scan(&m.Active)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return memory.Models{}, nil
	}
	if err != nil {
		return memory.Models{}, fmt.Errorf("read the embedding models of %s: %w", scope, err)
	}
	return m, nil
}

// ChooseModels keeps what do returns.
func (d *DB) ChooseModels(ctx context.Context, scope memory.Scope, do func(memory.Models) (memory.Models, error)) (chosen memory.Models, err error) {
	err = d.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		stands, err := modelsOf(ctx, tx, scope)
		if err != nil {
			return err
		}
		if chosen, err = do(stands); err != nil {
			return err
		}
		if chosen.Active == "" {
			return fault.BadField("active", "must name a model")
		}
		if chosen != stands {
			_, err = tx.ExecContext(ctx, `UPDATE scopes SET head = head + 1 WHERE tenant = ? AND project = ?`, scope.Tenant, scope.Project)
			if err != nil {
				return fmt.Errorf("advance the feed: %w", err)
			}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO embedding_models (tenant, project, active, next, previous, chosen)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, project) DO UPDATE SET active = excluded.active,
			next = excluded.next, previous = excluded.previous, chosen = excluded.chosen`,
			scope.Tenant, scope.Project, chosen.Active, chosen.Next, chosen.Previous, chosen.Chosen)
		if err != nil {
			return fmt.Errorf("keep the embedding models of %s: %w", scope, err)
		}
		return nil
	})
	return chosen, err
}

// Coverage counts memories and vectors.
func (d *DB) Coverage(ctx context.Context, scope memory.Scope, model string) (c memory.Coverage, err error) {
	db, err := d.read(ctx)
	if err != nil {
		return c, err
	}
	err = db.QueryRowContext(ctx, `SELECT count(*), count(v.memory_id) FROM memories m LEFT JOIN memory_vectors v
		ON v.tenant = m.tenant AND v.project = m.project AND v.memory_id = m.id AND v.model = ?
		WHERE m.tenant = ? AND m.project = ? AND (m.expires_at IS NULL OR m.expires_at > ?)`,
		model, scope.Tenant, scope.Project, micros(d.now())).Scan(&c.Memories, &c.Vectors)
	if err != nil {
		return c, classify(ctx, fmt.Errorf("count vectors of %s: %w", scope, err))
	}
	return c, nil
}

// VectorModels tells which models there are vectors of.
func (d *DB) VectorModels(ctx context.Context, scope memory.Scope, ids []memory.ID) (map[memory.ID][]string, error) {
	db, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	models := map[memory.ID][]string{}
	for _, id := range ids {
		of, err := texts(ctx, db, `SELECT v.model FROM memory_vectors v JOIN memories m ON m.tenant = v.tenant
			AND m.project = v.project AND m.id = v.memory_id WHERE v.tenant = ? AND v.project = ? AND v.memory_id = ?
			AND (m.expires_at IS NULL OR m.expires_at > ?) ORDER BY v.model`, scope.Tenant, scope.Project, string(id), micros(d.now()))
		if err != nil {
			return nil, classify(ctx, fmt.Errorf("list models of a memory: %w", err))
		}
		if len(of) > 0 {
			models[id] = of
		}
	}
	return models, nil
}

// texts reads one column of text.
func texts(ctx context.Context, q asked, query string, args ...any) (all []string, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// ForgetModel removes vectors of a model nobody wants.
func (d *DB) ForgetModel(ctx context.Context, scope memory.Scope, model string, limit int) (forgotten int, err error) {
	err = d.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		stands, err := modelsOf(ctx, tx, scope)
		if err != nil {
			return err
		}
		if slices.Contains(stands.Wanted(), model) {
			return fault.New(fault.Conflict, "the project uses vectors of %s", model)
		}
		of, err := texts(ctx, tx, `DELETE FROM memory_vectors WHERE rowid IN (SELECT rowid FROM memory_vectors
			WHERE tenant = ? AND project = ? AND model = ? LIMIT ?) RETURNING memory_id`, scope.Tenant, scope.Project, model, limit)
		if err != nil {
			return fmt.Errorf("forget vectors of %s: %w", model, err)
		}
		for _, id := range of {
			_, err := tx.ExecContext(ctx, `UPDATE memories SET embedding = ? WHERE tenant = ? AND project = ? AND id = ?
				AND NOT EXISTS (SELECT 1 FROM memory_vectors v WHERE v.tenant = memories.tenant AND v.project = memories.project
				AND v.memory_id = memories.id)`, string(memory.EmbeddingPending), scope.Tenant, scope.Project, id)
			if err != nil {
				return fmt.Errorf("mark memory %s pending: %w", id, err)
			}
		}
		forgotten = len(of)
		return nil
	})
	return forgotten, err
}
