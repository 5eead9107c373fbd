package postgres

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rae-memory/rae/pkg/backup"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// A restored version goes through the same hands as a written one (compose, gain, link, gather), in its scope's line; all other
// rows are written as they are. While it is restored, a scope's row says that its feed has not begun: its head is 0.

// Restore writes the rows of a tenant. Every transaction moves the row of restores from what the one before left there,
// so that of two restores of one tenant only one goes on.
func (d *DB) Restore(ctx context.Context, tenant, hash string, rows iter.Seq2[backup.Row, error]) error {
	r := &restore{db: d, tenant: tenant, hash: hash}
	progress, done, err := r.begin(ctx)
	if err != nil || done {
		return err
	}
	scopes, end, err := progress.Batches(rows, apart, func(batch []backup.Row, before, after backup.Progress) error {
		if isVersion(batch[0].Table) {
			return r.versions(ctx, batch, before.String(), after.String())
		}
		return r.plain(ctx, batch, before.String(), after.String())
	})
	if err != nil {
		return err
	}
	for _, row := range scopes {
		if err := r.open(ctx, row); err != nil {
			return err
		}
	}
	return r.transact(ctx, func(s *session) error { return r.proceed(s, end.String(), "") })
}

// isVersion reports whether rows of the table are versions of memories.
func isVersion(t *backup.Table) bool { return t.Name == "memories" || t.Name == "memory_versions" }

// apart keeps versions of one scope together, and other rows away from them.
func apart(before, row backup.Row) bool {
	version := isVersion(row.Table)
	return version != isVersion(before.Table) || version && before.Project() != row.Project()
}

// restore is the restoring of one tenant.
type restore struct {
	db           *DB
	tenant, hash string
}

// transact runs do in a transaction of the whole tenant.
func (r *restore) transact(ctx context.Context, do func(*session) error) error {
	err := r.db.changeTenant(ctx, r.tenant, do)
	return r.db.failed(ctx, "restore tenant "+r.tenant, err)
}

// begin claims a tenant of whom there is nothing, or finds how far the same restore came before.
func (r *restore) begin(ctx context.Context) (progress backup.Progress, done bool, err error) {
	err = r.transact(ctx, func(s *session) error {
		s.exec(lockTenant, r.tenant)
		hash, state, err := s.restoring(r.tenant)
		switch {
		case err != nil:
			return err
		case hash == r.hash && state == "":
			done = true
			return nil
		case hash == r.hash:
			progress, err = backup.ParseProgress(state)
			return err
		}
		found, err := s.holds(r.tenant)
		if err != nil {
			return err
		}
		if found || hash != "" {
			return fault.New(fault.Conflict, "the store has rows of tenant %q already", r.tenant)
		}
		progress = backup.Progress{}
		if err := s.row(`SELECT head FROM erased`, nil, &progress.Erased); err != nil {
			return err
		}
		s.exec(`INSERT INTO restores (tenant, hash, state) VALUES ($1, $2, $3)`, r.tenant, r.hash, progress.String())
		return nil
	})
	return progress, done, err
}

// proceed writes down how far the restore has come, and sends all that was kept back.
func (r *restore) proceed(s *session, before, after string) error {
	var moved int64
	s.affect(&moved, `UPDATE restores SET state = $4 WHERE tenant = $1 AND hash = $2 AND state = $3`, r.tenant, r.hash, before, after)
	if err := s.flush(); err != nil {
		return err
	}
	if moved != 1 {
		return fault.New(fault.Conflict, "tenant %q was erased, or is being restored by somebody else", r.tenant)
	}
	return nil
}

// plain writes rows of which nothing is computed.
func (r *restore) plain(ctx context.Context, batch []backup.Row, before, after string) error {
	return r.transact(ctx, func(s *session) error {
		if err := insert(s, r.tenant, batch); err != nil {
			return err
		}
		return r.proceed(s, before, after)
	})
}

// versions writes versions of memories of one scope.
func (r *restore) versions(ctx context.Context, batch []backup.Row, before, after string) error {
	scope := memory.Scope{Tenant: r.tenant, Project: batch[0].Project()}
	err := r.db.write(ctx, scope, func(g *group) error {
		if err := r.notBegun(g); err != nil {
			return err
		}
		if err := (&tx{group: g, caller: ctx}).restoreVersions(batch); err != nil {
			return err
		}
		return r.proceed(g.session, before, after)
	})
	return r.db.failed(ctx, "restore memories of "+scope.String(), err)
}

