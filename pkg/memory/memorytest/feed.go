package memorytest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

func vectorClauses() []clause {
	return []clause{
		{"vectors of several models live side by side", vectorsSideBySide},
		{"an attached vector makes a pending memory ready and is fed anew", attachFeeds},
		{"a vector for a version that has passed is left alone", attachStale},
		{"new content drops the old vectors, the same content keeps them", contentDropsVectors},
		{"a vector that is no vector is refused", vectorRefused},
	}
}

func feedClauses() []clause {
	return []clause{
		{"a scope nobody wrote to has head 0 and no changes", feedEmpty},
		{"changes are numbered from 1 and come in order", feedNumbers},
		{"a superseded version and its successor are both fed", feedVersions},
		{"a deletion leaves only news of itself", feedTombstones},
		{"the number of the last change is the head", feedReachesHead},
		{"a transaction knows the head it leaves", feedHeadWithin},
		{"reading by pages gives what reading at once gives", feedPages},
		{"nothing is missed while sixteen write", feedUnderWriters},
		{"recognised memories and refused changes move nothing", feedStandsStill},
		{"a limit below 1 is refused", feedLimits},
	}
}

func feedHeadWithin(t *testing.T, w *world) {
	head := func(tx memory.Tx) memory.Seq {
		n, err := tx.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var id memory.ID
	for _, step := range []struct {
		name string
		do   func(memory.Tx) error
		want memory.Seq
	}{
		{"nothing was ever done", func(memory.Tx) error { return nil }, 0},
		{"two are new", func(tx memory.Tx) error {
			all, err := tx.PutAll(t.Context(), []memory.Entry{{Memory: note("a")}, {Memory: note("b")}}, asker)
			id = all[0].Memory.ID
			return err
		}, 2},
		{"one is recognised", func(tx memory.Tx) error {
			_, _, err := tx.Put(t.Context(), note("a"), asker)
			return err
		}, 2},
		{"nothing is done", func(memory.Tx) error { return nil }, 2},
		{"one is deleted", func(tx memory.Tx) error { return tx.Delete(t.Context(), id) }, 3},
	} {
		var within memory.Seq
		w.write(t, acme, func(tx memory.Tx) error {
			if err := step.do(tx); err != nil {
				return err
			}
			within = head(tx)
			return nil
		})
		after, err := w.store.Head(t.Context(), acme)
		if err != nil {
			t.Fatal(err)
		}
		same(t, step.name, []memory.Seq{within, after}, []memory.Seq{step.want, step.want})
	}
}

func vectorsSideBySide(t *testing.T, w *world) {
	w.add(t, acme, note("x"), vector(1, 2), memory.Vector{Model: "other", Values: []float32{3}})
	for name, want := range map[string][]float32{model: {1, 2}, "other": {3}, "unknown": nil} {
		changes, err := w.store.Changes(t.Context(), acme, name, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "vector of "+name, changes[0].Vector, want)
	}
}

func attachFeeds(t *testing.T, w *world) {
	m := w.add(t, acme, note("x"))
	w.add(t, acme, note("y"))
	same(t, "embedding", m.Embedding, memory.EmbeddingPending)
	same(t, "vector", w.changes(t, acme, 0)[0].Vector, nil)
	w.advance(time.Hour)
	same(t, "attached", w.attach(t, acme, m.ID, 1, vector(1, 2)), true)
	want := m
	want.Embedding = memory.EmbeddingReady
	same(t, "read", w.get(t, acme, m.ID, memory.View{}), want)
	same(t, "versions", len(w.history(t, acme, m.ID)), 1)
	same(t, "fed anew", w.changes(t, acme, 2), []memory.Change{{
		Seq: 3, Vector: []float32{1, 2},
		Version: memory.Version{Memory: want, Change: memory.Created, Why: asker, RecordedFrom: start},
	}})
	same(t, "attached again", w.attach(t, acme, m.ID, 1, vector(1, 2)), true)
	same(t, "attached another", w.attach(t, acme, m.ID, 1, vector(5, 6)), true)
	changes := w.changes(t, acme, 3)
	same(t, "fed", len(changes), 1)
	same(t, "vector", changes[0].Vector, []float32{5, 6})
}

func attachStale(t *testing.T, w *world) {
	m := w.add(t, acme, note("x"))
	next := m
	next.Content = "y"
	w.replace(t, acme, next)
	head := w.head(t, acme)
	for _, c := range []struct {
		name    string
		id      memory.ID
		version int
	}{{"the old version", m.ID, 1}, {"a version to come", m.ID, 3}, {"nobody", memory.NewID(), 1}} {
		if w.attach(t, acme, c.id, c.version, vector(1)) {
			t.Errorf("a vector was attached to %s", c.name)
		}
	}
	same(t, "head", w.head(t, acme), head)
	same(t, "embedding", w.get(t, acme, m.ID, memory.View{}).Embedding, memory.EmbeddingPending)
}

func contentDropsVectors(t *testing.T, w *world) {
	m := w.add(t, acme, note("x"), vector(1))
	m.Tags = []string{"tagged"}
	m = w.replace(t, acme, m)
	same(t, "embedding after other tags", m.Embedding, memory.EmbeddingReady)
	changes := w.changes(t, acme, 1)
	same(t, "vector after other tags", changes[len(changes)-1].Vector, []float32{1})
	m.Content = "y"
	m = w.replace(t, acme, m)
	same(t, "embedding after other content", m.Embedding, memory.EmbeddingPending)
	changes = w.changes(t, acme, 2)
	same(t, "vector after other content", changes[len(changes)-1].Vector, nil)
	m.Content = "z"
	m = w.replace(t, acme, m, vector(2))
	same(t, "embedding with a new vector", m.Embedding, memory.EmbeddingReady)
	changes = w.changes(t, acme, 3)
	same(t, "new vector", changes[len(changes)-1].Vector, []float32{2})
}

func vectorRefused(t *testing.T, w *world) {
	for _, v := range []memory.Vector{{Model: model}, {Values: []float32{1}}, vector(float32(nan()))} {
		kind(t, w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
			_, _, err := tx.Put(t.Context(), note("x"), asker, v)
			return err
		}), fault.Invalid)
	}
	same(t, "head", w.head(t, acme), 0)
}

