package memorytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

func filterClauses() []clause {
	return []clause{
		{"each filter selects what it names", filterEach},
		{"every filter means what Filter.Match means", filterMatches},
		{"a list comes newest id first", listNewestFirst},
		{"pages follow one another without gap or repetition", pagesFollow},
		{"a page that ends exactly at the end is the last", lastPageExact},
		{"pages under a filter are full until the last", filteredPages},
		{"a page of large contents is full before its limit", largePages},
		{"what is written between pages disturbs neither", pagesUnderWrites},
		{"a limit outside 1..1000 is refused", listLimits},
	}
}

func filterEach(t *testing.T, w *world) {
	occurred := start.Add(-100 * time.Hour)
	rich := memory.Memory{
		Content: "rich", Layer: memory.Semantic, Tags: []string{"red", "blue"}, Importance: 0.5,
		Metadata: memory.Metadata{"n": json.Number("1"), "s": "1", "o": map[string]any{"k": []any{true}}},
		UserID:   "ann", AgentID: "bot", SessionID: "s1", OccurredAt: &occurred,
	}
	w.add(t, acme, rich)
	w.add(t, acme, note("plain"))
	both, none := []string{"plain", "rich"}, []string{}
	one, other := []string{"rich"}, []string{"plain"}
	for _, c := range []struct {
		name   string
		filter memory.Filter
		want   []string
	}{
		{"nothing", memory.Filter{}, both},
		{"a layer", memory.Filter{Layers: []memory.Layer{memory.Semantic}}, one},
		{"layers are alternatives", memory.Filter{Layers: []memory.Layer{memory.Semantic, memory.Episodic}}, both},
		{"another layer", memory.Filter{Layers: []memory.Layer{memory.Working}}, none},
		{"a tag", memory.Filter{Tags: []string{"red"}}, one},
		{"tags must all match", memory.Filter{Tags: []string{"blue", "red"}}, one},
		{"one tag of two is missing", memory.Filter{Tags: []string{"red", "green"}}, none},
		{"part of a tag", memory.Filter{Tags: []string{"re"}}, none},
		{"a tag in other case", memory.Filter{Tags: []string{"RED"}}, none},
		{"metadata", memory.Filter{Metadata: memory.Metadata{"n": json.Number("1")}}, one},
		{"metadata as JSON compares it", memory.Filter{Metadata: memory.Metadata{"n": json.Number("1.0")}}, one},
		{"metadata of another type", memory.Filter{Metadata: memory.Metadata{"n": "1"}}, none},
		{"deep metadata", memory.Filter{Metadata: memory.Metadata{"o": map[string]any{"k": []any{true}}}}, one},
		{"a user", memory.Filter{UserID: "ann"}, one},
		{"an agent", memory.Filter{AgentID: "bot"}, one},
		{"a session", memory.Filter{SessionID: "s1"}, one},
		{"another session", memory.Filter{SessionID: "S1"}, none},
		{"since is inclusive", memory.Filter{Since: &occurred}, both},
		{"since falls back to the creation", memory.Filter{Since: at(occurred.Add(1000))}, other},
		{"until is exclusive", memory.Filter{Until: &occurred}, none},
		{"until", memory.Filter{Until: at(occurred.Add(1000))}, one},
		{"until the creation", memory.Filter{Until: at(start)}, one},
		{"a nanosecond after it happened is after it", memory.Filter{Since: at(occurred.Add(1))}, other},
		{"a nanosecond before it happened is before it", memory.Filter{Since: at(occurred.Add(-1))}, both},
		{"until a nanosecond after it happened", memory.Filter{Until: at(occurred.Add(1))}, one},
		{"until a nanosecond before it happened", memory.Filter{Until: at(occurred.Add(-1))}, none},
		{"importance is inclusive", memory.Filter{MinImportance: 0.5}, one},
		{"more importance", memory.Filter{MinImportance: 0.51}, none},
	} {
		if got := contents(w.list(t, acme, memory.Query{Filter: c.filter}).Memories); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// filterMatches fills a scope with random memories and compares random lists with Filter.Match over all of them.
func filterMatches(t *testing.T, w *world) {
	words := []string{"", "a", "b", "A", "a|b", "ab", "%", "_", "ä", "'"}
	var all []memory.Memory
	fill := rapid.Custom(func(t *rapid.T) memory.Memory {
		m := memory.Memory{
			Layer:      rapid.SampledFrom(memory.Layers()).Draw(t, "layer"),
			Tags:       rapid.SliceOfN(rapid.SampledFrom(words[1:]), 0, 3).Draw(t, "tags"),
			UserID:     rapid.SampledFrom(words).Draw(t, "user"),
			AgentID:    rapid.SampledFrom(words).Draw(t, "agent"),
			SessionID:  rapid.SampledFrom(words).Draw(t, "session"),
			Importance: float64(rapid.IntRange(0, 4).Draw(t, "importance")) / 4,
			OccurredAt: drawTime(t, start.Add(-5*time.Minute), "occurred"),
		}
		if key := rapid.SampledFrom(words).Draw(t, "key"); key != "" {
			m.Metadata = memory.Metadata{key: rapid.SampledFrom([]any{"a", json.Number("1"), true}).Draw(t, "value")}
		}
		return m
	})
	for i := range 60 {
		m := fill.Example(i)
		m.Content = fmt.Sprint("content ", i)
		w.advance(time.Second)
		all = append(all, w.add(t, acme, m))
	}
	slices.Reverse(all)
	rapid.Check(t, func(rt *rapid.T) {
		like := fill.Draw(rt, "like")
		var f memory.Filter
		if rapid.Bool().Draw(rt, "by layer") {
			f.Layers = []memory.Layer{like.Layer, rapid.SampledFrom(memory.Layers()).Draw(rt, "or")}
		}
		if rapid.Bool().Draw(rt, "by tag") {
			f.Tags = like.Tags
		}
		switch rapid.IntRange(0, 5).Draw(rt, "by owner") {
		case 0:
			f.UserID = like.UserID
		case 1:
			f.AgentID = like.AgentID
		case 2:
			f.SessionID = like.SessionID
		case 3:
			f.MinImportance = like.Importance
		case 4:
			f.Metadata = like.Metadata
		}
		if rapid.Bool().Draw(rt, "by time") {
			f.Since = drawTime(rt, start.Add(-5*time.Minute), "since")
			f.Until = drawTime(rt, start.Add(-5*time.Minute), "until")
		}
		var want []memory.Memory
		for i := range all {
			if f.Match(&all[i]) {
				want = append(want, all[i])
			}
		}
		same(rt, "listed by "+render(f), w.list(rt, acme, memory.Query{Filter: f}).Memories, want)
	})
}

// several stores n memories "0", "1", … and returns them newest first.
func several(t tester, w *world, scope memory.Scope, n int) []memory.Memory {
	t.Helper()
	var all []memory.Memory
	w.write(t, scope, func(tx memory.Tx) error {
		all = nil
		for i := range n {
			m := note(fmt.Sprint(i))
			if i%3 == 0 {
				m.Tags = []string{"third"}
			}
			stored, _, err := tx.Put(t.Context(), m, asker)
			if err != nil {
				return err
			}
			all = append(all, stored)
		}
		return nil
	})
	slices.Reverse(all)
	return all
}

func listNewestFirst(t *testing.T, w *world) {
	all := several(t, w, acme, 20)
	same(t, "listed", w.list(t, acme, memory.Query{}).Memories, all)
}

func pagesFollow(t *testing.T, w *world) {
	all := several(t, w, acme, 25)
	var got []memory.Memory
	q := memory.Query{Limit: 10}
	for _, size := range []int{10, 10, 5} {
		page := w.list(t, acme, q)
		same(t, "page size", len(page.Memories), size)
		got = append(got, page.Memories...)
		q.After = page.Next
	}
	same(t, "next of the last page", q.After, "")
	same(t, "all pages", got, all)
}

func lastPageExact(t *testing.T, w *world) {
	several(t, w, acme, 10)
	first := w.list(t, acme, memory.Query{Limit: 5})
	second := w.list(t, acme, memory.Query{Limit: 5, After: first.Next})
	same(t, "size", len(second.Memories), 5)
	same(t, "next", second.Next, "")
	same(t, "beyond", w.list(t, acme, memory.Query{After: second.Memories[4].ID}), memory.Page{})
}

func filteredPages(t *testing.T, w *world) {
	all := several(t, w, acme, 60)
	want := slices.DeleteFunc(all, func(m memory.Memory) bool { return len(m.Tags) == 0 })
	q := memory.Query{Limit: 7, Filter: memory.Filter{Tags: []string{"third"}, Metadata: memory.Metadata{}}}
	var got []memory.Memory
	for _, size := range []int{7, 7, 6} {
		page := w.list(t, acme, q)
		same(t, "page size", len(page.Memories), size)
		got = append(got, page.Memories...)
		q.After = page.Next
	}
	same(t, "all pages", got, want)
	same(t, "next of the last page", q.After, "")
}

func largePages(t *testing.T, w *world) {
	const each = memory.PageBytes / 4
	var want []memory.ID
	for i := range 9 {
		want = append(want, w.add(t, acme, note(strings.Repeat(string(rune('a'+i)), each))).ID)
	}
	slices.Reverse(want)
	var got []memory.ID
	q := memory.Query{Limit: 9}
	for _, size := range []int{4, 4, 1} {
		page := w.list(t, acme, q)
		same(t, "page size", len(page.Memories), size)
		for i := range page.Memories {
			got = append(got, page.Memories[i].ID)
		}
		q.After = page.Next
	}
	same(t, "next of the last page", q.After, "")
	same(t, "all pages", got, want)
}

func pagesUnderWrites(t *testing.T, w *world) {
	all := several(t, w, acme, 10)
	first := w.list(t, acme, memory.Query{Limit: 5})
	w.add(t, acme, note("new"))
	w.remove(t, acme, first.Next)
	w.remove(t, acme, all[6].ID)
	second := w.list(t, acme, memory.Query{Limit: 5, After: first.Next})
	same(t, "the second page", second.Memories, append([]memory.Memory{all[5]}, all[7:]...))
}

func listLimits(t *testing.T, w *world) {
	for _, limit := range []int{-1, 0, 1001} {
		_, err := w.store.List(t.Context(), acme, memory.Query{Limit: limit})
		kind(t, err, fault.Invalid)
	}
}
