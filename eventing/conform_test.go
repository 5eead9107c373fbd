package eventing_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/fault"
)

// whatever are values that fit some place and not others.
func whatever() []any {
	return []any{
		nil, true, false, "", "x", "insight", "reflective", "ready", "daily", "a b", strings.Repeat("x", 65), strings.Repeat("é", 256),
		strings.Repeat("é", 257), strings.Repeat("x", 5000), "01939a4c-0000-7000-8000-000000000001", "01939a4c-0000-7000-8000-00000000000",
		"2026-11-23T03:33:42Z", "2026-11-23T03:33:42.123456+01:00", "2026-11-23", "2026-13-23T03:33:42Z",
		json.Number("0"), json.Number("1"), json.Number("-1"), json.Number("1.0"), json.Number("0.5"), json.Number("1e3"), json.Number("1.0000001"),
		json.Number("12345678901234567890"), []any{}, []any{json.Number("1")}, []any{"x", "y"}, []any{map[string]any{}}, map[string]any{},
		map[string]any{"x": json.Number("1")},
	}
}

// bend changes one place of a document: it puts something else there, takes it away, or adds a member.
func bend(t *rapid.T, v any, others []string) any {
	switch v := v.(type) {
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		switch how := rapid.IntRange(0, 9).Draw(t, "how"); {
		case how == 0:
			return rapid.SampledFrom(whatever()).Draw(t, "instead")
		case how == 1:
			v[rapid.SampledFrom(others).Draw(t, "added")] = rapid.SampledFrom(whatever()).Draw(t, "value")
		case len(names) > 0:
			name := rapid.SampledFrom(names).Draw(t, "member")
			if how == 2 {
				delete(v, name)
			} else {
				v[name] = bend(t, v[name], others)
			}
		}
		return v
	case []any:
		if len(v) > 0 && rapid.Bool().Draw(t, "within") {
			i := rapid.IntRange(0, len(v)-1).Draw(t, "item")
			v[i] = bend(t, v[i], others)
			return v
		}
	}
	return rapid.SampledFrom(whatever()).Draw(t, "instead")
}

func TestDataIsJudgedAsTheFullLibraryJudgesIt(t *testing.T) {
	t.Parallel()
	others := []string{"content", "derived_from", "project_id", "tenant_id", "layer", "tags", "metadata", "expires_at", "valid_to", "entities", "new"}
	for _, entry := range eventing.Catalogue() {
		t.Run(entry.Type, func(t *testing.T) {
			t.Parallel()
			compiler := jsonschema.NewCompiler()
			compiler.AssertFormat()
			source := must[any](t)(jsonschema.UnmarshalJSON(bytes.NewReader(must[[]byte](t)(eventing.Schema(entry.Type)))))
			if err := compiler.AddResource(entry.SchemaURI(), source); err != nil {
				t.Fatal(err)
			}
			library := must[*jsonschema.Schema](t)(compiler.Compile(entry.SchemaURI()))
			example := must[[]byte](t)(eventing.Example(entry.Type))
			rapid.Check(t, func(t *rapid.T) {
				doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(example))
				if err != nil {
					t.Fatal(err)
				}
				for range rapid.IntRange(0, 3).Draw(t, "changes") {
					doc = bend(t, doc, others)
				}
				data, err := json.Marshal(doc)
				if err != nil {
					t.Fatal(err)
				}
				want := library.Validate(doc)
				_, err = eventing.Decode(http.Header{
					"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"/test"}, "Ce-Type": {entry.Type}, "Ce-Time": {"2026-11-23T03:33:42Z"},
					"Ce-Tenantid": {"acme"}, "Ce-Projectid": {"default"}, "Content-Type": {"application/json"},
				}, bytes.NewReader(data))
				refused := fault.KindOf(err) == fault.Invalid && slices.ContainsFunc(places(err), func(place string) bool {
					return strings.HasPrefix(place, "event.data")
				})
				if refused != (want != nil) {
					t.Fatalf("%s\ngot %v\nthe library says %v", data, err, want)
				}
			})
		})
	}
}