func nan() float64 {
	zero := 0.0
	return zero / zero
}

func feedEmpty(t *testing.T, w *world) {
	same(t, "head", w.head(t, acme), 0)
	same(t, "changes", w.changes(t, acme, 0), nil)
	same(t, "changes far ahead", w.changes(t, acme, 99), nil)
}

func feedNumbers(t *testing.T, w *world) {
	all := several(t, w, acme, 30)
	changes := w.changes(t, acme, 0)
	same(t, "changes", len(changes), 30)
	for i, c := range changes {
		same(t, "number", c.Seq, i+1)
		same(t, "memory", c.Version.Memory, all[len(all)-1-i])
	}
}

func feedVersions(t *testing.T, w *world) {
	first := w.add(t, acme, note("v1"), vector(1))
	changed := w.advance(time.Hour)
	second := first
	second.Content = "v2"
	second = w.replace(t, acme, second, vector(2))
	want := []memory.Change{
		{Seq: 1, Version: memory.Version{Memory: first, Change: memory.Created, Why: asker, RecordedFrom: start, RecordedTo: &changed}},
		{Seq: 2, Version: memory.Version{Memory: second, Change: memory.Updated, Why: asker, RecordedFrom: changed}, Vector: []float32{2}},
	}
	same(t, "from the start", w.changes(t, acme, 0), want)
	same(t, "from the first", w.changes(t, acme, 1), want[1:])
	same(t, "from the head", w.changes(t, acme, 2), nil)
}

func feedTombstones(t *testing.T, w *world) {
	m := w.add(t, acme, full(), vector(1))
	m.Content = "changed"
	w.replace(t, acme, m)
	w.remove(t, acme, m.ID)
	same(t, "changes", w.changes(t, acme, 0), []memory.Change{
		{Seq: 3, Gone: true, Version: memory.Version{Memory: memory.Memory{ID: m.ID}}},
	})
}

