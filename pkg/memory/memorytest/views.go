package memorytest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

func viewClauses() []clause {
	return []clause{
		{"as_of shows what was true in the world, bounds included and excluded", asOfBounds},
		{"known_at shows what was known, bounds included and excluded", knownAtBounds},
		{"as_of and known_at together ask for what was then believed of the world", bothTimes},
		{"every read takes the view", viewsEverywhere},
		{"any history of writes reads like its plainest model", viewOracle},
		{"a thousand facts, told late and corrected, are shown as an oracle shows them at any pair of times", factsOracle},
	}
}

func asOfBounds(t *testing.T, w *world) {
	from, to := start.Add(-48*time.Hour), start.Add(-24*time.Hour)
	m := note("it rains")
	m.ValidFrom, m.ValidTo = &from, &to
	m = w.add(t, acme, m)
	open := w.add(t, acme, note("water is wet"))
	for _, c := range []struct {
		name  string
		at    time.Time
		shown bool
	}{
		{"before", from.Add(-time.Microsecond), false},
		{"at valid_from", from, true},
		{"just before valid_to", to.Add(-time.Microsecond), true},
		{"at valid_to", to, false},
	} {
		view := memory.View{AsOf: &c.at}
		if c.shown {
			w.get(t, acme, m.ID, view)
		} else {
			w.missing(t, acme, m.ID, view)
		}
		w.get(t, acme, open.ID, view)
	}
	w.get(t, acme, m.ID, memory.View{})
}

func knownAtBounds(t *testing.T, w *world) {
	first := w.add(t, acme, note("v1"))
	changed := w.advance(time.Hour)
	second := first
	second.Content = "v2"
	second = w.replace(t, acme, second)
	w.advance(time.Hour)
	w.missing(t, acme, first.ID, memory.View{KnownAt: at(start.Add(-time.Microsecond))})
	same(t, "at creation", w.get(t, acme, first.ID, memory.View{KnownAt: at(start)}), first)
	same(t, "just before the change", w.get(t, acme, first.ID, memory.View{KnownAt: at(changed.Add(-time.Microsecond))}), first)
	same(t, "at the change", w.get(t, acme, first.ID, memory.View{KnownAt: at(changed)}), second)
	same(t, "later", w.get(t, acme, first.ID, memory.View{KnownAt: at(changed.Add(time.Hour))}), second)
}

func bothTimes(t *testing.T, w *world) {
	m := w.add(t, acme, note("Ann lives in Oslo"))
	learned := w.advance(time.Hour)
	moved := start.Add(-time.Hour)
	m.ValidTo = &moved
	m = w.replace(t, acme, m)
	w.missing(t, acme, m.ID, memory.View{AsOf: at(start)})
	believed := w.get(t, acme, m.ID, memory.View{AsOf: at(start), KnownAt: at(learned.Add(-time.Second))})
	same(t, "believed", believed.Version, 1)
	same(t, "known now", w.get(t, acme, m.ID, memory.View{AsOf: at(moved.Add(-time.Second))}).Version, 2)
}

func viewsEverywhere(t *testing.T, w *world) {
	m := note("old words")
	m.Tags = []string{"old"}
	m = w.add(t, acme, m)
	young := at(w.advance(time.Hour))
	next := m
	next.Content, next.Tags = "new words", []string{"new"}
	next = w.replace(t, acme, next)
	late := w.add(t, acme, note("late"))
	past := memory.View{KnownAt: at(start)}

	found, err := w.store.Find(t.Context(), acme, []memory.ID{late.ID, m.ID}, past)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "found in the past", found, []memory.Memory{m})
	same(t, "listed in the past", w.list(t, acme, memory.Query{View: past}).Memories, []memory.Memory{m})
	same(t, "filtered in the past", w.list(t, acme, memory.Query{View: past, Filter: memory.Filter{Tags: []string{"new"}}}).Memories, nil)
	same(t, "listed now", w.list(t, acme, memory.Query{View: memory.View{KnownAt: young}}).Memories, []memory.Memory{late, next})
}

