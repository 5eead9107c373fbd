package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/learn"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

var _ memory.Store = (*DB)(nil)

// Write runs do in one transaction of the scope, which is durable when Write returns.
func (d *DB) Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error {
	if err := scope.Check(); err != nil {
		return err
	}
	return d.write(ctx, func(sqlTx *sql.Tx) error {
		t := d.begin(ctx, sqlTx, scope)
		if err := do(t); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil { // nobody waits for the answer: then better nothing was done
			return err
		}
		return t.finish()
	})
}

// tx is one transaction of one scope.
type tx struct {
	db    *DB
	ctx   context.Context // without cancellation, see DB.write
	sql   *sql.Tx
	scope memory.Scope
	now   time.Time

	head, stored memory.Seq  // the scope's head, and what the table says of it; read when first needed
	known, begun bool        // they have been read; the scope has changed before
	gone         []memory.ID // memories that were deleted, or say something else now
}

func (d *DB) begin(ctx context.Context, sqlTx *sql.Tx, scope memory.Scope) *tx {
	return &tx{db: d, ctx: context.WithoutCancel(ctx), sql: sqlTx, scope: scope, now: d.now()}
}

// finish takes away what rested on memories that are gone, and writes what the transaction kept to itself.
func (t *tx) finish() error {
	if err := learn.Forget(t.ctx, factTx{t}, t.scope, t.gone); err != nil {
		return err
	}
	if t.head == t.stored {
		return nil
	}
	return t.exec("advance the feed", `INSERT INTO scopes (tenant, project, head, floor) VALUES (?, ?, ?, ?)
		ON CONFLICT (tenant, project) DO UPDATE SET head = excluded.head`, t.scope.Tenant, t.scope.Project, t.head, t.stored)
}

// next numbers one change.
func (t *tx) next() (memory.Seq, error) {
	if err := t.entered(); err != nil {
		return 0, err
	}
	t.head++
	return t.head, nil
}

// entered makes sure that the head is known.
func (t *tx) entered() error {
	if t.known {
		return nil
	}
	err := t.sql.QueryRowContext(t.ctx, `SELECT s.head IS NOT NULL, coalesce(s.head, e.head)
		FROM erased e LEFT JOIN scopes s ON s.tenant = ? AND s.project = ?`, t.scope.Tenant, t.scope.Project).Scan(&t.begun, &t.head)
	if err != nil {
		return t.failed("read the feed", err)
	}
	t.stored, t.known = t.head, true
	return nil
}

// Head returns the number of the scope's last change.
func (t *tx) Head(context.Context) (memory.Seq, error) {
	err := t.entered()
	if err != nil || !t.begun && t.head == t.stored {
		return 0, err
	}
	return t.head, nil
}

func (t *tx) exec(what, query string, args ...any) error {
	_, err := t.sql.ExecContext(t.ctx, query, args...)
	return t.failed(what, err)
}

// failed says what was attempted and gives the error its kind.
func (t *tx) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return classify(t.ctx, fmt.Errorf("%s: %w", what, err))
}

// find reads the current version that the condition names; nil when there is none. It may have expired.
func (t *tx) find(condition string, arg any) (*memory.Version, error) {
	rows, err := t.sql.QueryContext(t.ctx, `SELECT `+currentVersion+` FROM memories m
		WHERE m.tenant = ? AND m.project = ? AND `+condition, t.scope.Tenant, t.scope.Project, arg)
	if err != nil {
		return nil, t.failed("read a memory", err)
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, t.failed("read a memory", rows.Err())
	}
	s := newScanner(t.scope)
	if err := s.scan(rows); err != nil {
		return nil, t.failed("read a memory", err)
	}
	v, err := s.version()
	if err != nil {
		return nil, err
	}
	return &v, nil
}

const (
	byID          = `m.id = ?`
	byFingerprint = `m.fingerprint = ?`
	byExternalID  = `m.external_id = ? AND m.external_id <> ''`
)

// live is find, except that an expired memory is deleted on the way.
func (t *tx) live(condition string, arg any) (*memory.Version, error) {
	v, err := t.find(condition, arg)
	if err != nil || v == nil {
		return nil, err
	}
	if v.Expired(t.now) {
		return nil, t.delete(&v.Memory)
	}
	return v, nil
}

