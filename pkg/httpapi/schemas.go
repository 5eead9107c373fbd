package httpapi

import (
	"path"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/memory"
)

// newRegistry returns the registry of schemas with the domain's types described in it, so that the domain need not
// know of OpenAPI. Handlers add their own the same way: RegisterTypeAlias of the type to a SchemaProvider.
func newRegistry() huma.Registry {
	registry := huma.NewMapRegistry("#/components/schemas/", namer())
	for domain, described := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[memory.ID]():             reflect.TypeFor[idSchema](),
		reflect.TypeFor[memory.Layer]():          reflect.TypeFor[layerSchema](),
		reflect.TypeFor[memory.EmbeddingState](): reflect.TypeFor[embeddingSchema](),
		reflect.TypeFor[memory.Outcome]():        reflect.TypeFor[outcomeSchema](),
		reflect.TypeFor[memory.Metadata]():       reflect.TypeFor[metadataSchema](),
		reflect.TypeFor[huma.ErrorModel]():       reflect.TypeFor[Problem](),
	} {
		registry.RegisterTypeAlias(domain, described)
	}
	return registry
}

type (
	idSchema        struct{}
	layerSchema     struct{}
	embeddingSchema struct{}
	outcomeSchema   struct{}
	metadataSchema  struct{}
)

// Schema narrows huma's uuid format, which also takes braces and a urn: prefix, to the canonical 36 characters.
func (*idSchema) Schema(huma.Registry) *huma.Schema {
	length := 36
	return &huma.Schema{
		Type: huma.TypeString, Format: "uuid", MinLength: &length, MaxLength: &length,
		Examples: []any{"0197e4a2-5c1d-7c3e-9a5b-2f6d8e01b7c4"},
	}
}

func (*layerSchema) Schema(huma.Registry) *huma.Schema {
	return enumSchema("What kind of remembering this is.", memory.Layers()...)
}

func (*embeddingSchema) Schema(huma.Registry) *huma.Schema {
	return enumSchema("Whether the memory already has a vector.", memory.EmbeddingReady, memory.EmbeddingPending)
}

func (*outcomeSchema) Schema(huma.Registry) *huma.Schema {
	return enumSchema("What the write did.", memory.Created, memory.Deduplicated, memory.Updated)
}

// Schema leaves the values open, and as true instead of an empty schema: huma loses its place in an error's location
// behind keys that hold a dot, and with true it does not visit them.
func (*metadataSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true, Description: "The caller's own JSON object.",
	}
}

// enumSchema lists values as plain strings, which is what validation compares with.
func enumSchema[T ~string](description string, values ...T) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Description: description}
	for _, value := range values {
		s.Enum = append(s.Enum, string(value))
	}
	return s
}

// namer names schemas after their types. Where two types of different packages share a name, the later one gets its
// package in front, instead of the panic huma would answer with.
func namer() func(reflect.Type, string) string {
	owners := map[string]reflect.Type{}
	return func(t reflect.Type, hint string) string {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		plain := huma.DefaultSchemaNamer(t, hint)
		if t.Kind() != reflect.Struct {
			return plain // never registered under its name
		}
		name := plain
		for n := 1; ; n++ {
			owner, taken := owners[name]
			if !taken || owner == t {
				owners[name] = t
				return name
			}
			name = capital(path.Base(t.PkgPath())) + plain
			if n > 1 {
				name += strconv.Itoa(n)
			}
		}
	}
}

func capital(word string) string {
	if word == "" || word == "." || word[0] < 'a' || word[0] > 'z' {
		return ""
	}
	return string(word[0]-'a'+'A') + word[1:]
}
