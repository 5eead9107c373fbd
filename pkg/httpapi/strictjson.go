package httpapi

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/rae-memory/rae/pkg/fault"
)

const (
	maxDepth    = 32  // containers within one another
	maxNumber   = 512 // characters of one number; databases refuse what is far longer
	maxLocation = 256 // bytes of a location shown to the client
	maxKeyShown = 64  // bytes of one key within it
	maxFields   = 100 // fields one problem names
)

// Unmarshal reads exactly one JSON value into v, strictly: repeated, unknown or differently cased keys, invalid UTF-8,
// lone surrogates, NUL, numbers no database takes, depth over 32, trailing data and an empty or null document are
// refused. What cannot be read is Malformed and a wrong type or size Invalid; both name the place under "body".
// Operations need not call it: their bodies are read this way before the handler runs.
func Unmarshal(data []byte, v any) error {
	if err := (&strictScan{data: data}).run(nil); err != nil {
		return err
	}
	return decodeInto(data, v, json.RejectUnknownMembers(true))
}

// strictScan walks a document once, token by token, beside the schemas that describe it. It decides what a typed
// decoder cannot: which keys exist (by their exact spelling), and where anything is.
type strictScan struct {
	data    []byte
	schemas huma.Registry     // resolves references; nil when there is no schema
	lenient *jsontext.Encoder // receives the document without its unknown members; nil refuses them

	decoder *jsontext.Decoder
	nul     bool // some string holds an escaped NUL, so each must be looked at
	at      []byte
	unknown []fault.Field
}

// run checks the whole document against the schemas it may follow; none at all means any document.
func (s *strictScan) run(roots []*huma.Schema) error {
	s.at = append(s.at[:0], "body"...)
	switch text := bytes.TrimLeft(s.data, " \t\r\n"); {
	case len(text) == 0:
		return s.malformed("is empty")
	case bytes.HasPrefix(s.data, []byte("\xef\xbb\xbf")):
		return s.malformed("starts with a byte order mark")
	case string(bytes.TrimRight(text, " \t\r\n")) == "null":
		return s.malformed("is null")
	}
	s.nul = bytes.Contains(s.data, []byte(`\u0000`))
	s.decoder = jsontext.NewDecoder(bytes.NewBuffer(s.data))
	if err := s.value(roots); err != nil {
		return err
	}
	if _, err := s.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return s.malformed("has data after its end")
	}
	if len(s.unknown) == 0 {
		return nil
	}
	first := s.unknown[0]
	return &fault.Error{Kind: fault.Malformed, Message: first.Location + " " + first.Message, Fields: s.unknown}
}

// value reads the next value, whatever it is, and all that it holds.
func (s *strictScan) value(schemas []*huma.Schema) error {
	token, err := s.decoder.ReadToken()
	if err != nil {
		return s.syntax(err)
	}
	kind := token.Kind()
	if (kind == '{' || kind == '[') && s.decoder.StackDepth() > maxDepth {
		return s.malformed("is nested deeper than " + strconv.Itoa(maxDepth) + " levels")
	}
	switch kind {
	case '"':
		if s.nul && strings.ContainsRune(token.String(), 0) {
			return s.malformed("holds a NUL character")
		}
	case '0':
		if err := s.number(token.String()); err != nil {
			return err
		}
	}
	s.copy(token)
	switch kind {
	case '{':
		return s.object(leaves(s.schemas, schemas, nil))
	case '[':
		return s.array(leaves(s.schemas, schemas, nil))
	}
	return nil
}

func (s *strictScan) object(schemas []*huma.Schema) error {
	for s.decoder.PeekKind() != '}' {
		token, err := s.decoder.ReadToken()
		if err != nil {
			return s.syntax(err)
		}
		key := token.String()
		if s.nul && strings.ContainsRune(key, 0) {
			return s.malformed("has a key that holds a NUL character")
		}
		children, known, near := s.member(schemas, key)
		mark := len(s.at)
		s.pushKey(key)
		copying := s.lenient
		switch {
		case known:
			s.copy(token)
		case s.lenient != nil:
			s.lenient = nil // checked like the rest, but left out
		default:
			s.refuse(near)
		}
		err = s.value(children)
		s.lenient = copying
		if err != nil {
			return err
		}
		s.at = s.at[:mark]
	}
	return s.end()
}

