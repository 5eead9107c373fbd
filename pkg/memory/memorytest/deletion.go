package memorytest

import (
	"fmt"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

func deletionClauses() []clause {
	return []clause{
		{"a deleted memory is gone from every read, past ones included", deleteEverywhere},
		{"delete of what does not stand is not found", deleteMissing},
		{"what was deleted can be stored again", deleteFrees},
		{"bulk delete takes what matches and nothing else", bulkDelete},
		{"bulk delete stops at its limit and can be continued", bulkDeleteLimit},
	}
}

func expiryClauses() []clause {
	return []clause{
		{"an expired memory is gone from every read at once", expiredEverywhere},
		{"at the very moment of expiry it is gone", expiryBound},
		{"an expired memory cannot be changed", expiredUnchangeable},
		{"an expired memory never blocks or answers a put", expiredNeverBlocks},
		{"sweep deletes expired memories of every scope, up to its limit", sweepDeletes},
		{"a memory whose expiry was moved stays", expiryMoves},
	}
}

func deleteEverywhere(t *testing.T, w *world) {
	m := w.add(t, acme, full(), vector(1))
	w.advance(time.Hour)
	m.Content = "changed"
	m = w.replace(t, acme, m)
	w.remove(t, acme, m.ID)
	for name, view := range map[string]memory.View{
		"now": {}, "the past": {KnownAt: at(start)}, "the world": {AsOf: at(start)},
	} {
		w.missing(t, acme, m.ID, view)
		if listed := w.list(t, acme, memory.Query{View: view}).Memories; len(listed) != 0 {
			t.Errorf("a list of %s still shows %q", name, contents(listed))
		}
	}
	_, err := w.store.History(t.Context(), acme, m.ID)
	kind(t, err, fault.NotFound)
	for _, tag := range m.Tags {
		same(t, "listed by tag", w.list(t, acme, memory.Query{Filter: memory.Filter{Tags: []string{tag}}}), memory.Page{})
	}
}

func deleteMissing(t *testing.T, w *world) {
	kind(t, w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		return tx.Delete(t.Context(), memory.NewID())
	}), fault.NotFound)
	same(t, "head", w.head(t, acme), 0)
}

func deleteFrees(t *testing.T, w *world) {
	m := full()
	m.ID = "4d2c8a9e-9c57-5d5b-8a1c-0123456789ab"
	w.add(t, acme, m, vector(1))
	w.remove(t, acme, m.ID)
	again := w.add(t, acme, m)
	same(t, "version", again.Version, 1)
	same(t, "embedding", again.Embedding, memory.EmbeddingPending)
	same(t, "versions", len(w.history(t, acme, m.ID)), 1)
}

func bulkDelete(t *testing.T, w *world) {
	several(t, w, acme, 30)
	elsewhere := memory.Scope{Tenant: "acme", Project: "side"}
	several(t, w, elsewhere, 3)
	var deleted []memory.ID
	w.write(t, acme, func(tx memory.Tx) (err error) {
		deleted, err = tx.DeleteWhere(t.Context(), memory.Filter{Tags: []string{"third"}}, 1000)
		return err
	})
	same(t, "deleted", len(deleted), 10)
	same(t, "left", len(w.list(t, acme, memory.Query{}).Memories), 20)
	same(t, "left elsewhere", len(w.list(t, elsewhere, memory.Query{}).Memories), 3)
	for _, id := range deleted {
		w.missing(t, acme, id, memory.View{})
	}
}

func bulkDeleteLimit(t *testing.T, w *world) {
	several(t, w, acme, 30)
	for _, want := range []int{4, 4, 2, 0} {
		var deleted []memory.ID
		w.write(t, acme, func(tx memory.Tx) (err error) {
			deleted, err = tx.DeleteWhere(t.Context(), memory.Filter{Tags: []string{"third"}}, 4)
			return err
		})
		same(t, "deleted", len(deleted), want)
	}
}

// mayfly stores a memory that expires in an hour.
func mayfly(t tester, w *world, scope memory.Scope, content string) memory.Memory {
	t.Helper()
	m := note(content)
	m.ExpiresAt, m.Tags = at(w.clock().Add(time.Hour)), []string{"mayfly"}
	return w.add(t, scope, m, vector(1))
}

func expiredEverywhere(t *testing.T, w *world) {
	m := mayfly(t, w, acme, "short")
	stays := w.add(t, acme, note("stays"))
	now := w.advance(2 * time.Hour)
	for _, view := range []memory.View{{}, {KnownAt: at(start)}, {KnownAt: &now}, {AsOf: at(start)}} {
		w.missing(t, acme, m.ID, view)
		found, err := w.store.Find(t.Context(), acme, []memory.ID{m.ID, stays.ID}, view)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "found", contents(found), []string{"stays"})
		same(t, "listed", contents(w.list(t, acme, memory.Query{View: view}).Memories), []string{"stays"})
	}
	same(t, "listed by tag", w.list(t, acme, memory.Query{Filter: memory.Filter{Tags: []string{"mayfly"}}}), memory.Page{})
	_, err := w.store.History(t.Context(), acme, m.ID)
	kind(t, err, fault.NotFound)
	for _, c := range w.changes(t, acme, 0) {
		if c.Version.ID == m.ID && (!c.Gone || c.Version.Content != "" || c.Vector != nil) {
			t.Errorf("the feed still tells %s", render(c))
		}
	}
	w.write(t, acme, func(tx memory.Tx) error {
		_, err := tx.Get(t.Context(), m.ID)
		kind(t, err, fault.NotFound)
		return nil
	})
}

