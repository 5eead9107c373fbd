package rae_test

import (
	"slices"
	"testing"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/memory"
)

// What memories say comes to facts and to names, by rules alone, and goes with them.
func TestWhatMemoriesSayIsKnownUntilTheyAreDeleted(t *testing.T) {
	t.Parallel()
	e := open(t, func(*rae.Config) {})
	_, told := e.call("POST", "/v1/memories", `{"content":"I work at Siemens and my wife Anna lives in Berlin. Write to anna@example.com.","user_id":"tom"}`)
	if code, r := e.call("POST", "/v1/reflections", `{"kind":"extract","wait":true}`); code != 200 || r["read"] != 1.0 {
		t.Fatalf("%d %v", code, r)
	}
	scope := memory.Scope{Tenant: told["tenant_id"].(string), Project: told["project_id"].(string)}
	known := func() (relations, names []string) {
		t.Helper()
		_, page := e.call("GET", "/v1/facts", "")
		for _, f := range page["facts"].([]any) {
			relations = append(relations, f.(map[string]any)["relation"].(string))
		}
		entities, err := e.Names.Register.Entities(t.Context(), scope, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, entity := range entities {
			names = append(names, entity.Name)
		}
		slices.Sort(relations)
		slices.Sort(names)
		return relations, names
	}
	relations, names := known()
	if want := []string{"lives_in", "married_to", "works_at"}; !slices.Equal(relations, want) {
		t.Errorf("facts %v, want %v", relations, want)
	}
	if want := []string{"Anna", "Berlin", "Siemens", "tom"}; !slices.Equal(names, want) {
		t.Errorf("names %v, want %v", names, want)
	}
	if code, r := e.call("DELETE", "/v1/memories/"+told["id"].(string), ""); code != 204 {
		t.Fatalf("%d %v", code, r)
	}
	if relations, names := known(); len(relations)+len(names) != 0 {
		t.Errorf("after the deletion: facts %v, names %v", relations, names)
	}
}
