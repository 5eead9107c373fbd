package qdrant_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	api "github.com/qdrant/go-client/qdrant"
	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/qdrant"
	"github.com/rae-memory/rae/pkg/search"
)

// nobody is a leg that must not be asked.
type nobody struct{}

func (nobody) Name() string { return "dense" }
func (nobody) Retrieve(context.Context, search.Query, int) ([]search.Hit, error) {
	return nil, errors.New("asked another leg")
}

// drawn is a memory with everything a filter can ask for.
func drawn(t *rapid.T, words *rapid.Generator[string], times *rapid.Generator[*time.Time]) memory.Memory {
	maybe := func(values ...string) string { return rapid.SampledFrom(append(values, "")).Draw(t, "maybe") }
	m := memory.Memory{
		Content: words.Draw(t, "one") + " " + words.Draw(t, "two") + fmt.Sprint(" ", rapid.IntRange(0, 1<<30).Draw(t, "salt")),
		Layer:   rapid.SampledFrom(memory.Layers()).Draw(t, "layer"), Importance: float64(rapid.IntRange(0, 10).Draw(t, "importance")) / 10,
		UserID: maybe("u1", "u2"), AgentID: maybe("a1", "a2"), SessionID: maybe("s1", "s2"),
		Tags:       rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"red", "blue", "", "Red"}), 0, 3, rapid.ID).Draw(t, "tags"),
		Metadata:   metadata(t),
		OccurredAt: times.Draw(t, "occurred"), ValidFrom: times.Draw(t, "from"), ValidTo: times.Draw(t, "to"), ExpiresAt: times.Draw(t, "expires"),
	}
	return m
}

func metadata(t *rapid.T) memory.Metadata {
	values := []any{"x", "1", 1.0, 1.5, true, nil, []any{"x"}, map[string]any{"k": "x"}}
	return memory.Metadata(rapid.MapOfN(rapid.SampledFrom([]string{"k", "kind"}), rapid.SampledFrom(values), 0, 2).Draw(t, "metadata"))
}

// drawnQuery filters by what memories hold.
func (w *world) drawnQuery(t *rapid.T, words *rapid.Generator[string], times *rapid.Generator[*time.Time]) search.Query {
	q := w.query(words.Draw(t, "question"))
	q.View.AsOf = times.Draw(t, "as of")
	chance := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
	if chance("by layer") {
		q.Filter.Layers = rapid.SliceOfN(rapid.SampledFrom(memory.Layers()), 1, 3).Draw(t, "layers")
	}
	if chance("by tag") {
		q.Filter.Tags = rapid.SliceOfN(rapid.SampledFrom([]string{"red", "blue", ""}), 1, 2).Draw(t, "tags")
	}
	if chance("by metadata") {
		q.Filter.Metadata = metadata(t)
	}
	if chance("by user") {
		q.Filter.UserID = "u1"
	}
	if chance("by agent") {
		q.Filter.AgentID = "a1"
	}
	if chance("by session") {
		q.Filter.SessionID = "s1"
	}
	if chance("by since") {
		q.Filter.Since = times.Draw(t, "since")
	}
	if chance("by until") {
		q.Filter.Until = times.Draw(t, "until")
	}
	if chance("by importance") {
		q.Filter.MinImportance = float64(rapid.IntRange(0, 10).Draw(t, "least")) / 10
	}
	return q
}

func TestQdrantFiltersAsMemoriesAreFiltered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.leg.Fallback = nobody{}
	w.project() // makes the collection
	words := rapid.SampledFrom([]string{"kite", "boiler", "violin", "harbour"})
	times := rapid.Custom(func(t *rapid.T) *time.Time { // around the clock's time and each other, to the microsecond; or none
		if rapid.IntRange(0, 2).Draw(t, "none") == 0 {
			return nil
		}
		at := start.Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "hours"))*time.Hour + time.Duration(rapid.IntRange(-1, 1).Draw(t, "micro"))*time.Microsecond)
		return &at
	})
	var all []memory.ID
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 6).Draw(rt, "memories") {
			all = append(all, w.put(here, drawn(rt, words, times)).ID)
		}
		if rapid.Bool().Draw(rt, "project") {
			w.project()
		}
		for range 5 {
			q := w.drawnQuery(rt, words, times)
			hits, err := w.leg.Retrieve(rt.Context(), q, 1<<20)
			if err != nil {
				rt.Fatal(err)
			}
			var got, want []memory.ID
			for _, hit := range hits {
				got = append(got, hit.ID)
			}
			memories, err := w.db.Find(rt.Context(), here, all, q.View)
			if err != nil {
				rt.Fatal(err)
			}
			for i := range memories {
				if m := &memories[i]; q.Filter.Match(m) && dot(w.vector(m.Content), q.Vector) > 1e-6 {
					want = append(want, m.ID)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			want = slices.Compact(want) // equal contents are one memory
			if !slices.Equal(got, want) {
				rt.Fatalf("filter %+v as of %v: found %d, want %d\n%v\n%v", q.Filter, q.View.AsOf, len(got), len(want), got, want)
			}
		}
	})
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestBeforeAnythingWasProjectedTheOtherLegAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := w.query("the red kite")
	w.right(q, true)
	w.say("the red kite flew")
	w.right(q, true)
	w.project()
	w.right(q, false)
	q.Scope.Project = "empty"
	w.right(q, false)
}

