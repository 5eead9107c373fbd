package index_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

func TestLexical(t *testing.T) {
	t.Parallel()
	t.Run("one word in common is enough", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.say("Caroline went to a support group", "Melanie painted a sunrise")
		got := w.find(index.Lexical{Set: w.set}, search.Query{Text: "When did Caroline swim across the river?"})
		if want := []string{"Caroline went to a support group"}; !reflect.DeepEqual(got, want) {
			t.Errorf("found %q, want %q", got, want)
		}
	})
	t.Run("question words and stop words alone find nothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.say("what is this when", "who are you")
		if got := w.find(index.Lexical{Set: w.set}, search.Query{Text: "What is this? Who are you?"}); len(got) != 0 {
			t.Errorf("found %q", got)
		}
	})
	t.Run("words match in any inflection", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.say("The kids were painting pottery")
		if got := w.find(index.Lexical{Set: w.set}, search.Query{Text: "paints"}); len(got) != 1 {
			t.Errorf("found %q", got)
		}
	})
	t.Run("metadata values, tags, source and entities are searched", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.put(here, memory.Memory{
			Content: "routine check", Tags: []string{"boiler"}, Source: "telemetry", Entities: []memory.Entity{{Name: "Hamburg"}},
			Metadata: memory.Metadata{"params": map[string]any{"serial": "SN-270196"}, "list": []any{"alpha", "beta"}},
		})
		for _, q := range []string{"SN-270196", "boilers", "telemetry", "hamburg", "beta"} {
			if got := w.find(index.Lexical{Set: w.set}, search.Query{Text: q}); len(got) != 1 {
				t.Errorf("%q found %q", q, got)
			}
		}
	})
	t.Run("metadata that only repeats the content is no further evidence", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		const content = "the heron stood by the river all morning"
		w.put(here, memory.Memory{Content: content, ExternalID: "once"})
		w.put(here, memory.Memory{Content: content, ExternalID: "twice", Metadata: memory.Metadata{"plain": content}})
		hits := w.hits(index.Lexical{Set: w.set}, search.Query{Scope: here, Text: "heron"})
		if len(hits) != 2 || hits[0].Score != hits[1].Score {
			t.Errorf("hits %+v", hits)
		}
	})
	t.Run("a rare word outweighs a common one", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for i := range 20 {
			w.say(fmt.Sprintf("meeting about topic %d", i))
		}
		w.say("zeppelin sighting")
		if got := w.find(index.Lexical{Set: w.set}, search.Query{Text: "meeting zeppelin"}); got[0] != "zeppelin sighting" {
			t.Errorf("first is %q", got[0])
		}
	})
	t.Run("a query of two thousand words is answered", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.say("the needle")
		if got := w.find(index.Lexical{Set: w.set}, search.Query{Text: "needle " + strings.Repeat("hay stack ", 1000)}); len(got) != 1 {
			t.Errorf("found %q", got)
		}
	})
	t.Run("scripts without spaces are found by their pairs", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.say("我昨天去了支持小组", "今天天气很好")
		got := w.find(index.Lexical{Set: w.set}, search.Query{Text: "支持小组"})
		if want := []string{"我昨天去了支持小组"}; !reflect.DeepEqual(got, want) {
			t.Errorf("found %q, want %q", got, want)
		}
	})
}

// TestLexicalIsBM25 compares every score with BM25 written down plainly.
func TestLexicalIsBM25(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		words := rapid.SampledFrom([]string{"apple", "pear", "plum", "fig", "lime"})
		documents := rapid.SliceOfNDistinct(rapid.Map(rapid.SliceOfN(words, 1, 8), func(s []string) string { return strings.Join(s, " ") }), 1, 12, rapid.ID).Draw(rt, "documents")
		query := rapid.SliceOfNDistinct(words, 1, 4, rapid.ID).Draw(rt, "query")
		w.say(documents...)

		mean := 0.0
		for _, d := range documents {
			mean += float64(len(strings.Fields(d))) / float64(len(documents))
		}
		const k1, b = .6, .3 // mean length is below 20
		want := map[string]float64{}
		total := 0.0
		for _, term := range query {
			with := 0.0
			for _, d := range documents {
				if slices.Contains(strings.Fields(d), term) {
					with++
				}
			}
			if with == 0 {
				continue
			}
			idf := math.Log((float64(len(documents))-with+.5)/(with+.5) + 1)
			total += idf * (k1 + 1)
			for _, d := range documents {
				count := 0.0
				for _, word := range strings.Fields(d) {
					if word == term {
						count++
					}
				}
				if count > 0 {
					want[d] += idf * count * (k1 + 1) / (count + k1*(1-b+b*float64(len(strings.Fields(d)))/mean))
				}
			}
		}
		hits := w.hits(index.Lexical{Set: w.set}, search.Query{Scope: here, Text: strings.Join(query, " ")})
		if len(hits) != len(want) {
			rt.Fatalf("%d hits, want %d", len(hits), len(want))
		}
		last := math.Inf(1)
		for _, hit := range hits {
			m, err := w.db.Get(t.Context(), here, hit.ID, memory.View{})
			if err != nil {
				rt.Fatal(err)
			}
			if math.Abs(hit.Score-want[m.Content]/total) > 1e-5 {
				rt.Fatalf("%q scores %g, want %g", m.Content, hit.Score, want[m.Content]/total)
			}
			if hit.Score > last || hit.Score < 0 || hit.Score > 1 {
				rt.Fatalf("score %g after %g", hit.Score, last)
			}
			last = hit.Score
		}
	})
}