// viewOracle runs random writes against the store and against a list of every version ever, then asks both.
func viewOracle(t *testing.T, w *world) {
	var runs atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		scope := memory.Scope{Tenant: "acme", Project: fmt.Sprint("p", runs.Add(1))}
		var told []memory.Version // the model: every version of every memory that stands, in the order written
		var standing []memory.ID
		content := 0
		begun := w.clock()
		for range rapid.IntRange(1, 12).Draw(rt, "writes") {
			now := w.advance(time.Duration(rapid.IntRange(1, 100).Draw(rt, "pause")) * time.Second)
			content++
			m := note(fmt.Sprint("content ", content))
			m.Tags = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 2).Draw(rt, "tags")
			m.ValidFrom = drawTime(rt, begun, "valid_from")
			m.ValidTo = drawTime(rt, begun, "valid_to")
			action := rapid.SampledFrom([]string{"put", "put", "replace", "replace", "delete"}).Draw(rt, "action")
			if action == "put" || len(standing) == 0 {
				m = w.add(rt, scope, m)
				standing = append(standing, m.ID)
				told = append(told, memory.Version{Memory: m, Change: memory.Created, Why: asker, RecordedFrom: now})
				continue
			}
			m.ID = rapid.SampledFrom(standing).Draw(rt, "id")
			if action == "delete" {
				w.remove(rt, scope, m.ID)
				standing = slices.DeleteFunc(standing, func(id memory.ID) bool { return id == m.ID })
				told = slices.DeleteFunc(told, func(v memory.Version) bool { return v.ID == m.ID })
				continue
			}
			m = w.replace(rt, scope, m)
			for i := range told {
				if told[i].ID == m.ID && told[i].RecordedTo == nil {
					told[i].RecordedTo = &now
				}
			}
			told = append(told, memory.Version{Memory: m, Change: memory.Updated, Why: asker, RecordedFrom: now})
		}
		for range 4 {
			view := memory.View{AsOf: drawTime(rt, begun, "as_of"), KnownAt: drawTime(rt, begun, "known_at")}
			var filter memory.Filter
			filter.Tags = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 1).Draw(rt, "tag")
			compareView(rt, w, scope, told, standing, view, filter)
		}
		for _, id := range standing {
			var want []memory.Version
			for i := len(told) - 1; i >= 0; i-- {
				if told[i].ID == id {
					want = append(want, told[i])
				}
			}
			same(rt, "history", w.history(rt, scope, id), want)
		}
	})
}

func compareView(t tester, w *world, scope memory.Scope, told []memory.Version, standing []memory.ID, view memory.View, filter memory.Filter) {
	var want []memory.Memory
	for i := range told {
		v := &told[i]
		known := view.KnownAt == nil && v.RecordedTo == nil || view.KnownAt != nil && v.KnownAt(*view.KnownAt)
		if known && (view.AsOf == nil || v.TrueAt(*view.AsOf)) {
			want = append(want, v.Memory)
		}
	}
	slices.SortFunc(want, func(a, b memory.Memory) int {
		if a.ID > b.ID {
			return -1
		}
		return 1
	})
	for _, id := range standing {
		i := slices.IndexFunc(want, func(m memory.Memory) bool { return m.ID == id })
		m, err := w.store.Get(t.Context(), scope, id, view)
		switch {
		case i < 0:
			kind(t, err, fault.NotFound)
		case err != nil:
			t.Fatalf("get %s: %v", id, err)
		default:
			same(t, "read", m, want[i])
		}
	}
	want = slices.DeleteFunc(want, func(m memory.Memory) bool { return !filter.Match(&m) })
	same(t, "listed", w.list(t, scope, memory.Query{View: view, Filter: filter}).Memories, want)
}

// drawTime returns nil or a time around the test's own.
func drawTime(t *rapid.T, begun time.Time, label string) *time.Time {
	seconds := rapid.IntRange(-20, 620).Draw(t, label)
	if seconds < 0 {
		return nil
	}
	return at(begun.Add(time.Duration(seconds) * time.Second))
}
