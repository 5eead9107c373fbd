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

// TenantColumns are the columns of every table that has a column tenant.
func TenantColumns(ctx context.Context, d *DB) (map[string][]string, error) {
	db, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	tables, err := tenantTables(ctx, db)
	if err != nil {
		return nil, err
	}
	columns := map[string][]string{}
	for _, t := range tables {
		rows, err := db.QueryContext(ctx, `SELECT name FROM pragma_table_info(?)`, t.name)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return nil, err
			}
			columns[t.name] = append(columns[t.name], name)
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return columns, nil
}

// MigrateTo brings a file to the schema of the version.
func MigrateTo(ctx context.Context, db *sql.DB, version int64) error {
	return migrateTo(ctx, db, version)
}
