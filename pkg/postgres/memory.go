package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/learn"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

var _ memory.Store = (*DB)(nil)

// Write runs do in one transaction of the scope, which is durable when Write returns.
func (d *DB) Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error {
	return d.write(ctx, scope, func(g *group) error {
		t := &tx{group: g, caller: ctx}
		if err := do(t); err != nil {
			return err
		}
		if err := t.finish(); err != nil {
			return err
		}
		return ctx.Err() // nobody waits for the answer: then better nothing was done
	})
}

// tx is one caller's turn in a group.
type tx struct {
	*group
	caller context.Context // for the trace of its records
	gone   []memory.ID     // memories that were deleted
	other  []memory.ID     // memories that say something else now
}

// finish takes away what rested on memories that are gone.
func (t *tx) finish() error {
	for done := 0; done < len(t.gone); { // it grows
		sources := t.gone[done:]
		done = len(t.gone)
		if err := t.deleteDerived(sources); err != nil {
			return err
		}
	}
	return learn.Forget(t.ctx, factTx{t}, t.scope, slices.Concat(t.gone, t.other))
}

// standing is a current version and what only the store knows of it.
type standing struct {
	memory.Version
	document memory.Seq
	words    string
}

const standingColumns = currentVersion + `, m.document, m.words`

// seek keeps back a question for the current version of a memory; found is set when it is answered. It may have expired.
func (t *tx) seek(found **standing, id memory.ID) {
	*found = nil
	t.ask(`SELECT `+standingColumns+` FROM memories m WHERE m.tenant = $1 AND m.project = $2 AND m.id = $3`, []any{t.scope.Tenant, t.scope.Project, string(id)}, func(rows pgx.Rows) error {
		s := newScanner(t.scope)
		stands := &standing{}
		if err := s.scan(rows, &stands.document, &stands.words); err != nil {
			return err
		}
		var err error
		stands.Version, err = s.version()
		*found = stands
		return err
	})
}

// live asks for the current version of a memory; nil when there is none. One that has expired is deleted on the way.
func (t *tx) live(id memory.ID) (*standing, error) {
	var found *standing
	t.seek(&found, id)
	if err := t.flush(); err != nil {
		return nil, t.failed("read a memory", err)
	}
	return t.alive(found), nil
}

// alive returns the version, unless it has expired: then it is deleted, and there is none.
func (t *tx) alive(found *standing) *standing {
	if found == nil || !found.Expired(t.now) {
		return found
	}
	t.delete(found)
	return nil
}

// failed says what was attempted and gives the error its kind.
func (t *tx) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return classify(t.ctx, fmt.Errorf("%s: %w", what, err))
}

// Get reads the current version.
func (t *tx) Get(_ context.Context, id memory.ID) (memory.Memory, error) {
	if !isUUID(id) {
		return memory.Memory{}, notFound()
	}
	var found *standing
	t.seek(&found, id)
	if err := t.flush(); err != nil {
		return memory.Memory{}, t.failed("read a memory", err)
	}
	if found == nil || found.Expired(t.now) {
		return memory.Memory{}, notFound()
	}
	return found.Memory, nil
}

// Attach gives a vector to a memory that still has the version.
func (t *tx) Attach(_ context.Context, id memory.ID, version int, v memory.Vector) (bool, error) {
	if err := v.Check(); err != nil {
		return false, err
	}
	if !isUUID(id) {
		return false, nil
	}
	var stands *standing
	t.seek(&stands, id)
	var old []float32
	t.ask(`SELECT vector::real[] FROM memory_vectors WHERE tenant = $1 AND project = $2 AND memory_id = $3 AND model = $4`,
		[]any{t.scope.Tenant, t.scope.Project, string(id), v.Model}, func(rows pgx.Rows) error { return rows.Scan(&old) })
	if err := t.flush(); err != nil {
		return false, t.failed("read a vector of memory "+string(id), err)
	}
	stands = t.alive(stands)
	if stands == nil || stands.Memory.Version != version {
		return false, nil
	}
	if slices.Equal(old, v.Values) {
		return true, nil
	}
	seq, err := t.number()
	if err != nil {
		return false, t.failed("read the feed", err)
	}
	t.embed(vectorRows(&stands.Memory, []memory.Vector{v}))
	t.exec(`UPDATE memories SET seq = $4, embedding = $5 WHERE tenant = $1 AND project = $2 AND id = $3`,
		t.scope.Tenant, t.scope.Project, string(id), seq, string(memory.EmbeddingReady))
	stands.Embedding = memory.EmbeddingReady
	t.announce(outbox.MemoryUpdated, &stands.Memory)
	return true, nil
}