func (s *strictScan) array(schemas []*huma.Schema) error {
	var items []*huma.Schema
	unique := false
	for _, schema := range schemas {
		if schema.Type == "" { // anything goes
			items = nil
			break
		}
		if schema.Type == huma.TypeArray && schema.Items != nil {
			items = append(items, schema.Items)
			unique = unique || schema.UniqueItems
		}
	}
	for i := 0; s.decoder.PeekKind() != ']'; i++ {
		mark := len(s.at)
		s.at = append(strconv.AppendInt(append(s.at, '['), int64(i), 10), ']')
		if kind := s.decoder.PeekKind(); unique && (kind == '{' || kind == '[') {
			// Validation compares the items of a unique list as map keys, which objects and arrays cannot be.
			return fault.BadField(s.location(), "must be neither an object nor an array")
		}
		if err := s.value(items); err != nil {
			return err
		}
		s.at = s.at[:mark]
	}
	return s.end()
}

func (s *strictScan) end() error {
	token, err := s.decoder.ReadToken()
	if err != nil {
		return s.syntax(err)
	}
	s.copy(token)
	return nil
}

func (s *strictScan) copy(token jsontext.Token) {
	if s.lenient != nil {
		_ = s.lenient.WriteToken(token) // tokens of a valid document make a valid document
	}
}

// member finds the schemas of a key. Known is false for a key that no schema takes; near is then a key that differs
// only in case, if there is one.
func (s *strictScan) member(schemas []*huma.Schema, key string) (children []*huma.Schema, known bool, near string) {
	if len(schemas) == 0 {
		return nil, true, ""
	}
	open, objects := false, false
	for _, schema := range schemas {
		if schema.Type == "" && len(schema.Properties) == 0 {
			return nil, true, "" // anything goes
		}
		if schema.Type != huma.TypeObject {
			continue
		}
		objects = true
		if child, ok := schema.Properties[key]; ok {
			children, known = append(children, child), true
			continue
		}
		switch more := schema.AdditionalProperties.(type) {
		case *huma.Schema:
			children, known = append(children, more), true
		case bool:
			// A lenient operation documents that it takes more keys, and then does not look at them.
			open = open || more && (s.lenient == nil || len(schema.Properties) == 0)
		}
		for name := range schema.Properties {
			if strings.EqualFold(name, key) {
				near = name
			}
		}
	}
	if !objects || open {
		return nil, true, "" // a wrong type is for validation to tell
	}
	return children, known, near
}

// leaves flattens references and alternatives into the plain schemas a value may follow.
func leaves(registry huma.Registry, schemas, into []*huma.Schema) []*huma.Schema {
	for _, schema := range schemas {
		for schema != nil && schema.Ref != "" && registry != nil {
			schema = registry.SchemaFromRef(schema.Ref)
		}
		if schema == nil {
			continue
		}
		alternatives := len(schema.OneOf) + len(schema.AnyOf) + len(schema.AllOf)
		if alternatives == 0 || schema.Type != "" {
			into = append(into, schema)
		}
		into = leaves(registry, schema.OneOf, into)
		into = leaves(registry, schema.AnyOf, into)
		into = leaves(registry, schema.AllOf, into)
	}
	return into
}

// number refuses what a double or a database's numeric cannot hold, before either meets it.
func (s *strictScan) number(text string) error {
	if len(text) <= 15 && !strings.ContainsAny(text, "eE") {
		return nil
	}
	if len(text) > maxNumber {
		return fault.BadField(s.location(), "has more than %d digits", maxNumber)
	}
	f, err := strconv.ParseFloat(text, 64)
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	if err != nil || math.IsInf(f, 0) || f == 0 && strings.ContainsAny(mantissa, "123456789") {
		return fault.BadField(s.location(), "is a number out of range")
	}
	return nil
}

