package ingest_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

const evidenceID = memory.ID("6b1c5f0e-2f0a-5c7e-9d53-0f5a6a3e9b10")

func derivation(event string, m memory.Memory) ingest.Derivation {
	return ingest.Derivation{Event: ingest.Event{Source: "/rae/reflect", ID: event}, Memory: m, Reason: "reflection r1"}
}

func insight(from ...memory.Citation) memory.Memory {
	return memory.Memory{
		ID: evidenceID, TenantID: "acme", ProjectID: "support", Content: "Calls follow releases.", Layer: memory.Reflective,
		Tags: []string{"insight"}, Importance: 0.7, Source: "reflection", DerivedFrom: from,
	}
}

func TestADerivedMemoryIsStoredOnceHoweverOftenItsEventComes(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	cited := mustPut(t, s, ingest.Draft{Content: "The export button broke."})
	m := insight(memory.Citation{MemoryID: cited.ID, Start: 4, End: 24})
	for i := range 5 {
		_, taken, err := s.Derive(t.Context(), here, derivation("e1", m))
		if err != nil || taken != (i == 0) {
			t.Fatalf("delivery %d: taken %t, %v", i+1, taken, err)
		}
	}
	if stored, taken, err := s.Derive(t.Context(), here, derivation("e2", m)); err != nil || !taken || stored.Outcome != memory.Deduplicated {
		t.Errorf("the same memory by another event: %+v, taken %t, %v", stored, taken, err)
	}
	all := everything(t, s, here)
	got, err := s.Get(t.Context(), here, evidenceID, memory.View{})
	want := m
	want.Metadata, want.Embedding, want.Version, want.CreatedAt, want.UpdatedAt = memory.Metadata{}, memory.EmbeddingReady, 1, start, start
	if err != nil || len(all) != 2 || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	versions, err := s.History(t.Context(), here, evidenceID)
	if err != nil || len(versions) != 1 || versions[0].Why != (memory.Why{Actor: "reflect", Reason: "reflection r1"}) {
		t.Errorf("history is %+v, %v", versions, err)
	}
}

func TestADerivedMemoryExpiresWithTheFirstOfItsSources(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		ttl  []int64 // of the sources in seconds, 0: never
		own  time.Duration
		want time.Duration
	}{
		"no source expires":             {ttl: []int64{0, 0}},
		"one of them does":              {ttl: []int64{0, 60}, want: time.Minute},
		"the first counts":              {ttl: []int64{90, 60, 70}, want: time.Minute},
		"its own time is the earlier":   {ttl: []int64{60}, own: time.Second, want: time.Second},
		"its own time is the later":     {ttl: []int64{60}, own: time.Hour, want: time.Minute},
		"its own time is the only time": {ttl: []int64{0}, own: time.Hour, want: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := world(t)
			m := insight()
			for i, ttl := range row.ttl {
				d := ingest.Draft{Content: fmt.Sprintf("The export button broke %d times.", i)}
				if ttl > 0 {
					d.TTLSeconds = &ttl
				}
				m.DerivedFrom = append(m.DerivedFrom, memory.Citation{MemoryID: mustPut(t, s, d).ID, End: 10})
			}
			if row.own > 0 {
				m.ExpiresAt = ptr(start.Add(row.own))
			}
			if _, _, err := s.Derive(t.Context(), here, derivation("e1", m)); err != nil {
				t.Fatal(err)
			}
			got, err := s.Get(t.Context(), here, evidenceID, memory.View{})
			var want *time.Time
			if row.want > 0 {
				want = ptr(start.Add(row.want))
			}
			if err != nil || !reflect.DeepEqual(got.ExpiresAt, want) {
				t.Errorf("expires at %v, %v; want %v", got.ExpiresAt, err, want)
			}
		})
	}
}

func TestAPoisonedDerivationIsRefusedAndNamesTheField(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	mine := mustPut(t, s, ingest.Draft{Content: "short"})
	stored, _, err := s.Put(t.Context(), there, ingest.Draft{Content: "theirs"}, memory.Key{}, memory.Why{})
	if err != nil {
		t.Fatal(err)
	}
	foreign := insight(memory.Citation{MemoryID: mine.ID, End: 5})
	foreign.TenantID = "globex"
	blank := insight(memory.Citation{MemoryID: mine.ID, End: 5})
	blank.Content = " "
	misnamed := insight(memory.Citation{MemoryID: mine.ID, End: 5})
	misnamed.ID = "7"
	rows := []struct {
		name, field string
		memory      memory.Memory
	}{
		{"no citation", "derived_from", insight()},
		{"a cited memory that does not stand", "derived_from[0].memory_id", insight(memory.Citation{MemoryID: evidenceID, End: 1})},
		{"a cited memory of another tenant", "derived_from[0].memory_id", insight(memory.Citation{MemoryID: stored.ID, End: 1})},
		{"a cited id that is none", "derived_from[0].memory_id", insight(memory.Citation{MemoryID: "../x", End: 1})},
		{"a span beyond the content", "derived_from[1]", insight(memory.Citation{MemoryID: mine.ID, End: 5}, memory.Citation{MemoryID: mine.ID, End: 6})},
		{"a span that runs backwards", "derived_from[0]", insight(memory.Citation{MemoryID: mine.ID, Start: 3, End: 2})},
		{"a negative span", "derived_from[0]", insight(memory.Citation{MemoryID: mine.ID, Start: -1, End: 2})},
		{"another tenant than the event's", "tenant_id", foreign},
		{"no content", "content", blank},
		{"an id that is none", "id", misnamed},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := s.Derive(t.Context(), here, derivation(row.name, row.memory))
			wantFault(t, err, fault.Invalid, "data.memory."+row.field)
			if n := len(everything(t, s, here)); n != 1 {
				t.Errorf("%d memories stand, want the cited one alone", n)
			}
		})
	}
}

func TestAnEmbeddingIsAttachedToTheVersionItWasMadeOf(t *testing.T) {
	t.Parallel()
	s, embedder := world(t)
	embedder.err = errAway
	m := mustPut(t, s, ingest.Draft{Content: "x"})
	vector := func(event string, version int) ingest.Vector {
		return ingest.Vector{
			Event: ingest.Event{Source: "/rae/embed", ID: event}, MemoryID: m.ID, Version: version,
			Vector: memory.Vector{Model: "letters-2", Values: []float32{1, 0}},
		}
	}
	for i, row := range []struct {
		vector   ingest.Vector
		attached bool
	}{{vector("old", 2), false}, {vector("now", 1), true}, {vector("now", 1), false}} {
		if attached, err := s.Attach(t.Context(), here, row.vector); err != nil || attached != row.attached {
			t.Errorf("event %d: attached %t, %v", i, attached, err)
		}
	}
	if got, err := s.Get(t.Context(), here, m.ID, memory.View{}); err != nil || got.Embedding != memory.EmbeddingReady || got.Version != 1 {
		t.Errorf("got %+v, %v; want version 1 with its vector", got, err)
	}
	zero := vector("zero", 1)
	zero.Vector.Values = []float32{0, 0}
	_, err := s.Attach(t.Context(), here, zero)
	wantFault(t, err, fault.Invalid, "data.vector")
}