// notBegun makes sure that nobody has written to the scope, and that nobody is told of it yet.
func (r *restore) notBegun(g *group) error {
	if err := g.entered(); err != nil {
		return err
	}
	if g.stands.exists && g.next.head != 0 {
		return fault.New(fault.Conflict, "somebody wrote to %s while it was being restored", g.scope)
	}
	g.next.head, g.next.floor = 0, 0
	return nil
}

// gather merges the words of a scope whose rows are there into blocks, a slice in each transaction.
func (r *restore) gather(ctx context.Context, scope memory.Scope, head memory.Seq) error {
	for gathered := memory.Seq(0); gathered < head; {
		err := r.db.write(ctx, scope, func(g *group) error {
			if err := g.entered(); err != nil {
				return err
			}
			if gathered = g.next.gathered; g.next.head == head {
				gathered = head // opened before an interruption
			}
			if gathered >= head {
				return nil
			}
			if err := r.notBegun(g); err != nil {
				return err
			}
			g.next.head = head
			err := g.gatherSlice()
			g.next.head, gathered = 0, g.next.gathered
			return err
		})
		if err != nil {
			return r.db.failed(ctx, "gather the words of "+scope.String(), err)
		}
	}
	return nil
}

// open begins the feed of a scope whose rows are there.
func (r *restore) open(ctx context.Context, row backup.Row) error {
	scope := memory.Scope{Tenant: r.tenant, Project: row.Project()}
	head, floor := memory.Seq(row.Get("head").(int64)), row.Get("floor").(int64)
	if err := r.gather(ctx, scope, head); err != nil {
		return err
	}
	err := r.db.write(ctx, scope, func(g *group) error {
		if err := g.entered(); err != nil {
			return err
		}
		if g.stands.exists && g.next.head == head { // opened before an interruption
			return nil
		}
		if err := r.notBegun(g); err != nil {
			return err
		}
		g.next.head, g.next.floor = head, memory.Seq(floor)
		g.exec(`UPDATE scopes SET floor = $3 WHERE tenant = $1 AND project = $2`, scope.Tenant, scope.Project, floor)
		return nil
	})
	return r.db.failed(ctx, "begin the feed of "+scope.String(), err)
}

// restoreVersions writes versions, current or superseded, and all that finds them. The number of each among documents is
// that of its last change, which no other version has.
func (t *tx) restoreVersions(batch []backup.Row) error {
	rows := make([]*row, len(batch))
	var current []*row
	for i, told := range batch {
		m, err := memoryOf(told)
		if err != nil {
			return err
		}
		found, err := t.compose(&m)
		if err != nil {
			return err
		}
		rows[i] = &row{Memory: m, derived: found, seq: memory.Seq(told.Get("seq").(int64))}
		if told.Table.Name == "memories" {
			t.gain(found.length)
			current = append(current, rows[i])
		}
	}
	t.link(rows)
	t.cite(current)
	return insert(t.session, t.scope.Tenant, batch,
		computed{"document", "bigint", column(rows, func(r *row) any { return int64(r.seq) })},
		computed{"tags", "text[]", column(rows, func(r *row) any { return textArray(r.Tags) })},
		computed{"speaker", "text", column(rows, func(r *row) any { return r.speaker })},
		computed{"words", "text", column(rows, func(r *row) any { return r.words })})
}

// memoryOf is what a row says of a memory, as far as anything is computed from it.
func memoryOf(row backup.Row) (memory.Memory, error) {
	id := "id"
	if row.Table.Name == "memory_versions" {
		id = "memory_id"
	}
	m := memory.Memory{
		ID: memory.ID(row.Text(id)), Content: row.Text("content"), Layer: memory.Layer(row.Text("layer")),
		Importance: row.Get("importance").(float64), ExternalID: row.Text("external_id"), UserID: row.Text("user_id"),
		AgentID: row.Text("agent_id"), SessionID: row.Text("session_id"), Version: int(row.Get("version").(int64)),
	}
	return m, m.DecodeBody(row.Text("body"))
}

// computed are the values, one of each row, of a column that an archive does not tell.
type computed struct {
	column, kind string
	values       []any
}

