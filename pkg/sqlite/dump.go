package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/rae-memory/rae/pkg/backup"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ backup.Store = (*DB)(nil)

// NextTenant returns the first tenant after the given one.
func (d *DB) NextTenant(ctx context.Context, after string) (string, error) {
	db, err := d.read(ctx)
	if err != nil {
		return "", err
	}
	var each []string
	for _, t := range backup.Tables() {
		each = append(each, `SELECT min(tenant) AS tenant FROM `+t.Name+` WHERE tenant > ?1`+t.Where())
	}
	var next sql.NullString
	err = db.QueryRowContext(ctx, `SELECT min(tenant) FROM (`+strings.Join(each, " UNION ALL ")+`)`, after).Scan(&next)
	return next.String, classify(ctx, err)
}

// Dump hands every row of the tenant to emit, as of the moment it began.
func (d *DB) Dump(ctx context.Context, tenant string, emit func(backup.Row) error) (erased memory.Seq, err error) {
	db, err := d.read(ctx)
	if err != nil {
		return 0, err
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, classify(ctx, err)
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	mark, err := markOf(ctx, tx, tenant)
	if err != nil {
		return 0, classify(ctx, err)
	}
	if mark.Hash != "" && !mark.Done {
		return 0, halfRestored(tenant)
	}
	if err := tx.QueryRowContext(ctx, `SELECT head FROM erased`).Scan(&erased); err != nil {
		return 0, classify(ctx, err)
	}
	for _, t := range backup.Tables() {
		if err := dumpTable(ctx, tx, t, tenant, emit); err != nil {
			return 0, classify(ctx, err)
		}
	}
	return erased, nil
}

func halfRestored(tenant string) error {
	return fault.New(fault.Conflict, "tenant %q is half restored: restore it to the end first", tenant)
}

func dumpTable(ctx context.Context, tx *sql.Tx, t *backup.Table, tenant string, emit func(backup.Row) error) error {
	rows, err := tx.QueryContext(ctx, `SELECT `+columnsOf(t)+` FROM `+t.Name+` WHERE tenant = ?`+t.Where()+` ORDER BY `+strings.Join(t.Order, ", "), tenant)
	if err != nil {
		return fmt.Errorf("read table %s: %w", t.Name, err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	cells := make([]any, len(t.Columns))
	for i := range t.Columns {
		cells[i] = cell(t.Columns[i].Kind)
	}
	for rows.Next() {
		if err := rows.Scan(cells...); err != nil {
			return fmt.Errorf("read table %s: %w", t.Name, err)
		}
		row := backup.Row{Table: t, Values: make([]any, len(cells))}
		for i := range cells {
			row.Values[i] = told(cells[i])
		}
		if err := emit(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

func columnsOf(t *backup.Table) string {
	names := make([]string, len(t.Columns))
	for i := range t.Columns {
		names[i] = t.Columns[i].Name
	}
	return strings.Join(names, ", ")
}

// cell is what a column of the kind is scanned into.
func cell(kind backup.Kind) any {
	switch kind {
	case backup.Text, backup.UUID:
		return new(sql.NullString)
	case backup.Float:
		return new(sql.NullFloat64)
	case backup.Bool:
		return new(sql.NullBool)
	case backup.Bytes, backup.Vector:
		return new([]byte)
	}
	return new(sql.NullInt64)
}

// told is what was scanned, as an archive says it. Times are kept as it says them.
func told(cell any) any {
	switch c := cell.(type) {
	case *sql.NullString:
		if c.Valid {
			return c.String
		}
	case *sql.NullFloat64:
		if c.Valid {
			return c.Float64
		}
	case *sql.NullBool:
		if c.Valid {
			return c.Bool
		}
	case *sql.NullInt64:
		if c.Valid {
			return c.Int64
		}
	case *[]byte:
		b := *c
		*c = nil
		if b == nil {
			b = []byte{} // no column of bytes is ever NULL
		}
		return b
	}
	return nil
}

// Mark tells what the store holds of the tenant.
func (d *DB) Mark(ctx context.Context, tenant string) (backup.Mark, error) {
	db, err := d.read(ctx)
	if err != nil {
		return backup.Mark{}, err
	}
	mark, err := markOf(ctx, db, tenant)
	if err == nil {
		mark.Rows, err = holds(ctx, db, tenant)
	}
	return mark, classify(ctx, err)
}

// asked is a transaction or none.
type asked interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func markOf(ctx context.Context, db asked, tenant string) (backup.Mark, error) {
	var mark backup.Mark
	var state string
	err := db.QueryRowContext(ctx, `SELECT hash, state FROM restores WHERE tenant = ?`, tenant).Scan(&mark.Hash, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return mark, nil
	}
	mark.Done = err == nil && state == ""
	return mark, err
}

// holds reports whether there is a row of the tenant in any table but that of restores.
func holds(ctx context.Context, db asked, tenant string) (bool, error) {
	tables, err := tenantTables(ctx, db)
	if err != nil {
		return false, err
	}
	for _, t := range tables {
		var any bool
		err := db.QueryRowContext(ctx, fmt.Sprintf(`SELECT EXISTS (SELECT 1 FROM %q WHERE %q = ?%s)`, t.name, t.column, backup.Told(t.name)), tenant).Scan(&any)
		if err != nil || any && t.name != "restores" {
			return any, err
		}
	}
	return false, nil
}
