package reflectiontest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

// fresh are the first versions of so many memories, by id.
func fresh(n int) []reflection.Reading {
	var all []reflection.Reading
	for range n {
		all = append(all, reflection.Reading{Memory: memory.NewID(), Version: 1})
	}
	return all
}

// await has memories wait, and returns the reflection they would wait for if it is created.
func (w *world) await(t *testing.T, scope memory.Scope, owner string, want bool, all ...reflection.Reading) memory.ID {
	t.Helper()
	next, later := w.queued(reflection.Extract), w.clock().Add(time.Hour)
	next.NotBefore = &later
	dealt, err := w.store.Await(t.Context(), scope, reflection.Waiting{Owner: owner, Memories: all, Full: 4}, next, outbox.Record{Type: outbox.ReflectionDue, Data: []byte("{}")})
	_, missing := w.store.Get(t.Context(), scope, next.ID)
	if err != nil || (missing == nil) != want || dealt != min(len(all), 4) {
		t.Fatalf("await: dealt with %d, made %t, %v", dealt, missing == nil, err)
	}
	return next.ID
}

func (w *world) assigned(t *testing.T, scope memory.Scope, id memory.ID) []reflection.Reading {
	t.Helper()
	all, err := w.store.Assigned(t.Context(), scope, id)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func awaits(t *testing.T, w *world) {
	rival := memory.Scope{Tenant: "rival", Project: acme.Project}
	ann, bob := fresh(9), fresh(1)
	first := w.await(t, acme, "ann", true, ann[:2]...)
	other := w.await(t, acme, "bob", true, bob...)
	foreign := w.await(t, rival, "ann", true, ann[0])
	w.await(t, acme, "ann", false, ann[0], ann[2]) // one of them again
	same(t, w.told(t), []string{})
	if c, found, err := w.store.Next(t.Context(), lease); found || err != nil {
		t.Errorf("next is %+v, %v", c, err)
	}
	got, err := w.store.Get(t.Context(), acme, first)
	if err != nil || got.NotBefore == nil || got.Status != reflection.Queued {
		t.Errorf("stands as %+v, %v", got, err)
	}
	w.await(t, acme, "ann", false, ann[3])
	same(t, w.told(t), []string{"acme/support reflection.due "})
	same(t, w.assigned(t, acme, first), ann[:4])
	same(t, w.assigned(t, acme, other), bob)
	same(t, w.assigned(t, rival, foreign), ann[:1])
	same(t, w.assigned(t, rival, first), []reflection.Reading{})
	second := w.await(t, acme, "ann", true, ann[4]) // the first is full, claimed or not
	c, found, err := w.store.Next(t.Context(), lease)
	if !found || err != nil || c.ID != first {
		t.Fatalf("next is %+v, %v", c, err)
	}
	w.await(t, acme, "ann", false, ann[3], ann[4])
	third := w.await(t, acme, "carol", true, fresh(6)...) // more than fit
	if len(w.assigned(t, acme, third)) != 4 || len(w.told(t)) != 1 {
		t.Error("what is more than full is not due")
	}
	if c, found, err := w.store.Next(t.Context(), lease); !found || err != nil || c.ID != third {
		t.Fatalf("next is %+v, %v", c, err)
	}
	w.pass(time.Hour)
	var due []memory.ID
	for range 5 { // the first and the third were claimed by somebody who is late
		if c, found, err := w.store.Next(t.Context(), time.Hour); found && err == nil {
			due = append(due, c.ID)
		}
	}
	if !slices.Contains(due, second) || !slices.Contains(due, other) || !slices.Contains(due, foreign) || len(due) != 5 {
		t.Errorf("due are %v", due)
	}
	w.await(t, acme, "ann", true, ann[5]) // the second is being worked on
	same(t, w.assigned(t, acme, second), ann[4:5])
}

func reads(t *testing.T, w *world) {
	rival := memory.Scope{Tenant: "rival", Project: acme.Project}
	all := fresh(3)
	id := w.await(t, acme, "ann", true, all[:2]...)
	ids := []memory.ID{all[0].Memory, all[1].Memory, all[2].Memory}
	read := func(scope memory.Scope, want ...reflection.Reading) {
		t.Helper()
		got, err := w.store.Read(t.Context(), scope, ids)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(want, func(a, b reflection.Reading) int { return strings.Compare(string(a.Memory), string(b.Memory)) })
		same(t, got, append([]reflection.Reading{}, want...))
	}
	read(acme, all[:2]...)
	read(rival)
	mark := func(m reflection.Reading, version int, edition string) reflection.Reading {
		t.Helper()
		m.Version, m.Edition = version, edition
		if err := w.store.MarkRead(t.Context(), acme, []reflection.Reading{m}); err != nil {
			t.Fatal(err)
		}
		return m
	}
	first, third := mark(all[0], 1, "rules/1"), mark(all[2], 2, "extract/1")
	read(acme, first, all[1], third)
	same(t, w.assigned(t, acme, id), all[1:2])
	mark(all[2], 1, "rules/1") // too late
	first = mark(all[0], 1, "extract/1")
	read(acme, first, all[1], third)
	w.await(t, acme, "ann", false, all[0], all[2]) // read already, of this version or a later one
	read(acme, first, all[1], third)
	changed := reflection.Reading{Memory: all[0].Memory, Version: 2}
	w.await(t, acme, "ann", false, changed)
	read(acme, changed, all[1], third)
	mark(all[0], 1, "extract/1") // of the version before
	read(acme, changed, all[1], third)
	for range 2 {
		if err := w.store.Unmark(t.Context(), acme, all[0].Memory); err != nil {
			t.Fatal(err)
		}
		if err := w.store.Unmark(t.Context(), rival, all[1].Memory); err != nil {
			t.Fatal(err)
		}
	}
	read(acme, all[1], third)
	if got, err := w.store.Read(t.Context(), acme, nil); err != nil || len(got) != 0 {
		t.Errorf("of none %v, %v", got, err)
	}
}
