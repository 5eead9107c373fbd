package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/fault"
)

// schema is a JSON Schema, as far as every provider holds its models to one: what is in it can be relied on whoever is asked,
// and what is not is refused rather than left unchecked.
type schema struct {
	Type        kinds              `json:"type"`
	Description string             `json:"description"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Closed      *bool              `json:"additionalProperties"`
	Items       *schema            `json:"items"`
	Enum        []string           `json:"enum"`

	text string
}

// kinds are a type, or several.
type kinds []string

// UnmarshalJSON implements json.Unmarshaler.
func (k *kinds) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte(`"`)) {
		*k = make(kinds, 1)
		return json.Unmarshal(text, &(*k)[0])
	}
	return json.Unmarshal(text, (*[]string)(k))
}

// CheckSchema is Internal for a JSON Schema that not every provider holds its models to. It may say type (one or several),
// description, properties, required, additionalProperties, items, and enum, of strings. The outermost is an object, every
// property of an object is required (what may be missing is of type null too), and none may be added.
func CheckSchema(text json.RawMessage) error {
	_, err := parseSchema(text)
	return err
}

func parseSchema(text json.RawMessage) (*schema, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	s := new(schema)
	if err := decoder.Decode(s); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "a schema for a language model is none")
	}
	if err := s.sound("the answer"); err != nil {
		return nil, err
	}
	if !slices.Equal(s.Type, kinds{"object"}) {
		return nil, fault.New(fault.Internal, "a schema for a language model is of an object")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "a schema for a language model is none")
	}
	s.text = compact.String()
	return s, nil
}

// sound checks a schema itself. at is a place in the answer, as in its errors.
func (s *schema) sound(at string) error {
	if s == nil || len(s.Type) == 0 {
		return fault.New(fault.Internal, "a schema for a language model says no type of %s", at)
	}
	for _, kind := range s.Type {
		if !slices.Contains([]string{"object", "array", "string", "number", "integer", "boolean", "null"}, kind) {
			return fault.New(fault.Internal, "a schema for a language model says an unknown type of %s", at)
		}
	}
	if s.is("object") {
		if s.Closed == nil || *s.Closed || len(s.Required) != len(s.Properties) {
			return fault.New(fault.Internal, "a schema for a language model leaves open what %s has", at)
		}
		for name, p := range s.Properties {
			if !slices.Contains(s.Required, name) {
				return fault.New(fault.Internal, "a schema for a language model does not require %s", within(at, name))
			}
			if err := p.sound(within(at, name)); err != nil {
				return err
			}
		}
	}
	if s.is("array") {
		return s.Items.sound(at + "[]")
	}
	return nil
}

func within(at, name string) string { return strings.TrimPrefix(at+"."+name, "the answer.") }

func (s *schema) is(kind string) bool { return slices.Contains(s.Type, kind) }

// check tells what is wrong with an answer, repeating none of it.
func (s *schema) check(answer string) error {
	if !json.Valid([]byte(answer)) {
		return errors.New("it is no JSON")
	}
	decoder := json.NewDecoder(strings.NewReader(answer))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return errors.New("it is no JSON")
	}
	return s.follows("the answer", value)
}

func (s *schema) follows(at string, value any) error {
	wrong := fmt.Errorf("%s is not of type %s", at, strings.Join(s.Type, " or "))
	switch v := value.(type) {
	case map[string]any:
		if !s.is("object") {
			return wrong
		}
		return s.object(at, v)
	case []any:
		if !s.is("array") {
			return wrong
		}
		for i, item := range v {
			if err := s.Items.follows(fmt.Sprintf("%s[%d]", at, i), item); err != nil {
				return err
			}
		}
	case string:
		if !s.is("string") {
			return wrong
		}
		if s.Enum != nil && !slices.Contains(s.Enum, v) {
			return fmt.Errorf("%s is none of the values it may have", at)
		}
	case json.Number:
		number, err := v.Float64()
		if err != nil || !s.is("number") && !(s.is("integer") && number == math.Trunc(number)) {
			return wrong
		}
	case bool:
		if !s.is("boolean") {
			return wrong
		}
	case nil:
		if !s.is("null") {
			return wrong
		}
	}
	return nil
}

func (s *schema) object(at string, properties map[string]any) error {
	for _, name := range s.Required {
		value, there := properties[name]
		if !there {
			return fmt.Errorf("%s is missing", within(at, name))
		}
		if err := s.Properties[name].follows(within(at, name), value); err != nil {
			return err
		}
	}
	if len(properties) > len(s.Required) {
		return fmt.Errorf("%s has properties the schema does not know", at)
	}
	return nil
}
