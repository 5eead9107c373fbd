package searchtest

import (
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/memory/memorytest"
	"github.com/rae-memory/rae/pkg/search"
)

// factsOracle asks a leg for what 500 pairs of times show of 1,000 facts, and, because a hit does not say its version,
// again for those whose version then was the second.
func factsOracle(t *testing.T, w *world, leg search.Leg) {
	facts := w.tellFacts(t)
	for _, view := range facts.Views(500) {
		shown := facts.Shown(view)
		q := search.Query{Text: "common", View: view}
		agree(t, leg.Name(), view, w.ids(t, leg, q), shown, func(memory.Version) bool { return true })
		q.Filter.Tags = []string{"v2"}
		agree(t, leg.Name()+" by version", view, w.ids(t, leg, q), shown, func(v memory.Version) bool { return v.Version == 2 })
	}
}

// rerankedFacts asks the reranker, which scores what may be seen and nothing else.
func rerankedFacts(t *testing.T, w *world) {
	facts := w.tellFacts(t)
	ids := facts.IDs()
	for _, view := range facts.Views(500) {
		scores, err := w.Reranker.Rerank(t.Context(), search.Query{Scope: acme, Text: "fact", View: view}, ids)
		if err != nil {
			t.Fatal(err)
		}
		var scored []memory.ID
		for i, score := range scores {
			if score > 0 {
				scored = append(scored, ids[i])
			}
		}
		agree(t, "reranker", view, scored, facts.Shown(view), func(memory.Version) bool { return true })
	}
}

// tellFacts tells the script while an index follows now and then, in the middle of a fact's history as well as after.
func (w *world) tellFacts(t *testing.T) *memorytest.Facts {
	t.Helper()
	told := 0
	advance := func(d time.Duration) time.Time {
		if told++; told%97 == 0 {
			w.catchUp(t, acme)
		}
		return w.advance(d)
	}
	vectors := func(content string) []memory.Vector { return []memory.Vector{vectorOf(content)} }
	facts, err := memorytest.TellFacts(t.Context(), 3, 1000, w.clock, advance, memorytest.Tell(w.Store, acme, vectors))
	if err != nil {
		t.Fatal(err)
	}
	w.catchUp(t, acme)
	return facts
}

func agree(t *testing.T, who string, view memory.View, got []memory.ID, shown map[memory.ID]memory.Version, which func(memory.Version) bool) {
	t.Helper()
	var want []memory.ID
	for id, v := range shown {
		if which(v) {
			want = append(want, id)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("%s as of %s, known at %s: shows %d facts, want %d", who, told(view.AsOf), told(view.KnownAt), len(got), len(want))
	}
}

func told(t *time.Time) string {
	if t == nil {
		return "now"
	}
	return t.Format(time.RFC3339Nano)
}
