package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

var _ job.Store = (*Jobs)(nil)

// Jobs keeps jobs in the same file as the memories and the outbox.
type Jobs struct{ db *DB }

// NewJobs returns the jobs of the store.
func NewJobs(db *DB) *Jobs { return &Jobs{db: db} }

const jobColumns = `tenant, project, kind, status, due_at, fence, arguments, cursor, fingerprint, body`

// scanJob reads the columns above.
func scanJob(scan func(...any) error) (row job.Row, err error) {
	var scope memory.Scope
	var kind, status, arguments, cursor, body string
	var due int64
	if err := scan(&scope.Tenant, &scope.Project, &kind, &status, &due, &row.Fence, &arguments, &cursor, &row.Fingerprint, &body); err != nil {
		return row, err
	}
	if err := json.Unmarshal([]byte(body), &row.Job); err != nil {
		return row, fault.Wrap(fault.Internal, err, "decode a job")
	}
	row.TenantID, row.ProjectID, row.Kind, row.Status = scope.Tenant, scope.Project, kind, job.Status(status)
	row.Due, row.Arguments, row.Cursor = instant(due), json.RawMessage(arguments), nil
	if cursor != "" {
		row.Cursor = json.RawMessage(cursor)
	}
	return row, nil
}

// encodeJob is what of a job is in no column of its own.
func encodeJob(row *job.Row) (string, error) {
	rest := row.Job
	rest.Arguments, rest.Cursor = nil, nil
	body, err := json.Marshal(rest)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "encode job %s", row.ID)
	}
	return string(body), nil
}

// jobBy reads one job of the scope: where is the rest of the condition.
func jobBy(ctx context.Context, q querier, scope memory.Scope, where string, args ...any) (job.Row, error) {
	query := "SELECT " + jobColumns + " FROM jobs WHERE tenant = ? AND project = ? AND " + where
	row, err := scanJob(q.QueryRowContext(ctx, query, append([]any{scope.Tenant, scope.Project}, args...)...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return row, fault.New(fault.NotFound, "the job does not exist")
	}
	if err != nil {
		return row, fmt.Errorf("read job: %w", err)
	}
	return row, nil
}

// Create implements job.Store.
func (s *Jobs) Create(ctx context.Context, scope memory.Scope, j job.Job, key memory.Key, records ...outbox.Record) (made job.Job, fresh bool, err error) {
	err = s.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		fresh = false
		if key.Key != "" {
			standing, err := jobBy(ctx, tx, scope, "route = ? AND key = ? AND key <> ''", key.Route, key.Key)
			switch {
			case err == nil && standing.Fingerprint != key.Fingerprint:
				return key.Reused()
			case err == nil:
				made = standing.Job
				return nil
			case fault.KindOf(err) != fault.NotFound:
				return err
			}
		}
		row, err := job.Fresh(scope, j, s.db.now())
		if err != nil {
			return err
		}
		made, fresh = row.Clone(), true
		if err := s.insert(ctx, tx, row, key); err != nil {
			return err
		}
		return s.db.emitAll(ctx, tx, scope, records)
	})
	if err != nil {
		return job.Job{}, false, err
	}
	return made, fresh, nil
}

// insert writes a new row. Conflict when its id stands.
func (s *Jobs) insert(ctx context.Context, tx *sql.Tx, row job.Row, key memory.Key) error {
	if key.Key == "" {
		key = memory.Key{}
	}
	body, err := encodeJob(&row)
	if err != nil {
		return err
	}
	const insert = `INSERT INTO jobs
		(tenant, project, id, kind, status, due_at, fence, arguments, cursor, route, key, fingerprint, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, project, id) DO NOTHING`
	result, err := tx.ExecContext(ctx, insert, row.TenantID, row.ProjectID, row.ID, row.Kind, row.Status, micros(row.Due), row.Fence,
		string(row.Arguments), string(row.Cursor), key.Route, key.Key, key.Fingerprint, body)
	if err != nil {
		return fmt.Errorf("insert job %s: %w", row.ID, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, fault.New(fault.Conflict, "job %s exists", row.ID))
	}
	return nil
}

// update writes a standing row anew.
func (s *Jobs) update(ctx context.Context, tx *sql.Tx, row *job.Row) error {
	body, err := encodeJob(row)
	if err != nil {
		return err
	}
	const update = `UPDATE jobs SET status = ?, due_at = ?, fence = ?, cursor = ?, body = ? WHERE tenant = ? AND project = ? AND id = ?`
	if _, err := tx.ExecContext(ctx, update, row.Status, micros(row.Due), row.Fence, string(row.Cursor), body,
		row.TenantID, row.ProjectID, row.ID); err != nil {
		return fmt.Errorf("update job %s: %w", row.ID, err)
	}
	return nil
}

// Get implements job.Store.
func (s *Jobs) Get(ctx context.Context, scope memory.Scope, id memory.ID) (job.Job, error) {
	db, err := s.db.read(ctx)
	if err != nil {
		return job.Job{}, err
	}
	row, err := jobBy(ctx, db, scope, "id = ?", id)
	if err != nil {
		return job.Job{}, classify(ctx, err)
	}
	return row.Job, nil
}

