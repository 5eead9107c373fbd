package sqlite

import (
	"context"
	"database/sql"
	"time"
)

// WriteSQL lets tests do to a transaction what no method of the store does.
func (d *DB) WriteSQL(ctx context.Context, do func(*sql.Tx) error) error { return d.write(ctx, do) }

// GroupTime lets tests end a group this long after it began.
func (d *DB) GroupTime(t time.Duration) { d.queue.Time = t }

// DueRecords lets tests ask how the relay's query is answered.
const DueRecords = `SELECT id ` + dueRecords