// insert keeps back the writing of rows: one statement for those of a table that follow one another.
func insert(s *session, tenant string, rows []backup.Row, more ...computed) error {
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Table == rows[0].Table {
			n++
		}
		columns, err := columnsOf(rows[:n])
		if err != nil {
			return err
		}
		for i, c := range more {
			columns = append(columns, computed{c.column, c.kind, c.values[:n]})
			more[i].values = c.values[n:]
		}
		insertColumns(s, tenant, rows[0].Table.Name, columns)
		rows = rows[n:]
	}
	return nil
}

// columnsOf are the columns of rows of one table.
func columnsOf(rows []backup.Row) ([]computed, error) {
	table := rows[0].Table
	columns := make([]computed, len(table.Columns))
	for i := range table.Columns {
		c := &table.Columns[i]
		columns[i] = computed{c.Name, kinds[c.Kind], make([]any, len(rows))}
		for j := range rows {
			var err error
			if columns[i].values[j], err = kept(table, c, rows[j].Values[i]); err != nil {
				return nil, err
			}
		}
	}
	return columns, nil
}

// kinds are the types of what kept gives.
var kinds = map[backup.Kind]string{
	backup.Text: "text", backup.UUID: "uuid", backup.Int: "bigint", backup.Seq: "bigint", backup.Float: "float8",
	backup.Bool: "boolean", backup.Time: "timestamptz", backup.Bytes: "bytea", backup.Vector: "vector",
}

// insertColumns keeps back the writing of rows, told column by column.
func insertColumns(s *session, tenant, table string, columns []computed) {
	var names, arrays, parts, values []string
	args := []any{tenant}
	arg := func(value any) string {
		args = append(args, value)
		return fmt.Sprintf("$%d", len(args))
	}
	array := func(name, kind string, value any) {
		arrays, parts = append(arrays, arg(value)+"::"+kind+"[]"), append(parts, name)
	}
	for _, c := range columns {
		value := "r." + c.column
		switch c.kind {
		case "text[]":
			array(c.column, "text", c.values)
			value += "::text[]"
		case "vector":
			numbers, after, ends := flatten(column(c.values, func(v any) []float32 { return v.([]float32) }))
			array("after", "int", after)
			array("ends", "int", ends)
			value = "(" + arg(numbers) + "::real[])[r.after + 1:r.ends]::vector"
		default:
			array(c.column, c.kind, c.values)
		}
		names, values = append(names, c.column), append(values, value)
	}
	s.exec(`INSERT INTO `+pgx.Identifier{table}.Sanitize()+` (tenant, `+strings.Join(names, ", ")+`) SELECT $1, `+
		strings.Join(values, ", ")+` FROM unnest(`+strings.Join(arrays, ", ")+`) r(`+strings.Join(parts, ", ")+`)`, args...)
}

// kept is a value as the database takes it.
func kept(t *backup.Table, c *backup.Column, value any) (any, error) {
	if value == nil {
		return nil, nil
	}
	switch c.Kind {
	case backup.UUID:
		if id, ok := memory.ParseID(value.(string)); !ok || string(id) != value.(string) {
			return nil, fault.New(fault.Unsupported, "table %s: the %s %q is no UUID as PostgreSQL writes it", t.Name, c.Name, value)
		}
	case backup.Text:
		if strings.Contains(value.(string), "\x00") {
			return nil, fault.New(fault.Unsupported, "table %s: a %s contains NUL, which PostgreSQL cannot keep", t.Name, c.Name)
		}
	case backup.Vector:
		return decodeVector(value.([]byte)), nil
	case backup.Time:
		switch us := value.(int64); us {
		case backup.Beginning:
			return pgtype.Timestamptz{Valid: true, InfinityModifier: pgtype.NegativeInfinity}, nil
		case backup.End:
			return pgtype.Timestamptz{Valid: true, InfinityModifier: pgtype.Infinity}, nil
		default:
			return time.UnixMicro(us).UTC(), nil
		}
	}
	return value, nil
}

// Outnumber makes sure that a scope new to the store is numbered above the given number.
func (d *DB) Outnumber(ctx context.Context, erased memory.Seq) error {
	err := d.changeTenant(ctx, "", func(s *session) error {
		s.exec(`UPDATE erased SET head = greatest(head, $1)`, erased)
		return nil
	})
	return d.failed(ctx, "number new scopes higher", err)
}
