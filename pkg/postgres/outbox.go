package postgres

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

var _ outbox.Queue = (*DB)(nil)

// emit keeps back records for the outbox of the scope, in order. An ID, the time and the trace of the caller's request
// are given to those that have none.
func (d *DB) emit(caller context.Context, s *session, scope memory.Scope, records ...outbox.Record) {
	if len(records) == 0 {
		return
	}
	trace := ""
	if d.options.TraceParent != nil {
		trace = d.options.TraceParent(caller)
	}
	s.announced = true
	s.exec(`INSERT INTO outbox (id, type, tenant, project, subject, data, written_at, traceparent)
		SELECT r.id, r.type, $1, $2, r.subject, r.data, coalesce(r.written_at, rae_now()), r.traceparent
		FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::timestamptz[], $8::text[])
		WITH ORDINALITY r(id, type, subject, data, written_at, traceparent, place) ORDER BY r.place`,
		scope.Tenant, scope.Project,
		column(records, func(r outbox.Record) pgtype.UUID {
			if r.ID == "" {
				return uuidOf(memory.NewID())
			}
			return uuidOf(r.ID)
		}),
		column(records, func(r outbox.Record) string { return r.Type }),
		column(records, func(r outbox.Record) string { return r.Subject }),
		column(records, func(r outbox.Record) []byte { return r.Data }),
		column(records, func(r outbox.Record) *time.Time {
			if r.Time.IsZero() {
				return nil
			}
			return &r.Time
		}),
		column(records, func(r outbox.Record) string { return cmp.Or(r.TraceParent, trace) }))
}

const recordColumns = `id::text, type, tenant, project, subject, data, written_at, traceparent, attempts, reason`

// claimRecords leases up to $1 due records for $2, oldest first. A later record of a subject waits for every earlier one,
// claimed or not. Two relays take different ones (SKIP LOCKED): a subject's first record that another relay is just
// taking is skipped, and its later ones are not first. Those never claimed and those due again are each read in the order
// of the index on due_at, so that a hundred thousand others, waiting, cost nothing.
const claimRecords = `WITH fresh AS MATERIALIZED (
		SELECT o.position FROM outbox o WHERE o.due_at = '-infinity'` + firstOfSubject + `
		ORDER BY o.position LIMIT $1 FOR UPDATE SKIP LOCKED
	), again AS MATERIALIZED (
		SELECT o.position FROM outbox o WHERE o.due_at > '-infinity' AND o.due_at <= rae_now()` + firstOfSubject + `
		ORDER BY o.due_at LIMIT $1 FOR UPDATE SKIP LOCKED
	), due AS MATERIALIZED (
		SELECT position FROM fresh UNION ALL SELECT position FROM again ORDER BY position LIMIT $1
	), claimed AS (
		UPDATE outbox o SET due_at = rae_now() + $2::interval FROM due WHERE o.position = due.position RETURNING o.*
	) SELECT ` + recordColumns + ` FROM claimed ORDER BY position`

const firstOfSubject = ` AND (o.subject = '' OR NOT EXISTS (SELECT 1 FROM outbox e
	WHERE e.tenant = o.tenant AND e.project = o.project AND e.subject = o.subject AND e.position < o.position))`

// Claim leases the oldest due records, one of each subject at most.
func (d *DB) Claim(ctx context.Context, limit int, lease time.Duration) ([]outbox.Record, error) {
	if limit < 1 {
		return nil, nil
	}
	var claimed []outbox.Record
	err := d.system(ctx, func(s *session) (err error) {
		claimed, err = s.records(claimRecords, limit, lease)
		return err
	})
	return claimed, d.failed(ctx, "claim records", err)
}

// records reads rows of recordColumns.
func (s *session) records(query string, args ...any) (records []outbox.Record, err error) {
	err = s.rows(query, args, func(rows pgx.Rows) error {
		var r outbox.Record
		err := rows.Scan(&r.ID, &r.Type, &r.Tenant, &r.Project, &r.Subject, &r.Data, &r.Time, &r.TraceParent, &r.Attempts, &r.Reason)
		r.Time = r.Time.UTC()
		records = append(records, r)
		return err
	})
	return records, err
}

// Done removes sent records.
func (d *DB) Done(ctx context.Context, ids []string) error {
	ids = onlyUUIDs(ids)
	if len(ids) == 0 {
		return nil
	}
	return d.relayed(ctx, "remove records", `DELETE FROM outbox WHERE id = ANY($1::uuid[])`, ids)
}

