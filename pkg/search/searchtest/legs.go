package searchtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

func legClauses() []legClause {
	return []legClause{
		{"scores lie in 0..1, best first, ties by id, nothing twice", ordered},
		{"no more than depth, and those are the best", depthBounds},
		{"every filter means what Filter.Match means", filtersMatch},
		{"since and until are held to the nanosecond", boundsOfTime},
		{"the one that passes is found, were it the last of two thousand", lastOneIsFound},
		{"what is written is found as soon as Write returns", foundAtOnce},
		{"what was committed is found while others write", foundBesideWriters},
		{"a deleted memory is not found, in the past neither", deletedIsGone},
		{"an expired memory is not found from that moment on, though nobody swept", expiredIsGone},
		{"an archived memory is found by who asks for it, and hides nobody behind it", archivedIsLeftOut},
		{"a hit says where in its session it stands", placed},
		{"an empty project finds nothing", emptyFindsNothing},
		{"a caller that went away gets no answer", cancelled},
	}
}

// ordered asks over memories of which many are equally good.
func ordered(t *testing.T, w *world, leg search.Leg) {
	var memories []memory.Memory
	for i := range 60 {
		m := common(strings.Repeat("willow ", i%5))
		m.ExternalID = fmt.Sprint(i)
		if i%3 == 0 {
			m.Entities = append(m.Entities, memory.Entity{Name: "Willow"})
		}
		memories = append(memories, m)
	}
	w.put(t, acme, memories...)
	hits := w.retrieve(t, leg, search.Query{Text: "common willow"}, 1000)
	if len(hits) != len(memories) {
		t.Fatalf("%d hits of %d", len(hits), len(memories))
	}
	seen := map[memory.ID]bool{}
	for i, hit := range hits {
		if hit.Score < 0 || hit.Score > 1 {
			t.Errorf("score %g", hit.Score)
		}
		if seen[hit.ID] {
			t.Errorf("%s comes twice", hit.ID)
		}
		seen[hit.ID] = true
		if i > 0 && (hit.Score > hits[i-1].Score || hit.Score == hits[i-1].Score && hit.ID < hits[i-1].ID) {
			t.Errorf("%s with %g comes after %s with %g", hit.ID, hit.Score, hits[i-1].ID, hits[i-1].Score)
		}
	}
	if hits[0].Score == hits[59].Score {
		t.Error("the best is as good as the last")
	}
}

func depthBounds(t *testing.T, w *world, leg search.Leg) {
	var memories []memory.Memory
	for i := range 40 {
		m := common(strings.Repeat("willow ", i%7))
		m.ExternalID = fmt.Sprint(i)
		memories = append(memories, m)
	}
	w.put(t, acme, memories...)
	all := idsOf(w.retrieve(t, leg, search.Query{Text: "common"}, 1000))
	same(t, "memories found", []int{len(all)}, []int{40})
	for _, depth := range []int{0, 1, 7, 39, 40, 41} {
		same(t, fmt.Sprintf("the best %d", depth), idsOf(w.retrieve(t, leg, search.Query{Text: "common"}, depth)), all[:min(depth, 40)])
	}
}

// filtersMatch compares hits under random filters with what the filter's own definition lets through.
func filtersMatch(t *testing.T, w *world, leg search.Leg) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	base := start.Add(-100 * time.Hour)
	var memories []memory.Memory
	for i := range 300 {
		m := common(fmt.Sprint("words of note ", i))
		m.Layer, m.Importance = memory.Layers()[r.IntN(6)], float64(r.IntN(11))/10
		m.UserID, m.AgentID, m.SessionID = pick("", "u1", "u2"), pick("", "a1"), pick("", "s1", "s2")
		m.Metadata = memory.Metadata{"k": pick("x", "y")}
		for _, tag := range []string{"red", "blue"} {
			if r.IntN(2) == 0 {
				m.Tags = append(m.Tags, tag)
			}
		}
		if r.IntN(2) == 0 {
			m.OccurredAt = at(base.Add(time.Duration(r.IntN(200)) * time.Hour))
		}
		memories = append(memories, m)
	}
	stored := w.put(t, acme, memories...)
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFilter(rt, base)
		var want []memory.ID
		for i := range stored {
			if f.Match(&stored[i]) {
				want = append(want, stored[i].ID)
			}
		}
		slices.Sort(want)
		same(rt, fmt.Sprintf("found under %+v", f), w.ids(rt, leg, search.Query{Text: "common words", Filter: f}), want)
	})
}

