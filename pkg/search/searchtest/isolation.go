package searchtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

func isolationClauses() []legClause {
	return []legClause{
		{"each project finds its own of equal memories, whatever is asked", equalMemoriesApart},
		{"the same id in two projects is two memories", equalIDsApart},
		{"another project's words, names and statistics leave no trace", foreignLeavesNoTrace},
		{"an erased tenant's memories are never found again, new ones are", erasedIsGone},
	}
}

var fourScopes = []memory.Scope{
	{Tenant: "ab", Project: "c"}, {Tenant: "ab", Project: "d"}, {Tenant: "a", Project: "bc"}, {Tenant: "e", Project: "c"},
}

// equalMemoriesApart plants the same in four scopes. Users, sessions and tags differ, so that a filter may name what
// only another scope has.
func equalMemoriesApart(t *testing.T, w *world, leg search.Leg) {
	var planted [][]memory.Memory
	for i, scope := range fourScopes {
		shared, private := common("shared"), common("private")
		private.UserID, private.SessionID, private.Tags = fmt.Sprint("u", i), fmt.Sprint("s", i), []string{fmt.Sprint("t", i)}
		planted = append(planted, w.put(t, scope, shared, private))
	}
	w.advance(time.Hour)
	for i, scope := range fourScopes {
		for name, view := range map[string]memory.View{"now": {}, "past": {KnownAt: at(start)}, "world": {AsOf: at(start)}} {
			q := search.Query{Scope: scope, Text: "common shared private", View: view}
			same(t, name, w.ids(t, leg, q), idsOfMemories(planted[i]...))
			for j := range fourScopes {
				for _, filter := range []memory.Filter{{UserID: fmt.Sprint("u", j)}, {SessionID: fmt.Sprint("s", j)}, {Tags: []string{fmt.Sprint("t", j)}}} {
					q.Filter = filter
					var want []memory.ID
					if i == j {
						want = idsOfMemories(planted[i][1])
					}
					same(t, fmt.Sprintf("%s in %s under %+v", name, scope, filter), w.ids(t, leg, q), want)
				}
			}
		}
	}
}

func equalIDsApart(t *testing.T, w *world, leg search.Leg) {
	for i, scope := range fourScopes {
		m := common("note")
		m.ID, m.Tags = "4d2c8a9e-9c57-5d5b-8a1c-0123456789ab", []string{fmt.Sprint("t", i)}
		w.put(t, scope, m)
	}
	gone, err := w.Store.Get(t.Context(), fourScopes[3], "4d2c8a9e-9c57-5d5b-8a1c-0123456789ab", memory.View{})
	if err != nil {
		t.Fatal(err)
	}
	w.remove(t, gone)
	for i, scope := range fourScopes {
		for j := range fourScopes {
			q := search.Query{Scope: scope, Text: "common", Filter: memory.Filter{Tags: []string{fmt.Sprint("t", j)}}}
			want := []int{0}
			if i == j && i < 3 {
				want = []int{1}
			}
			same(t, fmt.Sprintf("found by the tag of scope %d in %s", j, scope), []int{len(w.ids(t, leg, q))}, want)
		}
	}
}

// foreignLeavesNoTrace compares hits, scores included, before and after a neighbour fills up.
func foreignLeavesNoTrace(t *testing.T, w *world, leg search.Leg) {
	w.put(t, acme, common("otter"), common("willow otter"), common("pebble"))
	q := search.Query{Text: "common otter"}
	before := w.retrieve(t, leg, q, 10)
	for _, scope := range []memory.Scope{{Tenant: "acme", Project: "other"}, {Tenant: "other", Project: "default"}} {
		for i := range 30 {
			w.put(t, scope, about(fmt.Sprint("otter secret ", i), "Otter", "Secret", "Common"))
		}
		w.ids(t, leg, search.Query{Scope: scope, Text: "otter"})
	}
	after := w.retrieve(t, leg, q, 10)
	same(t, "hits", []string{fmt.Sprint(after)}, []string{fmt.Sprint(before)})
	if leg.Name() != "dense" { // every vector is a little alike every other
		same(t, "found by a foreign word", w.ids(t, leg, search.Query{Text: "secret"}), nil)
	}
}

func erasedIsGone(t *testing.T, w *world, leg search.Leg) {
	elsewhere := memory.Scope{Tenant: "acme", Project: "side"}
	kept := w.put(t, memory.Scope{Tenant: "other", Project: "default"}, common("kept"))
	for i := range 5 {
		w.put(t, acme, common(fmt.Sprint("erased ", i)))
		w.put(t, elsewhere, common(fmt.Sprint("erased ", i)))
	}
	same(t, "found", []int{len(w.ids(t, leg, search.Query{Text: "common"}))}, []int{5})
	if _, err := w.Store.EraseTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	for _, scope := range []memory.Scope{acme, elsewhere} {
		same(t, "found once erased", w.ids(t, leg, search.Query{Scope: scope, Text: "common"}), nil)
	}
	var fresh []memory.Memory
	for i := range 9 { // more changes than before, so that their numbers alone do not tell
		fresh = append(fresh, w.put(t, acme, common(fmt.Sprint("fresh ", i)))...)
	}
	same(t, "found anew", w.ids(t, leg, search.Query{Text: "common erased"}), idsOfMemories(fresh...))
	same(t, "another tenant's", w.ids(t, leg, search.Query{Scope: kept[0].Scope(), Text: "common"}), idsOfMemories(kept...))
}
