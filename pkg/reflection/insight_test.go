package reflection_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

func TestSixtyTurnsGiveGroundedInsightsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.put(t, acme, turns(t)...)
	w.tell(t)
	began := time.Now()
	r := w.run(t, acme, reflection.Request{})
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	if r.Status != reflection.Succeeded || r.Method != reflection.Extractive || r.Calls != 0 || len(r.Degraded) != 0 || r.FinishedAt == nil {
		t.Errorf("ended as %+v", r)
	}
	kept := w.keep(t)
	if len(kept) == 0 || len(kept) > 8 {
		t.Fatalf("%d insights", len(kept))
	}
	sources := 0
	for _, m := range kept {
		w.grounded(t, m)
		sources += len(m.DerivedFrom)
		if m.Layer != memory.Reflective || m.Tags[0] != "insight" || len(m.Tags) < 3 || m.OccurredAt != nil ||
			m.Importance <= 0 || m.Importance > 1 {
			t.Errorf("insight %+v", m)
		}
		if want := (memory.Metadata{"kind": "insight", "method": "extractive", "topic": m.Metadata["topic"], "sources": m.Metadata["sources"]}); !memory.SameJSON(m.Metadata, want) {
			t.Errorf("metadata %v", m.Metadata)
		}
		if topic, _ := m.Metadata["topic"].(string); !strings.HasPrefix(m.Content, "Recurring topic: "+topic+" (") || !strings.Contains(m.Content, "2026-02-") {
			t.Errorf("heading of %q", m.Content)
		}
	}
	sorted := slices.Clone(r.MemoryIDs)
	slices.Sort(sorted)
	if !slices.Equal(sorted, ids(kept)) || len(r.Sources) != sources {
		t.Errorf("reflection names %v and %d sources, kept %v and %d", r.MemoryIDs, len(r.Sources), ids(kept), sources)
	}
	if !slices.ContainsFunc(kept, func(m memory.Memory) bool { return strings.Contains(m.Content, "connection pool") }) {
		t.Error("the topic the conversation returns to most was not noticed")
	}
}

func TestUndatedMemoriesGiveNoDates(t *testing.T) {
	t.Parallel()
	w := newWorld()
	all := turns(t)
	for i := range all {
		all[i].OccurredAt = nil
	}
	w.put(t, acme, all...)
	w.run(t, acme, reflection.Request{})
	kept := w.keep(t)
	if len(kept) == 0 {
		t.Fatal("no insight")
	}
	for _, m := range kept {
		if strings.Contains(m.Content, "2026") {
			t.Errorf("a date was invented: %q", m.Content)
		}
	}
}

func TestReflectingAgainOnTheSameWritesNothingNew(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.put(t, acme, turns(t)...)
	first := w.run(t, acme, reflection.Request{})
	unkept := w.run(t, acme, reflection.Request{}) // the first one's memories are still on their way
	kept := w.keep(t)
	again := w.run(t, acme, reflection.Request{})
	for name, r := range map[string]reflection.Reflection{"before keeping": unkept, "after keeping": again} {
		if r.Status != reflection.Succeeded || !reflect.DeepEqual(r.MemoryIDs, first.MemoryIDs) || !reflect.DeepEqual(r.Sources, first.Sources) {
			t.Errorf("%s: %+v\nfirst: %+v", name, r, first)
		}
	}
	if len(kept) != len(first.MemoryIDs) {
		t.Errorf("kept %d of %d", len(kept), len(first.MemoryIDs))
	}
	for _, record := range w.tell(t) {
		if record.Type == outbox.MemoryDerived || record.Type == outbox.ReflectionCreated {
			t.Errorf("told %s", record.Type)
		}
	}
}

func TestAnInsightStandsForItsGroupAsItGrows(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.put(t, acme, turns(t)...)
	w.run(t, acme, reflection.Request{})
	before := w.keep(t)
	w.pass(time.Hour)
	w.put(t, acme, said("The nightly report was moved to the read replica for good.")...)
	w.run(t, acme, reflection.Request{})
	if after := w.keep(t); len(after) >= len(before) {
		t.Errorf("one more memory made %d insights of %d anew", len(after), len(before))
	}
}

func TestTheOrderOfStoringDoesNotMatter(t *testing.T) {
	t.Parallel()
	all := turns(t)
	for i := range all {
		all[i].ID = memory.ID(fmt.Sprintf("01900000-0000-7000-8000-%012d", i))
	}
	shuffled := slices.Clone(all)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	var results [][]memory.Memory
	for _, order := range [][]memory.Memory{all, shuffled} {
		w := newWorld()
		w.put(t, acme, order...)
		w.run(t, acme, reflection.Request{})
		results = append(results, w.keep(t))
	}
	if len(results[0]) == 0 || !reflect.DeepEqual(results[0], results[1]) {
		t.Errorf("\n%+v\n%+v", results[0], results[1])
	}
}