// Put is PutAll of one.
func (t *tx) Put(ctx context.Context, m memory.Memory, why memory.Why, vectors ...memory.Vector) (memory.Memory, memory.Outcome, error) {
	return memory.One(t.PutAll(ctx, []memory.Entry{{Memory: m, Vectors: vectors}}, why))
}

// PutAll stores or recognises memories. Their rows are near: one statement after the other costs nothing.
func (t *tx) PutAll(_ context.Context, entries []memory.Entry, why memory.Why) (all []memory.Written, err error) {
	all = make([]memory.Written, len(entries))
	own := t.ctx
	defer func() { t.ctx = own }()
	for i := range entries {
		if t.ctx = own; entries[i].Told != nil {
			t.ctx = context.WithoutCancel(entries[i].Told)
		}
		m, refusal := entries[i].Canonical(t.scope)
		if refusal != nil {
			all[i].Err = refusal
			continue
		}
		if all[i], err = t.put(m, m.ToldBy(why)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (t *tx) put(m memory.Entry, why memory.Why) (memory.Written, error) {
	if m.ExternalID != "" {
		standing, err := t.live(byExternalID, m.ExternalID)
		switch {
		case err != nil:
			return memory.Written{}, err
		case standing != nil && m.SameAs(&standing.Memory):
			return memory.Written{Memory: standing.Memory, Outcome: memory.Deduplicated}, nil
		case standing != nil:
			next, err := t.replace(standing, m, why)
			return memory.Written{Memory: next, Outcome: memory.Updated}, err
		}
	}
	fingerprint := m.Fingerprint()
	standing, err := t.live(byFingerprint, fingerprint[:])
	if err != nil {
		return memory.Written{}, err
	}
	if standing == nil && m.ID != "" {
		if standing, err = t.live(byID, string(m.ID)); err != nil {
			return memory.Written{}, err
		}
		if standing != nil && !m.SameAs(&standing.Memory) {
			if !m.Anew {
				return memory.Written{Err: fault.New(fault.Conflict, "another memory has the id %s", m.ID)}, nil
			}
			standing, m.ID = nil, ""
		}
	}
	if standing != nil {
		return memory.Written{Memory: standing.Memory, Outcome: memory.Deduplicated}, nil
	}
	if m.ID == "" {
		m.ID = memory.NewID()
	}
	m.Version, m.CreatedAt, m.UpdatedAt, m.Embedding = 1, t.now, t.now, memory.EmbeddingPending
	if len(m.Vectors) > 0 {
		m.Embedding = memory.EmbeddingReady
	}
	return memory.Written{Memory: m.Memory, Outcome: memory.Created}, t.insert(&m, why)
}

// insert writes a new memory with all it has.
func (t *tx) insert(m *memory.Entry, why memory.Why) error {
	seq, err := t.next()
	if err != nil {
		return err
	}
	rest, err := m.EncodeBody()
	if err != nil {
		return err
	}
	fingerprint := m.Fingerprint()
	err = t.exec("insert memory "+string(m.ID), `INSERT INTO memories (tenant, project, id, version, seq, layer, user_id,
		agent_id, session_id, external_id, importance, occurred_at, valid_from, valid_to, expires_at, created_at, updated_at,
		embedding, fingerprint, change, actor, reason, body, content)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.scope.Tenant, t.scope.Project, string(m.ID), m.Version, seq, string(m.Layer), m.UserID, m.AgentID, m.SessionID,
		m.ExternalID, m.Importance, nullable(m.OccurredAt), nullable(m.ValidFrom), nullable(m.ValidTo),
		nullable(m.ExpiresAt), micros(m.CreatedAt), micros(m.UpdatedAt), string(m.Embedding), fingerprint[:],
		string(memory.Created), why.Actor, why.Reason, rest, m.Content)
	if err != nil {
		return err
	}
	if err := t.tag(&m.Memory); err != nil {
		return err
	}
	if err := t.embed(&m.Memory, m.Vectors); err != nil {
		return err
	}
	return t.announce(outbox.MemoryStored, &m.Memory)
}

// tag writes the side table of tags.
func (t *tx) tag(m *memory.Memory) error {
	for _, tag := range m.Tags {
		err := t.exec("tag memory "+string(m.ID), `INSERT OR IGNORE INTO memory_tags (tenant, project, tag, memory_id)
			VALUES (?, ?, ?, ?)`, t.scope.Tenant, t.scope.Project, tag, string(m.ID))
		if err != nil {
			return err
		}
	}
	return nil
}

// embed writes vectors of the memory.
func (t *tx) embed(m *memory.Memory, vectors []memory.Vector) error {
	for i := range vectors {
		err := t.exec("write a vector of memory "+string(m.ID), `INSERT INTO memory_vectors (tenant, project, memory_id,
			model, version, dim, vector) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, project, memory_id, model)
			DO UPDATE SET version = excluded.version, dim = excluded.dim, vector = excluded.vector`,
			t.scope.Tenant, t.scope.Project, string(m.ID), vectors[i].Model, m.Version, len(vectors[i].Values),
			encodeVector(vectors[i].Values))
		if err != nil {
			return err
		}
	}
	return nil
}

// Get reads the current version.
func (t *tx) Get(_ context.Context, id memory.ID) (memory.Memory, error) {
	v, err := t.find(byID, string(id))
	if err != nil {
		return memory.Memory{}, err
	}
	if v == nil || v.Expired(t.now) {
		return memory.Memory{}, notFound()
	}
	return v.Memory, nil
}

// Replace writes the next version.
func (t *tx) Replace(_ context.Context, given memory.Memory, why memory.Why, vectors ...memory.Vector) (memory.Memory, error) {
	m, err := (&memory.Entry{Memory: given, Vectors: vectors}).Canonical(t.scope)
	if err != nil {
		return memory.Memory{}, err
	}
	standing, err := t.live(byID, string(m.ID))
	if err != nil {
		return memory.Memory{}, err
	}
	if standing == nil {
		return memory.Memory{}, notFound()
	}
	if m.ExternalID != "" && m.ExternalID != standing.ExternalID {
		other, err := t.live(byExternalID, m.ExternalID)
		if err != nil {
			return memory.Memory{}, err
		}
		if other != nil {
			return memory.Memory{}, fault.New(fault.Conflict, "another memory has this external_id")
		}
	}
	fingerprint := m.Fingerprint()
	other, err := t.live(byFingerprint, fingerprint[:])
	if err != nil {
		return memory.Memory{}, err
	}
	if other != nil && other.ID != m.ID {
		return memory.Memory{}, fault.New(fault.Conflict, "another memory says the same")
	}
	return t.replace(standing, m, why)
}

// replace makes m the version after old.
func (t *tx) replace(old *memory.Version, m memory.Entry, why memory.Why) (memory.Memory, error) {
	at := t.now
	if earliest := old.UpdatedAt.Add(time.Microsecond); at.Before(earliest) {
		at = earliest
	}
	m.ID, m.Version, m.CreatedAt, m.UpdatedAt = old.ID, old.Memory.Version+1, old.CreatedAt, at
	m.Embedding = memory.EmbeddingPending
	if m.Content == old.Content {
		m.Embedding = old.Embedding
	}
	if len(m.Vectors) > 0 {
		m.Embedding = memory.EmbeddingReady
	}
	seq, err := t.next()
	if err != nil {
		return memory.Memory{}, err
	}
	rest, err := m.EncodeBody()
	if err != nil {
		return memory.Memory{}, err
	}
	fingerprint := m.Fingerprint()
	what, key := "replace memory "+string(m.ID), []any{t.scope.Tenant, t.scope.Project, string(m.ID)}
	err = t.exec(what, `INSERT INTO memory_versions (tenant, project, memory_id, recorded_to, version, seq, layer, user_id,
		agent_id, session_id, external_id, importance, occurred_at, valid_from, valid_to, expires_at, created_at, updated_at,
		embedding, change, actor, reason, body, content)
		SELECT m.tenant, m.project, m.id, ?, `+versionColumns+`
		FROM memories m WHERE m.tenant = ? AND m.project = ? AND m.id = ?`, append([]any{micros(at)}, key...)...)
	if err != nil {
		return memory.Memory{}, err
	}
	err = t.exec(what, `UPDATE memories SET version = ?, seq = ?, layer = ?, user_id = ?, agent_id = ?, session_id = ?,
		external_id = ?, importance = ?, occurred_at = ?, valid_from = ?, valid_to = ?, expires_at = ?, updated_at = ?,
		embedding = ?, fingerprint = ?, change = ?, actor = ?, reason = ?, body = ?, content = ?
		WHERE tenant = ? AND project = ? AND id = ?`, append([]any{
		m.Version, seq, string(m.Layer), m.UserID, m.AgentID, m.SessionID, m.ExternalID, m.Importance,
		nullable(m.OccurredAt), nullable(m.ValidFrom), nullable(m.ValidTo), nullable(m.ExpiresAt), micros(at),
		string(m.Embedding), fingerprint[:], string(memory.Updated), why.Actor, why.Reason, rest, m.Content,
	}, key...)...)
	if err != nil {
		return memory.Memory{}, err
	}
	if !slices.Equal(m.Tags, old.Tags) {
		if err := t.exec(what, `DELETE FROM memory_tags WHERE tenant = ? AND project = ? AND memory_id = ?`, key...); err != nil {
			return memory.Memory{}, err
		}
		if err := t.tag(&m.Memory); err != nil {
			return memory.Memory{}, err
		}
	}
	if m.Content != old.Content {
		t.gone = append(t.gone, m.ID)
	}
	if m.Content == old.Content {
		err = t.exec(what, `UPDATE memory_vectors SET version = ? WHERE tenant = ? AND project = ? AND memory_id = ?`,
			append([]any{m.Version}, key...)...)
	} else {
		err = t.exec(what, `DELETE FROM memory_vectors WHERE tenant = ? AND project = ? AND memory_id = ?`, key...)
	}
	if err != nil {
		return memory.Memory{}, err
	}
	if err := t.embed(&m.Memory, m.Vectors); err != nil {
		return memory.Memory{}, err
	}
	return m.Memory, t.announce(outbox.MemoryUpdated, &m.Memory)
}

// Attach gives a vector to a memory that still has the version.
func (t *tx) Attach(_ context.Context, id memory.ID, version int, v memory.Vector) (bool, error) {
	if err := v.Check(); err != nil {
		return false, err
	}
	standing, err := t.live(byID, string(id))
	if err != nil || standing == nil || standing.Memory.Version != version {
		return false, err
	}
	var old []byte
	err = t.sql.QueryRowContext(t.ctx, `SELECT vector FROM memory_vectors WHERE tenant = ? AND project = ?
		AND memory_id = ? AND model = ?`, t.scope.Tenant, t.scope.Project, string(id), v.Model).Scan(&old)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, t.failed("read a vector of memory "+string(id), err)
	}
	if bytes.Equal(old, encodeVector(v.Values)) {
		return true, nil
	}
	seq, err := t.next()
	if err != nil {
		return false, err
	}
	if err := t.embed(&standing.Memory, []memory.Vector{v}); err != nil {
		return false, err
	}
	err = t.exec("attach a vector to memory "+string(id), `UPDATE memories SET seq = ?, embedding = ?
		WHERE tenant = ? AND project = ? AND id = ?`, seq, string(memory.EmbeddingReady),
		t.scope.Tenant, t.scope.Project, string(id))
	if err != nil {
		return false, err
	}
	standing.Embedding = memory.EmbeddingReady
	return true, t.announce(outbox.MemoryUpdated, &standing.Memory)
}

// Emit adds a record to the outbox.
func (t *tx) Emit(_ context.Context, r outbox.Record) error {
	return t.failed("emit "+r.Type, t.db.emit(t.ctx, t.sql, t.scope, r))
}

func (t *tx) announce(kind string, m *memory.Memory) error {
	r := m.Announce(kind)
	r.Time = t.now
	return t.Emit(t.ctx, r)
}

func notFound() error { return fault.New(fault.NotFound, "there is no such memory") }
