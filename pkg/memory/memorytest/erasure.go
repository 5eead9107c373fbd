package memorytest

import (
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

func erasureClauses() []clause {
	return []clause{
		{"erasure removes everything of the tenant and counts it", eraseCounts},
		{"erasure leaves every other tenant alone", eraseSpares},
		{"an erased tenant can start again, and its feed never repeats a number", eraseThenStart},
		{"a reader of an erased feed is told to start over", eraseTellsReaders},
	}
}

func limitClauses() []clause {
	return []clause{
		{"content may be empty", contentOf("")},
		{"content may be any Unicode", contentOf("Zoë 日本語 \U0001F9E0 \u202E \u0001 \u00A0 a\u0301 \"'\\ \u2028")},
		{"content may be a megabyte", contentOf(strings.Repeat("0123456789abcdeö", 1<<16))},
		{"a transaction may write a thousand memories", thousandAtOnce},
	}
}

func eraseCounts(t *testing.T, w *world) {
	home := memory.Scope{Tenant: "acme", Project: "side"}
	m := w.add(t, acme, full(), vector(1), memory.Vector{Model: "other", Values: []float32{1}})
	m.Tags = []string{"more"}
	w.replace(t, acme, m)
	gone := w.add(t, home, note("gone"))
	w.remove(t, home, gone.ID)
	w.add(t, home, note("stays"))
	w.write(t, home, func(tx memory.Tx) error {
		if _, err := tx.Once(t.Context(), "c", "s", "e"); err != nil {
			return err
		}
		return tx.Answer(t.Context(), memory.Key{Route: "r", Key: "k", Fingerprint: "f"}, []byte("{}"))
	})
	now := w.advance(time.Second)
	receipt, err := w.store.EraseTenant(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	want := memory.Receipt{Tenant: "acme", Memories: 2, Versions: 3, Vectors: 2, Answers: 1, ErasedAt: now}
	if queue, ok := w.queue(); ok {
		want.Events = 5
		told(t, queue, now)
	}
	same(t, "receipt", receipt, want)
	for _, scope := range []memory.Scope{acme, home} {
		same(t, "listed", w.list(t, scope, memory.Query{}), memory.Page{})
		same(t, "past", w.list(t, scope, memory.Query{View: memory.View{KnownAt: at(start)}}), memory.Page{})
		same(t, "head", w.head(t, scope), 0)
		same(t, "fed", w.changes(t, scope, 0), nil)
	}
	receipt, err = w.store.EraseTenant(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "second receipt", receipt, memory.Receipt{Tenant: "acme", ErasedAt: now})
	if queue, ok := w.queue(); ok {
		for range 2 { // while the news of the last time waits
			if receipt, err = w.store.EraseTenant(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
			same(t, "third receipt", receipt, memory.Receipt{Tenant: "acme", ErasedAt: now})
		}
		told(t, queue, now)
	}
}

// told takes all records from the queue: the one that tells that acme was erased.
func told(t *testing.T, queue outbox.Queue, at time.Time) {
	t.Helper()
	records := relay(t, queue)
	if len(records) != 1 {
		t.Fatalf("%d records left", len(records))
	}
	r := records[0]
	same(t, "tells", []any{r.Type, r.Tenant, r.Project}, []any{outbox.TenantErased, "acme", ""})
	same(t, "data", string(r.Data), string(memory.AnnounceErasure("acme", at).Data))
}

func eraseSpares(t *testing.T, w *world) {
	other := memory.Scope{Tenant: "acme2", Project: "default"}
	w.add(t, acme, full())
	kept := w.add(t, other, full(), vector(1))
	if _, err := w.store.EraseTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	same(t, "read", w.get(t, other, kept.ID, memory.View{}), kept)
	same(t, "head", w.head(t, other), 1)
	if queue, ok := w.queue(); ok {
		same(t, "announced", len(relay(t, queue)), 2)
	}
}

func eraseThenStart(t *testing.T, w *world) {
	several(t, w, acme, 5)
	if _, err := w.store.EraseTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	m := w.add(t, acme, note("0"))
	changes := w.changes(t, acme, 0)
	same(t, "fed", len(changes), 1)
	same(t, "memory", changes[0].Version.ID, m.ID)
	if changes[0].Seq <= 5 || changes[0].Seq != w.head(t, acme) {
		t.Errorf("the new feed begins at %d, its head is %d; the old one ended at 5", changes[0].Seq, w.head(t, acme))
	}
}

func eraseTellsReaders(t *testing.T, w *world) {
	several(t, w, acme, 5)
	if _, err := w.store.EraseTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	same(t, "told while nobody writes", w.changes(t, acme, 3), nil)
	w.add(t, acme, note("new"))
	same(t, "told to a reader that had seen it all", len(w.changes(t, acme, 5)), 2)
	changes := w.changes(t, acme, 3)
	same(t, "changes", len(changes), 2)
	reset := changes[0]
	if !reset.Reset || reset.Gone || reset.Seq <= 5 || reset.Seq >= changes[1].Seq {
		t.Errorf("the reader is told %s", render(reset))
	}
	same(t, "the new memory", changes[1].Version.Content, "new")
	same(t, "told once", len(w.changes(t, acme, reset.Seq)), 1)
	for _, c := range w.changes(t, acme, 0) {
		if c.Reset {
			t.Error("a reader that knows nothing is told to forget it")
		}
	}
}

func contentOf(content string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		m := w.add(t, acme, note(content))
		if got := w.get(t, acme, m.ID, memory.View{}); got.Content != content {
			t.Errorf("%d bytes came back as %d", len(content), len(got.Content))
		}
		if got := w.changes(t, acme, 0)[0].Version.Content; got != content {
			t.Errorf("%d bytes were fed as %d", len(content), len(got))
		}
		_, outcome := w.put(t, acme, note(content))
		same(t, "outcome", outcome, memory.Deduplicated)
	}
}

func thousandAtOnce(t *testing.T, w *world) {
	all := several(t, w, acme, 1000)
	same(t, "listed", len(w.list(t, acme, memory.Query{}).Memories), len(all))
	same(t, "head", w.head(t, acme), 1000)
}
