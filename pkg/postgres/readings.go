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

// Await implements reflection.Store. Those who tell of one owner take turns.
func (s *Reflections) Await(
	ctx context.Context, scope memory.Scope, w reflection.Waiting, next reflection.Reflection, records ...outbox.Record,
) (dealt int, err error) {
	err = s.db.amend(ctx, scope, func(tx *session) error {
		var open memory.ID
		waiting := 0
		tx.exec(`SELECT pg_advisory_xact_lock(hashtextextended(length($1)::text || ':' || $1 || length($2)::text || ':' || $2 || $3, 7))`, scope.Tenant, scope.Project, w.Owner)
		err := tx.row(`SELECT r.id::text, (SELECT count(*) FROM reflection_readings n WHERE n.tenant = $1 AND n.project = $2 AND n.owner = $3
				AND n.reflection = r.id AND n.edition = '') FROM reflection_readings w JOIN reflections r
			ON r.tenant = w.tenant AND r.project = w.project AND r.id = w.reflection
			WHERE w.tenant = $1 AND w.project = $2 AND w.owner = $3 AND w.edition = '' AND r.status = 'queued' ORDER BY w.reflection DESC LIMIT 1`,
			[]any{scope.Tenant, scope.Project, w.Owner}, &open, &waiting)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("find what memories wait for: %w", err)
		}
		if waiting >= w.Full || err != nil {
			open, waiting = next.ID, 0
		}
		standing := map[memory.ID]int{}
		err = tx.rows(`SELECT id::text, version FROM reflection_readings WHERE tenant = $1 AND project = $2 AND id = ANY ($3::text[]::uuid[])`,
			[]any{scope.Tenant, scope.Project, column(w.Memories, func(r reflection.Reading) string { return string(r.Memory) })}, func(rows pgx.Rows) error {
				var id memory.ID
				var version int
				err := rows.Scan(&id, &version)
				standing[id] = version
				return err
			})
		if err != nil {
			return err
		}
		var fresh []reflection.Reading
		fresh, dealt = w.Fresh(w.Full-waiting, func(id memory.ID) int { return standing[id] })
		if len(fresh) == 0 {
			return nil
		}
		if open == next.ID {
			if err := insertReflection(tx, scope, next, memory.Key{}, new(int64)); err != nil {
				return err
			}
		}
		tx.exec(`INSERT INTO reflection_readings (tenant, project, id, version, edition, owner, reflection)
			SELECT DISTINCT ON (m.id) $1, $2, m.id, m.version, '', $3, $4::text::uuid FROM unnest($5::text[]::uuid[], $6::int[]) m(id, version) ORDER BY m.id, m.version DESC
			ON CONFLICT (tenant, project, id) DO UPDATE SET version = excluded.version, edition = '', owner = excluded.owner, reflection = excluded.reflection`,
			scope.Tenant, scope.Project, w.Owner, string(open), column(fresh, func(r reflection.Reading) string { return string(r.Memory) }),
			column(fresh, func(r reflection.Reading) int32 { return int32(r.Version) })) //nolint:gosec // versions are counted one by one
		if waiting+len(fresh) >= w.Full {
			tx.exec(`UPDATE reflections SET leased_to = '-infinity' WHERE tenant = $1 AND project = $2 AND id = $3`, scope.Tenant, scope.Project, string(open))
			s.db.emit(ctx, tx, scope, records...)
		}
		return nil
	})
	if err != nil {
		return 0, s.db.failed(ctx, "have memories wait to be read", err)
	}
	return dealt, nil
}

// Assigned implements reflection.Store.
func (s *Reflections) Assigned(ctx context.Context, scope memory.Scope, id memory.ID) ([]reflection.Reading, error) {
	return s.readings(ctx, scope, `reflection = $3::text::uuid AND edition = ''`, string(id))
}

// Read implements reflection.Store.
func (s *Reflections) Read(ctx context.Context, scope memory.Scope, ids []memory.ID) ([]reflection.Reading, error) {
	return s.readings(ctx, scope, `id = ANY ($3::text[]::uuid[])`, column(ids, func(id memory.ID) string { return string(id) }))
}

func (s *Reflections) readings(ctx context.Context, scope memory.Scope, where string, arg any) ([]reflection.Reading, error) {
	all := []reflection.Reading{}
	err := s.db.view(ctx, scope, func(tx *session) error {
		all = all[:0]
		return tx.rows(`SELECT id::text, version, edition FROM reflection_readings WHERE tenant = $1 AND project = $2 AND `+where+` ORDER BY id`,
			[]any{scope.Tenant, scope.Project, arg}, func(rows pgx.Rows) error {
				var r reflection.Reading
				err := rows.Scan(&r.Memory, &r.Version, &r.Edition)
				all = append(all, r)
				return err
			})
	})
	if err != nil {
		return nil, s.db.failed(ctx, "read what has been read", err)
	}
	return all, nil
}

// MarkRead implements reflection.Store.
func (s *Reflections) MarkRead(ctx context.Context, scope memory.Scope, all []reflection.Reading) error {
	err := s.db.amend(ctx, scope, func(tx *session) error {
		tx.exec(`INSERT INTO reflection_readings AS r (tenant, project, id, version, edition, owner, reflection)
			SELECT DISTINCT ON (m.id) $1, $2, m.id, m.version, m.edition, '', NULL FROM unnest($3::text[]::uuid[], $4::int[], $5::text[]) m(id, version, edition)
			ORDER BY m.id, m.version DESC ON CONFLICT (tenant, project, id) DO UPDATE SET version = excluded.version, edition = excluded.edition, owner = '',
			reflection = NULL WHERE r.version <= excluded.version`, scope.Tenant, scope.Project,
			column(all, func(r reflection.Reading) string { return string(r.Memory) }),
			column(all, func(r reflection.Reading) int32 { return int32(r.Version) }), //nolint:gosec // versions are counted one by one
			column(all, func(r reflection.Reading) string { return r.Edition }))
		return nil
	})
	return s.db.failed(ctx, "mark memories as read", err)
}

// Unmark implements reflection.Store.
func (s *Reflections) Unmark(ctx context.Context, scope memory.Scope, id memory.ID) error {
	err := s.db.amend(ctx, scope, func(tx *session) error {
		tx.exec(`DELETE FROM reflection_readings WHERE tenant = $1 AND project = $2 AND id = $3::text::uuid`, scope.Tenant, scope.Project, string(id))
		return nil
	})
	return s.db.failed(ctx, "forget what has been read", err)
}
