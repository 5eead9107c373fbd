package search_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
)

func named(name string) string { return relevance.EntityID(here, relevance.EntityKey(name)) }

// bells stores what three names are mentioned in, and has the register see it.
func (w *world) bells() {
	w.t.Helper()
	var seen []knowledge.Sighting
	for _, name := range []string{"Robert Bell", "Bob Bell", "Rob Ball"} {
		m := w.put(here, memory.Memory{Content: name + " called.", Entities: []memory.Entity{{Name: name, Type: "person"}}})
		seen = append(seen, knowledge.Sighting{MemoryID: m.ID, Version: 1, By: knowledge.ByTeller, At: m.CreatedAt,
			Mentions: []knowledge.Mention{{Name: name, Type: "person", Aliases: []string{name + " the baker"}}}})
	}
	if err := w.db.Names.Observe(w.t.Context(), here, seen); err != nil {
		w.t.Fatal(err)
	}
}

// must is call where the status must be as given; it returns the answer's parts, as text.
func (w *world) must(want int, method, path, body string, parts ...string) string {
	w.t.Helper()
	status, answer := w.call(method, path, body)
	if status != want {
		w.t.Fatalf("%s %s: %d %v", method, path, status, answer)
	}
	told := make([]string, len(parts))
	for i, part := range parts {
		told[i] = fmt.Sprint(answer[part])
	}
	return strings.Join(told, " ")
}

func TestEntitiesAreMergedSplitAndUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bells()
	robert, bob, ball := named("Robert Bell"), named("Bob Bell"), named("Rob Ball")
	told := func(id string) string {
		t.Helper()
		return w.must(200, "GET", "/v1/entities/"+id, "", "canonical_id", "aliases", "merged_from", "mentions")
	}
	if got, want := told(bob), bob+" [Bob Bell the baker] [] 1"; got != want {
		t.Errorf("alone: %s, want %s", got, want)
	}
	merged := w.must(200, "POST", "/v1/entities/"+bob+"/merge", `{"into":"`+robert+`","reason":"they sign alike"}`, "id", "canonical_id", "kind", "reason", "method", "members", "rest")
	if want := robert + " merge they sign alike person [" + bob + "] [" + robert + "]"; !strings.HasSuffix(merged, want) {
		t.Errorf("merged %s, want %s", merged, want)
	}
	if again := w.must(200, "POST", "/v1/entities/"+bob+"/merge", `{"into":"Robert Bell","reason":"they sign alike"}`, "id", "canonical_id", "kind", "reason", "method", "members", "rest"); again != merged {
		t.Errorf("merged again: %s", again)
	}
	want := robert + " [Bob Bell Bob Bell the baker Robert Bell the baker] [" + bob + "] 2"
	for _, id := range []string{robert, bob} {
		if got := told(id); got != want {
			t.Errorf("as one: %s, want %s", got, want)
		}
	}
	w.must(200, "POST", "/v1/entities/"+strings.ToUpper(ball)+"/merge", `{"into":"Bob Bell"}`)
	split := `{"names":["Rob Ball"],"reason":"another"}`
	first := w.must(200, "POST", "/v1/entities/"+robert+"/split", split, "id", "kind", "members", "canonical_id")
	if again := w.must(200, "POST", "/v1/entities/"+robert+"/split", split, "id", "kind", "members", "canonical_id"); again != first || !strings.Contains(first, "split ["+ball+"] "+robert) {
		t.Errorf("split %s, again %s", first, again)
	}
	page := w.must(200, "GET", "/v1/entities/merges?limit=2", "", "merges", "next_cursor")
	_, list := w.call("GET", "/v1/entities/merges?limit=2", "")
	if len(list["merges"].([]any)) != 2 || list["next_cursor"] == "" {
		t.Fatalf("page %s", page)
	}
	_, rest := w.call("GET", "/v1/entities/merges?limit=2&cursor="+url.QueryEscape(list["next_cursor"].(string)), "")
	if all := rest["merges"].([]any); len(all) != 1 || all[0].(map[string]any)["reason"] != "they sign alike" || rest["next_cursor"] != "" {
		t.Errorf("the second page: %v", rest)
	}
	if _, of := w.call("GET", "/v1/entities/merges?entity="+url.QueryEscape("Rob Ball"), ""); len(of["merges"].([]any)) != 2 {
		t.Errorf("of one: %v", of)
	}
	id, _, _ := strings.Cut(merged, " ")
	undone := w.must(200, "POST", "/v1/entities/merges/"+id+"/undo", "", "id", "undone_at", "canonical_id")
	if again := w.must(200, "POST", "/v1/entities/merges/"+id+"/undo", "", "id", "undone_at", "canonical_id"); again != undone || !strings.HasSuffix(undone, bob) || strings.Contains(undone, "<nil>") {
		t.Errorf("undone %s, again %s", undone, again)
	}
	if got, want := told(bob), bob+" [Bob Bell the baker] [] 1"; got != want {
		t.Errorf("once undone: %s, want %s", got, want)
	}
}

func TestWhatIsNoMergeIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bells()
	robert, bob, none := named("Robert Bell"), named("Bob Bell"), named("Nobody")
	for _, tt := range []struct {
		path, body string
		want       int
		field      string
	}{
		{robert + "/merge", `{"into":"Nobody"}`, 422, "body.into"},
		{robert + "/merge", `{"into":"` + robert + `"}`, 422, "body.into"},
		{robert + "/merge", `{"into":""}`, 422, "body.into"},
		{robert + "/merge", `{}`, 422, "body"},
		{robert + "/merge", `{"into":"Bob Bell","reason":"` + strings.Repeat("x", 251) + `"}`, 422, "body.reason"},
		{none + "/merge", `{"into":"Bob Bell"}`, 404, ""},
		{"Bob/merge", `{"into":"Bob Bell"}`, 422, "path.id"},
		{robert + "/split", `{"names":["Bob Bell"]}`, 422, "body.names[0]"},
		{robert + "/split", `{"members":["` + bob + `"]}`, 422, "body.members[0]"},
		{robert + "/split", `{"members":["` + robert + `"]}`, 422, "members"},
		{robert + "/split", `{"members":["` + bob + `"],"names":["Bob Bell"]}`, 422, "body.members"},
		{robert + "/split", `{}`, 422, "body.members"},
		{none + "/split", `{"names":["Bob Bell"]}`, 404, ""},
		{"merges/" + none + "/undo", ``, 404, ""},
		{"merges/none/undo", ``, 422, "path.id"},
	} {
		status, answer := w.call("POST", "/v1/entities/"+tt.path, tt.body)
		if status != tt.want || !strings.Contains(fmt.Sprint(answer["errors"]), tt.field) {
			t.Errorf("%s %s: %d %v", tt.path, tt.body, status, answer)
		}
	}
	if status, _ := w.call("POST", "/v1/entities/"+robert+"/merge", `{"into":"Bob Bell"}`, "X-Tenant-ID", "other"); status != 404 {
		t.Errorf("another tenant's: %d", status)
	}
	for _, path := range []string{"merges", "suggestions"} {
		if status, _ := w.call("GET", "/v1/entities/"+path+"?cursor=x", ""); status != 422 {
			t.Errorf("%s with a cursor that is none: %d", path, status)
		}
	}
}

func TestSuggestionsAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bells()
	robert, bob, ball := named("Robert Bell"), named("Bob Bell"), named("Rob Ball")
	err := w.db.Names.Suggest(t.Context(), here, []knowledge.Suggestion{{A: robert, B: bob, Score: .8, Reason: "a nickname"}, {A: bob, B: ball, Score: .7}})
	if err != nil {
		t.Fatal(err)
	}
	_, first := w.call("GET", "/v1/entities/suggestions?limit=1", "")
	one := first["suggestions"].([]any)[0].(map[string]any)
	names := []string{one["a"].(map[string]any)["name"].(string), one["b"].(map[string]any)["name"].(string)}
	if one["score"] != .8 || one["reason"] != "a nickname" || !strings.Contains(strings.Join(names, ","), "Robert Bell") || first["next_cursor"] == "" {
		t.Errorf("first %v", first)
	}
	_, second := w.call("GET", "/v1/entities/suggestions?cursor="+url.QueryEscape(first["next_cursor"].(string)), "")
	if all := second["suggestions"].([]any); len(all) != 1 || all[0].(map[string]any)["score"] != .7 || second["next_cursor"] != "" {
		t.Errorf("second %v", second)
	}
	w.must(200, "POST", "/v1/entities/"+bob+"/merge", `{"into":"Robert Bell"}`)
	if _, left := w.call("GET", "/v1/entities/suggestions", ""); len(left["suggestions"].([]any)) != 1 {
		t.Errorf("once settled: %v", left)
	}
	if _, others := w.call("GET", "/v1/entities/suggestions", "", "X-Tenant-ID", "other"); len(others["suggestions"].([]any)) != 0 {
		t.Errorf("another tenant's: %v", others)
	}
}