func TestWritesAreSeenBeforeTheyAreProjected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := w.query("a red kite over the harbour")
	old := w.say("the red kite flew", "a boiler broke", "kites over the harbour", "the harbour froze")
	w.project()
	w.right(q, false)
	w.say("another red kite")
	w.right(q, false)
	w.rewrite(old[0], "a boiler was mended")
	w.right(q, false)
	w.remove(old[2])
	w.right(q, false)
	w.write(here, func(tx memory.Tx) error { // other content, and no vector yet
		m := old[3]
		m.Content = "the violin broke"
		_, err := tx.Replace(t.Context(), m, memory.Why{})
		return err
	})
	w.right(q, false)
	w.project()
	w.right(q, false)
}

func TestHitsTellWhereTheyStand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		w.put(here, memory.Memory{Content: fmt.Sprint("Mara: the red kite flew ", i), SessionID: "s"})
	}
	w.project()
	w.put(here, memory.Memory{Content: "Jonas: what a red kite", SessionID: "s"})
	w.right(w.query("red kite"), false)
}

func TestTheExpiredIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	soon := start.Add(time.Minute)
	w.put(here, memory.Memory{Content: "the red kite flew", ExpiresAt: &soon})
	w.project()
	if hits, _ := w.retrieve(w.leg, w.query("red kite")); len(hits) != 1 {
		t.Fatalf("%d hits before", len(hits))
	}
	w.advance(time.Minute)
	if hits, _ := w.retrieve(w.leg, w.query("red kite")); len(hits) != 0 {
		t.Errorf("found after it has expired: %v", hits)
	}
}

func TestWhatWasKnownIsAskedOfTheOtherLeg(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	w.say("the red kite flew")
	w.project()
	w.right(w.query("red kite"), false)
	w.advance(time.Hour)
	then := w.clock()
	w.advance(time.Hour)
	w.say("a red kite again") // which nobody knew then
	w.project()
	q := w.query("red kite")
	q.View.KnownAt = &then
	asked := w.server.Calls("Query")
	w.right(q, false)
	if hits, _ := w.retrieve(w.leg, q); len(hits) != 1 || w.server.Calls("Query") != asked {
		t.Errorf("%d hits, Qdrant asked %d times", len(hits), w.server.Calls("Query")-asked)
	}
}

func TestACopyFarBehindIsNotAsked(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	w.say("the red kite flew")
	w.project()
	for i := range 10 {
		w.write(here, func(tx memory.Tx) error {
			for j := range 100 {
				content := fmt.Sprint("kite number ", i, " of ", j)
				if _, _, err := tx.Put(t.Context(), memory.Memory{Content: content}, memory.Why{}, memory.Vector{Model: w.model.Model(), Values: w.vector(content)}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	q := w.query("red kite number 7")
	w.right(q, false) // 1,000 changes
	w.say("one more kite")
	w.right(q, true)
	w.project()
	w.right(q, false)
}

func TestScopesNeverMeet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	scopes := []memory.Scope{here, {Tenant: "acme", Project: "other"}, {Tenant: "other", Project: "default"}}
	id := memory.NewID()
	for i, scope := range scopes { // the same id and content everywhere
		w.put(scope, memory.Memory{ID: id, Content: "the red kite flew"})
		for range i + 1 {
			w.put(scope, memory.Memory{Content: fmt.Sprint("red kite of ", scope, i, memory.NewID())})
		}
	}
	w.project(scopes...)
	for i, scope := range scopes {
		q := w.query("red kite")
		q.Scope = scope
		w.right(q, false)
		if hits, _ := w.retrieve(w.leg, q); len(hits) != i+2 {
			t.Errorf("%s: %d hits, want %d", scope, len(hits), i+2)
		}
	}
	w.write(scopes[1], func(tx memory.Tx) error { return tx.Delete(t.Context(), id) })
	w.project(scopes...)
	for i, want := range []int{2, 2, 4} {
		q := w.query("red kite")
		q.Scope = scopes[i]
		if hits, _ := w.retrieve(w.leg, q); len(hits) != want {
			t.Errorf("%s after a deletion elsewhere: %d hits, want %d", scopes[i], len(hits), want)
		}
	}
}

func TestEveryRequestNamesTenantAndProject(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	w.say("the red kite flew")
	w.project()
	w.right(w.query("red kite"), false)
	queries := w.server.Queries()
	if len(queries) == 0 {
		t.Fatal("nothing was asked")
	}
	for _, q := range queries {
		for field, want := range map[string]string{"tenant": here.Tenant, "project": here.Project} {
			if !slices.ContainsFunc(q.GetFilter().GetMust(), func(c *api.Condition) bool {
				return c.GetField().GetKey() == field && c.GetField().GetMatch().GetKeyword() == want
			}) {
				t.Errorf("no must for %s in %s", field, q.GetFilter())
			}
		}
	}
	for name, call := range map[string]func(){
		"the zero TenantIndex": func() { _ = qdrant.Drop(t.Context(), qdrant.TenantIndex{}) },
		"a scope without tenant": func() {
			_ = qdrant.Drop(t.Context(), w.index.Tenant(memory.Scope{Project: "default"}))
		},
		"a scope without project": func() {
			_ = qdrant.Drop(t.Context(), w.index.Tenant(memory.Scope{Tenant: "acme"}))
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s reaches points", name)
				}
			}()
			call()
		}()
	}
}

// failing is a leg that is away.
type failing struct{ err error }

func (failing) Name() string { return "dense" }
func (f failing) Retrieve(context.Context, search.Query, int) ([]search.Hit, error) {
	return nil, f.err
}
