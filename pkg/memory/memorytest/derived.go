package memorytest

import (
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

func derivedClauses() []clause {
	return []clause{
		{"what is derived from a deleted memory goes with it, and what is derived from that", derivedGoes},
		{"the same when it is deleted by a filter, lapses or is swept", derivedSwept},
		{"what is derived from something else now stays", derivedOtherwise},
		{"what quotes a memory that says something else now stays", derivedOutlivesChange},
		{"memories derived from each other go together", derivedInACircle},
		{"a deletion that fails leaves what is derived", derivedTakenBack},
		{"another project's memories are derived from nothing here", derivedApart},
	}
}

// from is a memory derived from others.
func from(content string, sources ...memory.ID) memory.Memory {
	m := note(content)
	m.Layer = memory.Reflective
	for _, id := range sources {
		m.DerivedFrom = append(m.DerivedFrom, memory.Citation{MemoryID: id, Start: 0, End: 1})
	}
	return m
}

func derivedGoes(t *testing.T, w *world) {
	a, b := w.add(t, acme, note("a")), w.add(t, acme, note("b"))
	of := w.add(t, acme, from("of a and b", a.ID, b.ID))
	over := w.add(t, acme, from("of what is of a", of.ID, of.ID))
	other := w.add(t, acme, from("of b", b.ID))
	head := w.head(t, acme)
	w.remove(t, acme, a.ID)
	for _, gone := range []memory.ID{a.ID, of.ID, over.ID} {
		w.missing(t, acme, gone, memory.View{})
		_, err := w.store.History(t.Context(), acme, gone)
		kind(t, err, fault.NotFound)
	}
	w.get(t, acme, b.ID, memory.View{})
	w.get(t, acme, other.ID, memory.View{})
	var gone []memory.ID
	for _, c := range w.changes(t, acme, head) {
		if !c.Gone {
			t.Errorf("change %d is no deletion", c.Seq)
		}
		gone = append(gone, c.Version.ID)
	}
	same(t, "the feed tells", gone, []memory.ID{a.ID, of.ID, over.ID})
	again := w.add(t, acme, from("of b, again", b.ID))
	w.remove(t, acme, b.ID)
	w.missing(t, acme, again.ID, memory.View{})
	same(t, "left", w.list(t, acme, memory.Query{}).Memories, []memory.Memory{})
}

func derivedSwept(t *testing.T, w *world) {
	ends := start.Add(time.Hour)
	tagged, lapsing, swept := note("tagged"), note("lapsing"), note("swept")
	tagged.Tags, lapsing.ExpiresAt, swept.ExpiresAt = []string{"x"}, &ends, &ends
	lapsing.ExternalID = "lapsing"
	var derived []memory.ID
	for _, m := range []memory.Memory{tagged, lapsing, swept} {
		source := w.add(t, acme, m)
		derived = append(derived, w.add(t, acme, from("of "+m.Content, source.ID)).ID)
	}
	w.write(t, acme, func(tx memory.Tx) error {
		deleted, err := tx.DeleteWhere(t.Context(), memory.Filter{Tags: []string{"x"}}, 10)
		if len(deleted) != 1 {
			t.Errorf("%d match the filter", len(deleted))
		}
		return err
	})
	w.missing(t, acme, derived[0], memory.View{})
	w.advance(2 * time.Hour)
	lapsing.ExpiresAt = nil
	w.add(t, acme, lapsing) // finds the old one expired
	w.missing(t, acme, derived[1], memory.View{})
	if n, err := w.store.Sweep(t.Context(), 10); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	w.missing(t, acme, derived[2], memory.View{})
}

func derivedOtherwise(t *testing.T, w *world) {
	a, b := w.add(t, acme, note("a")), w.add(t, acme, note("b"))
	of := w.add(t, acme, from("of a", a.ID))
	plain := w.add(t, acme, from("of a as well", a.ID))
	of.DerivedFrom = from("", b.ID).DerivedFrom
	of = w.replace(t, acme, of)
	plain.DerivedFrom = nil
	w.replace(t, acme, plain)
	w.remove(t, acme, a.ID)
	w.get(t, acme, of.ID, memory.View{})
	w.get(t, acme, plain.ID, memory.View{})
	w.remove(t, acme, b.ID)
	w.missing(t, acme, of.ID, memory.View{})
}

func derivedOutlivesChange(t *testing.T, w *world) {
	a := w.add(t, acme, note("a"))
	of := w.add(t, acme, from("of a", a.ID))
	a.Content = "something else"
	w.replace(t, acme, a)
	w.get(t, acme, of.ID, memory.View{})
}

func derivedInACircle(t *testing.T, w *world) {
	a := w.add(t, acme, note("a"))
	b := w.add(t, acme, from("b", a.ID))
	a.DerivedFrom = from("", b.ID, a.ID).DerivedFrom
	w.replace(t, acme, a)
	w.remove(t, acme, b.ID)
	same(t, "left", w.list(t, acme, memory.Query{}).Memories, []memory.Memory{})
}

func derivedTakenBack(t *testing.T, w *world) {
	a := w.add(t, acme, note("a"))
	of := w.add(t, acme, from("of a", a.ID))
	refused := fault.New(fault.Conflict, "no")
	err := w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		if err := tx.Delete(t.Context(), a.ID); err != nil {
			return err
		}
		return refused
	})
	kind(t, err, fault.Conflict)
	w.get(t, acme, a.ID, memory.View{})
	w.get(t, acme, of.ID, memory.View{})
	w.remove(t, acme, a.ID)
	w.missing(t, acme, of.ID, memory.View{})
}

func derivedApart(t *testing.T, w *world) {
	a := w.add(t, acme, note("a"))
	elsewhere := memory.Scope{Tenant: "acme", Project: "side"}
	of := w.add(t, elsewhere, from("of a", a.ID))
	w.remove(t, acme, a.ID)
	w.get(t, elsewhere, of.ID, memory.View{})
}

// derivedAnnounced is a clause of stores that are a queue.
func derivedAnnounced(t *testing.T, w *world) {
	a := w.add(t, acme, note("a"))
	of := w.add(t, acme, from("of a", a.ID))
	over := w.add(t, acme, from("of what is of a", of.ID))
	queue, _ := w.queue()
	relay(t, queue)
	w.remove(t, acme, a.ID)
	var deleted []string
	for _, r := range relay(t, queue) {
		if r.Type == outbox.MemoryDeleted {
			deleted = append(deleted, r.Subject)
		}
	}
	slices.Sort(deleted)
	want := []string{string(a.ID), string(of.ID), string(over.ID)}
	slices.Sort(want)
	same(t, "announced", deleted, want)
}