func drawFilter(rt *rapid.T, base time.Time) memory.Filter {
	f := memory.Filter{
		UserID:        rapid.SampledFrom([]string{"", "u1", "u2", "nobody"}).Draw(rt, "user"),
		AgentID:       rapid.SampledFrom([]string{"", "a1"}).Draw(rt, "agent"),
		SessionID:     rapid.SampledFrom([]string{"", "s1"}).Draw(rt, "session"),
		MinImportance: float64(rapid.IntRange(0, 10).Draw(rt, "importance")) / 10,
		Layers:        rapid.SliceOfNDistinct(rapid.SampledFrom(memory.Layers()), 0, 3, rapid.ID).Draw(rt, "layers"),
		Tags:          rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"red", "blue", "green"}), 0, 2, rapid.ID).Draw(rt, "tags"),
	}
	if rapid.Bool().Draw(rt, "has metadata") {
		f.Metadata = memory.Metadata{"k": rapid.SampledFrom([]any{"x", "y", "z", true}).Draw(rt, "value")}
	}
	beside := time.Duration(rapid.IntRange(-1, 1).Draw(rt, "nanoseconds beside")) // whole hours are bounds that memories lie on
	if rapid.Bool().Draw(rt, "has since") {
		f.Since = at(base.Add(time.Duration(rapid.IntRange(-1, 200).Draw(rt, "since"))*time.Hour + beside))
	}
	if rapid.Bool().Draw(rt, "has until") {
		f.Until = at(base.Add(time.Duration(rapid.IntRange(-1, 200).Draw(rt, "until"))*time.Hour + beside))
	}
	return f
}

func boundsOfTime(t *testing.T, w *world, leg search.Leg) {
	m := common("note")
	m.OccurredAt = &start
	m = w.put(t, acme, m)[0]
	for _, beside := range []time.Duration{-time.Microsecond, -time.Nanosecond, 0, time.Nanosecond, time.Microsecond} {
		bound := start.Add(beside)
		for name, f := range map[string]memory.Filter{"since": {Since: &bound}, "until": {Until: &bound}} {
			var want []memory.ID
			if f.Match(&m) {
				want = idsOfMemories(m)
			}
			same(t, fmt.Sprint(name, " the time and ", beside), w.ids(t, leg, search.Query{Text: "common", Filter: f}), want)
		}
	}
}

// lastOneIsFound puts one memory behind two thousand better ones and asks for ten under each filter and view that only
// this one passes.
func lastOneIsFound(t *testing.T, w *world, leg search.Leg) {
	old := at(start.Add(-1000 * time.Hour))
	last := common("and a tale of meadows harbours willows pebbles glaciers orchards lanterns rivers")
	last.Layer, last.Tags, last.Metadata, last.Importance = memory.Semantic, []string{"kept"}, memory.Metadata{"k": "kept"}, 1
	last.UserID, last.AgentID, last.SessionID, last.OccurredAt = "ann", "bot", "s1", old
	last.ValidTo = at(start.Add(-time.Hour))
	want := w.put(t, acme, last)[0].ID
	w.advance(time.Hour)
	var better []memory.Memory
	for i := range 2000 {
		m := common("otter")
		m.Entities = append(m.Entities, memory.Entity{Name: "Otter"})
		m.ExternalID, m.ValidFrom, m.OccurredAt = fmt.Sprint(i), at(start.Add(-time.Hour)), at(start)
		better = append(better, m)
	}
	w.put(t, acme, better...)
	all := w.retrieve(t, leg, search.Query{Text: "common otter"}, 3000)
	if len(all) != 2001 || all[2000].ID != want {
		t.Fatalf("%d hits; the one that should be last is number %d", len(all), slices.Index(idsOf(all), want)+1)
	}
	for name, q := range map[string]search.Query{
		"layers":         {Filter: memory.Filter{Layers: []memory.Layer{memory.Semantic, memory.Working}}},
		"tags":           {Filter: memory.Filter{Tags: []string{"kept"}}},
		"metadata":       {Filter: memory.Filter{Metadata: memory.Metadata{"k": "kept"}}},
		"user":           {Filter: memory.Filter{UserID: "ann"}},
		"agent":          {Filter: memory.Filter{AgentID: "bot"}},
		"session":        {Filter: memory.Filter{SessionID: "s1"}},
		"until":          {Filter: memory.Filter{Until: at(start)}},
		"since":          {Filter: memory.Filter{Since: old, Until: at(old.Add(time.Microsecond))}},
		"min_importance": {Filter: memory.Filter{MinImportance: .9}},
		"as_of":          {View: memory.View{AsOf: old}},
		"known_at":       {View: memory.View{KnownAt: at(start)}},
	} {
		q.Text = "common otter"
		if got := idsOf(w.retrieve(t, leg, q, 10)); !slices.Equal(got, []memory.ID{want}) {
			t.Errorf("under %s: %d hits, %v", name, len(got), got)
		}
	}
}

