package ingest_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

func mustParsePatch(t *testing.T, text string) ingest.Patch {
	t.Helper()
	p, err := ingest.ParsePatch([]byte(text), "body.")
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return p
}

func TestAPatchChangesWhatItNamesAndNothingElse(t *testing.T) {
	t.Parallel()
	full := ingest.Draft{
		Content: "old", Layer: memory.Semantic, Tags: []string{"a"}, Importance: ptr(0.9), Source: "chat", UserID: "u",
		Metadata:   memory.Metadata{"keep": "1", "drop": "2", "inner": map[string]any{"x": "1", "y": "2"}},
		Entities:   []ingest.Mention{{Name: "Alice"}},
		OccurredAt: ptr(start.Add(-time.Hour)), ValidFrom: ptr(start.Add(-time.Hour)), TTLSeconds: ptr(int64(60)),
	}
	rows := []struct {
		patch  string
		change func(*memory.Memory)
	}{
		{`{"content":"new"}`, func(m *memory.Memory) { m.Content = "new" }},
		{`{"layer":null}`, func(m *memory.Memory) { m.Layer = memory.Episodic }},
		{`{"layer":"working"}`, func(m *memory.Memory) { m.Layer = memory.Working }},
		{`{"tags":["b","b","c"]}`, func(m *memory.Memory) { m.Tags = []string{"b", "c"} }},
		{`{"tags":null}`, func(m *memory.Memory) { m.Tags = []string{} }},
		{`{"metadata":null}`, func(m *memory.Memory) { m.Metadata = memory.Metadata{} }},
		{`{"metadata":{"drop":null,"new":3,"inner":{"y":null}}}`, func(m *memory.Memory) {
			m.Metadata = memory.Metadata{"keep": "1", "new": json.Number("3"), "inner": map[string]any{"x": "1"}}
		}},
		{`{"importance":null}`, func(m *memory.Memory) { m.Importance = 0.5 }},
		{`{"importance":0}`, func(m *memory.Memory) { m.Importance = 0 }},
		{`{"source":null,"user_id":"v"}`, func(m *memory.Memory) { m.Source, m.UserID = "", "v" }},
		{`{"entities":["Bob"]}`, func(m *memory.Memory) { m.Entities = []memory.Entity{{Name: "Bob"}} }},
		{`{"occurred_at":null}`, func(m *memory.Memory) { m.OccurredAt = nil }},
		{`{"valid_to":"2027-01-01T00:00:00Z"}`, func(m *memory.Memory) {
			m.ValidTo = ptr(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
		}},
		{`{"expires_at":null}`, func(m *memory.Memory) { m.ExpiresAt = nil }},
		{`{"ttl_seconds":3600}`, func(m *memory.Memory) { m.ExpiresAt = ptr(start.Add(time.Hour)) }},
	}
	for _, row := range rows {
		t.Run(row.patch, func(t *testing.T) {
			t.Parallel()
			s, embedder := world(t)
			before := mustPut(t, s, full)
			got, _, err := s.Patch(t.Context(), here, before.ID, mustParsePatch(t, row.patch), 1, memory.Key{}, memory.Why{})
			if err != nil {
				t.Fatal(err)
			}
			want := before
			row.change(&want)
			want.Version, want.UpdatedAt = 2, got.UpdatedAt
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if n := embedder.calls.Load(); (n == 2) != (want.Content != before.Content) {
				t.Errorf("embedded %d times", n)
			}
		})
	}
}

func TestAPatchThatChangesNothingWritesNoVersion(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{}`, `{"content":"same","tags":null}`} {
		s, _ := world(t)
		before := mustPut(t, s, ingest.Draft{Content: "same"})
		got, _, err := s.Patch(t.Context(), here, before.ID, mustParsePatch(t, text), 0, memory.Key{}, memory.Why{})
		if err != nil || !reflect.DeepEqual(got, before) {
			t.Errorf("%s: got %+v, %v; want %+v", text, got, err, before)
		}
	}
}

func TestNewContentWithoutAnEmbedderIsPending(t *testing.T) {
	t.Parallel()
	s, embedder := world(t)
	m := mustPut(t, s, ingest.Draft{Content: "old"})
	embedder.err = errAway
	got, _, err := s.Patch(t.Context(), here, m.ID, mustParsePatch(t, `{"content":"new"}`), 0, memory.Key{}, memory.Why{})
	if err != nil || got.Embedding != memory.EmbeddingPending {
		t.Errorf("got %+v, %v; want it pending", got, err)
	}
}

func TestAPatchIsRefused(t *testing.T) {
	t.Parallel()
	rows := []struct {
		patch    string
		expected int
		kind     fault.Kind
		field    string
	}{
		{`{"content":null}`, 0, fault.Invalid, "body.content"},
		{`{"content":" "}`, 0, fault.Invalid, "body.content"},
		{`{"layer":"x"}`, 0, fault.Invalid, "body.layer"},
		{`{"tags":[""]}`, 0, fault.Invalid, "body.tags[0]"},
		{`{"metadata":{"a":{"":1}}}`, 0, fault.Invalid, "body.metadata.a"},
		{`{"importance":7}`, 0, fault.Invalid, "body.importance"},
		{`{"user_id":"a\nb"}`, 0, fault.Invalid, "body.user_id"},
		{`{"valid_to":"2020-01-01T00:00:00Z"}`, 0, fault.Invalid, "body.valid_to"},
		{`{"expires_at":"2020-01-01T00:00:00Z"}`, 0, fault.Invalid, "body.expires_at"},
		{`{"ttl_seconds":0}`, 0, fault.Invalid, "body.ttl_seconds"},
		{`{"external_id":"taken"}`, 0, fault.Conflict, ""},
		{`{"tags":["x"]}`, 7, fault.Conflict, ""},
	}
	for _, row := range rows {
		t.Run(row.patch, func(t *testing.T) {
			t.Parallel()
			s, _ := world(t)
			mustPut(t, s, ingest.Draft{Content: "other", ExternalID: "taken"})
			m := mustPut(t, s, ingest.Draft{Content: "x", ValidFrom: ptr(start)})
			_, _, err := s.Patch(t.Context(), here, m.ID, mustParsePatch(t, row.patch), row.expected, memory.Key{}, memory.Why{})
			wantFault(t, err, row.kind, row.field)
		})
	}
	for text, want := range map[string]string{
		`{"version":2}`:                "body.version is not a known key",
		`{"content":7}`:                "body.content must be a string",
		`{"tags":"a"}`:                 "body.tags must be an array",
		`{"metadata":[]}`:              "body.metadata must be an object",
		`{"importance":"high"}`:        "body.importance must be a number",
		`{"occurred_at":"yesterday"}`:  "body.occurred_at must be an RFC 3339 time",
		`{"ttl_seconds":1.5}`:          "body.ttl_seconds must be a whole number",
		`{"content":"x","content":""}`: "body.content must not be given twice",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			if _, err := ingest.ParsePatch([]byte(text), "body."); fault.Public(err) != want {
				t.Errorf("got %q, want %q", fault.Public(err), want)
			}
		})
	}
	t.Run("a memory of another tenant", func(t *testing.T) {
		t.Parallel()
		s, _ := world(t)
		m := mustPut(t, s, ingest.Draft{Content: "x"})
		_, _, err := s.Patch(t.Context(), there, m.ID, mustParsePatch(t, `{"content":"y"}`), 0, memory.Key{}, memory.Why{})
		wantFault(t, err, fault.NotFound, "")
	})
}

func TestAPatchWithAKeyIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	m := mustPut(t, s, ingest.Draft{Content: "x"})
	first, _, err := s.Patch(t.Context(), here, m.ID, mustParsePatch(t, `{"tags":["a"]}`), 0, key("k", "f"), memory.Why{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Patch(t.Context(), here, m.ID, mustParsePatch(t, `{"tags":["b"]}`), 0, memory.Key{}, memory.Why{}); err != nil {
		t.Fatal(err)
	}
	again, replayed, err := s.Patch(t.Context(), here, m.ID, mustParsePatch(t, `{"tags":["a"]}`), 0, key("k", "f"), memory.Why{})
	if err != nil || !replayed || !reflect.DeepEqual(again, first) {
		t.Errorf("got %+v, replayed %t, %v; want %+v", again, replayed, err, first)
	}
}
