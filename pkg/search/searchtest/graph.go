package searchtest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/search"
)

func graphClauses() []clause {
	return []clause{
		{"an entity named in the question finds what mentions it", namedEntity},
		{"a question that names no entity finds nothing", noEntity},
		{"who mentions more of the entities asked for stands higher", moreEntities},
		{"what stands beside an entity is followed one step, and ranks behind", secondHop},
		{"no step leads over a memory that may not be seen", hopsOverVisible},
		{"what the other legs found leads to what mentions the same, and is not found again", fromWhatWasFound},
		{"a name that everything mentions leads nowhere from what was found", hubsLeadNowhere},
		{"the newest mentions of an entity are told, no more of each than asked for", newestMentions},
		{"whom the register makes one is found by any of the names, until that is undone", mergedFound},
		{"a step leads over whom the register makes one", hopsOverMerged},
		{"a walk, a path and a list take whom the register makes one for one", walksOverMerged},
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

// merge has the names be one, the last standing for all, and returns what undoes the last merge.
func (w *world) merge(t *testing.T, names ...string) (undo func()) {
	t.Helper()
	id := func(name string) string { return relevance.EntityID(acme, relevance.EntityKey(name)) }
	into, last := names[len(names)-1], ""
	for _, name := range names[:len(names)-1] {
		outcomes, err := w.Names.Unite(t.Context(), acme, []knowledge.Merge{{From: id(name), Into: id(into), Grounds: knowledge.Grounds{Method: knowledge.ByPerson, Score: 1}}})
		if err != nil || outcomes[0].Err != nil {
			t.Fatalf("merge %s: %v, %+v", name, err, outcomes)
		}
		last = outcomes[0].Decision.ID
	}
	return func() {
		t.Helper()
		if _, err := w.Names.Undo(t.Context(), acme, last, "ann"); err != nil {
			t.Fatal(err)
		}
	}
}

func mergedFound(t *testing.T, w *world) {
	w.put(t, acme, about("she paints", "Robert Bell"), about("he bakes", "Bob"), about("apart", "Rob"))
	same(t, "before", w.found(t, w.Graph, search.Query{Text: "Where is Bob?"}), []string{"he bakes"})
	undo := w.merge(t, "Bob", "Robert Bell")
	for _, question := range []string{"Where is Bob?", "Robert Bell", "Is Bob Robert Bell?"} {
		hits := w.retrieve(t, w.Graph, search.Query{Text: question}, 10)
		same(t, question, sorted(w.found(t, w.Graph, search.Query{Text: question})), []string{"he bakes", "she paints"})
		for _, h := range hits {
			if h.Score < hits[0].Score-1e-9 {
				t.Errorf("%s: scores %v: by whatever name, it is the one asked for", question, hits)
			}
		}
	}
	undo()
	same(t, "once undone", w.found(t, w.Graph, search.Query{Text: "Where is Bob?"}), []string{"he bakes"})
}

func sorted(all []string) []string { return slices.Sorted(slices.Values(all)) }

func hopsOverMerged(t *testing.T, w *world) {
	w.put(t, acme, about("first", "Anna", "Oslo"), about("second", "Christiania"), about("apart", "Rome"))
	same(t, "before", w.found(t, w.Graph, search.Query{Text: "Anna"}), []string{"first"})
	w.merge(t, "Oslo", "Christiania")
	same(t, "found", w.found(t, w.Graph, search.Query{Text: "Anna"}), []string{"first", "second"})
}

func walksOverMerged(t *testing.T, w *world) {
	w.put(t, acme, about("first", "Anna", "Oslo"), about("second", "Christiania", "Fjord"), about("third", "Oslo"))
	w.merge(t, "Oslo", "Christiania")
	w.catchUp(t, acme)
	x := search.Explorer{Mentions: w.Mentions, Names: w.Names}
	named := func(nodes []search.Node) (names []string) {
		for _, n := range nodes {
			names = append(names, fmt.Sprint(n.Name, " ", n.Mentions))
		}
		return sorted(names)
	}
	id := func(name string) string { return search.EntityNamed(acme, name) }
	for _, start := range []string{"Oslo", "Christiania"} {
		sub, err := x.Explore(t.Context(), search.Walk{Scope: acme, Start: []string{id(start)}, Depth: 1})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "from "+start, named(sub.Nodes), []string{"Anna 1", "Christiania 3", "Fjord 1"})
		if sub.Nodes[0].ID != id("Christiania") || len(sub.Edges) != 2 {
			t.Errorf("from %s: %+v", start, sub)
		}
	}
	paths, err := x.Path(t.Context(), search.Walk{Scope: acme, Depth: 4}, id("Anna"), id("Fjord"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the way", paths.Paths[0].Nodes, []string{id("Anna"), id("Christiania"), id("Fjord")})
	all, err := x.Entities(t.Context(), acme, memory.View{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "listed", named(all), []string{"Anna 1", "Christiania 3", "Fjord 1"})
	known, err := x.Known(t.Context(), acme, memory.View{}, []string{id("Oslo"), id("Nobody")})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "known", known, []string{id("Oslo")})
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

func fromWhatWasFound(t *testing.T, w *world) {
	found := w.put(t, acme, about("the answer", "Oslo"))
	w.put(t, acme, about("beside it", "Oslo", "Bergen"), about("two links off", "Bergen"), about("named", "Anna"), about("apart", "Rome"))
	q := search.Query{Text: "who else?", Found: []search.Hit{{ID: found[0].ID, Score: .8}}}
	same(t, "found", w.found(t, w.Graph, q), []string{"beside it", "two links off"})
	q.Text = "Anna?"
	same(t, "with a name", w.found(t, w.Graph, q), []string{"named", "beside it", "two links off"})
	q.Found[0].ID = "4d2c8a9e-9c57-5d5b-8a1c-0123456789ab"
	same(t, "from what is nowhere", w.found(t, w.Graph, q), []string{"named"})
}

func hubsLeadNowhere(t *testing.T, w *world) {
	memories := []memory.Memory{about("the answer", "Anna", "Oslo"), about("beside it", "Anna", "Oslo")}
	for i := range 40 {
		memories = append(memories, about(fmt.Sprint("said ", i), "Anna"))
	}
	stored := w.put(t, acme, memories...)
	q := search.Query{Text: "what did Anna see?", Found: []search.Hit{{ID: stored[0].ID, Score: .8}}}
	same(t, "found", w.found(t, w.Graph, q), []string{"beside it"})
	q.Found = nil
	same(t, "asked for the name alone", []int{len(w.found(t, w.Graph, q))}, []int{42})
}

func newestMentions(t *testing.T, w *world) {
	stored := w.put(t, acme, about("first", "Anna"), about("second", "Anna", "Oslo"), about("third", "Anna", "Bergen"), about("fourth", "Oslo"))
	w.advance(time.Hour)
	stored[0].Content = "first, told anew"
	w.replace(t, stored[0])
	w.put(t, memory.Scope{Tenant: "other", Project: "default"}, about("foreign", "Anna"))
	w.catchUp(t, acme)
	anna, oslo := relevance.EntityID(acme, "anna"), relevance.EntityID(acme, "oslo")
	near := func(q search.Query, entities []string, memories []memory.ID, most int) (told []string) {
		t.Helper()
		mentions, err := w.Mentions.Near(t.Context(), ready(q), entities, memories, most)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mentions {
			i := slices.IndexFunc(stored, func(s memory.Memory) bool { return s.ID == m.Memory })
			told = append(told, fmt.Sprint(m.Entity == oslo, " ", i, " ", len(m.All)))
		}
		slices.SortStableFunc(told, func(a, b string) int { return cmp.Compare(a[:1], b[:1]) }) // by entity, as told
		return told
	}
	same(t, "all", near(search.Query{}, []string{anna}, nil, 9), []string{"false 0 1", "false 2 2", "false 1 2"})
	same(t, "two", near(search.Query{}, []string{anna}, nil, 2), []string{"false 0 1", "false 2 2"})
	same(t, "of the entities of a memory", near(search.Query{}, nil, []memory.ID{stored[1].ID}, 2),
		[]string{"false 0 1", "false 2 2", "true 3 1", "true 1 2"})
	same(t, "of both", near(search.Query{}, []string{oslo, oslo}, []memory.ID{stored[0].ID}, 1), []string{"false 0 1", "true 3 1"})
	w.remove(t, stored[2])
	w.catchUp(t, acme)
	same(t, "once one is deleted", near(search.Query{}, []string{anna}, nil, 2), []string{"false 0 1", "false 1 2"})
	same(t, "as it was known", near(search.Query{View: memory.View{KnownAt: at(start)}}, []string{anna}, nil, 2), []string{"false 1 2", "false 0 1"})
	same(t, "of nobody", near(search.Query{}, []string{relevance.EntityID(acme, "nobody")}, nil, 9), nil)
}

func spelling(t *testing.T, w *world) {
	spelt := func(m memory.Memory, name, kind string) memory.Memory {
		m.Entities = []memory.Entity{{Name: name, Type: kind}}
		return w.put(t, acme, m)[0]
	}
	named := func(when string, view memory.View, want ...string) {
		t.Helper()
		w.catchUp(t, acme)
		nodes, err := w.Mentions.Entities(t.Context(), acme, view)
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