func foundAtOnce(t *testing.T, w *world, leg search.Leg) {
	var want []memory.ID
	for i := range 20 {
		want = append(want, w.put(t, acme, common(fmt.Sprint("note ", i)))[0].ID)
		slices.Sort(want)
		same(t, "found", w.ids(t, leg, search.Query{Text: "common"}), want)
	}
}

func foundBesideWriters(t *testing.T, w *world, leg search.Leg) {
	const writers, each = 4, 25
	var running sync.WaitGroup
	for i := range writers {
		running.Go(func() {
			for j := range each {
				m := common(fmt.Sprintf("of writer %d, note %d", i, j))
				m.SessionID = fmt.Sprint("s", i)
				err := w.Store.Write(t.Context(), acme, func(tx memory.Tx) error {
					_, _, err := tx.Put(t.Context(), m, asker, vectorOf(m.Content))
					return err
				})
				if err == nil && w.Freshness != nil {
					_, err = w.Freshness.CatchUp(t.Context(), acme)
				}
				if err != nil {
					t.Error(err)
					return
				}
				hits, err := leg.Retrieve(t.Context(), ready(search.Query{Text: "common", Filter: memory.Filter{SessionID: m.SessionID}}), 1000)
				if err != nil || len(hits) != j+1 {
					t.Errorf("writer %d finds %d of its %d, %v", i, len(hits), j+1, err)
				}
			}
		})
	}
	running.Wait()
	same(t, "found in the end", []int{len(w.ids(t, leg, search.Query{Text: "common"}))}, []int{writers * each})
}

func deletedIsGone(t *testing.T, w *world, leg search.Leg) {
	gone, stays := w.put(t, acme, common("gone"))[0], w.put(t, acme, common("stays"))[0]
	same(t, "found", w.ids(t, leg, search.Query{Text: "common"}), idsOfMemories(gone, stays))
	w.advance(time.Hour)
	gone.Tags = []string{"changed"}
	gone = w.replace(t, gone)
	w.advance(time.Hour)
	w.remove(t, gone)
	for name, view := range map[string]memory.View{"now": {}, "the past": {KnownAt: at(start)}, "the world": {AsOf: at(start)}} {
		same(t, name, w.ids(t, leg, search.Query{Text: "common gone", View: view}), idsOfMemories(stays))
	}
	w.write(t, acme, func(tx memory.Tx) error {
		_, err := tx.DeleteWhere(t.Context(), memory.Filter{Layers: memory.Layers()}, 10)
		return err
	})
	same(t, "found in the end", w.ids(t, leg, search.Query{Text: "common"}), nil)
}