func expiryBound(t *testing.T, w *world) {
	m := mayfly(t, w, acme, "short")
	w.advance(time.Hour - time.Microsecond)
	w.get(t, acme, m.ID, memory.View{})
	w.advance(time.Microsecond)
	w.missing(t, acme, m.ID, memory.View{})
}

func expiredUnchangeable(t *testing.T, w *world) {
	m := mayfly(t, w, acme, "short")
	w.advance(2 * time.Hour)
	kind(t, w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		_, err := tx.Replace(t.Context(), m, asker)
		return err
	}), fault.NotFound)
	kind(t, w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		return tx.Delete(t.Context(), m.ID)
	}), fault.NotFound)
	same(t, "attached", w.attach(t, acme, m.ID, 1, vector(2)), false)
	w.write(t, acme, func(tx memory.Tx) error {
		deleted, err := tx.DeleteWhere(t.Context(), memory.Filter{Tags: []string{"mayfly"}}, 10)
		same(t, "deleted", len(deleted), 0)
		return err
	})
}

func expiredNeverBlocks(t *testing.T, w *world) {
	lapsed := note("short")
	lapsed.ExpiresAt = at(start.Add(time.Hour))
	keyed := note("keyed")
	keyed.ExternalID, keyed.ExpiresAt = "key", at(start.Add(time.Hour))
	derived := note("derived")
	derived.ID, derived.ExpiresAt = "4d2c8a9e-9c57-5d5b-8a1c-0123456789ab", at(start.Add(time.Hour))
	old := []memory.Memory{w.add(t, acme, lapsed), w.add(t, acme, keyed), w.add(t, acme, derived)}
	w.advance(2 * time.Hour)
	lapsed.ExpiresAt, keyed.ExpiresAt, derived.ExpiresAt = nil, nil, nil
	keyed.Content, derived.Content = "keyed anew", "derived anew"
	fresh := []memory.Memory{w.add(t, acme, lapsed), w.add(t, acme, keyed), w.add(t, acme, derived)}
	for i := range fresh {
		same(t, "version", fresh[i].Version, 1)
		if i < 2 {
			w.missing(t, acme, old[i].ID, memory.View{})
		}
	}
	same(t, "listed", len(w.list(t, acme, memory.Query{}).Memories), 3)

	// neither does it block a replacement
	blocker := note("blocker")
	blocker.ExternalID, blocker.ExpiresAt = "other key", at(w.clock().Add(time.Hour))
	w.add(t, acme, blocker)
	w.advance(2 * time.Hour)
	next := fresh[0]
	next.ExternalID = "other key"
	w.replace(t, acme, next)
}

func sweepDeletes(t *testing.T, w *world) {
	scopes := []memory.Scope{acme, {Tenant: "acme", Project: "side"}, {Tenant: "other", Project: "default"}}
	for _, scope := range scopes {
		for i := range 4 {
			mayfly(t, w, scope, fmt.Sprint("short ", i))
		}
		w.add(t, scope, note("stays"))
	}
	swept, err := w.store.Sweep(t.Context(), 100)
	if err != nil || swept != 0 {
		t.Fatalf("before anything expired: %d, %v", swept, err)
	}
	w.advance(2 * time.Hour)
	for _, want := range []int{5, 5, 2, 0} {
		swept, err := w.store.Sweep(t.Context(), 5)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "swept", swept, want)
	}
	for _, scope := range scopes {
		same(t, "left", contents(w.list(t, scope, memory.Query{}).Memories), []string{"stays"})
		gone := 0
		for _, c := range w.changes(t, scope, 5) {
			if c.Gone {
				gone++
			}
		}
		same(t, "news of deletions", gone, 4)
		same(t, "head", w.head(t, scope), 9)
	}
}

func expiryMoves(t *testing.T, w *world) {
	m := mayfly(t, w, acme, "short")
	m.ExpiresAt = nil
	m = w.replace(t, acme, m)
	w.advance(2 * time.Hour)
	same(t, "read", w.get(t, acme, m.ID, memory.View{}), m)
	same(t, "the past", w.get(t, acme, m.ID, memory.View{KnownAt: at(start)}).Version, 1)
	swept, err := w.store.Sweep(t.Context(), 10)
	if err != nil || swept != 0 {
		t.Fatalf("swept %d, %v", swept, err)
	}
}
