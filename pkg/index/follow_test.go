package index_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

func TestTheIndexFollowsTheStore(t *testing.T) {
	t.Parallel()
	t.Run("an erased tenant leaves nothing held", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.say("gone tomorrow")
		w.find(index.Lexical{Set: w.set}, search.Query{Text: "tomorrow"})
		if _, err := w.db.EraseTenant(t.Context(), here.Tenant); err != nil {
			t.Fatal(err)
		}
		if n := w.set.ForgetTenant(here.Tenant); n != 1 {
			t.Errorf("forgot %d scopes, want 1", n)
		}
		if got := w.hits(index.Lexical{Set: w.set}, search.Query{Scope: here, Text: "tomorrow"}); len(got) != 0 {
			t.Errorf("found %v", got)
		}
	})
	t.Run("an index that was told nothing of an erasure still forgets", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for i := range 5 {
			w.put(here, memory.Memory{Content: fmt.Sprintf("erased note %d", i), Entities: []memory.Entity{{Name: "Erased"}}})
		}
		w.find(index.Lexical{Set: w.set}, search.Query{Text: "note"})
		if _, err := w.db.EraseTenant(t.Context(), here.Tenant); err != nil {
			t.Fatal(err)
		}
		for i := range 9 { // more changes than before, so that the numbers alone do not tell
			w.say(fmt.Sprintf("fresh note %d", i))
		}
		for _, got := range w.find(index.Lexical{Set: w.set}, search.Query{Text: "note"}) {
			if !strings.HasPrefix(got, "fresh") {
				t.Errorf("found %q", got)
			}
		}
		if nodes, err := (index.Graph{Set: w.set}).Entities(t.Context(), here, memory.View{}); err != nil || len(nodes) != 0 {
			t.Errorf("entities %v, %v", nodes, err)
		}
	})
	t.Run("a small memory bound evicts what was used least recently, and it comes back", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.set.MaxBytes = 1
		other := memory.Scope{Tenant: "acme", Project: "second"}
		w.say("first project")
		w.put(other, memory.Memory{Content: "second project"})
		for range 3 {
			if got := w.find(index.Lexical{Set: w.set}, search.Query{Text: "first"}); len(got) != 1 {
				t.Errorf("first: %q", got)
			}
			if got := w.find(index.Lexical{Set: w.set}, search.Query{Scope: other, Text: "second"}); len(got) != 1 {
				t.Errorf("second: %q", got)
			}
		}
	})
}

// TestAnIndexBegunNowAnswersLikeOneThatFollowed changes memories under an index and asks it and a new one of the past.
func TestAnIndexBegunNowAnswersLikeOneThatFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	same, other := w.say("the heron stands by the river")[0], w.say("the kite flies over the meadow")[0]
	w.hits(index.Lexical{Set: w.set}, search.Query{Scope: here, Text: "heron"})
	then := w.now
	w.now = w.now.Add(time.Hour)
	w.write(func(tx memory.Tx) error {
		same.Tags, other.Content = []string{"seen"}, "the boat lies in the harbour"
		if _, err := tx.Replace(t.Context(), same, memory.Why{}); err != nil {
			return err
		}
		_, err := tx.Replace(t.Context(), other, memory.Why{})
		return err
	})
	fresh := index.NewSet(w.db, w.model.Model())
	fresh.Clock = w.set.Clock
	q := search.Query{Scope: here, Text: "the heron, the kite and the river", View: memory.View{KnownAt: &then}}
	for i, leg := range []search.Leg{index.Lexical{Set: w.set}, index.Dense{Set: w.set}} {
		followed := w.hits(leg, q)
		begun := w.hits([]search.Leg{index.Lexical{Set: fresh}, index.Dense{Set: fresh}}[i], q)
		if len(followed) == 0 || !reflect.DeepEqual(followed, begun) {
			t.Errorf("%s: followed %+v, begun now %+v", leg.Name(), followed, begun)
		}
	}
}
