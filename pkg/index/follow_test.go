package index_test

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

func TestTheIndexFollowsTheStore(t *testing.T) {
	t.Parallel()
	t.Run("a write is found at once, an update replaces it, a delete removes it", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.say("the parcel is in Hamburg")[0]
		lexical := index.Lexical{Set: w.set}
		if got := w.find(lexical, search.Query{Text: "parcel"}); len(got) != 1 {
			t.Fatalf("after the write: %q", got)
		}
		w.now = w.now.Add(time.Hour)
		w.write(func(tx memory.Tx) error {
			m.Content = "the parcel is in Bremen"
			_, err := tx.Replace(t.Context(), m, memory.Why{})
			return err
		})
		if got := w.find(lexical, search.Query{Text: "Hamburg"}); len(got) != 0 {
			t.Errorf("the old content is still found: %q", got)
		}
		if got := w.find(lexical, search.Query{Text: "Bremen"}); len(got) != 1 {
			t.Errorf("the new content: %q", got)
		}
		w.write(func(tx memory.Tx) error { return tx.Delete(t.Context(), m.ID) })
		for _, leg := range []search.Leg{lexical, index.Dense{Set: w.set}} {
			if got := w.hits(leg, search.Query{Scope: here, Text: "parcel"}); len(got) != 0 {
				t.Errorf("%s finds a deleted memory: %v", leg.Name(), got)
			}
		}
	})
	t.Run("known_at finds the version held then", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.say("the office is in Hamburg")[0]
		then := w.now.Add(time.Minute)
		w.now = w.now.Add(time.Hour)
		w.write(func(tx memory.Tx) error {
			m.Content = "the office is in Bremen"
			_, err := tx.Replace(t.Context(), m, memory.Why{})
			return err
		})
		q := search.Query{Text: "office", View: memory.View{KnownAt: &then}}
		if got, want := w.find(index.Lexical{Set: w.set}, q), []string{"the office is in Hamburg"}; !reflect.DeepEqual(got, want) {
			t.Errorf("known then %q, want %q", got, want)
		}
		before := then.Add(-time.Hour)
		q.View.KnownAt = &before
		if got := w.find(index.Lexical{Set: w.set}, q); len(got) != 0 {
			t.Errorf("known before it was told: %q", got)
		}
	})
	t.Run("as_of finds what was true then", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		moved := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		w.put(here, memory.Memory{Content: "lives in Hamburg", ValidTo: &moved})
		w.put(here, memory.Memory{Content: "lives in Bremen", ValidFrom: &moved})
		for _, c := range []struct {
			at   time.Time
			want []string
		}{
			{moved.Add(-time.Second), []string{"lives in Hamburg"}},
			{moved, []string{"lives in Bremen"}},
		} {
			if got := w.find(index.Lexical{Set: w.set}, search.Query{Text: "lives", View: memory.View{AsOf: &c.at}}); !reflect.DeepEqual(got, c.want) {
				t.Errorf("as of %s: %q, want %q", c.at, got, c.want)
			}
		}
	})
	t.Run("what has expired is not found, though nobody swept", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		soon := w.now.Add(time.Minute)
		w.put(here, memory.Memory{Content: "a fleeting thought", ExpiresAt: &soon})
		if got := w.find(index.Lexical{Set: w.set}, search.Query{Text: "fleeting"}); len(got) != 1 {
			t.Fatalf("before: %q", got)
		}
		w.now = soon
		if got := w.hits(index.Lexical{Set: w.set}, search.Query{Scope: here, Text: "fleeting"}); len(got) != 0 {
			t.Errorf("after: %v", got)
		}
	})
	t.Run("another tenant and another project see nothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.put(here, memory.Memory{Content: "our secret", Entities: []memory.Entity{{Name: "secret"}}})
		for _, scope := range []memory.Scope{{Tenant: "other", Project: "default"}, {Tenant: "acme", Project: "other"}} {
			w.put(scope, memory.Memory{Content: "their own note"})
			for _, leg := range []search.Leg{index.Lexical{Set: w.set}, index.Graph{Set: w.set}} {
				if got := w.hits(leg, search.Query{Scope: scope, Text: "secret"}); len(got) != 0 {
					t.Errorf("%s sees %v through %s", scope, got, leg.Name())
				}
			}
		}
	})
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

