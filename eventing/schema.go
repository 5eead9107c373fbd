package eventing

import (
	"bytes"
	"embed"
	"encoding/json"
	"strconv"
	"strings"
	"sync"

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

// schemas holds the schema of every type of the catalogue, ready for use; they are part of the program, so reading them
// waits for the first event and then either always or never works.
var schemas = sync.OnceValues(func() (map[string]*schema, error) {
	ready := make(map[string]*schema, len(catalogue))
	for _, entry := range catalogue {
		source, err := Schema(entry.Type)
		if err != nil {
			return nil, err
		}
		ready[entry.Type] = new(schema)
		if err := json.Unmarshal(source, ready[entry.Type]); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "read schema of %s", entry.Type)
		}
	}
	return ready, nil
})

// checkData holds data, which must have passed checkJSON, against the schema of its type. Every place that does not
// fit is a field of the Invalid fault.
func checkData(eventType string, data []byte) error {
	ready, err := schemas()
	if err != nil {
		return err
	}
	schema, ok := ready[eventType]
	if !ok {
		return malformed("type", "is not one of the catalogue")
	}
	var doc any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&doc); err != nil {
		return fault.Wrap(fault.Malformed, err, "event.data is not JSON")
	}
	var fields misfits
	if schema.check(nil, doc, &fields); len(fields) > 0 {
		return &fault.Error{Kind: fault.Invalid, Fields: fields, Message: fields[0].Location + " " + fields[0].Message}
	}
	return nil
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