func feedReachesHead(t *testing.T, w *world) {
	a := w.add(t, acme, note("a"))
	steps := []func(){
		func() { w.add(t, acme, note("b")) },
		func() { w.attach(t, acme, a.ID, 1, vector(1)) },
		func() { a.Content = "a2"; w.replace(t, acme, a) },
		func() { mayfly(t, w, acme, "short") },
		func() { w.advance(2 * time.Hour) }, // unseen, expired, not swept
		func() {
			if _, err := w.store.Sweep(t.Context(), 10); err != nil {
				t.Fatal(err)
			}
		},
		func() { w.remove(t, acme, a.ID) },
	}
	for i, step := range steps {
		step()
		changes := w.changes(t, acme, 0)
		if last, head := changes[len(changes)-1].Seq, w.head(t, acme); last != head {
			t.Errorf("after step %d the feed ends at %d, the head is %d", i, last, head)
		}
	}
}

func feedPages(t *testing.T, w *world) {
	for i := range 10 {
		m := w.add(t, acme, note(fmt.Sprint("n", i)), vector(float32(i)))
		if i%2 == 0 {
			m.Content += "!"
			m = w.replace(t, acme, m)
		}
		if i%3 == 0 {
			w.remove(t, acme, m.ID)
		}
	}
	want := w.changes(t, acme, 0)
	for size := 1; size <= len(want)+1; size++ {
		var got []memory.Change
		for after := memory.Seq(0); ; {
			page, err := w.store.Changes(t.Context(), acme, model, after, size)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			if len(page) > size {
				t.Fatalf("%d changes under a limit of %d", len(page), size)
			}
			got = append(got, page...)
			after = page[len(page)-1].Seq
		}
		same(t, fmt.Sprint("by ", size), got, want)
	}
}

// feedUnderWriters follows the feed while sixteen write, and ends with the same picture as a list.
func feedUnderWriters(t *testing.T, w *world) {
	const writers, each = 16, 12
	var writing sync.WaitGroup
	for n := range writers {
		writing.Go(func() {
			for i := range each {
				err := w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
					m, _, err := tx.Put(t.Context(), note(fmt.Sprintf("%d/%d", n, i)), asker, vector(float32(n)))
					if err != nil || i%4 != 3 {
						return err
					}
					return tx.Delete(t.Context(), m.ID)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		writing.Wait()
		close(done)
	}()
	seen := make(map[memory.ID]string)
	after := memory.Seq(0)
	follow := func() {
		for {
			page, err := w.store.Changes(t.Context(), acme, model, after, 5)
			if err != nil {
				t.Error(err)
				return
			}
			for _, c := range page {
				if c.Seq <= after {
					t.Errorf("change %d came after %d", c.Seq, after)
				}
				after = c.Seq
				if c.Gone {
					delete(seen, c.Version.ID)
				} else {
					seen[c.Version.ID] = c.Version.Content
				}
			}
			if len(page) == 0 {
				return
			}
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		follow()
	}
	want := make(map[memory.ID]string)
	for _, m := range w.list(t, acme, memory.Query{}).Memories {
		want[m.ID] = m.Content
	}
	same(t, "followed", seen, want)
	same(t, "count", len(want), writers*each*3/4)
	same(t, "reached", after, w.head(t, acme))
}

func feedStandsStill(t *testing.T, w *world) {
	m := w.add(t, acme, note("x"))
	w.put(t, acme, note("x"))
	w.attach(t, acme, m.ID, 9, vector(1))
	kind(t, w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		other := note("other")
		other.ID = m.ID
		_, _, err := tx.Put(t.Context(), other, asker)
		return err
	}), fault.Conflict)
	same(t, "head", w.head(t, acme), 1)
}

func feedLimits(t *testing.T, w *world) {
	_, err := w.store.Changes(t.Context(), acme, model, 0, 0)
	kind(t, err, fault.Invalid)
}
