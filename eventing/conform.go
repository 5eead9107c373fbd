package eventing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// schema is the part of JSON Schema (draft 2020-12) that the catalogue is written in. A library of all of it compiles
// the metaschemas of six drafts whenever a program that links it starts, which is a fifth of the time to the first
// answer; so the library stays in the tests, which hold this one against it.
type schema struct {
	never bool // the schema is false

	Types      oneOrMore          `json:"type"`
	Enum       []any              `json:"enum"`
	Const      *string            `json:"const"`
	Pattern    *expression        `json:"pattern"`
	Format     string             `json:"format"`
	MinLength  *int               `json:"minLength"`
	MaxLength  *int               `json:"maxLength"`
	Minimum    *json.Number       `json:"minimum"`
	Maximum    *json.Number       `json:"maximum"`
	Above      *json.Number       `json:"exclusiveMinimum"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
	Depends    dependencies       `json:"dependentRequired"`
	MaxMembers *int               `json:"maxProperties"`
	Items      *schema            `json:"items"`
	MinItems   *int               `json:"minItems"`
	MaxItems   *int               `json:"maxItems"`
	If         *schema            `json:"if"`
	Then       *schema            `json:"then"`

	// Annotations, which hold of everything.
	Dialect     string `json:"$schema"`
	ID          string `json:"$id"`
	Title       string `json:"title"`
	Description string `json:"description"`

	names []string // of Properties, sorted, so that complaints come in one order
}

// dependencies are members that must be there with a member.
type dependencies map[string][]string

// oneOrMore is a name or a list of names.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(o))
	}
	*o = make([]string, 1)
	return json.Unmarshal(b, &(*o)[0])
}

// expression is a pattern, compiled when it is read.
type expression struct{ *regexp.Regexp }

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *expression) UnmarshalText(b []byte) (err error) {
	e.Regexp, err = regexp.Compile(string(b))
	return err
}

// UnmarshalJSON refuses keywords it does not know: one that is passed over would be a rule nobody keeps.
func (s *schema) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true":
		return nil
	case "false":
		s.never = true
		return nil
	}
	type plain schema
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if err := decoder.Decode((*plain)(s)); err != nil {
		return err
	}
	for name := range s.Properties {
		s.names = append(s.names, name)
	}
	slices.Sort(s.names)
	if s.Format != "" && s.Format != "uuid" && s.Format != "date-time" {
		return fmt.Errorf("format %q is not known", s.Format)
	}
	return nil
}

// misfits are places of a document that do not fit a schema.
type misfits []fault.Field

// maxMisfits bounds how many fields one answer names.
const maxMisfits = 16

// add notes a place. No message repeats a value, which might be somebody's memory.
func (m *misfits) add(path []string, format string, args ...any) {
	if len(*m) < maxMisfits {
		*m = append(*m, fault.Field{Location: location(path), Message: fmt.Sprintf(format, args...)})
	}
}

// check notes every place of v, as json.Decoder reads it with numbers as they are written, that does not fit.
func (s *schema) check(path []string, v any, m *misfits) {
	if s.never {
		m.add(path, "must not be there")
		return
	}
	if len(s.Types) > 0 && !slices.ContainsFunc(s.Types, func(name string) bool { return isType(v, name) }) {
		m.add(path, "must be of type %s", strings.Join(s.Types, " or "))
		return
	}
	if s.Enum != nil && !slices.ContainsFunc(s.Enum, func(allowed any) bool { return memory.SameJSON(v, allowed) }) {
		m.add(path, "must be one of %s", memory.CanonicalJSON(s.Enum))
	}
	if text, ok := v.(string); s.Const != nil && (!ok || text != *s.Const) {
		m.add(path, "must be %q", *s.Const)
	}
	switch v := v.(type) {
	case string:
		s.checkText(path, v, m)
	case json.Number:
		s.checkNumber(path, v, m)
	case []any:
		s.checkItems(path, v, m)
	case map[string]any:
		s.checkMembers(path, v, m)
	}
	if s.If != nil && s.Then != nil {
		var unlike misfits
		if s.If.check(path, v, &unlike); len(unlike) == 0 {
			s.Then.check(path, v, m)
		}
	}
}

func isType(v any, name string) bool {
	switch v := v.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	case json.Number:
		return name == "number" || name == "integer" && rational(v).IsInt()
	}
	return false
}

// rational is a number's exact value; checkJSON has refused those that would take long to read.
func rational(n json.Number) *big.Rat {
	value, ok := new(big.Rat).SetString(n.String())
	if !ok {
		return new(big.Rat)
	}
	return value
}

func (s *schema) checkText(path []string, v string, m *misfits) {
	length := utf8.RuneCountInString(v)
	if s.MinLength != nil && length < *s.MinLength {
		m.add(path, "is shorter than %d characters", *s.MinLength)
	}
	if s.MaxLength != nil && length > *s.MaxLength {
		m.add(path, "is longer than %d characters", *s.MaxLength)
	}
	if s.Pattern != nil && !s.Pattern.MatchString(v) {
		m.add(path, "does not match %s", s.Pattern)
	}
	switch s.Format {
	case "uuid":
		if _, ok := memory.ParseID(v); !ok {
			m.add(path, "is no uuid")
		}
	case "date-time":
		if new(time.Time).UnmarshalText([]byte(v)) != nil {
			m.add(path, "is no date-time")
		}
	}
}

func (s *schema) checkNumber(path []string, v json.Number, m *misfits) {
	value := rational(v)
	if s.Minimum != nil && value.Cmp(rational(*s.Minimum)) < 0 {
		m.add(path, "must be at least %s", *s.Minimum)
	}
	if s.Maximum != nil && value.Cmp(rational(*s.Maximum)) > 0 {
		m.add(path, "must be at most %s", *s.Maximum)
	}
	if s.Above != nil && value.Cmp(rational(*s.Above)) <= 0 {
		m.add(path, "must be above %s", *s.Above)
	}
}

func (s *schema) checkItems(path []string, v []any, m *misfits) {
	if s.MinItems != nil && len(v) < *s.MinItems {
		m.add(path, "has fewer than %d items", *s.MinItems)
	}
	if s.MaxItems != nil && len(v) > *s.MaxItems {
		m.add(path, "has more than %d items", *s.MaxItems)
	}
	if s.Items == nil {
		return
	}
	for i, item := range v {
		if len(*m) == maxMisfits {
			return
		}
		s.Items.check(append(slices.Clip(path), strconv.Itoa(i)), item, m)
	}
}

func (s *schema) checkMembers(path []string, v map[string]any, m *misfits) {
	if s.MaxMembers != nil && len(v) > *s.MaxMembers {
		m.add(path, "has more than %d members", *s.MaxMembers)
	}
	missing := func(names []string) {
		for _, name := range names {
			if _, there := v[name]; !there {
				m.add(append(slices.Clip(path), name), "is missing")
			}
		}
	}
	missing(s.Required)
	for name, others := range s.Depends {
		if _, there := v[name]; there {
			missing(others)
		}
	}
	for _, name := range s.names {
		if member, there := v[name]; there {
			s.Properties[name].check(append(slices.Clip(path), name), member, m)
		}
	}
}
