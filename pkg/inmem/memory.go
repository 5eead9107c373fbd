package inmem

import (
	"context"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/learn"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

var _ memory.Store = (*DB)(nil)

// Write runs do alone, as one transaction of the scope.
func (d *DB) Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error {
	if err := scope.Check(); err != nil {
		return err
	}
	return d.write(ctx, func(u *undo) error {
		t := d.begin(ctx, u, scope)
		if err := do(t); err != nil {
			return err
		}
		return t.finish()
	})
}

// tx is one transaction of one scope; the lock is held while it lives.
type tx struct {
	db    *DB
	ctx   context.Context
	u     *undo
	scope memory.Scope
	p     *partition
	now   time.Time
	gone  []memory.ID // memories that were deleted, or say something else now
}

// finish takes away what rested on memories that are gone.
func (t *tx) finish() error { return learn.Forget(t.ctx, factTx{t}, t.scope, t.gone) }

func (d *DB) begin(ctx context.Context, u *undo, scope memory.Scope) *tx {
	return &tx{db: d, ctx: ctx, u: u, scope: scope, p: d.partition(u, scope), now: d.now()}
}

// live returns the entry that stands under the id; nil when none does. An expired one is deleted on the way.
func (t *tx) live(id memory.ID) *entry {
	e, ok := t.p.entries[id]
	if !ok {
		return nil
	}
	if e.expired(t.now) {
		t.delete(id, e)
		return nil
	}
	return e
}

// Put is PutAll of one.
func (t *tx) Put(ctx context.Context, m memory.Memory, why memory.Why, vectors ...memory.Vector) (memory.Memory, memory.Outcome, error) {
	return memory.One(t.PutAll(ctx, []memory.Entry{{Memory: m, Vectors: vectors}}, why))
}

// PutAll stores or recognises memories.
func (t *tx) PutAll(_ context.Context, entries []memory.Entry, why memory.Why) ([]memory.Written, error) {
	all := make([]memory.Written, len(entries))
	own := t.ctx
	defer func() { t.ctx = own }()
	for i := range entries {
		if t.ctx = own; entries[i].Told != nil {
			t.ctx = entries[i].Told
		}
		m, outcome, err := t.put(&entries[i], entries[i].ToldBy(why))
		all[i] = memory.Written{Memory: m, Outcome: outcome, Err: err}
	}
	return all, nil
}

// Head returns the number of the scope's last change.
func (t *tx) Head(context.Context) (memory.Seq, error) {
	if len(t.p.feed) == 0 {
		return 0, nil
	}
	return t.p.head, nil
}

func (t *tx) put(given *memory.Entry, why memory.Why) (memory.Memory, memory.Outcome, error) {
	m, err := given.Canonical(t.scope)
	if err != nil {
		return memory.Memory{}, "", err
	}
	if m.ExternalID != "" {
		if e := t.live(t.p.byExternalID[m.ExternalID]); e != nil {
			standing := &e.current().Memory
			if m.SameAs(standing) {
				return standing.Clone(), memory.Deduplicated, nil
			}
			m.ID = standing.ID
			return t.replace(e, m, why), memory.Updated, nil
		}
	}
	if e := t.live(t.p.byFingerprint[m.Fingerprint()]); e != nil {
		return e.current().Clone(), memory.Deduplicated, nil
	}
	if e := t.live(m.ID); e != nil {
		switch {
		case m.SameAs(&e.current().Memory):
			return e.current().Clone(), memory.Deduplicated, nil
		case !m.Anew:
			return memory.Memory{}, "", fault.New(fault.Conflict, "another memory has the id %s", m.ID)
		}
		m.ID = ""
	}
	if m.ID == "" {
		m.ID = memory.NewID()
	}
	m.Version, m.CreatedAt, m.UpdatedAt, m.Embedding = 1, t.now, t.now, memory.EmbeddingPending
	kept := keep(nil, m.Vectors)
	if len(kept) > 0 {
		m.Embedding = memory.EmbeddingReady
	}
	t.p.put(t.u, m.ID, &entry{vectors: kept, versions: []version{{
		Version: memory.Version{Memory: m.Memory, Change: memory.Created, Why: why, RecordedFrom: t.now},
		seq:     t.p.next(t.u, m.ID, 1),
	}}})
	t.announce(outbox.MemoryStored, &m.Memory)
	return m.Clone(), memory.Created, nil
}

// Get reads the current version.
func (t *tx) Get(_ context.Context, id memory.ID) (memory.Memory, error) {
	e, ok := t.p.entries[id]
	if !ok || e.expired(t.now) {
		return memory.Memory{}, notFound()
	}
	return e.current().Clone(), nil
}

// Replace writes the next version.
func (t *tx) Replace(_ context.Context, given memory.Memory, why memory.Why, vectors ...memory.Vector) (memory.Memory, error) {
	m, err := (&memory.Entry{Memory: given, Vectors: vectors}).Canonical(t.scope)
	if err != nil {
		return memory.Memory{}, err
	}
	e := t.live(m.ID)
	if e == nil {
		return memory.Memory{}, notFound()
	}
	if m.ExternalID != "" {
		if other := t.live(t.p.byExternalID[m.ExternalID]); other != nil && other != e {
			return memory.Memory{}, fault.New(fault.Conflict, "another memory has this external_id")
		}
	}
	if other := t.live(t.p.byFingerprint[m.Fingerprint()]); other != nil && other != e {
		return memory.Memory{}, fault.New(fault.Conflict, "another memory says the same")
	}
	return t.replace(e, m, why), nil
}

// replace makes m the next version of e.
func (t *tx) replace(e *entry, m memory.Entry, why memory.Why) memory.Memory {
	old := e.current()
	at := t.now
	if earliest := old.UpdatedAt.Add(time.Microsecond); at.Before(earliest) {
		at = earliest
	}
	m.Version, m.CreatedAt, m.UpdatedAt, m.Embedding = old.Memory.Version+1, old.CreatedAt, at, memory.EmbeddingPending
	var kept map[string][]float32
	if m.Content == old.Content {
		kept = e.vectors
	}
	kept = keep(kept, m.Vectors)
	if len(kept) > 0 {
		m.Embedding = memory.EmbeddingReady
	}
	versions := slices.Clone(e.versions)
	versions[len(versions)-1].RecordedTo = &at
	versions = append(versions, version{
		Version: memory.Version{Memory: m.Memory, Change: memory.Updated, Why: why, RecordedFrom: at},
		seq:     t.p.next(t.u, m.ID, m.Version),
	})
	t.p.put(t.u, m.ID, &entry{versions: versions, vectors: kept})
	if m.Content != old.Content {
		t.gone = append(t.gone, m.ID)
	}
	t.announce(outbox.MemoryUpdated, &m.Memory)
	return m.Clone()
}

// Delete removes a memory with all it has.
func (t *tx) Delete(_ context.Context, id memory.ID) error {
	e := t.live(id)
	if e == nil {
		return notFound()
	}
	t.delete(id, e)
	return nil
}

func (t *tx) delete(id memory.ID, e *entry) {
	t.p.remove(t.u, id)
	t.p.next(t.u, id, 0)
	t.gone = append(t.gone, id)
	t.announce(outbox.MemoryDeleted, &e.current().Memory)
}

// DeleteWhere deletes up to limit matching memories, newest first.
func (t *tx) DeleteWhere(_ context.Context, f memory.Filter, limit int) ([]memory.ID, error) {
	var deleted []memory.ID
	for i := len(t.p.ids) - 1; i >= 0 && len(deleted) < limit; i-- {
		id := t.p.ids[i]
		if e := t.p.entries[id]; !e.expired(t.now) && f.Match(&e.current().Memory) {
			t.delete(id, e)
			deleted = append(deleted, id)
		}
	}
	return deleted, nil
}

// Attach gives a vector to a memory that still has the version.
func (t *tx) Attach(_ context.Context, id memory.ID, versionNumber int, v memory.Vector) (bool, error) {
	if err := v.Check(); err != nil {
		return false, err
	}
	e := t.live(id)
	if e == nil || e.current().Memory.Version != versionNumber {
		return false, nil
	}
	if slices.Equal(e.vectors[v.Model], v.Values) {
		return true, nil
	}
	versions := slices.Clone(e.versions)
	last := &versions[len(versions)-1]
	last.Embedding = memory.EmbeddingReady
	last.seq = t.p.next(t.u, id, versionNumber)
	t.p.put(t.u, id, &entry{versions: versions, vectors: keep(e.vectors, []memory.Vector{v})})
	t.announce(outbox.MemoryUpdated, &last.Memory)
	return true, nil
}

// Answered returns the answer remembered for the key.
func (t *tx) Answered(_ context.Context, key memory.Key) ([]byte, bool, error) {
	a, ok := t.p.answers[answerKey{key.Route, key.Key}]
	if key.Key == "" || !ok {
		return nil, false, nil
	}
	if a.fingerprint != key.Fingerprint {
		return nil, false, key.Reused()
	}
	return slices.Clone(a.body), true, nil
}

// Answer remembers the answer of the key.
func (t *tx) Answer(ctx context.Context, key memory.Key, body []byte) error {
	if key.Key == "" {
		return nil
	}
	if _, _, err := t.Answered(ctx, key); err != nil {
		return err
	}
	body = append(make([]byte, 0, len(body)), body...)
	set(t.u, t.p.answers, answerKey{key.Route, key.Key}, answer{key.Fingerprint, body, t.now})
	return nil
}

// Once records that the consumer has taken the event.
func (t *tx) Once(_ context.Context, consumer, source, event string) (bool, error) {
	key := consumedKey{consumer, source, event}
	if _, taken := t.p.consumed[key]; taken {
		return false, nil
	}
	set(t.u, t.p.consumed, key, t.now)
	return true, nil
}

// Emit adds a record to the outbox.
func (t *tx) Emit(_ context.Context, r outbox.Record) error {
	t.db.emit(t.ctx, t.u, t.scope, r)
	return nil
}

func (t *tx) announce(kind string, m *memory.Memory) {
	r := m.Announce(kind)
	r.Time = t.now
	t.db.emit(t.ctx, t.u, t.scope, r)
}

// keep returns the old vectors with the new ones over them.
func keep(old map[string][]float32, vectors []memory.Vector) map[string][]float32 {
	kept := make(map[string][]float32, len(old)+len(vectors))
	for model, values := range old {
		kept[model] = values
	}
	for _, v := range vectors {
		kept[v.Model] = slices.Clone(v.Values)
	}
	return kept
}

func notFound() error { return fault.New(fault.NotFound, "there is no such memory") }
