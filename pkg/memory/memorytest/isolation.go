package memorytest

import (
	"fmt"
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

func isolationClauses() []clause {
	return []clause{
		{"equal ids, keys and contents in four scopes are four memories", sameEverywhere},
		{"another scope's memory looks exactly like one that never was", foreignLooksMissing},
		{"no write reaches another scope", writesStayHome},
		{"answers and events are each scope's own", bookkeepingStaysHome},
		{"names that run into one another are different scopes", namesDoNotRunTogether},
		{"no project is called *, by which a store may mean all of a tenant's", noProjectMeansAll},
	}
}

var fourScopes = []memory.Scope{
	{Tenant: "a", Project: "p"}, {Tenant: "a", Project: "q"}, {Tenant: "b", Project: "p"}, {Tenant: "b", Project: "q"},
}

func sameEverywhere(t *testing.T, w *world) {
	m := full()
	m.ID = "4d2c8a9e-9c57-5d5b-8a1c-0123456789ab"
	for i, scope := range fourScopes {
		stored := w.add(t, scope, m, vector(float32(i)))
		same(t, "scope", stored.Scope(), scope)
	}
	for i, scope := range fourScopes {
		read := w.get(t, scope, m.ID, memory.View{})
		same(t, "read", read.Scope(), scope)
		listed := w.list(t, scope, memory.Query{Filter: memory.Filter{Tags: m.Tags[:1]}}).Memories
		same(t, "listed", len(listed), 1)
		same(t, "head", w.head(t, scope), 1)
		changes := w.changes(t, scope, 0)
		same(t, "fed", len(changes), 1)
		same(t, "vector", changes[0].Vector, []float32{float32(i)})
		same(t, "versions", len(w.history(t, scope, m.ID)), 1)
	}
}

func foreignLooksMissing(t *testing.T, w *world) {
	m := w.add(t, fourScopes[0], full(), vector(1))
	ghost := memory.NewID()
	for _, scope := range fourScopes[1:] {
		for name, ask := range map[string]func(memory.ID) error{
			"get": func(id memory.ID) error {
				_, err := w.store.Get(t.Context(), scope, id, memory.View{})
				return err
			},
			"history": func(id memory.ID) error {
				_, err := w.store.History(t.Context(), scope, id)
				return err
			},
			"delete": func(id memory.ID) error {
				return w.store.Write(t.Context(), scope, func(tx memory.Tx) error { return tx.Delete(t.Context(), id) })
			},
			"replace": func(id memory.ID) error {
				return w.store.Write(t.Context(), scope, func(tx memory.Tx) error {
					next := note("x")
					next.ID = id
					_, err := tx.Replace(t.Context(), next, asker)
					return err
				})
			},
			"get in a transaction": func(id memory.ID) error {
				return w.store.Write(t.Context(), scope, func(tx memory.Tx) error {
					_, err := tx.Get(t.Context(), id)
					return err
				})
			},
		} {
			foreign, missing := ask(m.ID), ask(ghost)
			kind(t, foreign, fault.NotFound)
			same(t, name, foreign.Error(), missing.Error())
			same(t, name, fault.Public(foreign), fault.Public(missing))
		}
		found, err := w.store.Find(t.Context(), scope, []memory.ID{m.ID}, memory.View{})
		if err != nil || len(found) != 0 {
			t.Errorf("found %v, %v", found, err)
		}
		same(t, "attached", w.attach(t, scope, m.ID, 1, vector(9)), false)
		same(t, "listed", w.list(t, scope, memory.Query{}), memory.Page{})
		same(t, "fed", w.changes(t, scope, 0), nil)
		same(t, "head", w.head(t, scope), 0)
	}
	same(t, "read at home", w.get(t, fourScopes[0], m.ID, memory.View{}), m)
}

func writesStayHome(t *testing.T, w *world) {
	kept := make([]memory.Page, len(fourScopes))
	for i, scope := range fourScopes {
		several(t, w, scope, 6)
		kept[i] = w.list(t, scope, memory.Query{})
	}
	w.write(t, fourScopes[0], func(tx memory.Tx) error {
		deleted, err := tx.DeleteWhere(t.Context(), memory.Filter{Layers: memory.Layers()}, 100)
		same(t, "deleted", len(deleted), 6)
		return err
	})
	for i, scope := range fourScopes[1:] {
		same(t, "left", w.list(t, scope, memory.Query{}), kept[i+1])
		same(t, "head", w.head(t, scope), 6)
	}
}

func bookkeepingStaysHome(t *testing.T, w *world) {
	key := memory.Key{Route: "r", Key: "k", Fingerprint: "f"}
	for i, scope := range fourScopes {
		key.Fingerprint = fmt.Sprint("f", i)
		w.write(t, scope, func(tx memory.Tx) error {
			_, found, err := tx.Answered(t.Context(), key)
			same(t, "answered", found, false)
			if err != nil {
				return err
			}
			first, err := tx.Once(t.Context(), "c", "s", "e")
			same(t, "first", first, true)
			if err != nil {
				return err
			}
			return tx.Answer(t.Context(), key, []byte("{}"))
		})
	}
}

func namesDoNotRunTogether(t *testing.T, w *world) {
	one, two := memory.Scope{Tenant: "ab", Project: "c"}, memory.Scope{Tenant: "a", Project: "bc"}
	w.add(t, one, note("x"))
	same(t, "listed", w.list(t, two, memory.Query{}), memory.Page{})
	w.add(t, two, note("x"))
}

func noProjectMeansAll(t *testing.T, w *world) {
	m := w.add(t, fourScopes[0], note("x"), vector(1))
	all := memory.Scope{Tenant: fourScopes[0].Tenant, Project: "*"}
	kind(t, w.store.Write(t.Context(), all, func(tx memory.Tx) error { return tx.Delete(t.Context(), m.ID) }), fault.Invalid)
	if found, err := w.store.Find(t.Context(), all, []memory.ID{m.ID}, memory.View{}); len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
	if page, err := w.store.List(t.Context(), all, memory.Query{Limit: 10}); len(page.Memories) != 0 {
		t.Errorf("listed %v, %v", page, err)
	}
	if changes, err := w.store.Changes(t.Context(), all, model, 0, 10); len(changes) != 0 {
		t.Errorf("fed %v, %v", changes, err)
	}
}