func TestFiltersAndTimesNarrowTheWindow(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.put(t, acme, turns(t)...)
	since, until := time.Date(2026, 2, 7, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 12, 0, 0, 0, 0, time.UTC)
	for name, request := range map[string]reflection.Request{
		"top level": {Since: &since, Until: &until},
		"filters":   {Filters: memory.Filter{Since: &since, Until: &until}},
		"both":      {Since: &since, Filters: memory.Filter{Until: &until}},
	} {
		r := w.run(t, acme, request)
		if len(r.Sources) == 0 {
			t.Errorf("%s: nothing found", name)
		}
		for _, c := range r.Sources {
			m, err := w.db.Get(t.Context(), acme, c.MemoryID, memory.View{})
			if err != nil || m.OccurredAt.Before(since) || !m.OccurredAt.Before(until) {
				t.Errorf("%s: source of %v, %v", name, m.OccurredAt, err)
			}
		}
	}
}

func TestNoInsightCitesAnotherScopeOrOwner(t *testing.T) {
	t.Parallel()
	base := turns(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld()
		scopes := []memory.Scope{acme, {Tenant: "acme", Project: "other"}, {Tenant: "rival", Project: "shop"}}
		for i, m := range base {
			m.UserID = rapid.SampledFrom([]string{"", "ines", "tomek"}).Draw(rt, fmt.Sprintf("user %d", i))
			scope := rapid.SampledFrom(scopes).Draw(rt, fmt.Sprintf("scope %d", i))
			w.put(t, scope, m)
		}
		for _, scope := range scopes {
			for _, kind := range []reflection.Kind{reflection.Insight, reflection.Consolidate, reflection.Extract} {
				w.run(t, scope, reflection.Request{Kind: kind})
			}
		}
		for _, m := range w.keep(t) { // Get in the memory's own scope fails for a foreign source
			if m.Layer == memory.Reflective {
				w.grounded(t, m)
			}
		}
	})
}

func TestReflectionsAreNotReflectedUpon(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.put(t, acme, turns(t)...)
	for _, kind := range []reflection.Kind{reflection.Insight, reflection.Extract} {
		w.run(t, acme, reflection.Request{Kind: kind})
	}
	derived := map[memory.ID]bool{}
	for _, m := range w.keep(t) {
		derived[m.ID] = true
	}
	for _, kind := range []reflection.Kind{reflection.Insight, reflection.Consolidate, reflection.Extract} {
		for _, c := range w.run(t, acme, reflection.Request{Kind: kind}).Sources {
			if derived[c.MemoryID] {
				t.Errorf("%s rests on a derived memory", kind)
			}
		}
	}
	if len(derived) == 0 {
		t.Fatal("nothing was derived")
	}
}

func TestAReflectionIsStaleWhenItsEvidenceIsGoneOrChanged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(memory.Tx, memory.Memory) error{
		"gone": func(tx memory.Tx, m memory.Memory) error { return tx.Delete(t.Context(), m.ID) },
		"changed": func(tx memory.Tx, m memory.Memory) error {
			m.Content = strings.Repeat("something else ", 30)
			_, err := tx.Replace(t.Context(), m, memory.Why{})
			return err
		},
	} {
		w := newWorld()
		w.put(t, acme, turns(t)...)
		r := w.run(t, acme, reflection.Request{})
		w.keep(t)
		if got, err := w.service.Get(t.Context(), acme, r.ID); err != nil || got.Stale {
			t.Fatalf("%s: stale at once: %v, %v", name, got.Stale, err)
		}
		err := w.db.Write(t.Context(), acme, func(tx memory.Tx) error {
			m, err := tx.Get(t.Context(), r.Sources[0].MemoryID)
			if err != nil {
				return err
			}
			return change(tx, m)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := w.service.Get(t.Context(), acme, r.ID); err != nil || !got.Stale {
			t.Errorf("%s: stale %v, %v", name, got.Stale, err)
		}
		page, err := w.service.List(t.Context(), acme, reflection.Query{Limit: 10})
		if err != nil || len(page.Reflections) != 1 || !page.Reflections[0].Stale {
			t.Errorf("%s: listed as %+v, %v", name, page, err)
		}
	}
}

func TestAnInsightQuotesStatementsNotSmallTalk(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.put(t, acme, said(
		"How is the greyhound Biscuit getting on at home?", "Sounds like a greyhound!", "Where is Biscuit the greyhound now, Monday again?",
		"The greyhound Biscuit came from the Oak Street shelter.", "At least the greyhound Biscuit is calm, see you Monday!",
		"The greyhound Biscuit sleeps on the sofa until noon.", "Biscuit the greyhound is afraid of the vacuum cleaner.",
		"A vet told us that the greyhound Biscuit is three years old.", "The greyhound Biscuit wears a coat on cold walks on Monday.",
		"Biscuit the greyhound stole a croissant from the table.",
	)...)
	w.run(t, acme, reflection.Request{})
	kept := w.keep(t)
	if len(kept) != 1 {
		t.Fatalf("%d insights", len(kept))
	}
	m := kept[0]
	w.grounded(t, m)
	if topic := m.Metadata["topic"]; topic != "greyhound, biscuit" {
		t.Errorf("topic %q", topic)
	}
	if strings.Contains(m.Content, "?\"") || strings.Contains(m.Content, "Sounds like") {
		t.Errorf("the evidence is talk:\n%s", m.Content)
	}
}
