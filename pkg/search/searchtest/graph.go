package searchtest

import (
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
