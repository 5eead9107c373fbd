package ingest

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// decode reads exactly one JSON object into v, strictly: unknown, repeated or differently cased keys, invalid UTF-8,
// lone surrogates and anything after the object are refused. Broken JSON and unknown keys are Malformed, wrong types
// Invalid; both name the place, with the prefix before it.
func decode(data []byte, v any, prefix string) error {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' {
		return misplaced(fault.Malformed, prefix, "must be one JSON object")
	}
	err := json.Unmarshal(data, v, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return misplaced(fault.Malformed, prefix+place(syntax.JSONPointer), "must not be given twice")
		}
		return misplaced(fault.Malformed, prefix+place(syntax.JSONPointer), "is not valid JSON near byte "+strconv.FormatInt(syntax.ByteOffset, 10))
	}
	var meaning *json.SemanticError
	if errors.As(err, &meaning) {
		at := prefix + place(meaning.JSONPointer)
		if errors.Is(err, json.ErrUnknownName) {
			return misplaced(fault.Malformed, at, "is not a known key")
		}
		return misplaced(fault.Invalid, at, expected(meaning.GoType))
	}
	return fault.Wrap(fault.Malformed, err, "the object cannot be read")
}

// misplaced is a fault at one place, which may be the whole input.
func misplaced(kind fault.Kind, at, message string) error {
	at = strings.TrimSuffix(at, ".")
	subject := at
	if at == "" {
		subject = "the line"
	}
	return &fault.Error{Kind: kind, Message: subject + " " + message, Fields: []fault.Field{{Location: at, Message: message}}}
}

// place turns the pointer /tags/2 into tags[2]. Names are cut short: they are the caller's, and come back to it.
func place(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if _, err := strconv.Atoi(token); err == nil && b.Len() > 0 {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(printable(token))
		if b.Len() > 4*MaxMetadataKey {
			break
		}
	}
	return b.String()
}

func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if text.Hidden(r) {
			return -1
		}
		return r
	}, name)
	if len(name) > MaxMetadataKey {
		name = strings.ToValidUTF8(name[:MaxMetadataKey], "") + "…"
	}
	return name
}

// expected says in words what a field of the type takes.
func expected(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t != nil {
		if change, ok := reflect.New(t).Interface().(interface{ holds() reflect.Type }); ok {
			t = change.holds()
		}
	}
	switch {
	case t == nil:
		return "has a wrong type"
	case t == reflect.TypeFor[time.Time]():
		return "must be an RFC 3339 time"
	case t == reflect.TypeFor[Mention]():
		return "must be a name or an object of name and type"
	case t == reflect.TypeFor[memory.Metadata]():
		return "must be an object"
	}
	switch t.Kind() {
	case reflect.String:
		return "must be a string"
	case reflect.Slice:
		return "must be an array"
	case reflect.Int, reflect.Int64:
		return "must be a whole number"
	case reflect.Float64:
		return "must be a number"
	case reflect.Struct, reflect.Map:
		return "must be an object"
	}
	return "has a wrong type"
}

// ParseDraft reads one draft from JSON, strictly. Errors name places with the prefix before them, such as
// "body.memories[3].".
func ParseDraft(data []byte, prefix string) (Draft, error) {
	var d Draft
	err := decode(data, &d, prefix)
	return d, err
}
