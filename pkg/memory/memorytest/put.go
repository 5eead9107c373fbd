package memorytest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

func putClauses() []clause {
	return []clause{
		{"a new memory is created with its defaults", putDefaults},
		{"every field a caller sets comes back as it was", putEveryField},
		{"ids that the caller derived are kept", putKeepsID},
		{"equal content in equal circumstances is recognised", putRecognisesContent},
		{"user, agent, session, occurred_at and external_id make equal contents different", putDistinguishes},
		{"an external id with nothing different is recognised", putRecognisesExternalID},
		{"an external id with something different is a new version", putUpserts},
		{"an id that stands is recognised when the rest is the same", putRecognisesID},
		{"an id that stands with other content is a conflict", putConflicts},
		{"what Put was given is not shared with the store", putShares},
		{"what no store could keep is refused with the field named", putRefuses},
		{"find returns what exists, in the order asked", findKeepsOrder},
	}
}

func putDefaults(t *testing.T, w *world) {
	m := w.add(t, acme, memory.Memory{Content: "tea is ready"})
	want := memory.Memory{
		ID: m.ID, TenantID: "acme", ProjectID: "default", Content: "tea is ready", Layer: memory.Episodic,
		Tags: []string{}, Metadata: memory.Metadata{}, Embedding: memory.EmbeddingPending, Version: 1,
		CreatedAt: start, UpdatedAt: start,
	}
	if _, ok := memory.ParseID(string(m.ID)); !ok {
		t.Errorf("the id %q is no UUID", m.ID)
	}
	same(t, "answered", m, want)
	same(t, "read", w.get(t, acme, m.ID, memory.View{}), want)
}

// full is a memory with every field a caller may set.
func full() memory.Memory {
	return memory.Memory{
		Content: "Ann moved to Oslo", Layer: memory.Semantic, Tags: []string{"move", "Åse", "a,b", `q"uote`},
		Metadata: memory.Metadata{
			"id": json.Number("9007199254740993"), "price": json.Number("1.10"), "ok": true, "none": nil,
			"deep": map[string]any{"list": []any{json.Number("1"), "two", map[string]any{}}},
		},
		Importance: 0.75, Source: "mail:42", ExternalID: "crm/7", UserID: "ann", AgentID: "helper", SessionID: "s1",
		Entities:   []memory.Entity{{Name: "Ann", Type: "person"}, {Name: "Oslo"}},
		OccurredAt: at(time.Date(2025, 12, 24, 18, 0, 0, 123456000, time.UTC)),
		ValidFrom:  at(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)),
		ValidTo:    at(time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)),
		ExpiresAt:  at(start.Add(1000 * time.Hour)),
		DerivedFrom: []memory.Citation{
			{MemoryID: "0190a000-0000-7000-8000-000000000001", Start: 3, End: 9},
		},
	}
}

func putEveryField(t *testing.T, w *world) {
	m := w.add(t, acme, full(), vector(1, 0.5))
	want := full()
	want.ID, want.TenantID, want.ProjectID, want.Version = m.ID, "acme", "default", 1
	want.CreatedAt, want.UpdatedAt, want.Embedding = start, start, memory.EmbeddingReady
	same(t, "answered", m, want)
	same(t, "read", w.get(t, acme, m.ID, memory.View{}), want)
	same(t, "listed", w.list(t, acme, memory.Query{}).Memories, []memory.Memory{want})
	same(t, "history", w.history(t, acme, m.ID), []memory.Version{
		{Memory: want, Change: memory.Created, Why: asker, RecordedFrom: start},
	})
	same(t, "fed", w.changes(t, acme, 0), []memory.Change{{
		Seq: 1, Version: memory.Version{Memory: want, Change: memory.Created, Why: asker, RecordedFrom: start},
		Vector: []float32{1, 0.5},
	}})
}

func putKeepsID(t *testing.T, w *world) {
	m := note("derived")
	m.ID = "4d2c8a9e-9c57-5d5b-8a1c-0123456789ab"
	w.add(t, acme, m)
	same(t, "read", w.get(t, acme, m.ID, memory.View{}).Content, "derived")
}

func putRecognisesContent(t *testing.T, w *world) {
	first := w.add(t, acme, note("tea is ready"), vector(1))
	w.advance(time.Hour)
	again, outcome := w.put(t, acme, memory.Memory{Content: "tea is ready", Layer: memory.Semantic, Tags: []string{"x"}})
	same(t, "outcome", outcome, memory.Deduplicated)
	same(t, "the standing memory", again, first)
	same(t, "head", w.head(t, acme), 1)
}

func putDistinguishes(t *testing.T, w *world) {
	variants := []func(*memory.Memory){
		func(*memory.Memory) {},
		func(m *memory.Memory) { m.UserID = "ann" },
		func(m *memory.Memory) { m.AgentID = "ann" },
		func(m *memory.Memory) { m.SessionID = "ann" },
		func(m *memory.Memory) { m.ExternalID = "ann" },
		func(m *memory.Memory) { m.OccurredAt = at(start) },
		func(m *memory.Memory) { m.OccurredAt = at(start.Add(time.Microsecond)) },
		func(m *memory.Memory) { m.Content = "tea is ready " },
	}
	for _, change := range variants {
		m := note("tea is ready")
		change(&m)
		w.add(t, acme, m)
	}
	same(t, "listed", len(w.list(t, acme, memory.Query{}).Memories), len(variants))
}

