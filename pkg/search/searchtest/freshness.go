package searchtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

func freshnessClauses() []clause {
	return []clause{
		{"a project nobody wrote to is at 0", freshAtZero},
		{"the number covers every write committed before", coversWrites},
		{"every change moves it on, and nothing else does", movesWithChanges},
		{"another project's writes do not move it", movesAlone},
		{"an erased tenant that begins anew repeats no number", neverRepeats},
		{"a caller that went away gets no number", freshnessCancelled},
	}
}

func freshAtZero(t *testing.T, w *world) {
	same(t, "number", []memory.Seq{w.catchUp(t, acme)}, []memory.Seq{0})
}

func coversWrites(t *testing.T, w *world) {
	for range 5 {
		w.put(t, acme, common(string(memory.NewID())), common(string(memory.NewID())))
		head, err := w.Store.Head(t.Context(), acme)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.catchUp(t, acme); got < head {
			t.Errorf("caught up to %d, the store is at %d", got, head)
		}
	}
}

func movesWithChanges(t *testing.T, w *world) {
	m := w.put(t, acme, common("one"))[0]
	last := w.catchUp(t, acme)
	for _, change := range []struct {
		name string
		do   func()
	}{
		{"a new memory", func() { w.put(t, acme, common("two")) }},
		{"a new version", func() { m.Tags = []string{"x"}; m = w.replace(t, m) }},
		{"a vector", func() {
			w.write(t, acme, func(tx memory.Tx) error {
				_, err := tx.Attach(t.Context(), m.ID, m.Version, vectorOf("other"))
				return err
			})
		}},
		{"a deletion", func() { w.remove(t, m) }},
	} {
		change.do()
		next := w.catchUp(t, acme)
		if next <= last {
			t.Errorf("after %s it is %d, before it was %d", change.name, next, last)
		}
		last = next
		if again := w.catchUp(t, acme); again != last {
			t.Errorf("nothing changed after %s and it went from %d to %d", change.name, last, again)
		}
	}
}

func movesAlone(t *testing.T, w *world) {
	w.put(t, acme, common("one"))
	before := w.catchUp(t, acme)
	for _, scope := range []memory.Scope{{Tenant: "acme", Project: "other"}, {Tenant: "other", Project: "default"}} {
		w.put(t, scope, common("one"), common("two"))
		w.catchUp(t, scope)
	}
	same(t, "number", []memory.Seq{w.catchUp(t, acme)}, []memory.Seq{before})
}

func neverRepeats(t *testing.T, w *world) {
	w.put(t, acme, common("one"), common("two"), common("three"))
	before := w.catchUp(t, acme)
	if _, err := w.Store.EraseTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	w.advance(time.Hour)
	w.catchUp(t, acme)
	for range 4 {
		w.put(t, acme, common(string(memory.NewID())))
		if after := w.catchUp(t, acme); after <= before {
			t.Errorf("it is %d, and was %d before the erasure", after, before)
		}
	}
}

func freshnessCancelled(t *testing.T, w *world) {
	w.put(t, acme, common("one"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if seq, err := w.Freshness.CatchUp(ctx, acme); !errors.Is(err, context.Canceled) {
		t.Errorf("%d, %v", seq, err)
	}
}
