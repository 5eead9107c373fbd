package sqlite

import (
	"context"
	"database/sql"
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