func (s *strictScan) refuse(near string) {
	if len(s.unknown) >= maxFields {
		return
	}
	message := "is not a known key"
	if near != "" {
		message += "; it is spelled " + near
	}
	s.unknown = append(s.unknown, fault.Field{Location: s.location(), Message: message})
}

// syntax says where and why the text is no JSON, without repeating any of it.
func (s *strictScan) syntax(err error) error {
	var at *jsontext.SyntacticError
	if !errors.As(err, &at) {
		return s.malformed("ends before the JSON does")
	}
	rest := s.data[min(max(at.ByteOffset, 0), int64(len(s.data))):]
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		s.pushKey(at.JSONPointer.LastToken())
		return s.malformed("is given more than once")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return s.malformed("ends before the JSON does")
	case !utf8.Valid(s.data):
		return s.malformed("holds bytes that are not UTF-8")
	case bytes.HasPrefix(rest, []byte(`\u`)):
		return s.malformed("holds a lone surrogate")
	case len(rest) > 0 && rest[0] == 0:
		return s.malformed("holds a NUL character")
	}
	return s.malformed("is not valid JSON at byte " + strconv.FormatInt(at.ByteOffset, 10))
}

func (s *strictScan) malformed(message string) error {
	location := s.location()
	return &fault.Error{
		Kind:    fault.Malformed,
		Message: location + " " + message,
		Fields:  []fault.Field{{Location: location, Message: message}},
	}
}

func (s *strictScan) pushKey(key string) {
	s.at = append(append(s.at, '.'), showKey(key)...)
}

func (s *strictScan) location() string { return showLocation(string(s.at)) }

// showKey makes a caller's key fit to be repeated: short, valid and without control characters.
func showKey(key string) string {
	if len(key) > maxKeyShown {
		key = key[:maxKeyShown] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, key)
}

func showLocation(location string) string {
	if len(location) > maxLocation {
		location = strings.ToValidUTF8(location[:maxLocation], "") + "…"
	}
	return location
}

// decodeInto is the typed half of strict reading. Its errors are bodyErrors.
func decodeInto(data []byte, v any, more ...json.Options) error {
	err := json.Unmarshal(data, v, append(more, wireTypes)...)
	if err == nil {
		return nil
	}
	var meaning *json.SemanticError
	if !errors.As(err, &meaning) {
		return (&strictScan{data: data, at: []byte("body")}).syntax(err)
	}
	at := pointerLocation(meaning.JSONPointer)
	var told fault.Classified
	switch {
	case errors.Is(err, json.ErrUnknownName):
		message := "is not a known key"
		return &fault.Error{Kind: fault.Malformed, Message: at + " " + message, Fields: []fault.Field{{Location: at, Message: message}}}
	case errors.As(err, &told) && told.FaultKind() == fault.Invalid:
		return fault.BadField(at, "%s", told.PublicMessage())
	case errors.Is(err, strconv.ErrRange):
		return fault.BadField(at, "is a number out of range")
	}
	return fault.BadField(at, "%s", expected(meaning.GoType))
}

// pointerLocation turns the JSON pointer /tags/2 into body.tags[2].
func pointerLocation(p jsontext.Pointer) string {
	at := []byte("body")
	for token := range p.Tokens() {
		if _, err := strconv.ParseUint(token, 10, 32); err == nil {
			at = append(append(append(at, '['), token...), ']')
			continue
		}
		at = append(append(at, '.'), showKey(token)...)
	}
	return showLocation(string(at))
}

// expected says in words what a value of the Go type takes.
func expected(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
		return "has a wrong type"
	case t == timeType:
		return "must be an RFC 3339 time"
	}
	switch t.Kind() {
	case reflect.String:
		return "must be a string"
	case reflect.Bool:
		return "must be true or false"
	case reflect.Slice, reflect.Array:
		return "must be an array"
	case reflect.Struct, reflect.Map:
		return "must be an object"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "must be a whole number in range"
	case reflect.Float32, reflect.Float64:
		return "must be a number"
	}
	return "has a wrong type"
}