// List implements job.Store.
func (s *Jobs) List(ctx context.Context, scope memory.Scope, q job.Query) (job.Page, error) {
	db, err := s.db.read(ctx)
	if err != nil {
		return job.Page{}, err
	}
	const query = "SELECT " + jobColumns + ` FROM jobs WHERE tenant = ? AND project = ?
		AND (? = '' OR id < ?) AND (? = '' OR kind = ?) AND (? = '' OR status = ?) ORDER BY id DESC LIMIT ?`
	rows, err := db.QueryContext(ctx, query, scope.Tenant, scope.Project, q.After, q.After, q.Kind, q.Kind, q.Status, q.Status, q.Limit+1)
	if err != nil {
		return job.Page{}, classify(ctx, fmt.Errorf("list jobs: %w", err))
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	page := job.Page{Jobs: []job.Job{}}
	for rows.Next() {
		row, err := scanJob(rows.Scan)
		if err != nil {
			return job.Page{}, classify(ctx, fmt.Errorf("list jobs: %w", err))
		}
		page.Jobs = append(page.Jobs, row.Job)
	}
	if err := rows.Err(); err != nil {
		return job.Page{}, classify(ctx, fmt.Errorf("list jobs: %w", err))
	}
	if len(page.Jobs) > q.Limit {
		page.Jobs = page.Jobs[:q.Limit]
		page.Next = page.Jobs[q.Limit-1].ID
	}
	return page, nil
}

// Claim implements job.Store.
func (s *Jobs) Claim(ctx context.Context, scope memory.Scope, id memory.ID, lease time.Duration) (claim job.Claim, err error) {
	_, err = s.change(ctx, scope, id, nil, func(row *job.Row) (err error) {
		claim, err = row.Claim(s.db.now(), lease)
		return err
	})
	return claim, err
}

// The job that has been due longest, found by the partial index of open ones; kinds are a JSON list.
const nextJob = "SELECT " + jobColumns + ` FROM jobs WHERE status IN ('queued', 'running', 'parked') AND due_at <= ?
	AND kind IN (SELECT value FROM json_each(?)) ORDER BY due_at, id LIMIT 1`

// Next implements job.Store.
func (s *Jobs) Next(ctx context.Context, kinds []string, lease time.Duration) (claim job.Claim, found bool, err error) {
	wanted, err := json.Marshal(append([]string{}, kinds...))
	if err != nil {
		return job.Claim{}, false, fault.Wrap(fault.Internal, err, "encode kinds")
	}
	db, err := s.db.read(ctx)
	if err != nil {
		return job.Claim{}, false, err
	}
	// Most looks find nothing; those need no turn among the writers.
	_, err = scanJob(db.QueryRowContext(ctx, nextJob, micros(s.db.now()), string(wanted)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return job.Claim{}, false, nil
	}
	if err != nil {
		return job.Claim{}, false, classify(ctx, fmt.Errorf("look for due jobs: %w", err))
	}
	err = s.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		now := s.db.now()
		row, err := scanJob(tx.QueryRowContext(ctx, nextJob, micros(now), string(wanted)).Scan)
		if found = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("find the next job: %w", err)
		}
		if claim, err = row.Claim(now, lease); err != nil {
			return err
		}
		return s.update(ctx, tx, &row)
	})
	if err != nil {
		return job.Claim{}, false, err
	}
	return claim, found, nil
}

// Save implements job.Store.
func (s *Jobs) Save(
	ctx context.Context, scope memory.Scope, id memory.ID, fence int64, step job.Step, lease time.Duration, records ...outbox.Record,
) error {
	_, err := s.change(ctx, scope, id, records, func(row *job.Row) error { return row.Save(fence, step, s.db.now(), lease) })
	return err
}

// Finish implements job.Store.
func (s *Jobs) Finish(
	ctx context.Context, scope memory.Scope, id memory.ID, fence int64, end job.End, records ...outbox.Record,
) (job.Job, error) {
	return s.change(ctx, scope, id, records, func(row *job.Row) error { return row.Finish(fence, end, s.db.now()) })
}

// Cancel implements job.Store.
func (s *Jobs) Cancel(ctx context.Context, scope memory.Scope, id memory.ID) (job.Job, error) {
	return s.change(ctx, scope, id, nil, func(row *job.Row) error {
		_, err := row.Cancel(s.db.now())
		return err
	})
}

// Unpark implements job.Store.
func (s *Jobs) Unpark(ctx context.Context, scope memory.Scope, id memory.ID, records ...outbox.Record) (job.Job, error) {
	return s.change(ctx, scope, id, records, func(row *job.Row) error { return row.Unpark(s.db.now()) })
}

// Sweep implements job.Store.
func (s *Jobs) Sweep(ctx context.Context, kept time.Duration, limit int) (swept int, err error) {
	before := micros(s.db.now().Add(-kept))
	db, err := s.db.read(ctx)
	if err != nil {
		return 0, err
	}
	// Most looks find nothing; those need no turn among the writers.
	var old bool
	err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM jobs WHERE `+endedBefore+`)`, before).Scan(&old)
	if err != nil || !old {
		return 0, classify(ctx, err)
	}
	err = s.db.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(context.WithoutCancel(ctx), `DELETE FROM jobs WHERE rowid IN
			(SELECT rowid FROM jobs WHERE `+endedBefore+` LIMIT ?)`, before, limit)
		if err != nil {
			return fmt.Errorf("sweep jobs: %w", err)
		}
		n, err := result.RowsAffected()
		swept = int(n)
		return err
	})
	return swept, err
}

// endedBefore is the condition of the index of jobs that have ended.
const endedBefore = `status IN ('succeeded', 'failed', 'cancelled') AND due_at < ?`

// change takes a job through do and stores what comes of it with the records.
func (s *Jobs) change(
	ctx context.Context, scope memory.Scope, id memory.ID, records []outbox.Record, do func(*job.Row) error,
) (changed job.Job, err error) {
	err = s.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		row, err := jobBy(ctx, tx, scope, "id = ?", id)
		if err != nil {
			return err
		}
		if err := do(&row); err != nil {
			return err
		}
		if err := s.update(ctx, tx, &row); err != nil {
			return err
		}
		changed = row.Clone()
		return s.db.emitAll(ctx, tx, scope, records)
	})
	if err != nil {
		return job.Job{}, err
	}
	return changed, nil
}
