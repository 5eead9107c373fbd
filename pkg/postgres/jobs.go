package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

var _ job.Store = (*Jobs)(nil)

// Jobs keeps jobs in the same database as the memories and the outbox.
type Jobs struct{ db *DB }

// NewJobs returns the jobs of the store.
func NewJobs(db *DB) *Jobs { return &Jobs{db: db} }

// standingJob is a row as it was read, and when.
type standingJob struct {
	job.Row
	now time.Time
}

const (
	jobColumns = `id::text, kind, status, due_at, fence, arguments, cursor, fingerprint, body, rae_now()`
	jobByID    = `SELECT ` + jobColumns + ` FROM jobs WHERE tenant = $1 AND project = $2 AND id = $3`
	jobByKey   = `SELECT ` + jobColumns + ` FROM jobs WHERE tenant = $1 AND project = $2 AND route = $3 AND key = $4 AND key <> ''`
)

func noJob() error { return fault.New(fault.NotFound, "the job does not exist") }

// scanJob reads the columns above. The body has what is in none of them.
func scanJob(rows pgx.Rows, scope memory.Scope) (*standingJob, error) {
	var row, columns standingJob
	var arguments, cursor, body string
	err := rows.Scan(&columns.ID, &columns.Kind, &columns.Status, &row.Due, &row.Fence, &arguments, &cursor, &row.Fingerprint, &body, &row.now)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(body), &row.Job); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "decode a job")
	}
	row.TenantID, row.ProjectID = scope.Tenant, scope.Project
	row.ID, row.Kind, row.Status = columns.ID, columns.Kind, columns.Status
	row.Due, row.now = row.Due.UTC(), row.now.UTC()
	row.Arguments, row.Cursor = json.RawMessage(arguments), nil
	if cursor != "" {
		row.Cursor = json.RawMessage(cursor)
	}
	return &row, nil
}

