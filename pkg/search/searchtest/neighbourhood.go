package searchtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

func neighbourhoodClauses() []clause {
	return []clause{
		{"the turns around a hit come in their order, the hit left out", aroundInOrder},
		{"hits side by side share their surroundings once", aroundOnce},
		{"a reach over the ends, or none at all, finds what there is", aroundEnds},
		{"other sessions, projects and tenants stay out", aroundStaysInside},
		{"filter and as_of apply to the turns around", aroundFiltered},
		{"known_at shows the turns known then, changed since or not", aroundKnownThen},
		{"deleted and expired turns are not around", aroundGone},
		{"a caller that went away gets no turns", aroundCancelled},
	}
}

// conversation stores n turns "turn0", "turn1", … of a session, a minute apart, changed as told.
func conversation(t *testing.T, w *world, scope memory.Scope, session string, n int, change func(i int, m *memory.Memory)) []memory.Memory {
	t.Helper()
	var turns []memory.Memory
	for i := range n {
		m := memory.Memory{Content: fmt.Sprint("turn", i), SessionID: session, OccurredAt: at(start.Add(time.Duration(i) * time.Minute))}
		if change != nil {
			change(i, &m)
		}
		turns = append(turns, m)
	}
	return w.put(t, scope, turns...)
}

// around finds what the question names and returns the contents around it.
func (w *world) around(t *testing.T, q search.Query, reach int) []string {
	t.Helper()
	hits := w.retrieve(t, w.Lexical, search.Query{Scope: q.Scope, Text: q.Text, View: q.View}, 100)
	if len(hits) == 0 {
		t.Fatalf("%q finds nothing to look around", q.Text)
	}
	q = ready(q)
	around, err := w.Neighbourhood.Around(t.Context(), q, hits, reach)
	if err != nil {
		t.Fatal(err)
	}
	var contents []string
	for _, hit := range around {
		m, err := w.Store.Get(t.Context(), q.Scope, hit.ID, q.View)
		if err != nil {
			t.Fatalf("%s is around but not to be seen: %v", hit.ID, err)
		}
		if hit.Score != 0 || hit.Place.Session != m.SessionID {
			t.Errorf("%q has score %g and stands in session %q", m.Content, hit.Score, hit.Place.Session)
		}
		contents = append(contents, m.Content)
	}
	return contents
}

func aroundInOrder(t *testing.T, w *world) {
	conversation(t, w, acme, "s", 7, nil)
	same(t, "around", w.around(t, search.Query{Text: "turn3"}, 2), []string{"turn1", "turn2", "turn4", "turn5"})
	same(t, "around", w.around(t, search.Query{Text: "turn3"}, 1), []string{"turn2", "turn4"})
}

func aroundOnce(t *testing.T, w *world) {
	conversation(t, w, acme, "s", 8, nil)
	got := map[string]int{}
	for _, content := range w.around(t, search.Query{Text: "turn3 turn4"}, 2) {
		got[content]++
	}
	for i := range 8 {
		want := 0
		if i == 1 || i == 2 || i == 5 || i == 6 {
			want = 1
		}
		if name := fmt.Sprint("turn", i); got[name] != want {
			t.Errorf("%s comes %d times, want %d", name, got[name], want)
		}
	}
}

func aroundEnds(t *testing.T, w *world) {
	conversation(t, w, acme, "s", 3, nil)
	w.say(t, "alone")
	same(t, "the first", w.around(t, search.Query{Text: "turn0"}, 2), []string{"turn1", "turn2"})
	same(t, "the last", w.around(t, search.Query{Text: "turn2"}, 5), []string{"turn0", "turn1"})
	same(t, "no reach", w.around(t, search.Query{Text: "turn1"}, 0), nil)
	same(t, "in no session", w.around(t, search.Query{Text: "alone"}, 2), nil)
	same(t, "around no hits", idsAround(t, w, nil), nil)
}

func idsAround(t *testing.T, w *world, hits []search.Hit) []memory.ID {
	t.Helper()
	around, err := w.Neighbourhood.Around(t.Context(), search.Query{Scope: acme}, hits, 2)
	if err != nil {
		t.Fatal(err)
	}
	return idsOf(around)
}

