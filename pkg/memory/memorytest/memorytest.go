// Package memorytest is the contract suite of memory.Store: what every implementation must do, told in clauses. A store
// that is also an outbox.Queue is held to announcing its changes as well.
package memorytest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Open returns an empty store that tells the time by clock.
type Open func(t *testing.T, clock func() time.Time) memory.Store

// clause is one thing a store must do, in words.
type clause struct {
	name string
	run  func(*testing.T, *world)
}

// Run holds the store named by on to its contract. Every clause gets a store of its own.
func Run(t *testing.T, on string, open Open) {
	run := contract.Begin(t, "memorytest", on)
	announcements := announcementClauses()
	if _, ok := open(t, time.Now).(outbox.Queue); !ok {
		run.Without("outbox", len(announcements))
		announcements = nil
	}
	for _, subject := range []struct {
		name    string
		clauses []clause
	}{
		{"put", putClauses()},
		{"put all", putAllClauses()},
		{"versions", versionClauses()},
		{"views", viewClauses()},
		{"filters", filterClauses()},
		{"deletion", deletionClauses()},
		{"derived", derivedClauses()},
		{"expiry", expiryClauses()},
		{"archive", archiveClauses()},
		{"use", useClauses()},
		{"vectors", vectorClauses()},
		{"feed", feedClauses()},
		{"transactions", transactionClauses()},
		{"announcements", announcements},
		{"isolation", isolationClauses()},
		{"concurrency", concurrencyClauses()},
		{"erasure", erasureClauses()},
		{"limits", limitClauses()},
	} {
		t.Run(subject.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range subject.clauses {
				run.Clause(t, c.name, func(t *testing.T) {
					w := &world{now: start}
					w.store = open(t, w.clock)
					c.run(t, w)
				})
			}
		})
	}
}

var (
	start = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	acme  = memory.Scope{Tenant: "acme", Project: "default"}
	asker = memory.Why{Actor: "user:ann", Reason: "told me so"}
	model = "hash-64"
)

// world is one store, with a clock that stands still until it is moved.
type world struct {
	store memory.Store

	mu  sync.Mutex
	now time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// advance moves the clock and returns the new time.
func (w *world) advance(d time.Duration) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
	return w.now
}

// tester is what *testing.T and *rapid.T share.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Context() context.Context
}

func (w *world) write(t tester, scope memory.Scope, do func(memory.Tx) error) {
	t.Helper()
	if err := w.store.Write(t.Context(), scope, do); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// put stores m in a transaction of its own.
func (w *world) put(t tester, scope memory.Scope, m memory.Memory, vectors ...memory.Vector) (stored memory.Memory, outcome memory.Outcome) {
	t.Helper()
	w.write(t, scope, func(tx memory.Tx) (err error) {
		stored, outcome, err = tx.Put(t.Context(), m, asker, vectors...)
		return err
	})
	return stored, outcome
}

// add stores a memory that must be new.
func (w *world) add(t tester, scope memory.Scope, m memory.Memory, vectors ...memory.Vector) memory.Memory {
	t.Helper()
	stored, outcome := w.put(t, scope, m, vectors...)
	if outcome != memory.Created {
		t.Fatalf("put %q: %s, want created", m.Content, outcome)
	}
	return stored
}

func (w *world) replace(t tester, scope memory.Scope, m memory.Memory, vectors ...memory.Vector) (stored memory.Memory) {
	t.Helper()
	w.write(t, scope, func(tx memory.Tx) (err error) {
		stored, err = tx.Replace(t.Context(), m, asker, vectors...)
		return err
	})
	return stored
}

func (w *world) remove(t tester, scope memory.Scope, id memory.ID) {
	t.Helper()
	w.write(t, scope, func(tx memory.Tx) error { return tx.Delete(t.Context(), id) })
}

func (w *world) attach(t tester, scope memory.Scope, id memory.ID, version int, v memory.Vector) (attached bool) {
	t.Helper()
	w.write(t, scope, func(tx memory.Tx) (err error) {
		attached, err = tx.Attach(t.Context(), id, version, v)
		return err
	})
	return attached
}

func (w *world) get(t tester, scope memory.Scope, id memory.ID, at memory.View) memory.Memory {
	t.Helper()
	m, err := w.store.Get(t.Context(), scope, id, at)
	if err != nil {
		t.Fatalf("get %s: %v", id, err)
	}
	return m
}

// missing fails unless the view shows no such memory.
func (w *world) missing(t tester, scope memory.Scope, id memory.ID, at memory.View) {
	t.Helper()
	m, err := w.store.Get(t.Context(), scope, id, at)
	if err == nil {
		t.Fatalf("get %s: found %q, want NotFound", id, m.Content)
	}
	kind(t, err, fault.NotFound)
}

func (w *world) list(t tester, scope memory.Scope, q memory.Query) memory.Page {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 1000
	}
	page, err := w.store.List(t.Context(), scope, q)
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	return page
}

func (w *world) history(t tester, scope memory.Scope, id memory.ID) []memory.Version {
	t.Helper()
	versions, err := w.store.History(t.Context(), scope, id)
	if err != nil {
		t.Fatalf("history of %s: %v", id, err)
	}
	return versions
}

func (w *world) head(t tester, scope memory.Scope) memory.Seq {
	t.Helper()
	head, err := w.store.Head(t.Context(), scope)
	if err != nil {
		t.Fatalf("head: %v", err)
	}
	return head
}

func (w *world) changes(t tester, scope memory.Scope, after memory.Seq) []memory.Change {
	t.Helper()
	changes, err := w.store.Changes(t.Context(), scope, model, after, 10_000)
	if err != nil {
		t.Fatalf("changes: %v", err)
	}
	return changes
}

// queue returns the store's outbox; ok is false when another party relays for it.
func (w *world) queue() (queue outbox.Queue, ok bool) {
	queue, ok = w.store.(outbox.Queue)
	return queue, ok
}

func note(content string) memory.Memory {
	return memory.Memory{Content: content, Layer: memory.Episodic}
}

func vector(values ...float32) memory.Vector { return memory.Vector{Model: model, Values: values} }

func at(t time.Time) *time.Time { return &t }

func contents(ms []memory.Memory) []string {
	list := []string{}
	for i := range ms {
		list = append(list, ms[i].Content)
	}
	return list
}

// same compares whole values by the JSON that would cross the wire. An empty list is as good as none.
func same(t tester, what string, got, want any) {
	t.Helper()
	g, w := render(got), render(want)
	if g == "[]" {
		g = "null"
	}
	if w == "[]" {
		w = "null"
	}
	if g != w {
		t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func render(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%#v", v)
	}
	return string(b)
}

func kind(t tester, err error, want fault.Kind) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	if got := fault.KindOf(err); got != want {
		t.Fatalf("kind %s of %v, want %s", got, err, want)
	}
}
