package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rae-memory/rae/pkg/backup"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ backup.Store = (*DB)(nil)

// fetched is how many rows of a table are read at once.
const fetched = 500

// toldTables are the tables of an archive that this schema has.
func (s *session) toldTables() ([]*backup.Table, error) {
	have, err := s.tenantTables()
	return slices.DeleteFunc(backup.Tables(), func(t *backup.Table) bool { return !slices.Contains(have, t.Name) }), err
}

// NextTenant returns the first tenant after the given one. No memory is without its scope.
func (d *DB) NextTenant(ctx context.Context, after string) (string, error) {
	var next *string
	err := d.system(ctx, func(s *session) error {
		tables, err := s.toldTables()
		if err != nil {
			return err
		}
		var each []string
		for _, t := range tables {
			switch t.Name {
			case "memories", "memory_versions", "memory_vectors", "tombstones", "facts", "fact_evidence", "knowledge_operations":
			default:
				each = append(each, `(SELECT tenant FROM `+t.Name+` WHERE tenant > $1`+t.Where()+` ORDER BY tenant LIMIT 1)`)
			}
		}
		return s.row(`SELECT min(tenant) FROM (`+strings.Join(each, " UNION ALL ")+`) t`, []any{after}, &next)
	})
	if err != nil || next == nil {
		return "", d.failed(ctx, "list tenants", err)
	}
	return *next, nil
}

// Dump hands every row of the tenant to emit, in one transaction. It is not tried again when its connection breaks: emit
// has seen some of the rows.
func (d *DB) Dump(ctx context.Context, tenant string, emit func(backup.Row) error) (erased memory.Seq, err error) {
	var told error // of emit, which is returned unchanged
	_, err = d.once(ctx, reading, runtimeRole, memory.Scope{Tenant: tenant, Project: allProjects}, func(s *session) error {
		mark, err := s.mark(tenant)
		if err != nil {
			return err
		}
		if mark.Hash != "" && !mark.Done {
			return fault.New(fault.Conflict, "tenant %q is half restored: restore it to the end first", tenant)
		}
		if err := s.row(`SELECT head FROM erased`, nil, &erased); err != nil {
			return err
		}
		tables, err := s.toldTables()
		if err != nil {
			return err
		}
		for _, t := range tables {
			err := s.dumpTable(t, tenant, func(r backup.Row) error {
				told = emit(r)
				return told
			})
			if err != nil {
				return fmt.Errorf("read table %s: %w", t.Name, err)
			}
		}
		return nil
	})
	if told != nil {
		return 0, told
	}
	return erased, classify(ctx, err)
}

func (s *session) dumpTable(t *backup.Table, tenant string, emit func(backup.Row) error) error {
	selected := make([]string, len(t.Columns))
	cells := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		selected[i], cells[i] = c.Name+castOf(c.Kind), cell(c.Kind)
	}
	cursor := "dump_" + t.Name
	s.exec(`DECLARE `+cursor+` NO SCROLL CURSOR FOR SELECT `+strings.Join(selected, ", ")+` FROM `+t.Name+`
		WHERE tenant = $1`+t.Where()+` ORDER BY `+strings.Join(t.Order, ", "), tenant)
	if err := s.flush(); err != nil {
		return err
	}
	for {
		var page []backup.Row // read before they are handed on: emit may take its time
		err := s.rows(fmt.Sprintf(`FETCH %d FROM %s`, fetched, cursor), nil, func(rows pgx.Rows) error {
			if err := rows.Scan(cells...); err != nil {
				return err
			}
			row := backup.Row{Table: t, Values: make([]any, len(cells))}
			for i := range cells {
				row.Values[i] = told(cells[i])
			}
			page = append(page, row)
			return nil
		})
		if err != nil {
			return err
		}
		for _, row := range page {
			if err := emit(row); err != nil {
				return err
			}
		}
		if len(page) < fetched {
			s.exec(`CLOSE ` + cursor)
			return nil
		}
	}
}

// castOf is what makes of a column's type one that cell can hold.
func castOf(kind backup.Kind) string {
	switch kind {
	case backup.UUID:
		return "::text"
	case backup.Int, backup.Seq:
		return "::bigint"
	case backup.Vector:
		return "::real[]"
	}
	return ""
}

// cell is what a column of the kind is scanned into.
func cell(kind backup.Kind) any {
	switch kind {
	case backup.Text, backup.UUID:
		return new(*string)
	case backup.Float:
		return new(*float64)
	case backup.Bool:
		return new(*bool)
	case backup.Bytes:
		return new([]byte)
	case backup.Vector:
		return new([]float32)
	case backup.Time:
		return new(pgtype.Timestamptz)
	}
	return new(*int64)
}

// told is what was scanned, as an archive says it.
func told(cell any) any {
	switch c := cell.(type) {
	case **string:
		return valueOf(*c)
	case **float64:
		return valueOf(*c)
	case **bool:
		return valueOf(*c)
	case **int64:
		return valueOf(*c)
	case *[]byte:
		return slices.Clone(*c)
	case *[]float32:
		return encodeVector(*c)
	case *pgtype.Timestamptz:
		switch {
		case !c.Valid:
			return nil
		case c.InfinityModifier == pgtype.NegativeInfinity:
			return int64(backup.Beginning)
		case c.InfinityModifier == pgtype.Infinity:
			return int64(backup.End)
		}
		return c.Time.UnixMicro()
	}
	return nil
}

func valueOf[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// encodeVector renders the values as little-endian float32.
func encodeVector(values []float32) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, x := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// decodeVector is encodeVector backwards.
func decodeVector(b []byte) []float32 {
	values := make([]float32, len(b)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return values
}

// Mark tells what the store holds of the tenant.
func (d *DB) Mark(ctx context.Context, tenant string) (backup.Mark, error) {
	var mark backup.Mark
	err := d.viewTenant(ctx, tenant, func(s *session) (err error) {
		if mark, err = s.mark(tenant); err == nil {
			mark.Rows, err = s.holds(tenant)
		}
		return err
	})
	return mark, d.failed(ctx, "look for tenant "+tenant, err)
}

func (s *session) mark(tenant string) (backup.Mark, error) {
	hash, state, err := s.restoring(tenant)
	return backup.Mark{Hash: hash, Done: hash != "" && state == ""}, err
}

// restoring reads what the tenant was restored from and how far that came.
func (s *session) restoring(tenant string) (hash, state string, err error) {
	err = s.row(`SELECT hash, state FROM restores WHERE tenant = $1`, []any{tenant}, &hash, &state)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return hash, state, err
}

// holds reports whether there is a row of the tenant in any table but that of restores.
func (s *session) holds(tenant string) (found bool, err error) {
	tables, err := s.tenantTables()
	if err != nil {
		return false, err
	}
	var each []string
	for _, t := range tables {
		if t != "restores" {
			each = append(each, `EXISTS (SELECT FROM `+pgx.Identifier{t}.Sanitize()+` WHERE tenant = $1`+backup.Told(t)+`)`)
		}
	}
	err = s.row(`SELECT `+strings.Join(each, " OR "), []any{tenant}, &found)
	return found, err
}
