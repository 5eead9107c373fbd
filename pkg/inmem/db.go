package inmem

import (
	"context"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Options of a DB. The zero value works.
type Options struct {
	Clock func() time.Time // nil: time.Now
	// OnCommit is called after a write that added records to the outbox, on the goroutine of the writer: it must not
	// block.
	OnCommit func()
	// TraceParent returns the W3C trace context of a request, for the records it writes. nil: none.
	TraceParent func(context.Context) string
}

// DB is one store in memory. All methods are safe for concurrent use.
type DB struct {
	options Options

	mu          sync.RWMutex
	scopes      map[memory.Scope]*partition
	erased      memory.Seq // above every number used by scopes that have been erased
	outbox      queue
	models      map[memory.Scope]memory.Models // where somebody chose
	names       map[memory.Scope]*names        // who is who
	projections map[projectionKey]projection
	holders     int64 // locks of projections given out so far
	// erasers let the other parts of the store take part in EraseTenant; each removes what it holds of the tenant,
	// with mu held, and counts it.
	erasers []func(tenant string) int
}

// New returns an empty store.
func New(options Options) *DB {
	if options.Clock == nil {
		options.Clock = time.Now
	}
	return &DB{options: options, scopes: make(map[memory.Scope]*partition), projections: make(map[projectionKey]projection), models: make(map[memory.Scope]memory.Models),
		names: make(map[memory.Scope]*names)}
}

// now is the clock's time in the precision the durable stores keep.
func (d *DB) now() time.Time { return d.options.Clock().UTC().Truncate(time.Microsecond) }

// undo is what takes a transaction back: the reverse of each change, run in reverse order.
type undo struct {
	steps     []func()
	announced bool
}

// add remembers how to take one change back.
func (u *undo) add(step func()) { u.steps = append(u.steps, step) }

func (u *undo) all() {
	for i := len(u.steps) - 1; i >= 0; i-- {
		u.steps[i]()
	}
}

// write runs do alone, with mu held. When do returns an error, or panics, or the context has ended, everything do has
// told u is taken back. An error of do is returned unchanged.
func (d *DB) write(ctx context.Context, do func(u *undo) error) error {
	announced, err := d.writeLocked(ctx, do)
	if err == nil && announced && d.options.OnCommit != nil {
		d.options.OnCommit()
	}
	return err
}

func (d *DB) writeLocked(ctx context.Context, do func(u *undo) error) (announced bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := llm.NoDryRun(ctx); err != nil {
		return false, err
	}
	u := &undo{}
	kept := false
	defer func() {
		if !kept {
			u.all()
		}
	}()
	if err := do(u); err != nil {
		return false, err
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	kept = true
	return u.announced, nil
}

// emit adds a record to the outbox as part of the write. ID and Time are set when empty, Tenant and Project always.
func (d *DB) emit(ctx context.Context, u *undo, scope memory.Scope, r outbox.Record) {
	if r.ID == "" {
		r.ID = string(memory.NewID())
	}
	if r.Time.IsZero() {
		r.Time = d.now()
	}
	if r.TraceParent == "" && d.options.TraceParent != nil {
		r.TraceParent = d.options.TraceParent(ctx)
	}
	r.Tenant, r.Project = scope.Tenant, scope.Project
	r.Time = r.Time.UTC().Truncate(time.Microsecond)
	d.outbox.add(r)
	u.add(d.outbox.takeBack)
	u.announced = true
}

// emitAll adds the records to the outbox, in order, as part of the write.
func (d *DB) emitAll(ctx context.Context, u *undo, scope memory.Scope, records []outbox.Record) {
	for _, record := range records {
		d.emit(ctx, u, scope, record)
	}
}

// set writes one entry of a map as part of the write.
func set[K comparable, V any](u *undo, m map[K]V, key K, value V) {
	old, there := m[key]
	u.add(func() {
		if there {
			m[key] = old
		} else {
			delete(m, key)
		}
	})
	m[key] = value
}

// unset removes one entry of a map as part of the write.
func unset[K comparable, V any](u *undo, m map[K]V, key K) {
	old, there := m[key]
	if !there {
		return
	}
	u.add(func() { m[key] = old })
	delete(m, key)
}