// seekJob keeps back a question for one job of the scope; found is set when it is answered.
func (s *session) seekJob(found **standingJob, scope memory.Scope, query string, args ...any) {
	*found = nil
	s.ask(query, append([]any{scope.Tenant, scope.Project}, args...), func(rows pgx.Rows) (err error) {
		*found, err = scanJob(rows, scope)
		return err
	})
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

// Create implements job.Store.
func (s *Jobs) Create(
	ctx context.Context, scope memory.Scope, j job.Job, key memory.Key, records ...outbox.Record,
) (made job.Job, fresh bool, err error) {
	err = s.db.amend(ctx, scope, func(tx *session) error {
		var now time.Time
		if err := tx.row(`SELECT rae_now()`, nil, &now); err != nil {
			return err
		}
		row, err := job.Fresh(scope, j, now.UTC())
		if err != nil {
			return err
		}
		var added int64
		var stands *standingJob
		if err := insertJob(tx, &row, key, &added); err != nil {
			return err
		}
		tx.seekJob(&stands, scope, jobByKey, key.Route, key.Key)
		if err := tx.flush(); err != nil {
			return err
		}
		switch fresh = added == 1; {
		case fresh:
			made = row.Clone()
			s.db.emit(ctx, tx, scope, records...)
			return nil
		case stands == nil:
			return fault.New(fault.Conflict, "job %s exists", row.ID)
		case stands.Fingerprint != key.Fingerprint:
			return key.Reused()
		}
		made = stands.Job
		return nil
	})
	if err != nil {
		return job.Job{}, false, s.db.failed(ctx, "create a job", err)
	}
	return made, fresh, nil
}

// insertJob keeps back a new row, unless one stands under its key or its id.
func insertJob(tx *session, row *job.Row, key memory.Key, added *int64) error {
	if key.Key == "" {
		key = memory.Key{}
	}
	body, err := encodeJob(row)
	if err != nil {
		return err
	}
	tx.affect(added, `INSERT INTO jobs
		(tenant, project, id, kind, status, due_at, fence, arguments, cursor, route, key, fingerprint, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING`,
		row.TenantID, row.ProjectID, string(row.ID), row.Kind, string(row.Status), row.Due, row.Fence, string(row.Arguments),
		string(row.Cursor), key.Route, key.Key, key.Fingerprint, body)
	return nil
}

// Get implements job.Store.
func (s *Jobs) Get(ctx context.Context, scope memory.Scope, id memory.ID) (job.Job, error) {
	if !isUUID(id) {
		return job.Job{}, noJob()
	}
	var stands *standingJob
	err := s.db.view(ctx, scope, func(tx *session) error {
		tx.seekJob(&stands, scope, jobByID, string(id))
		return tx.flush()
	})
	switch {
	case err != nil:
		return job.Job{}, s.db.failed(ctx, "read a job", err)
	case stands == nil:
		return job.Job{}, noJob()
	}
	return stands.Job, nil
}

// List implements job.Store.
func (s *Jobs) List(ctx context.Context, scope memory.Scope, q job.Query) (job.Page, error) {
	after, err := cursorOf(q.After)
	if err != nil {
		return job.Page{}, err
	}
	const query = `SELECT ` + jobColumns + ` FROM jobs WHERE tenant = $1 AND project = $2
		AND ($3::uuid IS NULL OR jobs.id < $3) AND ($4 = '' OR kind = $4) AND ($5 = '' OR status = $5) ORDER BY jobs.id DESC LIMIT $6`
	var page job.Page
	err = s.db.view(ctx, scope, func(tx *session) error {
		page = job.Page{Jobs: []job.Job{}}
		args := []any{scope.Tenant, scope.Project, after, q.Kind, string(q.Status), q.Limit + 1}
		return tx.rows(query, args, func(rows pgx.Rows) error {
			row, err := scanJob(rows, scope)
			if err == nil {
				page.Jobs = append(page.Jobs, row.Job)
			}
			return err
		})
	})
	if err != nil {
		return job.Page{}, s.db.failed(ctx, "list jobs", err)
	}
	if len(page.Jobs) > q.Limit {
		page.Jobs = page.Jobs[:q.Limit]
		page.Next = page.Jobs[q.Limit-1].ID
	}
	return page, nil
}

// Claim implements job.Store.
func (s *Jobs) Claim(ctx context.Context, scope memory.Scope, id memory.ID, lease time.Duration) (claim job.Claim, err error) {
	_, err = s.change(ctx, scope, id, nil, func(row *job.Row, now time.Time) (err error) {
		claim, err = row.Claim(now, lease)
		return err
	})
	return claim, err
}

// Next implements job.Store. The partial index of open ones finds what has been due longest.
func (s *Jobs) Next(ctx context.Context, kinds []string, lease time.Duration) (claim job.Claim, found bool, err error) {
	take := func(c work) (err error) {
		claim, err = s.Claim(ctx, c.scope, c.id, lease)
		if kind := fault.KindOf(err); err != nil && (kind == fault.Conflict || kind == fault.NotFound) {
			return errTaken
		}
		return err
	}
	found, err = s.db.claimNext(ctx, take, `SELECT tenant, project, id::text FROM jobs WHERE status IN ('queued', 'running', 'parked')
		AND due_at <= rae_now() AND kind = ANY($2) ORDER BY due_at, jobs.id LIMIT $1`, append([]string{}, kinds...))
	if err != nil || !found {
		return job.Claim{}, false, err
	}
	return claim, true, nil
}

// Save implements job.Store.
func (s *Jobs) Save(
	ctx context.Context, scope memory.Scope, id memory.ID, fence int64, step job.Step, lease time.Duration, records ...outbox.Record,
) error {
	_, err := s.change(ctx, scope, id, records, func(row *job.Row, now time.Time) error { return row.Save(fence, step, now, lease) })
	return err
}

// Finish implements job.Store.
func (s *Jobs) Finish(
	ctx context.Context, scope memory.Scope, id memory.ID, fence int64, end job.End, records ...outbox.Record,
) (job.Job, error) {
	return s.change(ctx, scope, id, records, func(row *job.Row, now time.Time) error { return row.Finish(fence, end, now) })
}

// Cancel implements job.Store.
func (s *Jobs) Cancel(ctx context.Context, scope memory.Scope, id memory.ID) (job.Job, error) {
	return s.change(ctx, scope, id, nil, func(row *job.Row, now time.Time) error {
		_, err := row.Cancel(now)
		return err
	})
}

// Unpark implements job.Store.
func (s *Jobs) Unpark(ctx context.Context, scope memory.Scope, id memory.ID, records ...outbox.Record) (job.Job, error) {
	return s.change(ctx, scope, id, records, func(row *job.Row, now time.Time) error { return row.Unpark(now) })
}

// Sweep implements job.Store.
func (s *Jobs) Sweep(ctx context.Context, kept time.Duration, limit int) (int, error) {
	var swept int64
	err := s.db.system(ctx, func(tx *session) error {
		tx.affect(&swept, `DELETE FROM jobs WHERE (tenant, project, id) IN (SELECT tenant, project, id FROM jobs
			WHERE status IN ('succeeded', 'failed', 'cancelled') AND due_at < rae_now() - $1::interval LIMIT $2)`, kept, limit)
		return tx.flush()
	})
	return int(swept), s.db.failed(ctx, "sweep jobs", err)
}

// change locks a job, takes it through do, and stores what comes of it with the records.
func (s *Jobs) change(
	ctx context.Context, scope memory.Scope, id memory.ID, records []outbox.Record, do func(*job.Row, time.Time) error,
) (changed job.Job, err error) {
	if !isUUID(id) {
		return job.Job{}, noJob()
	}
	err = s.db.amend(ctx, scope, func(tx *session) error {
		var stands *standingJob
		tx.seekJob(&stands, scope, jobByID+` FOR UPDATE`, string(id))
		if err := tx.flush(); err != nil {
			return err
		}
		if stands == nil {
			return noJob()
		}
		row := &stands.Row
		if err := do(row, stands.now); err != nil {
			return err
		}
		body, err := encodeJob(row)
		if err != nil {
			return err
		}
		tx.exec(`UPDATE jobs SET status = $4, due_at = $5, fence = $6, cursor = $7, body = $8 WHERE tenant = $1 AND project = $2 AND id = $3`,
			scope.Tenant, scope.Project, string(id), string(row.Status), row.Due, row.Fence, string(row.Cursor), body)
		s.db.emit(ctx, tx, scope, records...)
		changed = row.Clone()
		return nil
	})
	if err != nil {
		return job.Job{}, s.db.failed(ctx, "change a job", err)
	}
	return changed, nil
}