func expiredIsGone(t *testing.T, w *world, leg search.Leg) {
	short := common("short")
	short.ExpiresAt = at(start.Add(time.Hour))
	both := w.put(t, acme, short, common("stays"))
	w.advance(time.Hour - time.Microsecond)
	same(t, "before", w.ids(t, leg, search.Query{Text: "common"}), idsOfMemories(both...))
	w.advance(time.Microsecond)
	for name, view := range map[string]memory.View{"now": {}, "the past": {KnownAt: at(start)}, "the world": {AsOf: at(start)}} {
		same(t, name, w.ids(t, leg, search.Query{Text: "common short", View: view}), idsOfMemories(both[1]))
	}
	if _, err := w.Store.Sweep(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	same(t, "swept", w.ids(t, leg, search.Query{Text: "common"}), idsOfMemories(both[1]))
}

// archivedIsLeftOut archives two thousand memories that are better than the one that stays, and brings one of them back.
func archivedIsLeftOut(t *testing.T, w *world, leg search.Leg) {
	const by = memory.ID("018f0000-0000-7000-8000-000000000001")
	stays := w.put(t, acme, common("and a tale of meadows harbours willows pebbles glaciers orchards lanterns rivers"))
	var better []memory.Memory
	for i := range 2000 {
		m := common("otter")
		m.Entities, m.ExternalID = append(m.Entities, memory.Entity{Name: "Otter"}), fmt.Sprint(i)
		better = append(better, m)
	}
	better = w.put(t, acme, better...)
	q := search.Query{Text: "common otter"}
	same(t, "found before", []int{len(w.ids(t, leg, q))}, []int{2001})
	w.advance(time.Hour)
	for part := range slices.Chunk(idsOfMemories(better...), memory.MaxArchive) {
		w.write(t, acme, func(tx memory.Tx) error {
			_, err := tx.Archive(t.Context(), part, by)
			return err
		})
	}
	same(t, "found", idsOf(w.retrieve(t, leg, q, 10)), idsOfMemories(stays...))
	before := q
	before.View.KnownAt = at(start)
	same(t, "found of then", []int{len(w.ids(t, leg, before))}, []int{2001})
	q.Filter.Archived = memory.WithArchived
	same(t, "found with them", []int{len(w.ids(t, leg, q))}, []int{2001})
	q.Filter.Archived = memory.OnlyArchived
	same(t, "found of them", w.ids(t, leg, q), idsOfMemories(better...))
	back := better[7]
	w.write(t, acme, func(tx memory.Tx) error {
		_, err := tx.Unarchive(t.Context(), []memory.ID{back.ID}, by)
		return err
	})
	q.Filter.Archived = memory.WithoutArchived
	same(t, "found again", w.ids(t, leg, q), idsOfMemories(stays[0], back))
	told := better[8]
	told.Content += " told anew"
	told = w.replace(t, told)
	same(t, "found with what was told anew", w.ids(t, leg, q), idsOfMemories(stays[0], back, told))
}

// placed tells turns in any order, then changes one and deletes one.
func placed(t *testing.T, w *world, leg search.Leg) {
	var turns []memory.Memory
	for _, minute := range []int{4, 0, 3, 1, 2, 5} {
		m := common(fmt.Sprint("minute", minute))
		m.SessionID, m.OccurredAt, m.Metadata = "s", at(start.Add(time.Duration(minute)*time.Minute)), memory.Metadata{"speaker": "Ann"}
		turns = append(turns, w.put(t, acme, m)[0])
	}
	w.put(t, acme, common("nowhere"))
	order := func(want ...string) {
		t.Helper()
		got := make([]string, len(want))
		for _, hit := range w.retrieve(t, leg, search.Query{Text: "common"}, 100) {
			m, err := w.Store.Get(t.Context(), acme, hit.ID, memory.View{})
			if err != nil {
				t.Fatal(err)
			}
			if m.SessionID == "" {
				same(t, "session of a memory in none", []string{hit.Place.Session}, []string{""})
				continue
			}
			same(t, "session and speaker", []string{hit.Place.Session, hit.Place.Speaker}, []string{"s", "ann"})
			if hit.Place.Turn < 0 || hit.Place.Turn >= len(want) {
				t.Fatalf("%q is turn %d of %d", m.Content, hit.Place.Turn, len(want))
			}
			got[hit.Place.Turn] = strings.TrimPrefix(m.Content, "common ")
		}
		same(t, "turns", got, want)
	}
	order("minute0", "minute1", "minute2", "minute3", "minute4", "minute5")
	w.remove(t, turns[3])
	turns[2].Content = "common minute3 or so"
	w.replace(t, turns[2])
	order("minute0", "minute2", "minute3 or so", "minute4", "minute5")
}

func emptyFindsNothing(t *testing.T, w *world, leg search.Leg) {
	same(t, "found", w.ids(t, leg, search.Query{Text: "common"}), nil)
	w.put(t, memory.Scope{Tenant: "acme", Project: "other"}, common("elsewhere"))
	same(t, "found", w.ids(t, leg, search.Query{Text: "common"}), nil)
}

func cancelled(t *testing.T, w *world, leg search.Leg) {
	w.put(t, acme, common("note"))
	w.catchUp(t, acme)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begun := time.Now()
	hits, err := leg.Retrieve(ctx, ready(search.Query{Text: "common"}), 10)
	if !errors.Is(err, context.Canceled) || len(hits) > 0 {
		t.Errorf("%d hits, %v", len(hits), err)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it took %s to say so", took)
	}
}
