package index_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

var here = memory.Scope{Tenant: "acme", Project: "default"}

// world is a store with an index that follows it.
type world struct {
	t     *testing.T
	db    *inmem.DB
	set   *index.Set
	model *embed.Hash
	now   time.Time
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, model: new(embed.Hash), now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	w.db = inmem.New(inmem.Options{Clock: clock})
	w.set = index.NewSet(w.db, w.model.Model())
	w.set.Clock = clock
	return w
}

// put stores a memory with its vector and returns it.
func (w *world) put(scope memory.Scope, m memory.Memory) memory.Memory {
	w.t.Helper()
	if m.Layer == "" {
		m.Layer = memory.Episodic
	}
	vectors, err := w.model.EmbedDocuments(w.t.Context(), []string{m.Content})
	if err != nil {
		w.t.Fatal(err)
	}
	var stored memory.Memory
	err = w.db.Write(w.t.Context(), scope, func(tx memory.Tx) (err error) {
		stored, _, err = tx.Put(w.t.Context(), m, memory.Why{}, memory.Vector{Model: w.model.Model(), Values: vectors[0]})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return stored
}

func (w *world) say(contents ...string) []memory.Memory {
	var all []memory.Memory
	for _, c := range contents {
		all = append(all, w.put(here, memory.Memory{Content: c}))
	}
	return all
}

func (w *world) write(do func(tx memory.Tx) error) {
	w.t.Helper()
	if err := w.db.Write(w.t.Context(), here, do); err != nil {
		w.t.Fatal(err)
	}
}

// find retrieves by one leg, after catching up, and returns contents.
func (w *world) find(leg search.Leg, q search.Query) []string {
	w.t.Helper()
	if q.Scope == (memory.Scope{}) {
		q.Scope = here
	}
	contents := []string{}
	for _, hit := range w.hits(leg, q) {
		m, err := w.db.Find(w.t.Context(), q.Scope, []memory.ID{hit.ID}, q.View)
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range m {
			contents = append(contents, m[i].Content)
		}
		if len(m) == 0 {
			contents = append(contents, fmt.Sprintf("(%s is gone)", hit.ID))
		}
	}
	return contents
}

func (w *world) hits(leg search.Leg, q search.Query) []search.Hit {
	w.t.Helper()
	if _, err := w.set.CatchUp(w.t.Context(), q.Scope); err != nil {
		w.t.Fatal(err)
	}
	if leg.Name() == "dense" && q.Vector == nil {
		v, err := w.model.EmbedQuery(context.Background(), q.Text)
		if err != nil {
			w.t.Fatal(err)
		}
		q.Vector = v
	}
	hits, err := leg.Retrieve(w.t.Context(), q, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return hits
}
