package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

var (
	_ memory.Directory  = (*DB)(nil)
	_ memory.Watermarks = (*DB)(nil)
)

// Scopes lists the scopes that were written to.
func (d *DB) Scopes(ctx context.Context, after memory.Scope, limit int) ([]memory.Scope, error) {
	if limit < 1 {
		return nil, fault.BadField("query.limit", "must be positive")
	}
	db, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, `SELECT tenant, project FROM scopes WHERE (tenant, project) > (?, ?) AND head > 0
		ORDER BY tenant, project LIMIT ?`, after.Tenant, after.Project, limit)
	if err != nil {
		return nil, classify(ctx, fmt.Errorf("list scopes: %w", err))
	}
	defer rows.Close()
	var scopes []memory.Scope
	for rows.Next() {
		var s memory.Scope
		if err := rows.Scan(&s.Tenant, &s.Project); err != nil {
			return nil, classify(ctx, fmt.Errorf("list scopes: %w", err))
		}
		scopes = append(scopes, s)
	}
	return scopes, classify(ctx, rows.Err())
}

// Project runs do alone for the scope and name, in whatever process. The lock is a lease in the file: do runs outside
// any transaction, so it keeps no writer waiting.
func (d *DB) Project(ctx context.Context, scope memory.Scope, name string, do func(memory.Seq) (memory.Seq, error)) (memory.Seq, error) {
	holder := string(memory.NewID())
	after, held, err := d.hold(ctx, scope, name, holder)
	if err != nil || !held {
		return after, err
	}
	kept := false
	defer func() {
		if !kept { // do failed or panicked; a lock that cannot be given back runs out by itself
			_ = d.release(context.WithoutCancel(ctx), scope, name, holder, nil)
		}
	}()
	seq, err := do(after)
	if err != nil {
		return after, err
	}
	kept = true
	return seq, d.release(context.WithoutCancel(ctx), scope, name, holder, &seq)
}

// hold takes the lock and reads the mark; held is false when somebody else has the lock.
func (d *DB) hold(ctx context.Context, scope memory.Scope, name, holder string) (after memory.Seq, held bool, err error) {
	now := d.now()
	err = d.write(ctx, func(tx *sql.Tx) error {
		background := context.WithoutCancel(ctx)
		_, err := tx.ExecContext(background, `INSERT INTO projections (tenant, project, name, seq, holder, held_until)
			VALUES (?1, ?2, ?3, 0, ?4, ?5) ON CONFLICT (tenant, project, name) DO UPDATE
			SET holder = excluded.holder, held_until = excluded.held_until WHERE held_until <= ?6`,
			scope.Tenant, scope.Project, name, holder, micros(now.Add(memory.ProjectFor)), micros(now))
		if err != nil {
			return fmt.Errorf("lock projection %s of %s: %w", name, scope, err)
		}
		var by string
		err = tx.QueryRowContext(background, `SELECT seq, holder FROM projections WHERE tenant = ? AND project = ? AND name = ?`,
			scope.Tenant, scope.Project, name).Scan(&after, &by)
		held = by == holder
		return err
	})
	return after, held, err
}

// release gives the lock back and keeps the mark, if there is one to keep.
func (d *DB) release(ctx context.Context, scope memory.Scope, name, holder string, seq *memory.Seq) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE projections SET seq = coalesce(?1, seq), holder = '', held_until = 0
			WHERE tenant = ?2 AND project = ?3 AND name = ?4 AND holder = ?5`,
			seq, scope.Tenant, scope.Project, name, holder)
		if err != nil {
			return fmt.Errorf("keep the mark of projection %s of %s: %w", name, scope, err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return fault.New(fault.Conflict, "the projection was erased or taken over while it was being made")
	})
}

// Projected returns the standing mark.
func (d *DB) Projected(ctx context.Context, scope memory.Scope, name string) (memory.Seq, error) {
	db, err := d.read(ctx)
	if err != nil {
		return 0, err
	}
	var seq memory.Seq
	err = db.QueryRowContext(ctx, `SELECT seq FROM projections WHERE tenant = ? AND project = ? AND name = ?`,
		scope.Tenant, scope.Project, name).Scan(&seq)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, classify(ctx, fmt.Errorf("read the mark of projection %s of %s: %w", name, scope, err))
	}
	return seq, nil
}