func putRecognisesExternalID(t *testing.T, w *world) {
	first := w.add(t, acme, full())
	w.advance(time.Hour)
	again, outcome := w.put(t, acme, full())
	same(t, "outcome", outcome, memory.Deduplicated)
	same(t, "the standing memory", again, first)

	bare := note("only content")
	bare.ExternalID = "bare"
	w.add(t, acme, bare)
	bare.Tags, bare.Metadata = []string{}, memory.Metadata{}
	_, outcome = w.put(t, acme, bare)
	same(t, "absent and empty lists are the same", outcome, memory.Deduplicated)
	bare.Layer = ""
	_, outcome = w.put(t, acme, bare)
	same(t, "the default and its name are the same", outcome, memory.Deduplicated)
}

func putUpserts(t *testing.T, w *world) {
	first := w.add(t, acme, full(), vector(1))
	later := w.advance(time.Hour)
	next := full()
	next.Content, next.ID = "Ann moved to Bergen", "0190a000-0000-7000-8000-00000000000f"
	got, outcome := w.put(t, acme, next, vector(2))
	same(t, "outcome", outcome, memory.Updated)
	want := first
	want.Content, want.Version, want.UpdatedAt = "Ann moved to Bergen", 2, later
	same(t, "the new version", got, want)
	same(t, "read", w.get(t, acme, first.ID, memory.View{}), want)

	onlyTags := full()
	onlyTags.Content, onlyTags.Tags = "Ann moved to Bergen", []string{"other"}
	got, outcome = w.put(t, acme, onlyTags)
	same(t, "outcome of other tags", outcome, memory.Updated)
	same(t, "version", got.Version, 3)
}

func putRecognisesID(t *testing.T, w *world) {
	m := note("derived")
	m.ID = "4d2c8a9e-9c57-5d5b-8a1c-0123456789ab"
	m.Tags = []string{"a"}
	first := w.add(t, acme, m)
	again, outcome := w.put(t, acme, m)
	same(t, "outcome", outcome, memory.Deduplicated)
	same(t, "the standing memory", again, first)
}

func putConflicts(t *testing.T, w *world) {
	m := note("derived")
	m.ID = "4d2c8a9e-9c57-5d5b-8a1c-0123456789ab"
	first := w.add(t, acme, m)
	m.Content = "something else"
	kind(t, w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		_, _, err := tx.Put(t.Context(), m, asker)
		return err
	}), fault.Conflict)
	same(t, "read", w.get(t, acme, m.ID, memory.View{}), first)
	var second memory.Memory
	err := w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		_, _, err := tx.Put(t.Context(), m, asker)
		kind(t, err, fault.Conflict)
		m.ID = ""
		second, _, err = tx.Put(t.Context(), m, asker)
		return err
	})
	if err != nil {
		t.Fatalf("the transaction of a conflict did not go on: %v", err)
	}
	same(t, "read", w.get(t, acme, second.ID, memory.View{}), second)
}

func putShares(t *testing.T, w *world) {
	given := full()
	values := []float32{1, 2}
	stored := w.add(t, acme, given, vector(values...))
	want := render(stored)
	given.Tags[0], given.Metadata["id"], values[0] = "changed", "changed", 9
	given.Metadata["deep"].(map[string]any)["list"].([]any)[1] = "changed"
	*given.ExpiresAt = start
	stored.Tags[0], stored.Metadata["id"], stored.Entities[0].Name = "changed", "changed", "changed"
	read := w.get(t, acme, stored.ID, memory.View{})
	same(t, "read", json.RawMessage(render(read)), json.RawMessage(want))
	read.Tags[0], read.DerivedFrom[0].Start = "changed", 77
	same(t, "read again", json.RawMessage(render(w.get(t, acme, stored.ID, memory.View{}))), json.RawMessage(want))
	same(t, "vector", w.changes(t, acme, 0)[0].Vector, []float32{1, 2})
}

func putRefuses(t *testing.T, w *world) {
	for name, m := range map[string]memory.Memory{
		"content":    {Content: "broken \xff text"},
		"importance": {Content: "x", Importance: 1.5},
		"layer":      {Content: "x", Layer: "dreams"},
		"session_id": {Content: "x", SessionID: "nul\x00"},
		"metadata":   {Content: "x", Metadata: memory.Metadata{"f": func() {}}},
	} {
		err := w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
			_, _, err := tx.Put(t.Context(), m, asker)
			return err
		})
		kind(t, err, fault.Invalid)
		if fields := fault.FieldsOf(err); len(fields) != 1 || fields[0].Location != name {
			t.Errorf("the refusal of a bad %s names %v", name, fields)
		}
	}
	same(t, "listed", w.list(t, acme, memory.Query{}).Memories, nil)
}

func findKeepsOrder(t *testing.T, w *world) {
	a, b, c := w.add(t, acme, note("a")), w.add(t, acme, note("b")), w.add(t, acme, note("c"))
	w.remove(t, acme, b.ID)
	found, err := w.store.Find(t.Context(), acme, []memory.ID{c.ID, memory.NewID(), b.ID, "no uuid", a.ID}, memory.View{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "found", found, []memory.Memory{c, a})
	none, err := w.store.Find(t.Context(), acme, nil, memory.View{})
	if err != nil || len(none) != 0 {
		t.Errorf("find of nothing: %v, %v", none, err)
	}
}
