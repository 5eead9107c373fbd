package searchtest

import (
	"context"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

func graphClauses() []clause {
	return []clause{
		{"an entity named in the question finds what mentions it", namedEntity},
		{"a question that names no entity finds nothing", noEntity},
		{"who mentions more of the entities asked for stands higher", moreEntities},
		{"what stands beside an entity is followed one step, and ranks behind", secondHop},
		{"no step leads over a memory that may not be seen", hopsOverVisible},
		{"an entity is spelt as the first memory that can be seen spells it", spelling},
	}
}

func about(content string, names ...string) memory.Memory {
	m := memory.Memory{Content: content}
	for _, name := range names {
		m.Entities = append(m.Entities, memory.Entity{Name: name})
	}
	return m
}

func namedEntity(t *testing.T, w *world) {
	w.put(t, acme, about("she paints", "Anna Maria López"), about("he rows", "Bob"))
	for _, question := range []string{"Where is Anna Maria López?", "anna maria lopez", "did ANNA MARIA LÓPEZ's friend call?"} {
		same(t, question, w.found(t, w.Graph, search.Query{Text: question}), []string{"she paints"})
	}
}

func noEntity(t *testing.T, w *world) {
	w.put(t, acme, about("she paints", "Anna Maria"), memory.Memory{Content: "Carl is no entity here"})
	for _, question := range []string{"who paints?", "Anna", "Annamaria", "Carl", ""} {
		same(t, question, w.found(t, w.Graph, search.Query{Text: question}), nil)
	}
}

func moreEntities(t *testing.T, w *world) {
	w.put(t, acme, about("one", "Anna"), about("both", "Anna", "Bob"), about("none", "Carl"))
	same(t, "found", w.found(t, w.Graph, search.Query{Text: "Anna and Bob"}), []string{"both", "one"})
}

func secondHop(t *testing.T, w *world) {
	w.put(t, acme, about("second", "Oslo", "Bergen"), about("first", "Anna", "Oslo"), about("third", "Bergen"), about("apart", "Rome"))
	hits := w.retrieve(t, w.Graph, search.Query{Text: "Anna"}, 10)
	same(t, "found", w.found(t, w.Graph, search.Query{Text: "Anna"}), []string{"first", "second"})
	if hits[1].Score >= hits[0].Score || hits[1].Score <= 0 {
		t.Errorf("scores %g and %g", hits[0].Score, hits[1].Score)
	}
}

func hopsOverVisible(t *testing.T, w *world) {
	bridge := about("bridge", "Anna", "Oslo")
	bridge.UserID, bridge.ExpiresAt = "bob", at(start.Add(time.Hour))
	far := about("far", "Oslo")
	far.UserID = "ann"
	near := about("near", "Anna")
	near.UserID = "ann"
	w.put(t, acme, bridge, far, near)
	w.put(t, memory.Scope{Tenant: "other", Project: "default"}, about("foreign bridge", "Anna", "Oslo"))
	if got := w.found(t, w.Graph, search.Query{Text: "Anna"}); len(got) != 3 {
		t.Fatalf("over the bridge: %q", got)
	}
	same(t, "under a filter", w.found(t, w.Graph, search.Query{Text: "Anna", Filter: memory.Filter{UserID: "ann"}}), []string{"near"})
	w.advance(time.Hour)
	same(t, "once the bridge expired", w.found(t, w.Graph, search.Query{Text: "Anna"}), []string{"near"})
}

// lister is a graph leg that tells the entities it knows.
type lister interface {
	Entities(ctx context.Context, scope memory.Scope, view memory.View) ([]search.Node, error)
}

func spelling(t *testing.T, w *world) {
	graph, ok := w.Graph.(lister)
	if !ok {
		t.Fatal("the graph leg cannot list entities")
	}
	spelt := func(m memory.Memory, name, kind string) memory.Memory {
		m.Entities = []memory.Entity{{Name: name, Type: kind}}
		return w.put(t, acme, m)[0]
	}
	named := func(when string, view memory.View, want ...string) {
		t.Helper()
		w.catchUp(t, acme)
		nodes, err := graph.Entities(t.Context(), acme, view)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, n := range nodes {
			got = append(got, n.Name, n.Type)
		}
		same(t, when, got, want)
	}
	brief := memory.Memory{Content: "a"}
	brief.ExpiresAt = at(start.Add(time.Hour))
	spelt(brief, "WILLOW", "")
	w.advance(time.Second)
	second := spelt(memory.Memory{Content: "b"}, "Willów", "tree")
	then := w.advance(time.Second)
	third := spelt(memory.Memory{Content: "c"}, "Willow", "dog")
	named("at first", memory.View{}, "WILLOW", "tree")
	w.remove(t, second)
	named("when the one that told its type is deleted", memory.View{}, "WILLOW", "dog")
	w.advance(2 * time.Hour)
	named("when the one that told its name has expired", memory.View{}, "Willow", "dog")
	third.Entities = []memory.Entity{{Name: "willow", Type: "dog"}}
	w.replace(t, third)
	named("when that is corrected", memory.View{}, "willow", "dog")
	named("as it was known", memory.View{KnownAt: at(then.Add(time.Minute))}, "Willow", "dog")
	w.remove(t, third)
	named("when nobody tells of it", memory.View{})
}
