package search_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/learn"
	"github.com/rae-memory/rae/pkg/memory"
)

// says stores a memory and learns that all of it says the statement.
func (w *world) says(content, subject, relation, object string, at time.Time) memory.Memory {
	w.t.Helper()
	m := w.put(here, memory.Memory{Content: content, OccurredAt: &at})
	learned, err := (&learn.Learner{Store: w.db.Facts}).Learn(w.t.Context(), here, []knowledge.Extraction{{
		MemoryID: m.ID, Version: m.Version, Method: "rules", Edition: "rules/1", Statements: []knowledge.Statement{{
			Kind: knowledge.Told, Subject: knowledge.Mention{Name: subject}, Relation: relation, Object: knowledge.Mention{Name: object},
			Confidence: .9, End: len(content),
		}},
	}}, memory.Why{})
	if err != nil || learned.Opened != 1 {
		w.t.Fatalf("%+v, %v", learned, err)
	}
	return m
}

func TestFactsAreReadAsOfAnyTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	march, may := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	w.says("Mara lives in Oslo.", "Mara", "lives_in", "Oslo", march)
	moved := w.says("Mara lives in Bergen.", "Mara", "lives_in", "Bergen", may)
	w.says("Jonas knows Mara.", "Jonas", "knows", "Mara", may)

	list := func(query string) (objects []string, cursor string) {
		t.Helper()
		status, answer := w.call(http.MethodGet, "/v1/facts"+query, "")
		if status != http.StatusOK {
			t.Fatalf("%s: %d %v", query, status, answer)
		}
		for _, f := range answer["facts"].([]any) {
			objects = append(objects, f.(map[string]any)["object"].(map[string]any)["name"].(string))
		}
		return objects, answer["next_cursor"].(string)
	}
	for query, want := range map[string]int{
		"": 3, "?entity=Mara": 3, "?entity=mara&relation=lives_in": 2, "?entity=" + knowledge.ThingID(here, "Jonas"): 1, "?entity=Nobody": 0,
		"?relation=lives_in&as_of=2026-04-01T00:00:00Z": 1, "?known_at=2020-01-01T00:00:00Z": 0, "?memory_id=" + string(moved.ID): 1, "?user_id=eve": 0,
	} {
		if got, _ := list(query); len(got) != want {
			t.Errorf("%s: %v, want %d", query, got, want)
		}
	}
	if got, _ := list("?relation=lives_in&as_of=2026-06-01T00:00:00Z"); strings.Join(got, " ") != "Bergen" {
		t.Errorf("in June: %v", got)
	}
	first, cursor := list("?limit=2")
	rest, end := list("?limit=2&cursor=" + url.QueryEscape(cursor))
	if len(first) != 2 || len(rest) != 1 || end != "" {
		t.Errorf("pages %v %v %q", first, rest, end)
	}

	_, answer := w.call(http.MethodGet, "/v1/facts?relation=lives_in&as_of=2026-04-01T00:00:00Z", "")
	oslo := answer["facts"].([]any)[0].(map[string]any)
	if oslo["valid_to"] != "2026-05-01T00:00:00Z" || oslo["closed_by"] == nil || oslo["tenant_id"] != "acme" || len(oslo["evidence"].([]any)) != 1 {
		t.Errorf("Oslo %v", oslo)
	}
	path := "/v1/facts/" + oslo["id"].(string)
	if status, got := w.call(http.MethodGet, path, ""); status != http.StatusOK || got["id"] != oslo["id"] {
		t.Errorf("%d %v", status, got)
	}
	if status, got := w.call(http.MethodGet, path+"/history", ""); status != http.StatusOK || len(got["versions"].([]any)) != 2 {
		t.Errorf("%d %v", status, got)
	}
	for path, want := range map[string]int{
		path + "?as_of=2026-06-01T00:00:00Z": 404, "/v1/facts/" + string(memory.NewID()): 404, "/v1/facts/" + string(memory.NewID()) + "/history": 404,
		"/v1/facts/nonsense": 422, "/v1/facts/nonsense/history": 422, "/v1/facts?limit=1001": 422, "/v1/facts?relation=Lives%20in": 422,
		"/v1/facts?memory_id=x": 422, "/v1/facts?cursor=x": 422, "/v1/facts?entity=%21": 422, "/v1/facts?entity=" + strings.Repeat("x", 201): 422,
		"/v1/facts?as_of=yesterday": 422, path + "?known_at=x": 422,
	} {
		if status, answer := w.call(http.MethodGet, path, ""); status != want {
			t.Errorf("%s: %d %v, want %d", path, status, answer, want)
		}
	}
	for _, header := range []string{"X-Project-ID", "X-Tenant-ID"} {
		if status, _ := w.call(http.MethodGet, path, "", header, "other"); status != http.StatusNotFound {
			t.Errorf("another %s: %d", header, status)
		}
		if _, answer := w.call(http.MethodGet, "/v1/facts", "", header, "other"); len(answer["facts"].([]any)) != 0 {
			t.Errorf("another %s: %v", header, answer)
		}
	}
}
