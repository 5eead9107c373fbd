package postgres

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

var _ memory.Store = (*DB)(nil)

// Write runs do in one transaction of the scope, which is durable when Write returns.
func (d *DB) Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error {
	return d.write(ctx, scope, func(g *group) error {
		if err := do(&tx{group: g, caller: ctx}); err != nil {
			return err
		}
		return ctx.Err() // nobody waits for the answer: then better nothing was done
	})
}

// tx is one caller's turn in a group.
type tx struct {
	*group
	caller context.Context // for the trace of its records
}

// standing is a current version and what only the store knows of it.
type standing struct {
	memory.Version
	document memory.Seq
	words    string
}

// Conditions that name one current version.
const (
	byID          = `m.id = $3`
	byFingerprint = `m.fingerprint = $3`
	byExternalID  = `m.external_id = $3 AND m.external_id <> ''`
)

// seek keeps back a question for the current version that the condition names; found is set when it is answered. The
// version may have expired.
func (t *tx) seek(found **standing, condition string, arg any) {
	*found = nil
	args := []any{t.scope.Tenant, t.scope.Project, arg}
	t.ask(`SELECT `+currentVersion+`, m.document, m.words FROM memories m WHERE m.tenant = $1 AND m.project = $2 AND `+condition,
		args, func(rows pgx.Rows) error {
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

// live asks for the current version that the condition names; nil when there is none. One that has expired is deleted on
// the way.
func (t *tx) live(condition string, arg any) (*standing, error) {
	var found *standing
	t.seek(&found, condition, arg)
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

// Put stores or recognises a memory.
func (t *tx) Put(_ context.Context, m memory.Memory, why memory.Why, vectors ...memory.Vector) (memory.Memory, memory.Outcome, error) {
	m, err := m.Canonical(t.scope)
	if err != nil {
		return memory.Memory{}, "", err
	}
	if err := check(vectors); err != nil {
		return memory.Memory{}, "", err
	}
	fingerprint, err := fingerprintOf(&m)
	if err != nil {
		return memory.Memory{}, "", err
	}
	if m.ID != "" && !isUUID(m.ID) {
		return memory.Memory{}, "", fault.BadField("id", "must be a UUID")
	}
	external, same, named, err := t.recognise(&m, fingerprint)
	switch {
	case err != nil:
		return memory.Memory{}, "", err
	case external != nil && m.SameAs(&external.Memory):
		return external.Memory, memory.Deduplicated, nil
	case external != nil:
		m, err = t.replace(external, m, fingerprint, why, vectors)
		return m, memory.Updated, err
	case same != nil:
		return same.Memory, memory.Deduplicated, nil
	case named != nil && m.SameAs(&named.Memory):
		return named.Memory, memory.Deduplicated, nil
	case named != nil:
		return memory.Memory{}, "", fault.New(fault.Conflict, "another memory has the id %s", m.ID)
	}
	if m.ID == "" {
		m.ID = memory.NewID()
	}
	m.Version, m.CreatedAt, m.UpdatedAt, m.Embedding = 1, t.now, t.now, memory.EmbeddingPending
	if len(vectors) > 0 {
		m.Embedding = memory.EmbeddingReady
	}
	return m, memory.Created, t.insert(&m, fingerprint, why, vectors)
}

// recognise looks for the standing memories that could be m: by its external id, by what it says, by its id.
func (t *tx) recognise(m *memory.Memory, fingerprint []byte) (external, same, named *standing, err error) {
	if m.ExternalID != "" {
		t.seek(&external, byExternalID, m.ExternalID)
	}
	t.seek(&same, byFingerprint, fingerprint)
	if m.ID != "" {
		t.seek(&named, byID, string(m.ID))
	}
	if err := t.flush(); err != nil {
		return nil, nil, nil, t.failed("read a memory", err)
	}
	for _, found := range []**standing{&external, &same, &named} { // an expired one may have been found twice
		if *found != nil && (*found).Expired(t.now) {
			for _, other := range []**standing{&external, &same, &named} {
				if other != found && *other != nil && (*other).ID == (*found).ID {
					*other = nil
				}
			}
		}
		*found = t.alive(*found)
	}
	return external, same, named, nil
}

// insert writes a new memory with all it has.
func (t *tx) insert(m *memory.Memory, fingerprint []byte, why memory.Why, vectors []memory.Vector) error {
	seq, err := t.number()
	if err != nil {
		return t.failed("read the feed", err)
	}
	row, err := t.compose(m)
	if err != nil {
		return err
	}
	t.exec(`INSERT INTO memories (tenant, project, id, version, seq, document, layer, user_id, agent_id, session_id,
		external_id, importance, occurred_at, valid_from, valid_to, expires_at, created_at, updated_at, embedding,
		fingerprint, change, actor, reason, tags, speaker, words, body, content)
		VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
		$24, $25, $26, $27)`,
		t.scope.Tenant, t.scope.Project, string(m.ID), m.Version, seq, string(m.Layer), m.UserID, m.AgentID, m.SessionID,
		m.ExternalID, m.Importance, m.OccurredAt, m.ValidFrom, m.ValidTo, m.ExpiresAt, m.CreatedAt, m.UpdatedAt,
		string(m.Embedding), fingerprint, string(memory.Created), why.Actor, why.Reason, m.Tags, row.speaker, row.words,
		row.body, m.Content)
	t.gain(row.length)
	t.link(m, seq, row.named)
	t.embed(m, vectors)
	t.announce(outbox.MemoryStored, m)
	return nil
}

// embed writes vectors of the memory.
func (t *tx) embed(m *memory.Memory, vectors []memory.Vector) {
	for i := range vectors {
		t.exec(`INSERT INTO memory_vectors (tenant, project, memory_id, model, version, vector)
			VALUES ($1, $2, $3, $4, $5, $6::real[]::vector) ON CONFLICT (tenant, project, memory_id, model)
			DO UPDATE SET version = excluded.version, vector = excluded.vector, indexed = false`,
			t.scope.Tenant, t.scope.Project, string(m.ID), vectors[i].Model, m.Version, vectors[i].Values)
	}
}

// Get reads the current version.
func (t *tx) Get(_ context.Context, id memory.ID) (memory.Memory, error) {
	if !isUUID(id) {
		return memory.Memory{}, notFound()
	}
	var found *standing
	t.seek(&found, byID, string(id))
	if err := t.flush(); err != nil {
		return memory.Memory{}, t.failed("read a memory", err)
	}
	if found == nil || found.Expired(t.now) {
		return memory.Memory{}, notFound()
	}
	return found.Memory, nil
}

// Replace writes the next version.
func (t *tx) Replace(_ context.Context, m memory.Memory, why memory.Why, vectors ...memory.Vector) (memory.Memory, error) {
	m, err := m.Canonical(t.scope)
	if err != nil {
		return memory.Memory{}, err
	}
	if err := check(vectors); err != nil {
		return memory.Memory{}, err
	}
	if !isUUID(m.ID) {
		return memory.Memory{}, notFound()
	}
	fingerprint, err := fingerprintOf(&m)
	if err != nil {
		return memory.Memory{}, err
	}
	external, same, stands, err := t.recognise(&m, fingerprint)
	switch {
	case err != nil:
		return memory.Memory{}, err
	case stands == nil:
		return memory.Memory{}, notFound()
	case external != nil && external.ID != m.ID:
		return memory.Memory{}, fault.New(fault.Conflict, "another memory has this external_id")
	case same != nil && same.ID != m.ID:
		return memory.Memory{}, fault.New(fault.Conflict, "another memory says the same")
	}
	return t.replace(stands, m, fingerprint, why, vectors)
}

// replace makes m the version after old.
func (t *tx) replace(old *standing, m memory.Memory, fingerprint []byte, why memory.Why, vectors []memory.Vector) (memory.Memory, error) {
	at := t.now
	if earliest := old.UpdatedAt.Add(time.Microsecond); at.Before(earliest) {
		at = earliest
	}
	m.ID, m.Version, m.CreatedAt, m.UpdatedAt = old.ID, old.Memory.Version+1, old.CreatedAt, at
	m.Embedding = memory.EmbeddingPending
	if m.Content == old.Content {
		m.Embedding = old.Embedding
	}
	if len(vectors) > 0 {
		m.Embedding = memory.EmbeddingReady
	}
	seq, err := t.number()
	if err != nil {
		return memory.Memory{}, t.failed("read the feed", err)
	}
	row, err := t.compose(&m)
	if err != nil {
		return memory.Memory{}, err
	}
	tenant, project, id := t.scope.Tenant, t.scope.Project, string(m.ID)
	t.exec(`INSERT INTO memory_versions (tenant, project, memory_id, recorded_to, `+unqualified+`)
		SELECT m.tenant, m.project, m.id, $4, `+versionColumns+`, m.document, m.tags, m.speaker, m.words
		FROM memories m WHERE m.tenant = $1 AND m.project = $2 AND m.id = $3`, tenant, project, id, at)
	t.exec(`UPDATE memories SET version = $4, seq = $5, document = $5, layer = $6, user_id = $7, agent_id = $8, session_id = $9,
		external_id = $10, importance = $11, occurred_at = $12, valid_from = $13, valid_to = $14, expires_at = $15,
		updated_at = $16, embedding = $17, fingerprint = $18, change = $19, actor = $20, reason = $21, tags = $22,
		speaker = $23, words = $24, body = $25, content = $26 WHERE tenant = $1 AND project = $2 AND id = $3`,
		tenant, project, id, m.Version, seq, string(m.Layer), m.UserID, m.AgentID, m.SessionID, m.ExternalID, m.Importance,
		m.OccurredAt, m.ValidFrom, m.ValidTo, m.ExpiresAt, at, string(m.Embedding), fingerprint, string(memory.Updated),
		why.Actor, why.Reason, m.Tags, row.speaker, row.words, row.body, m.Content)
	if m.Content == old.Content {
		t.exec(`UPDATE memory_vectors SET version = $4 WHERE tenant = $1 AND project = $2 AND memory_id = $3`,
			tenant, project, id, m.Version)
	} else {
		t.exec(`DELETE FROM memory_vectors WHERE tenant = $1 AND project = $2 AND memory_id = $3`, tenant, project, id)
	}
	t.discount(old)
	t.gain(row.length)
	t.link(&m, seq, row.named)
	t.embed(&m, vectors)
	t.announce(outbox.MemoryUpdated, &m)
	return m, nil
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
	t.seek(&stands, byID, string(id))
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
	t.embed(&stands.Memory, []memory.Vector{v})
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

func (t *tx) emit(r outbox.Record) {
	if r.Time.IsZero() {
		r.Time = t.now
	}
	if r.TraceParent == "" && t.db.options.TraceParent != nil {
		r.TraceParent = t.db.options.TraceParent(t.caller)
	}
	t.announced = true
	emit(t.session, t.scope, r)
}

func (t *tx) announce(kind string, m *memory.Memory) {
	r := m.Announce(kind)
	r.Time = t.now
	t.emit(r)
}

func check(vectors []memory.Vector) error {
	for i := range vectors {
		if err := vectors[i].Check(); err != nil {
			return err
		}
		if len(vectors[i].Values) > maxDimensions {
			return fault.BadField("vector.values", "must be at most %d numbers", maxDimensions)
		}
	}
	return nil
}

// maxDimensions is what pgvector's type can hold.
const maxDimensions = 16_000

func fingerprintOf(m *memory.Memory) ([]byte, error) {
	b, err := hex.DecodeString(m.Fingerprint())
	if err != nil {
		return nil, fmt.Errorf("fingerprint of memory %s: %w", m.ID, err)
	}
	return b, nil
}

// isUUID reports whether the database could hold the id. Whatever is none is nobody's.
func isUUID(id memory.ID) bool {
	_, ok := memory.ParseID(string(id))
	return ok
}

func notFound() error { return fault.New(fault.NotFound, "there is no such memory") }
