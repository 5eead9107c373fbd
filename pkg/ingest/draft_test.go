package ingest_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

func TestADraftBecomesTheMemoryItDescribes(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	east := time.FixedZone("east", 2*60*60)
	got := mustPut(t, s, ingest.Draft{
		Content: "  Alice moved to Zürich.\n", Layer: memory.Semantic, Tags: []string{"home", "person", "home"},
		Metadata: memory.Metadata{"n": json.Number("9007199254740993")}, Importance: ptr(0.9),
		Source: "chat", ExternalID: "crm-1", UserID: "u", AgentID: "a", SessionID: "s",
		Entities:   []ingest.Mention{{Name: "Alice", Type: "person"}, {Name: "Zürich"}, {Name: "Alice", Type: "person"}},
		OccurredAt: ptr(time.Date(2026, 3, 1, 11, 0, 0, 123456789, east)), TTLSeconds: ptr(int64(60)),
	})
	want := memory.Memory{
		ID: got.ID, TenantID: "acme", ProjectID: "support", Content: "  Alice moved to Zürich.\n", Layer: memory.Semantic,
		Tags: []string{"home", "person"}, Metadata: memory.Metadata{"n": json.Number("9007199254740993")}, Importance: 0.9,
		Source: "chat", ExternalID: "crm-1", UserID: "u", AgentID: "a", SessionID: "s",
		Entities:   []memory.Entity{{Name: "Alice", Type: "person"}, {Name: "Zürich"}},
		OccurredAt: ptr(time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC)), ExpiresAt: ptr(start.Add(time.Minute)),
		Embedding: memory.EmbeddingReady, Version: 1, CreatedAt: start, UpdatedAt: start,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestABareDraftHasTheDefaults(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	got := mustPut(t, s, ingest.Draft{Content: "hello"})
	want := memory.Memory{
		ID: got.ID, TenantID: "acme", ProjectID: "support", Content: "hello", Layer: memory.Episodic, Tags: []string{},
		Metadata: memory.Metadata{}, Importance: 0.5, Embedding: memory.EmbeddingReady, Version: 1, CreatedAt: start, UpdatedAt: start,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEveryLimitOfADraftNamesItsField(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 257)
	year := func(y int) *time.Time { return ptr(time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)) }
	deep := any("leaf")
	for range 9 {
		deep = map[string]any{"k": deep}
	}
	many, wide := map[string]any{}, map[string]any{}
	for i := range 257 {
		many[fmt.Sprint(i)] = true
	}
	for i := range 80 {
		wide[fmt.Sprint(i)] = strings.Repeat("x", 1000)
	}
	rows := []struct {
		field string
		draft ingest.Draft
	}{
		{"content", ingest.Draft{}},
		{"content", ingest.Draft{Content: " \t\n\u00a0"}},
		{"content", ingest.Draft{Content: strings.Repeat("x", 1<<20+1)}},
		{"content", ingest.Draft{Content: "a\xffb"}},
		{"content", ingest.Draft{Content: "a\x00b"}},
		{"layer", ingest.Draft{Content: "x", Layer: "eternal"}},
		{"tags", ingest.Draft{Content: "x", Tags: make([]string, 65)}},
		{"tags[1]", ingest.Draft{Content: "x", Tags: []string{"a", ""}}},
		{"tags[0]", ingest.Draft{Content: "x", Tags: []string{strings.Repeat("é", 129)}}},
		{"tags[0]", ingest.Draft{Content: "x", Tags: []string{"a\nb"}}},
		{"metadata", ingest.Draft{Content: "x", Metadata: many}},
		{"metadata", ingest.Draft{Content: "x", Metadata: wide}},
		{"metadata", ingest.Draft{Content: "x", Metadata: memory.Metadata{strings.Repeat("k", 129): 1}}},
		{"metadata", ingest.Draft{Content: "x", Metadata: memory.Metadata{"": 1}}},
		{"metadata.k", ingest.Draft{Content: "x", Metadata: memory.Metadata{"k": "a\x00"}}},
		{"metadata.k", ingest.Draft{Content: "x", Metadata: memory.Metadata{"k": json.Number("1e999999999")}}},
		{"metadata.d.k.k.k.k.k.k.k", ingest.Draft{Content: "x", Metadata: memory.Metadata{"d": deep}}},
		{"importance", ingest.Draft{Content: "x", Importance: ptr(1.01)}},
		{"importance", ingest.Draft{Content: "x", Importance: ptr(-0.1)}},
		{"source", ingest.Draft{Content: "x", Source: long}},
		{"external_id", ingest.Draft{Content: "x", ExternalID: "a\x7fb"}},
		{"user_id", ingest.Draft{Content: "x", UserID: long}},
		{"agent_id", ingest.Draft{Content: "x", AgentID: "a\u202eb"}},
		{"session_id", ingest.Draft{Content: "x", SessionID: "a\rb"}},
		{"entities", ingest.Draft{Content: "x", Entities: make([]ingest.Mention, 257)}},
		{"entities[0].name", ingest.Draft{Content: "x", Entities: []ingest.Mention{{Type: "person"}}}},
		{"entities[0].type", ingest.Draft{Content: "x", Entities: []ingest.Mention{{Name: "a", Type: long}}}},
		{"occurred_at", ingest.Draft{Content: "x", OccurredAt: year(1969)}},
		{"valid_from", ingest.Draft{Content: "x", ValidFrom: year(2201)}},
		{"valid_to", ingest.Draft{Content: "x", ValidFrom: year(2000), ValidTo: year(2000)}},
		{"expires_at", ingest.Draft{Content: "x", ExpiresAt: &start}},
		{"expires_at", ingest.Draft{Content: "x", ExpiresAt: year(2201)}},
		{"ttl_seconds", ingest.Draft{Content: "x", TTLSeconds: ptr(int64(0))}},
		{"ttl_seconds", ingest.Draft{Content: "x", TTLSeconds: ptr(int64(ingest.MaxTTLSeconds + 1))}},
		{"ttl_seconds", ingest.Draft{Content: "x", TTLSeconds: ptr(int64(5)), ExpiresAt: year(2100)}},
	}
	for _, row := range rows {
		t.Run(row.field, func(t *testing.T) {
			t.Parallel()
			s, embedder := world(t)
			_, _, err := s.Put(t.Context(), here, row.draft, memory.Key{}, memory.Why{})
			wantFault(t, err, fault.Invalid, "body."+row.field)
			if n := embedder.calls.Load(); n != 0 {
				t.Errorf("a refused draft was embedded %d times", n)
			}
		})
	}
}

func TestTheLimitsThemselvesAreAccepted(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	tags := make([]string, 64)
	for i := range tags {
		tags[i] = fmt.Sprintf("%0128d", i)
	}
	mustPut(t, s, ingest.Draft{
		Content: strings.Repeat("x", 1<<20), Tags: tags, Source: strings.Repeat("é", 256), Importance: ptr(1.0),
		TTLSeconds: ptr(int64(ingest.MaxTTLSeconds)),
	})
}

func TestEveryFieldAtFaultIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	_, _, err := s.Put(t.Context(), here, ingest.Draft{Layer: "x", Importance: ptr(2.0)}, memory.Key{}, memory.Why{})
	var at []string
	for _, field := range fault.FieldsOf(err) {
		at = append(at, field.Location)
	}
	if want := []string{"body.content", "body.layer", "body.importance"}; !reflect.DeepEqual(at, want) {
		t.Errorf("got %v, want %v", at, want)
	}
}

