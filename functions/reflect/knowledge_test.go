package reflect_test

import (
	"net/http"
	"testing"

	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

func TestWhatWasLearnedIsListedAndTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	memories := w.tell(shop)
	for i, place := range []string{"the Quay", "the Dock", "the Yard"} {
		m := &memories[i]
		_, err := w.learner.Learn(t.Context(), shop, []knowledge.Extraction{{
			MemoryID: m.ID, Version: m.Version, Method: "rules", Edition: "rules/1", Statements: []knowledge.Statement{
				{Kind: knowledge.Told, Subject: knowledge.Mention{Name: "crane"}, Relation: "located_in", Object: knowledge.Mention{Name: place, Type: "place"}, Confidence: .9, End: 5},
				{Kind: knowledge.Told, Subject: knowledge.Mention{Name: "crane"}, Relation: "has_part", Object: knowledge.Mention{Name: "pump"}, Confidence: .9, End: 5},
			},
		}}, memory.Why{Actor: "test"})
		if err != nil {
			t.Fatal(err)
		}
	}
	list := func(path string) []any {
		t.Helper()
		return w.must(http.StatusOK, "GET", path, "")["operations"].([]any)
	}
	if all, closing := list("/v1/knowledge/operations?all=true"), list("/v1/knowledge/operations"); len(all) != 3 || len(closing) != 0 {
		t.Errorf("all %v, closing %v: the memories were told at one moment", all, closing)
	}
	page := w.must(http.StatusOK, "GET", "/v1/knowledge/operations?all=true&limit=2", "")
	rest := w.must(http.StatusOK, "GET", "/v1/knowledge/operations?all=true&limit=2&cursor="+page["next_cursor"].(string), "")
	if len(page["operations"].([]any)) != 2 || len(rest["operations"].([]any)) != 1 || rest["next_cursor"] != "" {
		t.Errorf("pages %v %v", page, rest)
	}
	first := page["operations"].([]any)[0].(map[string]any)
	path := "/v1/knowledge/operations/" + first["id"].(string) + "/undo"
	for range 2 {
		if got := w.must(http.StatusOK, "POST", path, ""); got["state"] != "undone" || got["undone_at"] == nil || got["memory_id"] != first["memory_id"] || got["actor"] != "test" {
			t.Errorf("undone %v", got)
		}
	}
	facts, err := inmem.NewFacts(w.db).List(t.Context(), shop, knowledge.FactQuery{Limit: 10})
	if err != nil || len(facts.Facts) != 3 {
		t.Errorf("left %v, %v", facts, err)
	}
	w.must(http.StatusNotFound, "POST", path, "", "X-Tenant-ID", "other")
	w.must(http.StatusNotFound, "POST", "/v1/knowledge/operations/"+string(memory.NewID())+"/undo", "")
	w.must(http.StatusUnprocessableEntity, "POST", "/v1/knowledge/operations/nonsense/undo", "")
	w.must(http.StatusUnprocessableEntity, "GET", "/v1/knowledge/operations?cursor=x", "")
	w.must(http.StatusUnprocessableEntity, "GET", "/v1/knowledge/operations?limit=0", "")
	if other := w.must(http.StatusOK, "GET", "/v1/knowledge/operations?all=true", "", "X-Project-ID", "other"); len(other["operations"].([]any)) != 0 {
		t.Errorf("another project sees %v", other)
	}
}