// aroundStaysInside also takes a hit of one tenant to another, as a caller that mixes them up would.
func aroundStaysInside(t *testing.T, w *world) {
	other := memory.Scope{Tenant: "other", Project: "default"}
	conversation(t, w, acme, "s", 3, nil)
	conversation(t, w, acme, "t", 3, func(i int, m *memory.Memory) { m.Content = fmt.Sprint("elsewhere", i) })
	conversation(t, w, other, "s", 3, func(i int, m *memory.Memory) { m.Content = fmt.Sprint("foreign", i) })
	conversation(t, w, other, "secret", 3, func(i int, m *memory.Memory) { m.Content = fmt.Sprint("secret", i) })
	same(t, "around", w.around(t, search.Query{Text: "turn1"}, 2), []string{"turn0", "turn2"})
	same(t, "around a foreign hit", idsAround(t, w, w.retrieve(t, w.Lexical, search.Query{Scope: other, Text: "secret1"}, 10)), nil)
}

func aroundFiltered(t *testing.T, w *world) {
	ended := start.Add(-time.Hour)
	conversation(t, w, acme, "s", 5, func(i int, m *memory.Memory) {
		if i == 1 {
			m.Tags = []string{"kept"}
		}
		if i == 3 {
			m.ValidTo = &ended
		}
	})
	same(t, "under a filter", w.around(t, search.Query{Text: "turn2", Filter: memory.Filter{Tags: []string{"kept"}}}, 2), []string{"turn1"})
	same(t, "as of a day", w.around(t, search.Query{Text: "turn2", View: memory.View{AsOf: &start}}, 2), []string{"turn0", "turn1", "turn4"})
}

// aroundKnownThen changes a turn that was hit, one around it, and adds one that was not known.
func aroundKnownThen(t *testing.T, w *world) {
	turns := conversation(t, w, acme, "s", 4, nil)
	w.advance(time.Hour)
	turns[1].Content, turns[2].Content = "changed one", "changed two"
	w.replace(t, turns[1])
	w.replace(t, turns[2])
	w.put(t, acme, memory.Memory{Content: "added", SessionID: "s", OccurredAt: at(start.Add(90 * time.Second))})
	past := memory.View{KnownAt: &start}
	same(t, "then", w.around(t, search.Query{Text: "turn2", View: past}, 3), []string{"turn0", "turn1", "turn3"})
	same(t, "now", w.around(t, search.Query{Text: "two"}, 2), []string{"changed one", "added", "turn3"})
}

func aroundGone(t *testing.T, w *world) {
	turns := conversation(t, w, acme, "s", 5, func(i int, m *memory.Memory) {
		if i == 3 {
			m.ExpiresAt = at(start.Add(time.Hour))
		}
	})
	same(t, "before", w.around(t, search.Query{Text: "turn2"}, 1), []string{"turn1", "turn3"})
	w.write(t, acme, func(tx memory.Tx) error {
		_, err := tx.Archive(t.Context(), idsOfMemories(turns[3]), turns[0].ID)
		return err
	})
	same(t, "beside one that is archived", w.around(t, search.Query{Text: "turn2"}, 1), []string{"turn1"})
	same(t, "with what is archived", w.around(t, search.Query{Text: "turn2", Filter: memory.Filter{Archived: memory.WithArchived}}, 1), []string{"turn1", "turn3"})
	w.remove(t, turns[1])
	w.advance(time.Hour)
	for _, content := range w.around(t, search.Query{Text: "turn2"}, 2) {
		if content != "turn0" && content != "turn4" {
			t.Errorf("%q is around", content)
		}
	}
}

func aroundCancelled(t *testing.T, w *world) {
	conversation(t, w, acme, "s", 5, nil)
	hits := w.retrieve(t, w.Lexical, search.Query{Text: "turn2"}, 10)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if around, err := w.Neighbourhood.Around(ctx, search.Query{Scope: acme}, hits, 2); !errors.Is(err, context.Canceled) || len(around) > 0 {
		t.Errorf("%d turns, %v", len(around), err)
	}
}