// Retry makes a record due after the wait and counts the attempt. An unknown id is ignored.
func (d *DB) Retry(ctx context.Context, id string, wait time.Duration, reason string) error {
	return d.relayed(ctx, "postpone a record", `UPDATE outbox SET due_at = rae_now() + $2::interval, attempts = attempts + 1,
		reason = $3 WHERE id = ANY($1::uuid[])`, onlyUUIDs([]string{id}), wait, reason)
}

// Bury moves a record to the dead letters and counts the attempt. An unknown id is ignored.
func (d *DB) Bury(ctx context.Context, id string, reason string) error {
	return d.relayed(ctx, "bury a record", `WITH buried AS (DELETE FROM outbox WHERE id = ANY($1::uuid[]) RETURNING *)
		INSERT INTO dead_letters (id, type, tenant, project, subject, data, written_at, traceparent, attempts, reason)
		SELECT id, type, tenant, project, subject, data, written_at, traceparent, attempts + 1, $2 FROM buried`,
		onlyUUIDs([]string{id}), reason)
}

// Inter puts a record that has been sent to the dead letters.
func (d *DB) Inter(ctx context.Context, r outbox.Record, reason string) error {
	if !isUUID(memory.ID(r.ID)) {
		return outbox.NotOurs()
	}
	err := d.system(ctx, func(s *session) error {
		var before string
		s.exec(`SELECT pg_advisory_xact_lock(hashtextextended($1, 4))`, r.ID) // two subscriptions may refuse it at once
		switch err := s.row(`SELECT reason FROM dead_letters WHERE id = $1::uuid`, []any{r.ID}, &before); {
		case err == nil:
			s.exec(`UPDATE dead_letters SET reason = $2 WHERE id = $1::uuid`, r.ID, outbox.AlsoBecause(before, reason))
		case errors.Is(err, pgx.ErrNoRows):
			s.exec(`INSERT INTO dead_letters (id, type, tenant, project, subject, data, written_at, traceparent, attempts, reason)
				VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
				r.ID, r.Type, r.Tenant, r.Project, r.Subject, r.Data, r.Time, r.TraceParent, r.Attempts+1, reason)
		default:
			return err
		}
		return nil
	})
	return d.failed(ctx, "inter a record", err)
}

// Revive moves a dead letter back among what waits.
func (d *DB) Revive(ctx context.Context, id string) (bool, error) {
	ids := onlyUUIDs([]string{id})
	if len(ids) == 0 {
		return false, nil
	}
	var revived int64
	err := d.system(ctx, func(s *session) error {
		s.affect(&revived, `WITH revived AS (DELETE FROM dead_letters WHERE id = ANY($1::uuid[]) RETURNING *)
			INSERT INTO outbox (id, type, tenant, project, subject, data, written_at, traceparent)
			SELECT id, type, tenant, project, subject, data, written_at, traceparent FROM revived`, ids)
		s.announced = true // whoever relays is to look
		return nil
	})
	return revived > 0, d.failed(ctx, "revive a record", err)
}

// relayed runs one statement of the relay's.
func (d *DB) relayed(ctx context.Context, what, statement string, args ...any) error {
	err := d.system(ctx, func(s *session) error {
		s.exec(statement, args...)
		return nil
	})
	return d.failed(ctx, what, err)
}

// onlyUUIDs leaves out what names no record.
func onlyUUIDs(ids []string) []string {
	kept := make([]string, 0, len(ids))
	for _, id := range ids {
		if isUUID(memory.ID(id)) {
			kept = append(kept, id)
		}
	}
	return kept
}

// Dead lists dead letters, newest first.
func (d *DB) Dead(ctx context.Context, limit int) (dead []outbox.Record, err error) {
	err = d.system(ctx, func(s *session) (err error) {
		dead, err = s.records(`SELECT `+recordColumns+` FROM dead_letters ORDER BY position DESC LIMIT $1`, limit)
		return err
	})
	return dead, d.failed(ctx, "list dead letters", err)
}

// Lag counts what waits. The oldest record is the one written first, whatever time it tells.
func (d *DB) Lag(ctx context.Context) (lag outbox.Lag, err error) {
	var oldest *float64
	err = d.system(ctx, func(s *session) error {
		return s.row(`SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM dead_letters),
			(SELECT extract(epoch FROM rae_now() - written_at)::double precision FROM outbox ORDER BY position LIMIT 1)`, nil,
			&lag.Waiting, &lag.Dead, &oldest)
	})
	if err != nil {
		return outbox.Lag{}, d.failed(ctx, "measure the outbox", err)
	}
	if oldest != nil {
		lag.Oldest = max(0, time.Duration(*oldest*float64(time.Second)).Round(time.Microsecond))
	}
	return lag, nil
}
