package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// emit adds a record to the outbox inside the transaction of a write. ID and Time are set when empty, Tenant and Project
// always; OnCommit is called after the commit.
func (d *DB) emit(ctx context.Context, tx *sql.Tx, scope memory.Scope, r outbox.Record) error {
	if r.ID == "" {
		r.ID = string(memory.NewID())
	}
	if r.Time.IsZero() {
		r.Time = d.now()
	}
	if r.TraceParent == "" && d.options.TraceParent != nil {
		r.TraceParent = d.options.TraceParent(ctx)
	}
	const insert = `INSERT INTO outbox (id, type, tenant, project, subject, data, written_at, traceparent, due_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)`
	_, err := tx.ExecContext(context.WithoutCancel(ctx), insert, r.ID, r.Type, scope.Tenant, scope.Project, r.Subject,
		r.Data, micros(r.Time), r.TraceParent)
	if err == nil {
		d.announced.Store(true)
	}
	return err
}

// micros is how the store writes a time.
func micros(t time.Time) int64 { return t.UnixMicro() }

// instant is micros backwards.
func instant(us int64) time.Time { return time.UnixMicro(us).UTC() }

var _ outbox.Queue = (*DB)(nil)

const recordColumns = `id, type, tenant, project, subject, data, written_at, traceparent, attempts, reason`

// dueRecords selects from up to ?2 records that are due at ?1, in their order. A later record of a subject waits for
// every earlier one, claimed or not. Those that were never claimed (due since 0) and those that are due again are each
// read in the order of the index on due_at, so that a hundred thousand others, waiting, cost nothing.
const (
	dueRecords = `FROM (
		SELECT * FROM (SELECT * FROM outbox o WHERE o.due_at = 0` + firstOfSubject + ` ORDER BY o.position LIMIT ?2)
		UNION ALL
		SELECT * FROM (SELECT * FROM outbox o WHERE o.due_at > 0 AND o.due_at <= ?1` + firstOfSubject + ` ORDER BY o.due_at LIMIT ?2)
	) ORDER BY position LIMIT ?2`
	firstOfSubject = ` AND (o.subject = '' OR NOT EXISTS (SELECT 1 FROM outbox e
		WHERE e.tenant = o.tenant AND e.project = o.project AND e.subject = o.subject AND e.position < o.position))`
)

// Claim leases the oldest due records, one of each subject at most.
func (d *DB) Claim(ctx context.Context, limit int, lease time.Duration) ([]outbox.Record, error) {
	if limit < 1 {
		return nil, nil
	}
	reader, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	var any int
	err = reader.QueryRowContext(ctx, `SELECT 1 `+dueRecords, micros(d.now()), 1).Scan(&any)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil // the common case must not write
	}
	if err != nil {
		return nil, classify(ctx, fmt.Errorf("look into the outbox: %w", err))
	}
	var claimed []outbox.Record
	err = d.write(ctx, func(tx *sql.Tx) error {
		now := d.now()
		rows, err := tx.QueryContext(context.WithoutCancel(ctx), `SELECT `+recordColumns+` `+dueRecords, micros(now), limit)
		if err != nil {
			return err
		}
		if claimed, err = scanRecords(rows); err != nil {
			return err
		}
		for i := range claimed {
			_, err := tx.ExecContext(context.WithoutCancel(ctx), `UPDATE outbox SET due_at = ? WHERE id = ?`,
				micros(now.Add(lease)), claimed[i].ID)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim records: %w", err)
	}
	return claimed, nil
}

// scanRecords reads and closes rows of recordColumns.
func scanRecords(rows *sql.Rows) ([]outbox.Record, error) {
	defer rows.Close()
	var records []outbox.Record
	for rows.Next() {
		var r outbox.Record
		var written int64
		err := rows.Scan(&r.ID, &r.Type, &r.Tenant, &r.Project, &r.Subject, &r.Data, &written, &r.TraceParent, &r.Attempts, &r.Reason)
		if err != nil {
			return nil, err
		}
		r.Time = instant(written)
		records = append(records, r)
	}
	return records, rows.Err()
}

// Done removes sent records.
func (d *DB) Done(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return d.write(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(context.WithoutCancel(ctx), `DELETE FROM outbox WHERE id = ?`, id); err != nil {
				return fmt.Errorf("remove record %s: %w", id, err)
			}
		}
		return nil
	})
}

