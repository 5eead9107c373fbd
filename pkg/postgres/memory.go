package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

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
	gone   []memory.ID     // memories that were deleted, or say something else now
}

// finish takes away what rested on memories that are gone.
func (t *tx) finish() error { return learn.Forget(t.ctx, factTx{t}, t.scope, t.gone) }

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
