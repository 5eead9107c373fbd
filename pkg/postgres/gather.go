package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

// Gather implements reflection.Store. Those who tell events of one scope take turns at its counter.
func (s *Reflections) Gather(
	ctx context.Context, scope memory.Scope, g reflection.Gathered, next reflection.Reflection, records ...outbox.Record,
) (made bool, err error) {
	err = s.db.amend(ctx, scope, func(tx *session) error {
		made = false
		// In their order, so that two who tell the same events wait for each other and not both for the other.
		const count = `WITH once AS (INSERT INTO consumed_events (tenant, project, consumer, source, event_id, consumed_at)
				SELECT DISTINCT $1, $2, $3, e.source, e.id, rae_now() FROM unnest($4::text[], $5::text[]) e(source, id)
				ORDER BY e.source, e.id ON CONFLICT DO NOTHING RETURNING tenant, project)
			INSERT INTO reflection_gatherings AS g (tenant, project, count) SELECT tenant, project, count(*) FROM once GROUP BY 1, 2
			ON CONFLICT (tenant, project) DO UPDATE SET count = g.count + excluded.count RETURNING count`
		var gathered int
		err := tx.row(count, []any{scope.Tenant, scope.Project, reflectionConsumer,
			column(g.Events, func(e reflection.Event) string { return e.Source }),
			column(g.Events, func(e reflection.Event) string { return e.ID })}, &gathered)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && gathered < g.Every {
			return nil // all were counted before; or it is too early
		}
		if err != nil {
			return fmt.Errorf("count events: %w", err)
		}
		tx.exec(`UPDATE reflection_gatherings SET count = $3 WHERE tenant = $1 AND project = $2`, scope.Tenant, scope.Project, gathered%g.Every)
		var waits, rests bool
		err = tx.row(`SELECT EXISTS (SELECT FROM reflections WHERE tenant = $1 AND project = $2 AND kind = $3 AND status IN ('queued', 'parked')),
			EXISTS (SELECT FROM reflections WHERE tenant = $1 AND project = $2 AND kind = $3 AND created_at > $4)`,
			[]any{scope.Tenant, scope.Project, string(next.Kind), next.CreatedAt.Add(-g.Rest)}, &waits, &rests)
		if err != nil || waits {
			return err
		}
		made = true
		if !rests {
			s.db.emit(ctx, tx, scope, records...)
		}
		return insertReflection(tx, scope, next, memory.Key{}, new(int64))
	})
	return made && err == nil, s.db.failed(ctx, "gather events", err)
}

// Scopes implements reflection.Store.
func (s *Reflections) Scopes(ctx context.Context, after memory.Scope, limit int) ([]memory.Scope, error) {
	scopes, err := s.db.scopes(ctx, `SELECT tenant, project FROM reflection_gatherings WHERE (tenant, project) > ($1, $2)
		ORDER BY tenant, project LIMIT $3`, after, limit)
	return scopes, s.db.failed(ctx, "list gathering scopes", err)
}