func TestADraftIsReadStrictly(t *testing.T) {
	t.Parallel()
	rows := []struct {
		json  string
		kind  fault.Kind
		field string
	}{
		{`{"content":"x","colour":"red"}`, fault.Malformed, "at.colour"},
		{`{"content":"x","Content":"y"}`, fault.Malformed, "at.Content"},
		{`{"content":"x","content":"y"}`, fault.Malformed, "at.content"},
		{`{"content":"x","metadata":{"a":1,"a":2}}`, fault.Malformed, "at.metadata.a"},
		{`{"content":"\ud800"}`, fault.Malformed, "at.content"},
		{"{\"content\":\"a\xff\"}", fault.Malformed, "at.content"},
		{`{"content":7}`, fault.Invalid, "at.content"},
		{`{"content":"x","tags":"a"}`, fault.Invalid, "at.tags"},
		{`{"content":"x","tags":["a",2]}`, fault.Invalid, "at.tags[1]"},
		{`{"content":"x","metadata":[]}`, fault.Invalid, "at.metadata"},
		{`{"content":"x","occurred_at":1700000000}`, fault.Invalid, "at.occurred_at"},
		{`{"content":"x","occurred_at":"yesterday"}`, fault.Invalid, "at.occurred_at"},
		{`{"content":"x","ttl_seconds":1.5}`, fault.Invalid, "at.ttl_seconds"},
		{`{"content":"x","entities":[7]}`, fault.Invalid, "at.entities[0]"},
		{`{"content":"x","entities":[{"name":"a","age":3}]}`, fault.Invalid, "at.entities[0]"},
		{`["content"]`, fault.Malformed, "at"},
		{`null`, fault.Malformed, "at"},
		{``, fault.Malformed, "at"},
		{`{"content":"x"} {"content":"y"}`, fault.Malformed, "at"},
	}
	for _, row := range rows {
		t.Run(row.json, func(t *testing.T) {
			t.Parallel()
			_, err := ingest.ParseDraft([]byte(row.json), "at.")
			wantFault(t, err, row.kind, row.field)
		})
	}
	t.Run("entities may be names or objects", func(t *testing.T) {
		t.Parallel()
		got, err := ingest.ParseDraft([]byte(`{"content":"x","entities":["Alice",{"name":"Bob","type":"person"}]}`), "")
		want := ingest.Draft{Content: "x", Entities: []ingest.Mention{{Name: "Alice"}, {Name: "Bob", Type: "person"}}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	})
}
