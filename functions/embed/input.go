package embed

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/text"
)

// Limits of one request. The longest memory fits; the body's limit leaves room for the escapes of ASCII-only clients.
const (
	maxInputs      = 2048
	maxInputBytes  = 1 << 20
	maxInputTokens = 8192
	maxTotalBytes  = 2 << 20
	maxBodyBytes   = 8 << 20
)

// input is what to embed. On the wire it is a string, an array of strings, an array of token ids, or an array of such
// arrays. Built-in models have no vocabulary: a token array is read as the text of its ids in decimal, so equal arrays
// have equal vectors and arrays that share tokens are near each other.
type input struct {
	texts  []string
	many   bool  // texts came as an array, so an error may name the place
	tokens []int // tokens counted per text; nil for texts, which are counted as words
}

// UnmarshalJSON reads the four forms. Limits are for check.
func (in *input) UnmarshalJSON(b []byte) error {
	*in = input{}
	switch kind(b) {
	case 'n':
		return nil
	case '"':
		in.texts = make([]string, 1)
		return json.Unmarshal(b, &in.texts[0])
	case '[':
	default:
		return wrongInput("must be a string, an array of strings, an array of token ids or an array of such arrays")
	}
	var items []json.RawMessage
	if err := json.Unmarshal(b, &items); err != nil {
		return err
	}
	in.many = true
	if len(items) == 0 {
		return nil
	}
	switch first := kind(items[0]); first {
	case '"':
		in.texts = make([]string, len(items))
		for i, item := range items {
			if kind(item) != '"' {
				return wrongInput("must hold nothing but strings, as it begins; item %d is none", i)
			}
			if err := json.Unmarshal(item, &in.texts[i]); err != nil {
				return err
			}
		}
	case '[':
		for i, item := range items {
			if kind(item) != '[' {
				return wrongInput("must hold nothing but arrays of token ids, as it begins; item %d is none", i)
			}
			if err := in.addTokens(item, fmt.Sprintf("%d[", i), "]"); err != nil {
				return err
			}
		}
	default:
		in.many = false
		return in.addTokens(b, "", "")
	}
	return nil
}

// addTokens adds one text for a token array. Before and after surround the index of an id in the error that names it.
func (in *input) addTokens(b []byte, before, after string) error {
	var ids []json.RawMessage
	if err := json.Unmarshal(b, &ids); err != nil {
		return err
	}
	var words strings.Builder
	for i, id := range ids {
		n, err := strconv.ParseUint(string(id), 10, 32)
		if err != nil {
			return wrongInput("must hold token ids from 0 to %d; item %s%d%s is none", uint32(math.MaxUint32), before, i, after)
		}
		if i > 0 {
			words.WriteByte(' ')
		}
		words.WriteString(strconv.FormatUint(n, 10))
	}
	in.texts = append(in.texts, words.String())
	in.tokens = append(in.tokens, len(ids))
	return nil
}

// kind is the first byte of a JSON value.
func kind(b []byte) byte {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c
		}
	}
	return 0
}

func wrongInput(format string, args ...any) error {
	return fault.New(fault.Invalid, format, args...)
}

// check holds the input to the limits.
func (in *input) check() error {
	if len(in.texts) == 0 && !in.many {
		return fault.BadField("body.input", "is required")
	}
	if len(in.texts) == 0 || len(in.texts) > maxInputs {
		return fault.BadField("body.input", "must hold 1 to %d items", maxInputs)
	}
	total := 0
	for i, s := range in.texts {
		at := "body.input"
		if in.many {
			at = fmt.Sprintf("body.input[%d]", i)
		}
		switch {
		case s == "":
			return fault.BadField(at, "must not be empty")
		case in.tokens != nil && in.tokens[i] > maxInputTokens:
			return tooLarge(at, "has more than %d tokens", maxInputTokens)
		case len(s) > maxInputBytes:
			return tooLarge(at, "has more than %d bytes", maxInputBytes)
		}
		total += len(s)
	}
	if total > maxTotalBytes {
		return tooLarge("body.input", "has more than %d bytes in all", maxTotalBytes)
	}
	return nil
}

func tooLarge(location, format string, args ...any) error {
	e := fault.BadField(location, format, args...)
	e.Kind = fault.TooLarge
	return e
}

// count is the tokens used: ids of token arrays, words of texts.
func (in *input) count() int {
	n := 0
	for i, s := range in.texts {
		if in.tokens != nil {
			n += in.tokens[i]
			continue
		}
		n += len(text.Words(s))
	}
	return n
}

// Schema describes the four forms.
func (input) Schema(huma.Registry) *huma.Schema {
	minLength, minItems, maxItems, zero := 1, 1, maxInputs, 0.0
	maxTokens := maxInputTokens
	str := &huma.Schema{Type: huma.TypeString, MinLength: &minLength}
	ids := &huma.Schema{
		Type: huma.TypeArray, MinItems: &minItems, MaxItems: &maxTokens,
		Items: &huma.Schema{Type: huma.TypeInteger, Minimum: &zero},
	}
	return &huma.Schema{
		Description: "What to embed. Token ids are read as words: the built-in models have no vocabulary.",
		OneOf: []*huma.Schema{
			str,
			{Type: huma.TypeArray, MinItems: &minItems, MaxItems: &maxItems, Items: str},
			ids,
			{Type: huma.TypeArray, MinItems: &minItems, MaxItems: &maxItems, Items: ids},
		},
	}
}

// vector is written as an array of numbers, or as base64 of little-endian 32-bit floats.
type vector struct {
	values []float32
	packed bool
}

// MarshalJSON writes the shortest digits that read back as the same 32-bit float.
func (v vector) MarshalJSON() ([]byte, error) {
	if v.packed {
		raw := make([]byte, 0, 4*len(v.values))
		for _, x := range v.values {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
		}
		b := make([]byte, 0, base64.StdEncoding.EncodedLen(len(raw))+2)
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), raw), '"'), nil
	}
	b := append(make([]byte, 0, 13*len(v.values)+2), '[')
	for i, x := range v.values {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
	}
	return append(b, ']'), nil
}

// Schema describes the two forms.
func (vector) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeNumber, Format: "float"}},
		{Type: huma.TypeString, ContentEncoding: "base64", Description: "Little-endian 32-bit floats."},
	}}
}
