package httpapi

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"io"
	"reflect"
	"regexp"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	legacy "github.com/go-json-experiment/json/v1"
)

var timeType = reflect.TypeFor[time.Time]()

// wireTypes reads what the decoder's own defaults read differently: times come out in UTC, and only those that can
// be written again in UTC go in; numbers kept as text keep their digits.
var wireTypes = json.JoinOptions(
	legacy.FormatDurationAsNano(true),
	json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(func(decoder *jsontext.Decoder, t *time.Time) error {
			token, err := decoder.ReadToken()
			if err != nil {
				return err
			}
			switch token.Kind() {
			case 'n':
				*t = time.Time{}
				return nil
			case '"':
				*t, err = parseTime(token.String())
				return err
			}
			return errNotTime
		}),
		json.UnmarshalFromFunc(func(decoder *jsontext.Decoder, n *stdjson.Number) error {
			value, err := decoder.ReadValue()
			if err != nil {
				return err
			}
			switch value.Kind() {
			case 'n':
				*n = ""
				return nil
			case '0':
				*n = stdjson.Number(value)
				return nil
			}
			return errNotNumber
		}),
	)),
)

// answerOptions writes what encoding/json would write, except that times are in UTC, an absent list is [] and an
// absent map is {}: a client never meets null where the schema says array or object.
var answerOptions = json.JoinOptions(
	legacy.DefaultOptionsV1(),
	json.FormatNilSliceAsNull(false),
	json.FormatNilMapAsNull(false),
	jsontext.EscapeForHTML(false),
	json.WithMarshalers(json.JoinMarshalers(
		json.MarshalToFunc(func(encoder *jsontext.Encoder, t time.Time) error {
			text, err := t.UTC().MarshalText()
			if err != nil {
				return err
			}
			return encoder.WriteToken(jsontext.String(string(text)))
		}),
		json.MarshalToFunc(func(encoder *jsontext.Encoder, n stdjson.Number) error {
			if n == "" {
				n = "0" // as encoding/json does
			}
			return encoder.WriteValue(jsontext.Value(n))
		}),
	)),
)

var (
	errNotTime   = errors.New("not an RFC 3339 time")
	errNotNumber = errors.New("not a number")
)

// rfc3339 is the standard's grammar; the time package also takes commas, short hours and zones that do not exist.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,32})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// parseTime reads an RFC 3339 time and returns it in UTC. Years that leave 1..9999 there are refused: no answer
// could carry them.
func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !rfc3339.MatchString(text) {
		return time.Time{}, errNotTime
	}
	t = t.UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, errNotTime
	}
	return t, nil
}

// answer is a body already written as JSON.
type answer []byte

// encodeAnswer writes v as the API writes everything.
func encodeAnswer(v any) (answer, error) {
	var body bytes.Buffer
	if err := json.MarshalWrite(&body, v, answerOptions); err != nil {
		return nil, err
	}
	body.WriteByte('\n')
	return body.Bytes(), nil
}

// format is the API's only one. Bodies were written by the transformer, where a failure can still become a problem.
func format() huma.Format {
	return huma.Format{
		Marshal: func(w io.Writer, v any) error {
			body, ok := v.(answer)
			if !ok {
				var err error
				if body, err = encodeAnswer(v); err != nil {
					return err
				}
			}
			_, _ = w.Write(body) // a client that has gone needs no answer, and huma would panic
			return nil
		},
		Unmarshal: func(data []byte, v any) error {
			if err := decodeInto(data, v); err != nil {
				return bodyError{err}
			}
			return nil
		},
	}
}