// Archive marks memories as archived.
func (t *tx) Archive(_ context.Context, ids []memory.ID, by memory.ID) ([]memory.ID, error) {
	if err := memory.CheckArchive(ids, by); err != nil {
		return nil, err
	}
	return t.mark(ids, func(m *memory.Memory) bool {
		marks, at := m.ArchivedAt == nil, t.now
		m.ArchivedAt, m.ArchivedBy = &at, by
		return marks
	})
}

// Unarchive takes the mark off.
func (t *tx) Unarchive(_ context.Context, ids []memory.ID, by memory.ID) ([]memory.ID, error) {
	return t.mark(ids, func(m *memory.Memory) bool {
		marked := m.ArchivedAt != nil && (by == "" || m.ArchivedBy == by)
		m.ArchivedAt, m.ArchivedBy = nil, ""
		return marked
	})
}

// mark writes and announces the marks of the memories that change reports to have changed: all by one question and one
// statement.
func (t *tx) mark(ids []memory.ID, change func(*memory.Memory) bool) ([]memory.ID, error) {
	wanted := make([]pgtype.UUID, 0, len(ids))
	for _, id := range ids {
		if isUUID(id) {
			wanted = append(wanted, uuidOf(id))
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	if err := t.entered(); err != nil {
		return nil, t.failed("archive memories", err)
	}
	found := map[memory.ID]*standing{}
	reader := newScanner(t.scope)
	err := t.rows(`SELECT `+standingColumns+` FROM `+currentAmong("id", "$3::uuid[]")+` m`, []any{t.scope.Tenant, t.scope.Project, wanted},
		func(rows pgx.Rows) error {
			stands := &standing{}
			if err := reader.scan(rows, &stands.document, &stands.words); err != nil {
				return err
			}
			var err error
			stands.Version, err = reader.version()
			found[stands.ID] = stands
			return err
		})
	if err != nil {
		return nil, t.failed("read memories", err)
	}
	var marked []memory.ID
	var rows []*row
	for _, id := range ids {
		stands := t.alive(found[id])
		delete(found, id)
		if stands == nil || !change(&stands.Memory) {
			continue
		}
		seq, err := t.number()
		if err != nil {
			return nil, t.failed("read the feed", err)
		}
		marked, rows = append(marked, id), append(rows, &row{Memory: stands.Memory, seq: seq})
	}
	if len(rows) == 0 {
		return nil, nil
	}
	t.exec(`UPDATE memories m SET seq = r.seq, archived_at = r.at, archived_by = r.by
		FROM unnest($3::uuid[], $4::bigint[], $5::timestamptz[], $6::text[]) r(id, seq, at, by)
		WHERE m.tenant = $1 AND m.project = $2 AND m.id = r.id`, t.scope.Tenant, t.scope.Project,
		column(rows, func(r *row) pgtype.UUID { return uuidOf(r.ID) }), column(rows, func(r *row) int64 { return int64(r.seq) }),
		column(rows, func(r *row) *time.Time { return r.ArchivedAt }), column(rows, func(r *row) string { return string(r.ArchivedBy) }))
	t.emit(column(rows, func(r *row) outbox.Record { return t.announcement(outbox.MemoryUpdated, &r.Memory, nil) })...)
	return marked, nil
}

// Emit adds a record to the outbox.
func (t *tx) Emit(_ context.Context, r outbox.Record) error {
	if err := t.entered(); err != nil {
		return t.failed("emit "+r.Type, err)
	}
	t.emit(r)
	return nil
}

func (t *tx) emit(records ...outbox.Record) {
	for i := range records {
		if records[i].Time.IsZero() {
			records[i].Time = t.now
		}
	}
	t.db.emit(t.caller, t.session, t.scope, records...)
}

func (t *tx) announce(kind string, m *memory.Memory) { t.emit(t.announcement(kind, m, nil)) }

// announcement is a record of the trace of who tells the change; nil: of the transaction's.
func (t *tx) announcement(kind string, m *memory.Memory, told context.Context) outbox.Record {
	r := m.Announce(kind)
	r.Time = t.now
	if told != nil && t.db.options.TraceParent != nil {
		r.TraceParent = t.db.options.TraceParent(told)
	}
	return r
}

// Head returns the number of the scope's last change.
func (t *tx) Head(context.Context) (memory.Seq, error) {
	err := t.entered()
	if err != nil || !t.stands.exists && t.next.head == t.stands.head {
		return 0, t.failed("read the head", err)
	}
	return t.next.head, nil
}

// isUUID reports whether the database could hold the id. Whatever is none is nobody's.
func isUUID(id memory.ID) bool {
	_, ok := memory.ParseID(string(id))
	return ok
}

func notFound() error { return fault.New(fault.NotFound, "there is no such memory") }
