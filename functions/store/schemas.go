package store

import (
	"encoding/json"
	"maps"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/ingest"
)

// describe tells the API document what types that read themselves look like.
func describe(registry huma.Registry) {
	registry.RegisterTypeAlias(reflect.TypeFor[ingest.Mention](), reflect.TypeFor[mentionSchema]())
}

// mentionSchema describes ingest.Mention: a name, or an object of name and type.
type mentionSchema struct{}

// Schema is called by huma.
func (*mentionSchema) Schema(huma.Registry) *huma.Schema {
	one, most := 1, ingest.MaxName
	name := func(doc string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, MinLength: &one, MaxLength: &most, Description: doc}
	}
	object := &huma.Schema{
		Type: huma.TypeObject,
		Properties: map[string]*huma.Schema{
			"name": name("What it is called."),
			"type": {Type: huma.TypeString, MaxLength: &most, Description: "person, place, organisation, …"},
		},
		Required: []string{"name"}, AdditionalProperties: false,
	}
	plain := name("The name alone.")
	for _, s := range []*huma.Schema{object, plain, object.Properties["name"], object.Properties["type"]} {
		s.PrecomputeMessages()
	}
	return &huma.Schema{OneOf: []*huma.Schema{plain, object}, Examples: []any{"Alice"}}
}

// batchItem is one memory of a batch, read by itself so that a bad one sinks nobody else.
type batchItem struct{ json.RawMessage }

// Schema leaves the item open: what is wrong with it is told in its result.
func (*batchItem) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "A memory as POST /v1/memories takes it. One that is at fault is refused alone.",
		Examples:    []any{map[string]any{"content": "Alice prefers window seats on long flights."}},
	}
}

// patchBody is a merge patch of a memory (RFC 7396).
type patchBody struct{ json.RawMessage }

// Schema has the members of a new memory, none of them required and all but content nullable.
func (*patchBody) Schema(registry huma.Registry) *huma.Schema {
	draft := huma.SchemaFromType(registry, reflect.TypeFor[ingest.Draft]())
	patch := *draft
	patch.Required, patch.Properties = nil, maps.Clone(draft.Properties)
	patch.Description = "What to change: absent members stay, null clears, a value sets. Metadata is merged by key."
	for name, property := range patch.Properties {
		own := *property
		own.Default, own.Nullable = nil, name != "content"
		if len(own.Enum) > 0 {
			own.Enum = append(append([]any(nil), own.Enum...), nil)
		}
		own.PrecomputeMessages()
		patch.Properties[name] = &own
	}
	patch.Examples = []any{map[string]any{"importance": 0.9, "tags": []string{"preference"}, "metadata": map[string]any{"draft": nil}}}
	patch.PrecomputeMessages()
	return &patch
}
