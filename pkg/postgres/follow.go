package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ memory.Watermarks = (*DB)(nil)

// Project runs do alone for the scope and name, in whatever process. The lock is a lease in the database: do runs outside
// any transaction, so it keeps no writer waiting and no connection busy.
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
	var by string
	err = d.amend(ctx, scope, func(s *session) error {
		s.exec(`INSERT INTO projections AS p (tenant, project, name, seq, holder, held_until)
			VALUES ($1, $2, $3, 0, $4, rae_now() + $5::interval) ON CONFLICT (tenant, project, name) DO UPDATE
			SET holder = excluded.holder, held_until = excluded.held_until WHERE p.held_until <= rae_now()`,
			scope.Tenant, scope.Project, name, holder, memory.ProjectFor)
		return s.row(`SELECT seq, holder FROM projections WHERE tenant = $1 AND project = $2 AND name = $3`,
			[]any{scope.Tenant, scope.Project, name}, &after, &by)
	})
	if err != nil {
		return 0, false, d.failed(ctx, "lock a projection of "+scope.String(), err)
	}
	return after, by == holder, nil
}

// release gives the lock back and keeps the mark, if there is one to keep.
func (d *DB) release(ctx context.Context, scope memory.Scope, name, holder string, seq *memory.Seq) error {
	var kept int64
	err := d.amend(ctx, scope, func(s *session) error {
		s.affect(&kept, `UPDATE projections SET seq = coalesce($5, seq), holder = '', held_until = '-infinity'
			WHERE tenant = $1 AND project = $2 AND name = $3 AND holder = $4`,
			scope.Tenant, scope.Project, name, holder, (*int64)(seq))
		return nil
	})
	if err == nil && kept == 0 {
		return fault.New(fault.Conflict, "the projection was erased or taken over while it was being made")
	}
	return d.failed(ctx, "keep the mark of a projection of "+scope.String(), err)
}

// Projected returns the standing mark.
func (d *DB) Projected(ctx context.Context, scope memory.Scope, name string) (seq memory.Seq, err error) {
	err = d.view(ctx, scope, func(s *session) error {
		err := s.row(`SELECT seq FROM projections WHERE tenant = $1 AND project = $2 AND name = $3`,
			[]any{scope.Tenant, scope.Project, name}, &seq)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return seq, d.failed(ctx, "read the mark of a projection of "+scope.String(), err)
}