// TestSearchingWhileWriting is for the race detector, and counts: every reader that catches up sees every write that
// was committed before.
func TestSearchingWhileWriting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const writers, each = 4, 50
	var running sync.WaitGroup
	for i := range writers {
		running.Go(func() {
			for j := range each {
				w.put(here, memory.Memory{Content: fmt.Sprintf("shared word, writer%d note%d", i, j), SessionID: fmt.Sprint("s", i)})
				own := w.hits(index.Lexical{Set: w.set}, search.Query{Scope: here, Text: fmt.Sprintf("note%d writer%d", j, i)})
				if len(own) == 0 {
					t.Errorf("writer %d does not find its note %d", i, j)
				}
			}
		})
	}
	running.Wait()
	if _, err := w.set.CatchUp(t.Context(), here); err != nil {
		t.Fatal(err)
	}
	hits, err := index.Lexical{Set: w.set}.Retrieve(t.Context(), search.Query{Scope: here, Text: "shared"}, 1000)
	if err != nil || len(hits) != writers*each {
		t.Errorf("%d hits of %d, %v", len(hits), writers*each, err)
	}
}

// TestASessionIsInTheOrderThingsHappened tells turns in any order, changes one and deletes one.
func TestASessionIsInTheOrderThingsHappened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var turns []memory.Memory
	for _, minute := range []int{4, 0, 3, 1, 2, 5} {
		at := w.now.Add(time.Duration(minute) * time.Minute)
		turns = append(turns, w.put(here, memory.Memory{Content: fmt.Sprintf("spoken at minute%d", minute), SessionID: "s", OccurredAt: &at}))
	}
	order := func() []string {
		hits := w.hits(index.Lexical{Set: w.set}, search.Query{Scope: here, Text: "spoken"})
		got := make([]string, len(hits))
		for _, hit := range hits {
			m, err := w.db.Get(t.Context(), here, hit.ID, memory.View{})
			if err != nil {
				t.Fatal(err)
			}
			got[hit.Place.Turn] = strings.TrimPrefix(m.Content, "spoken at ")
		}
		return got
	}
	if got, want := order(), []string{"minute0", "minute1", "minute2", "minute3", "minute4", "minute5"}; !reflect.DeepEqual(got, want) {
		t.Errorf("told in any order: %q", got)
	}
	w.write(func(tx memory.Tx) error {
		changed := turns[2]
		changed.Content = "spoken at minute3 or so"
		if _, err := tx.Replace(t.Context(), changed, memory.Why{}); err != nil {
			return err
		}
		return tx.Delete(t.Context(), turns[3].ID)
	})
	if got, want := order(), []string{"minute0", "minute2", "minute3 or so", "minute4", "minute5"}; !reflect.DeepEqual(got, want) {
		t.Errorf("changed and deleted: %q", got)
	}
}

func TestAround(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var turns []memory.Memory
	for i := range 7 {
		turns = append(turns, w.put(here, memory.Memory{Content: fmt.Sprintf("turn number%d", i), SessionID: "s"}))
	}
	w.put(here, memory.Memory{Content: "another conversation", SessionID: "t"})
	hits := w.hits(index.Lexical{Set: w.set}, search.Query{Scope: here, Text: "number3"})
	if len(hits) != 1 || hits[0].Place.Turn != 3 {
		t.Fatalf("hits %+v", hits)
	}
	around, err := index.Neighbourhood{Set: w.set}.Around(t.Context(), search.Query{Scope: here}, hits, 2)
	if err != nil {
		t.Fatal(err)
	}
	var got []memory.ID
	for _, hit := range around {
		got = append(got, hit.ID)
	}
	if want := []memory.ID{turns[1].ID, turns[2].ID, turns[4].ID, turns[5].ID}; !reflect.DeepEqual(got, want) {
		t.Errorf("around turn 3: %v, want %v", got, want)
	}
}
