package eventing

import (
	"bytes"
	"embed"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/rae-memory/rae/pkg/fault"
)

//go:embed schemas/*.json
var schemaFiles embed.FS

//go:embed examples/*.json
var exampleFiles embed.FS

// Schema returns the JSON Schema (draft 2020-12) of an event type's data.
func Schema(eventType string) ([]byte, error) {
	b, err := schemaFiles.ReadFile("schemas/" + eventType + ".json")
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "there is no schema of %q", eventType)
	}
	return b, nil
}

// Example returns data that fits the schema of an event type.
func Example(eventType string) ([]byte, error) {
	b, err := exampleFiles.ReadFile("examples/" + eventType + ".json")
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "there is no example of %q", eventType)
	}
	return b, nil
}

// schemas holds the compiled schema of every type of the catalogue; they are part of the program, so compiling them
// waits for the first event and then either always or never works.
var schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	for _, entry := range catalogue {
		source, err := Schema(entry.Type)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "schema of %s is not JSON", entry.Type)
		}
		if err := compiler.AddResource(entry.SchemaURI(), doc); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "add schema of %s", entry.Type)
		}
	}
	compiled := make(map[string]*jsonschema.Schema, len(catalogue))
	for _, entry := range catalogue {
		schema, err := compiler.Compile(entry.SchemaURI())
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "compile schema of %s", entry.Type)
		}
		compiled[entry.Type] = schema
	}
	return compiled, nil
})

// checkData holds data, which must have passed checkJSON, against the schema of its type. Every place that does not
// fit is a field of the Invalid fault.
func checkData(eventType string, data []byte) error {
	compiled, err := schemas()
	if err != nil {
		return err
	}
	schema, ok := compiled[eventType]
	if !ok {
		return malformed("type", "is not one of the catalogue")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "event.data is not JSON")
	}
	err = schema.Validate(doc)
	var misfit *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &misfit):
		fields := misfits(misfit, message.NewPrinter(language.English), nil)
		return &fault.Error{
			Kind: fault.Invalid, Fields: fields,
			Message: fields[0].Location + " " + fields[0].Message,
		}
	}
	return fault.Wrap(fault.Internal, err, "validate data of %s", eventType)
}

// maxMisfits bounds how many fields one answer names.
const maxMisfits = 16

// misfits lists the leaves of a validation error: they name the places, their parents only the way there. No message
// repeats a value, which might be somebody's memory.
func misfits(e *jsonschema.ValidationError, printer *message.Printer, fields []fault.Field) []fault.Field {
	for _, cause := range e.Causes {
		fields = misfits(cause, printer, fields)
	}
	if len(e.Causes) > 0 || len(fields) >= maxMisfits {
		return fields
	}
	at := func(path []string, text string) {
		fields = append(fields, fault.Field{Location: location(path), Message: text})
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, missing := range k.Missing {
			at(append(slices.Clone(e.InstanceLocation), missing), "is missing")
		}
	case *kind.FalseSchema:
		at(e.InstanceLocation, "must not be there")
	case *kind.Format:
		at(e.InstanceLocation, "is no "+k.Want)
	case *kind.Pattern:
		at(e.InstanceLocation, "does not match "+k.Want)
	default:
		at(e.InstanceLocation, k.LocalizedString(printer))
	}
	return fields
}

// location writes a JSON path as problem documents do: event.data.memory.tags[2].
func location(path []string) string {
	var b strings.Builder
	b.WriteString("event.data")
	for _, part := range path {
		if _, err := strconv.Atoi(part); err == nil {
			b.WriteString("[" + part + "]")
			continue
		}
		b.WriteString("." + clip(part, 64))
	}
	return b.String()
}