// Retry makes a record due after the wait and counts the attempt. An unknown id is ignored.
func (d *DB) Retry(ctx context.Context, id string, wait time.Duration, reason string) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.WithoutCancel(ctx), `UPDATE outbox SET due_at = ?, attempts = attempts + 1, reason = ?
			WHERE id = ?`, micros(d.now().Add(wait)), reason, id)
		if err != nil {
			return fmt.Errorf("postpone record %s: %w", id, err)
		}
		return nil
	})
}

// Bury moves a record to the dead letters and counts the attempt. An unknown id is ignored.
func (d *DB) Bury(ctx context.Context, id string, reason string) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.WithoutCancel(ctx), `INSERT INTO dead_letters (`+recordColumns+`)
			SELECT id, type, tenant, project, subject, data, written_at, traceparent, attempts + 1, ? FROM outbox WHERE id = ?`,
			reason, id)
		if err == nil {
			_, err = tx.ExecContext(context.WithoutCancel(ctx), `DELETE FROM outbox WHERE id = ?`, id)
		}
		if err != nil {
			return fmt.Errorf("bury record %s: %w", id, err)
		}
		return nil
	})
}

// Inter puts a record that has been sent to the dead letters.
func (d *DB) Inter(ctx context.Context, r outbox.Record, reason string) error {
	if _, ok := memory.ParseID(r.ID); !ok {
		return outbox.NotOurs()
	}
	return d.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		var before string
		err := tx.QueryRowContext(ctx, `SELECT reason FROM dead_letters WHERE id = ?`, r.ID).Scan(&before)
		switch {
		case err == nil:
			_, err = tx.ExecContext(ctx, `UPDATE dead_letters SET reason = ? WHERE id = ?`, outbox.AlsoBecause(before, reason), r.ID)
		case errors.Is(err, sql.ErrNoRows):
			_, err = tx.ExecContext(ctx, `INSERT INTO dead_letters (`+recordColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				r.ID, r.Type, r.Tenant, r.Project, r.Subject, r.Data, micros(r.Time), r.TraceParent, r.Attempts+1, reason)
		}
		if err != nil {
			return fmt.Errorf("inter record %s: %w", r.ID, err)
		}
		return nil
	})
}

// Revive moves a dead letter back among what waits.
func (d *DB) Revive(ctx context.Context, id string) (found bool, err error) {
	err = d.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		done, err := tx.ExecContext(ctx, `INSERT INTO outbox (`+recordColumns+`, due_at)
			SELECT id, type, tenant, project, subject, data, written_at, traceparent, 0, '', 0 FROM dead_letters WHERE id = ?`, id)
		if err == nil {
			var n int64
			n, err = done.RowsAffected()
			found = n > 0
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM dead_letters WHERE id = ?`, id)
		}
		if err != nil {
			return fmt.Errorf("revive record %s: %w", id, err)
		}
		return nil
	})
	return found, err
}

// Dead lists dead letters, newest first.
func (d *DB) Dead(ctx context.Context, limit int) ([]outbox.Record, error) {
	db, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, `SELECT `+recordColumns+` FROM dead_letters ORDER BY position DESC LIMIT ?`, limit)
	if err != nil {
		return nil, classify(ctx, fmt.Errorf("list dead letters: %w", err))
	}
	dead, err := scanRecords(rows)
	if err != nil {
		return nil, classify(ctx, fmt.Errorf("list dead letters: %w", err))
	}
	return dead, nil
}

// Lag counts what waits. The oldest record is the one written first, whatever time it tells.
func (d *DB) Lag(ctx context.Context) (outbox.Lag, error) {
	db, err := d.read(ctx)
	if err != nil {
		return outbox.Lag{}, err
	}
	var lag outbox.Lag
	var oldest sql.NullInt64
	err = db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM dead_letters),
		(SELECT written_at FROM outbox ORDER BY position LIMIT 1)`).Scan(&lag.Waiting, &lag.Dead, &oldest)
	if err != nil {
		return outbox.Lag{}, classify(ctx, fmt.Errorf("measure the outbox: %w", err))
	}
	if oldest.Valid {
		lag.Oldest = max(0, d.now().Sub(instant(oldest.Int64)))
	}
	return lag, nil
}

// emitAll adds the records to the outbox, in order.
func (d *DB) emitAll(ctx context.Context, tx *sql.Tx, scope memory.Scope, records []outbox.Record) error {
	for _, record := range records {
		if err := d.emit(ctx, tx, scope, record); err != nil {
			return fmt.Errorf("announce: %w", err)
		}
	}
	return nil
}
