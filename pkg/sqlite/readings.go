package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

// Await implements reflection.Store.
func (s *Reflections) Await(
	ctx context.Context, scope memory.Scope, w reflection.Waiting, next reflection.Reflection, records ...outbox.Record,
) (dealt int, err error) {
	err = s.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		const newest = `SELECT r.id, (SELECT count(*) FROM reflection_readings n WHERE n.tenant = r.tenant AND n.project = r.project AND n.owner = w.owner
				AND n.reflection = r.id AND n.edition = '') FROM reflection_readings w JOIN reflections r
			ON r.tenant = w.tenant AND r.project = w.project AND r.id = w.reflection
			WHERE w.tenant = ? AND w.project = ? AND w.owner = ? AND w.edition = '' AND r.status = 'queued' ORDER BY w.reflection DESC LIMIT 1`
		var open memory.ID
		waiting := 0
		err := tx.QueryRowContext(ctx, newest, scope.Tenant, scope.Project, w.Owner).Scan(&open, &waiting)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("find what memories wait for: %w", err)
		}
		if waiting >= w.Full || err != nil {
			open, waiting = next.ID, 0
		}
		standing, err := standingReadings(ctx, tx, scope, w.Memories)
		if err != nil {
			return err
		}
		var fresh []reflection.Reading
		fresh, dealt = w.Fresh(w.Full-waiting, func(id memory.ID) int { return standing[id] })
		if len(fresh) == 0 {
			return nil
		}
		if open == next.ID {
			if err := s.insert(ctx, tx, scope, next, memory.Key{}); err != nil {
				return err
			}
		}
		const wait = `INSERT INTO reflection_readings (tenant, project, id, version, edition, owner, reflection) VALUES (?, ?, ?, ?, '', ?, ?)
			ON CONFLICT (tenant, project, id) DO UPDATE SET version = excluded.version, edition = '', owner = excluded.owner, reflection = excluded.reflection`
		for _, m := range fresh {
			if _, err := tx.ExecContext(ctx, wait, scope.Tenant, scope.Project, m.Memory, m.Version, w.Owner, open); err != nil {
				return fmt.Errorf("have a memory wait: %w", err)
			}
		}
		if waiting+len(fresh) < w.Full {
			return nil
		}
		const due = `UPDATE reflections SET leased_to = 0 WHERE tenant = ? AND project = ? AND id = ?`
		if _, err := tx.ExecContext(ctx, due, scope.Tenant, scope.Project, open); err != nil {
			return fmt.Errorf("have a reflection due: %w", err)
		}
		return s.db.emitAll(ctx, tx, scope, records)
	})
	if err != nil {
		return 0, err
	}
	return dealt, nil
}

// standingReadings are the versions of the memories that wait or have been read.
func standingReadings(ctx context.Context, tx *sql.Tx, scope memory.Scope, of []reflection.Reading) (map[memory.ID]int, error) {
	standing := map[memory.ID]int{}
	for _, m := range of {
		var version int
		err := tx.QueryRowContext(ctx, "SELECT version FROM reflection_readings WHERE tenant = ? AND project = ? AND id = ?", scope.Tenant, scope.Project, m.Memory).Scan(&version)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("read what has been read: %w", err)
		}
		standing[m.Memory] = version
	}
	return standing, nil
}

// Assigned implements reflection.Store.
func (s *Reflections) Assigned(ctx context.Context, scope memory.Scope, id memory.ID) ([]reflection.Reading, error) {
	return s.readings(ctx, scope, "reflection = ? AND edition = ''", id)
}

// Read implements reflection.Store.
func (s *Reflections) Read(ctx context.Context, scope memory.Scope, ids []memory.ID) ([]reflection.Reading, error) {
	if len(ids) == 0 {
		return []reflection.Reading{}, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return s.readings(ctx, scope, "id IN (?"+strings.Repeat(", ?", len(ids)-1)+")", args...)
}

func (s *Reflections) readings(ctx context.Context, scope memory.Scope, where string, args ...any) ([]reflection.Reading, error) {
	db, err := s.db.read(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT id, version, edition FROM reflection_readings WHERE tenant = ? AND project = ? AND "+where+" ORDER BY id",
		append([]any{scope.Tenant, scope.Project}, args...)...)
	if err != nil {
		return nil, classify(ctx, fmt.Errorf("read what has been read: %w", err))
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	all := []reflection.Reading{}
	for rows.Next() {
		var r reflection.Reading
		if err := rows.Scan(&r.Memory, &r.Version, &r.Edition); err != nil {
			return nil, classify(ctx, fmt.Errorf("read what has been read: %w", err))
		}
		all = append(all, r)
	}
	return all, classify(ctx, rows.Err())
}

// MarkRead implements reflection.Store.
func (s *Reflections) MarkRead(ctx context.Context, scope memory.Scope, all []reflection.Reading) error {
	return s.db.write(ctx, func(tx *sql.Tx) error {
		const mark = `INSERT INTO reflection_readings (tenant, project, id, version, edition, owner, reflection) VALUES (?, ?, ?, ?, ?, '', NULL)
			ON CONFLICT (tenant, project, id) DO UPDATE SET version = excluded.version, edition = excluded.edition, owner = '', reflection = NULL
			WHERE version <= excluded.version`
		for _, r := range all {
			if _, err := tx.ExecContext(context.WithoutCancel(ctx), mark, scope.Tenant, scope.Project, r.Memory, r.Version, r.Edition); err != nil {
				return fmt.Errorf("mark a memory as read: %w", err)
			}
		}
		return nil
	})
}

// Unmark implements reflection.Store.
func (s *Reflections) Unmark(ctx context.Context, scope memory.Scope, id memory.ID) error {
	return s.db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.WithoutCancel(ctx), "DELETE FROM reflection_readings WHERE tenant = ? AND project = ? AND id = ?", scope.Tenant, scope.Project, id)
		if err != nil {
			return fmt.Errorf("forget what has been read: %w", err)
		}
		return nil
	})
}
