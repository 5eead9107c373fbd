package serve

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/rae-memory/rae/pkg/telemetry"
)

// setting is one field of a configuration with the variable that fills it.
type setting struct {
	name  string
	field reflect.StructField
	value reflect.Value
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	secretType   = reflect.TypeFor[telemetry.Secret]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// settingsOf lists the fields of the struct cfg points to, by the names envconfig gives them.
func settingsOf(cfg reflect.Value) ([]setting, error) {
	if cfg.Kind() != reflect.Pointer || cfg.IsNil() || cfg.Elem().Kind() != reflect.Struct {
		return nil, errors.New("a configuration is loaded into a pointer to a struct")
	}
	return collect(cfg.Elem(), "", nil), nil
}

func collect(structure reflect.Value, prefix string, found []setting) []setting {
	for i := range structure.NumField() {
		field, value := structure.Type().Field(i), structure.Field(i)
		if !value.CanSet() || field.Tag.Get("ignored") == "true" {
			continue
		}
		name := variable(prefix, field)
		if value.Kind() != reflect.Struct || value.Addr().Type().Implements(textType) {
			found = append(found, setting{name, field, value})
			continue
		}
		if field.Anonymous {
			name = prefix
		}
		found = collect(value, name, found)
	}
	return found
}

func variable(prefix string, field reflect.StructField) string {
	name := field.Tag.Get("envconfig")
	switch {
	case name != "":
	case field.Tag.Get("split_words") == "true":
		name = splitWords(field.Name)
	default:
		name = field.Name
	}
	if prefix != "" {
		name = prefix + "_" + name
	}
	return strings.ToUpper(name)
}

// splitWords puts underscores between the words of a Go name: BaseURL is Base_URL, APIKey is API_Key.
func splitWords(name string) string {
	var out []rune
	letters := []rune(name)
	for i, letter := range letters {
		if i > 0 && unicode.IsUpper(letter) {
			afterLower := !unicode.IsUpper(letters[i-1])
			beforeLower := i+1 < len(letters) && !unicode.IsUpper(letters[i+1])
			if afterLower || beforeLower {
				out = append(out, '_')
			}
		}
		out = append(out, letter)
	}
	return string(out)
}

func (s setting) tag(name string) string { return s.field.Tag.Get(name) }

func (s setting) refuse(value string) error {
	return &ConfigError{Name: s.name, Value: value, Secret: s.value.Type() == secretType, Allowed: s.allowed()}
}

// check applies the tags allowed, min, max and required to the parsed value. What nobody set and nothing defaults is
// left alone.
func (s setting) check() error {
	raw, set := os.LookupEnv(s.name)
	if s.tag("required") == "true" && s.value.IsZero() && (!set || raw == "") {
		return &ConfigError{Name: s.name, Missing: true, Allowed: s.allowed()}
	}
	if !set && s.value.IsZero() && s.tag("default") == "" {
		return nil
	}
	if !set {
		raw = fmt.Sprint(s.value.Interface())
	}
	if list := s.tag("allowed"); list != "" && !slices.Contains(strings.Split(list, "|"), s.value.String()) {
		return s.refuse(raw)
	}
	number, ok := numberOf(s.value)
	if !ok {
		return nil
	}
	least, most := s.bound("min", math.Inf(-1)), s.bound("max", math.Inf(1))
	if math.IsNaN(number) || math.IsInf(number, 0) || number < least || number > most {
		return s.refuse(raw)
	}
	return nil
}

func numberOf(v reflect.Value) (float64, bool) {
	switch {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

// bound reads the tag min or max in the unit of the field; a malformed tag is the programmer's and bounds nothing away.
func (s setting) bound(tag string, otherwise float64) float64 {
	text := s.tag(tag)
	if text == "" {
		return otherwise
	}
	if s.value.Type() == durationType {
		if d, err := time.ParseDuration(text); err == nil {
			return float64(d)
		}
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return n
	}
	return otherwise
}

// allowed ends the sentence "it must be …".
func (s setting) allowed() string {
	if list := s.tag("allowed"); list != "" {
		return strings.ReplaceAll(list, "|", " or ")
	}
	what := s.kind()
	least, most := s.tag("min"), s.tag("max")
	switch {
	case least != "" && most != "":
		return what + " from " + least + " to " + most
	case least != "":
		return what + " of at least " + least
	case most != "":
		return what + " of at most " + most
	}
	return what
}

func (s setting) kind() string {
	switch t := s.value.Type(); {
	case t == durationType:
		return "a duration such as 500ms, 30s or 5m"
	case t == secretType:
		return "a secret"
	case s.value.CanInt(), s.value.CanUint():
		return "a whole number"
	case s.value.CanFloat():
		return "a number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String:
		return "a text"
	default:
		return "a valid " + strings.ToLower(t.Name())
	}
}