// TestEveryLegKeepsTheFilter compares each leg's hits with what the filter's own definition lets through.
func TestEveryLegKeepsTheFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	base := w.now.Add(-100 * time.Hour)
	for i := range 300 {
		m := memory.Memory{
			Content: fmt.Sprintf("common words of note %d", i), Layer: memory.Layers()[r.IntN(6)], Importance: float64(r.IntN(11)) / 10,
			UserID: pick("", "u1", "u2"), AgentID: pick("", "a1"), SessionID: pick("", "s1", "s2"), Entities: []memory.Entity{{Name: "Common"}},
			Metadata: memory.Metadata{"k": pick("x", "y")},
		}
		for _, tag := range []string{"red", "blue"} {
			if r.IntN(2) == 0 {
				m.Tags = append(m.Tags, tag)
			}
		}
		if r.IntN(2) == 0 {
			at := base.Add(time.Duration(r.IntN(200)) * time.Hour)
			m.OccurredAt = &at
		}
		w.put(here, m)
	}
	page, err := w.db.List(t.Context(), here, memory.Query{Limit: 1000})
	if err != nil || len(page.Memories) != 300 {
		t.Fatalf("%d memories, %v", len(page.Memories), err)
	}
	for _, leg := range []search.Leg{index.Lexical{Set: w.set}, index.Dense{Set: w.set}, index.Graph{Set: w.set}} {
		rapid.Check(t, func(rt *rapid.T) {
			f := memory.Filter{
				UserID: rapid.SampledFrom([]string{"", "u1", "u2", "nobody"}).Draw(rt, "user"), AgentID: rapid.SampledFrom([]string{"", "a1"}).Draw(rt, "agent"),
				SessionID: rapid.SampledFrom([]string{"", "s1"}).Draw(rt, "session"), MinImportance: float64(rapid.IntRange(0, 10).Draw(rt, "importance")) / 10,
				Layers: rapid.SliceOfNDistinct(rapid.SampledFrom(memory.Layers()), 0, 3, rapid.ID).Draw(rt, "layers"),
				Tags:   rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"red", "blue", "green"}), 0, 2, rapid.ID).Draw(rt, "tags"),
			}
			if rapid.Bool().Draw(rt, "has metadata") {
				f.Metadata = memory.Metadata{"k": rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "value")}
			}
			if rapid.Bool().Draw(rt, "has since") {
				since := base.Add(time.Duration(rapid.IntRange(0, 200).Draw(rt, "since")) * time.Hour)
				until := since.Add(50 * time.Hour)
				f.Since, f.Until = &since, &until
			}
			q := search.Query{Scope: here, Text: "common words", Filter: f}
			if leg.Name() == "dense" {
				q.Vector, _ = w.model.EmbedQuery(t.Context(), q.Text)
			}
			if _, err := w.set.CatchUp(t.Context(), here); err != nil {
				rt.Fatal(err)
			}
			hits, err := leg.Retrieve(t.Context(), q, 1000)
			if err != nil {
				rt.Fatal(err)
			}
			got, want := map[memory.ID]bool{}, map[memory.ID]bool{}
			for _, hit := range hits {
				got[hit.ID] = true
			}
			for i := range page.Memories {
				if f.Match(&page.Memories[i]) {
					want[page.Memories[i].ID] = true
				}
			}
			if !reflect.DeepEqual(got, want) {
				rt.Fatalf("%s: %d hits, want %d for %+v", leg.Name(), len(got), len(want), f)
			}
		})
	}
}
