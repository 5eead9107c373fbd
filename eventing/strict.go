package eventing

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rae-memory/rae/pkg/fault"
)

const (
	maxDepth      = 32 // of nested objects and arrays
	maxNumberSize = 64 // bytes of one number; a longer one is an attack on whoever computes with it
	maxExponent   = 400
)

// checkJSON refuses what a lenient reader would bend: more or less than one value, invalid UTF-8, lone surrogates,
// duplicate names, NUL, deep nesting and numbers no double can hold.
func checkJSON(place string, b []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(b))
	for ended := false; ; {
		token, err := decoder.ReadToken()
		switch {
		case errors.Is(err, io.EOF) && ended:
			return nil
		case err != nil:
			return &fault.Error{
				Kind: fault.Malformed, Message: place + " is not valid JSON", Err: err,
				Fields: []fault.Field{{Location: place, Message: "is not valid JSON"}},
			}
		}
		if decoder.StackDepth() > maxDepth {
			return malformedAt(place, "is nested deeper than "+strconv.Itoa(maxDepth))
		}
		if ended {
			return malformedAt(place, "holds more than one JSON value")
		}
		ended = decoder.StackDepth() == 0
		switch token.Kind() {
		case '"':
			if strings.ContainsRune(token.String(), 0) {
				return malformedAt(place, "holds a NUL")
			}
		case '0':
			if err := checkNumber(place, token.String()); err != nil {
				return err
			}
		}
	}
}

func checkNumber(place, number string) error {
	if len(number) > maxNumberSize {
		return malformedAt(place, "holds a number of more than "+strconv.Itoa(maxNumberSize)+" digits")
	}
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(number[i+1:])
		if err != nil || exponent > maxExponent || exponent < -maxExponent {
			return malformedAt(place, "holds a number out of range")
		}
	}
	if _, err := strconv.ParseFloat(number, 64); err != nil {
		return malformedAt(place, "holds a number out of range")
	}
	return nil
}

// member is one member of a JSON object.
type member struct {
	name  string
	value jsontext.Value
}

// members splits an object that passed checkJSON.
func members(place string, b []byte) ([]member, error) {
	decoder := jsontext.NewDecoder(bytes.NewReader(b))
	if token, err := decoder.ReadToken(); err != nil || token.Kind() != '{' {
		return nil, malformedAt(place, "is not a JSON object")
	}
	var all []member
	for decoder.PeekKind() != '}' {
		name, err := decoder.ReadToken()
		if err != nil {
			return nil, malformedAt(place, "is not valid JSON")
		}
		key := name.String()
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, malformedAt(place, "is not valid JSON")
		}
		all = append(all, member{name: key, value: value.Clone()})
	}
	return all, nil
}

// text reads a JSON string.
func (m *member) text() (string, bool) {
	if m.value.Kind() != '"' {
		return "", false
	}
	s, err := jsontext.AppendUnquote(nil, m.value)
	return string(s), err == nil
}

// malformed names the attribute of an event that cannot stand.
func malformed(attribute, message string) *fault.Error {
	return malformedAt("event."+attribute, message)
}

func malformedAt(place, message string) *fault.Error {
	return &fault.Error{
		Kind: fault.Malformed, Message: place + " " + message,
		Fields: []fault.Field{{Location: place, Message: message}},
	}
}

// clip shortens text to at most n bytes of whole characters.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}
