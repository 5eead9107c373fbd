package rae_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/rae-memory/rae/eventing"
)

// A chart can read no file outside of its folder. What it needs to know of the functions is generated into it: their
// func.yaml, which paths are whose, which events there are.
func TestTheChartKnowsTheFunctions(t *testing.T) {
	t.Parallel()
	const folder = "charts/rae-memory/generated"
	names := slices.Sorted(maps.Keys(configs))
	for _, name := range names {
		file, err := os.ReadFile(filepath.Join("functions", name, "func.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		generated(t, filepath.Join(folder, "functions", name+".yaml"), file)
	}
	generated(t, filepath.Join(folder, "routes.yaml"), asYAML(t, map[string]any{"paths": routes(t)}))
	generated(t, filepath.Join(folder, "events.yaml"), asYAML(t, eventTypes(t)))
}

func asYAML(t *testing.T, v any) []byte {
	t.Helper()
	b, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// routes are the paths of each function, the shortest that no other function shares.
func routes(t *testing.T) map[string][]string {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct{ Tags []string }
	}
	if err := json.Unmarshal(apiDocument(t), &document); err != nil {
		t.Fatal(err)
	}
	owner := map[string]string{} // by path
	for path, methods := range document.Paths {
		for method, operation := range methods {
			if len(operation.Tags) != 1 || configs[operation.Tags[0]] == nil {
				t.Fatalf("%s %s is tagged %v, want the function it belongs to", method, path, operation.Tags)
			}
			if before, known := owner[path]; known && before != operation.Tags[0] {
				t.Fatalf("%s belongs to %s and %s: no gateway can tell them apart by path", path, before, operation.Tags[0])
			}
			owner[path] = operation.Tags[0]
		}
	}
	within := func(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }
	prefixes := map[string]map[string]bool{}
	for path, function := range owner {
		segments := strings.Split(path, "/")
		n := 3 // "", "v1", "memories"
		shared := func() bool {
			prefix := strings.Join(segments[:n], "/")
			for other, whose := range owner {
				if whose != function && within(other, prefix) {
					return true
				}
			}
			return false
		}
		for n < len(segments) && shared() {
			n++
		}
		prefix := strings.Join(segments[:n], "/")
		if strings.Contains(prefix, "{") {
			t.Fatalf("%s of %s is told from others' paths by what stands behind a parameter; no gateway can do that", path, function)
		}
		if prefixes[function] == nil {
			prefixes[function] = map[string]bool{}
		}
		prefixes[function][prefix] = true
	}
	all := map[string][]string{}
	for function, set := range prefixes {
		all[function] = slices.Sorted(maps.Keys(set))
	}
	return all
}

// eventTypes is the catalogue as the chart needs it: the types, and which of them the clock sends, by what name.
func eventTypes(t *testing.T) map[string]any {
	t.Helper()
	clock := map[string]string{}
	types := []map[string]string{}
	for _, e := range eventing.Catalogue() {
		if slices.Contains(e.Publishers, "clock") {
			clock[e.Type] = e.Record
		}
		schema, err := os.ReadFile(filepath.Join("eventing", "schemas", e.Type+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var told struct{ Title string }
		if err := json.Unmarshal(schema, &told); err != nil || told.Title == "" {
			t.Fatal(fmt.Errorf("schema of %s: no title (%w)", e.Type, err))
		}
		types = append(types, map[string]string{
			"type": e.Type, "source": e.Source(), "schema": e.SchemaURI(), "description": told.Title,
		})
	}
	return map[string]any{"types": types, "clock": clock}
}
