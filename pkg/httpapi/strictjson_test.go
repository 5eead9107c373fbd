package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
)

func nested(depth int) string {
	return `{"name":"x","any":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`
}

func TestHostileBodiesAreRefusedByName(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	for _, row := range []struct {
		name   string
		body   string
		status int
		at     string // locations of errors[], in order
	}{
		{"empty", ``, 400, "body"},
		{"blank", " \n\t", 400, "body"},
		{"null", `null`, 400, "body"},
		{"null with blanks", " null\n", 400, "body"},
		{"a byte order mark", "\ufeff{\"name\":\"x\"}", 400, "body"},
		{"trailing object", `{"name":"x"}{}`, 400, "body"},
		{"trailing garbage", `{"name":"x"} s3cr3t`, 400, "body"},
		{"trailing brace", `{"name":"x"}}`, 400, "body"},
		{"cut off", `{"name":"x"`, 400, "body"},
		{"cut off in a string", `{"name":"s3cr3t`, 400, "body.name"},
		{"cut off in a literal", `{"fragile":tru`, 400, "body.fragile"},
		{"single quotes", `{'name':'s3cr3t'}`, 400, "body"},
		{"a trailing comma", `{"name":"x",}`, 400, "body"},
		{"a trailing comma in an array", `{"name":"x","tags":["a",]}`, 400, "body.tags[1]"},
		{"a comment", `{"name":"x" /* s3cr3t */}`, 400, "body"},
		{"a bare word", `s3cr3t`, 400, "body"},
		{"NaN", `{"name":"x","weight":NaN}`, 400, "body.weight"},
		{"Infinity", `{"name":"x","weight":Infinity}`, 400, "body.weight"},
		{"a leading zero", `{"name":"x","count":01}`, 400, "body"},
		{"a plus sign", `{"name":"x","count":+1}`, 400, "body.count"},
		{"a hexadecimal number", `{"name":"x","count":0x1}`, 400, "body"},
		{"a number as a key", `{1:"x"}`, 400, "body"},
		{"a wrong escape", `{"name":"\q"}`, 400, "body.name"},
		{"a raw line feed in a string", "{\"name\":\"a\nb\"}", 400, "body.name"},
		{"a repeated key", `{"name":"x","name":"s3cr3t"}`, 400, "body.name"},
		{"a repeated key deep inside", `{"name":"x","metadata":{"a":[{"k":1,"k":2}]}}`, 400, "body.metadata.a[0].k"},
		{"a key repeated by an escape", `{"name":"x","n\u0061me":"y"}`, 400, "body.name"},
		{"invalid UTF-8", "{\"name\":\"\xff\"}", 400, "body.name"},
		{"overlong UTF-8", "{\"name\":\"\xc0\xaf\"}", 400, "body.name"},
		{"an encoded surrogate", "{\"name\":\"\xed\xa0\x80\"}", 400, "body.name"},
		{"invalid UTF-8 in a key", "{\"name\":\"x\",\"metadata\":{\"\xff\":1}}", 400, "body.metadata"},
		{"a lone high surrogate", `{"name":"\ud800"}`, 400, "body.name"},
		{"a lone low surrogate", `{"tags":["a","\udc00"]}`, 400, "body.tags[1]"},
		{"swapped surrogates", `{"name":"\udc00\ud800"}`, 400, "body.name"},
		{"a lone surrogate in a key", `{"metadata":{"\ud800":1}}`, 400, "body.metadata"},
		{"a raw NUL", "{\"name\":\"a\x00b\"}", 400, "body.name"},
		{"a NUL between tokens", "{\"name\":\x00\"x\"}", 400, "body.name"},
		{"an escaped NUL", `{"name":"a\u0000b"}`, 400, "body.name"},
		{"an escaped NUL in a list", `{"name":"x","tags":["a","\u0000"]}`, 400, "body.tags[1]"},
		{"an escaped NUL in metadata", `{"name":"x","metadata":{"a":{"b":"\u0000"}}}`, 400, "body.metadata.a.b"},
		{"an escaped NUL in a key", `{"name":"x","metadata":{"a\u0000":1}}`, 400, "body.metadata"},
		{"depth 33", nested(33), 400, "body.any" + strings.Repeat("[0]", 31)},
		{"depth 100000", nested(100000)[:4000], 400, "body.any" + strings.Repeat("[0]", 31)},
		{"an unknown key", `{"name":"x","colour":"s3cr3t"}`, 400, "body.colour"},
		{"two unknown keys", `{"name":"x","colour":1,"inner":{"key":"k","size":2}}`, 400, "body.colour body.inner.size"},
		{"an unknown key in a list", `{"name":"x","items":[{"key":"k"},{"key":"k","z":1}]}`, 400, "body.items[1].z"},
		{"a key in another case", `{"Name":"s3cr3t"}`, 400, "body.Name"},
		{"a key in another case beside the right one", `{"name":"x","NAME":"y"}`, 400, "body.NAME"},
		{"a key in another alphabet's case", `{"name":"x","ta\u017fs":[]}`, 400, "body.taſs"},
		{"the empty key", `{"name":"x","":1}`, 400, "body."},
		{"a prototype key", `{"name":"x","__proto__":{}}`, 400, "body.__proto__"},
		{"a key of 2000 bytes", `{"name":"x","` + strings.Repeat("k", 2000) + `":1}`, 400, "body." + strings.Repeat("k", 64) + "…"},

		{"an array instead of an object", `["s3cr3t"]`, 422, "body"},
		{"a string instead of an object", `"s3cr3t"`, 422, "body"},
		{"a number instead of an object", `7`, 422, "body"},
		{"a missing key", `{}`, 422, "body.name"},
		{"a missing key in a list", `{"name":"x","items":[{"key":"k"},{}]}`, 422, "body.items[1].key"},
		{"null for a required key", `{"name":null}`, 422, "body.name"},
		{"a number for a string", `{"name":7}`, 422, "body.name"},
		{"an object for a string", `{"name":{"s3cr3t":1}}`, 422, "body.name"},
		{"a string for a number", `{"name":"x","count":"s3cr3t"}`, 422, "body.count"},
		{"a fraction for an integer", `{"name":"x","count":1.5}`, 422, "body.count"},
		{"a string for a boolean", `{"name":"x","fragile":"true"}`, 422, "body.fragile"},
		{"a string for a list", `{"name":"x","tags":"s3cr3t"}`, 422, "body.tags"},
		{"a number in a list of strings", `{"name":"x","tags":["a",2]}`, 422, "body.tags[1]"},
		{"a list for metadata", `{"name":"x","metadata":[1]}`, 422, "body.metadata"},
		{"a list for an object", `{"name":"x","inner":[]}`, 422, "body.inner"},
		{"an empty string where one is needed", `{"name":""}`, 422, "body.name"},
		{"a string over its length", `{"name":"s3cr3ts3cr3ts3cr3ts3cr3t"}`, 422, "body.name"},
		{"a list over its length", `{"name":"x","tags":["a","b","c","d"]}`, 422, "body.tags"},
		{"a number over its maximum", `{"name":"x","count":10}`, 422, "body.count"},
		{"a number below its minimum", `{"name":"x","count":-1}`, 422, "body.count"},
		{"a number no double holds", `{"name":"x","weight":1e999}`, 422, "body.weight"},
		{"a number no double tells from zero", `{"name":"x","metadata":{"n":1e-99999}}`, 422, "body.metadata.n"},
		{"a number of 600 digits", `{"name":"x","metadata":{"n":0.` + strings.Repeat("1", 600) + `}}`, 422, "body.metadata.n"},
		{"an exponent no double holds in metadata", `{"name":"x","metadata":{"n":[1,1e400]}}`, 422, "body.metadata.n[1]"},
		{"a value that is not in the list", `{"name":"x","layer":"s3cr3t"}`, 422, "body.layer"},
		{"a value in another case", `{"name":"x","layer":"Episodic"}`, 422, "body.layer"},
		{"objects in a unique list", `{"name":"x","labels":[{"s3cr3t":1}]}`, 422, "body.labels[0]"},
		{"a repeated value in a unique list", `{"name":"x","labels":["a","a"]}`, 422, "body.labels"},
		{"no time", `{"name":"x","at":"s3cr3t"}`, 422, "body.at"},
		{"a time without zone", `{"name":"x","at":"2026-01-01T00:00:00"}`, 422, "body.at"},
		{"a time with a comma", `{"name":"x","at":"2026-01-01T00:00:00,5Z"}`, 422, "body.at"},
		{"a time with one digit for the hour", `{"name":"x","at":"2026-01-01T1:00:00Z"}`, 422, "body.at"},
		{"a time in no zone there is", `{"name":"x","at":"2026-01-01T01:00:00+99:00"}`, 422, "body.at"},
		{"a time that leaves year 9999 in UTC", `{"name":"x","at":"9999-12-31T23:59:59-12:00"}`, 422, "body.at"},
		{"a time that leaves year 1 in UTC", `{"name":"x","at":"0001-01-01T00:00:00+12:00"}`, 422, "body.at"},
		{"the 30th of February", `{"name":"x","at":"2026-02-30T00:00:00Z"}`, 422, "body.at"},
		{"a value huma would quote", `{"name":"x","wait":"s3cr3t"}`, 422, "body.wait"},
		{"three wrong fields", `{"name":7,"count":"x","tags":[1]}`, 422, "body.count body.name body.tags[0]"},
		{"a wrong field behind a dotted metadata key", `{"name":"x","metadata":{"a.b":1},"wait":7}`, 422, "body.wait"},

		{"a body over the limit", `{"name":"` + strings.Repeat("x", 5000) + `"}`, 413, "body"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p, text := readProblem(t, w.post("/v1/parcels", row.body), row.status)
			if got := locations(p); got != row.at {
				t.Errorf("errors[] name %q, want %q; body %s", got, row.at, text)
			}
			if strings.Contains(text, secret) {
				t.Errorf("the answer repeats what was sent: %s", text)
			}
			if p.Error != nil {
				t.Errorf("a strict operation answers like OpenAI: %s", text)
			}
			if len(w.seen) != 1 || fault.KindOf(w.seen[0]) == fault.Internal {
				t.Errorf("the observer saw %v, want this one refusal", w.seen)
			}
		})
	}
}

func TestGoodBodiesArriveAsTheyWereMeant(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, body, want string }{
		{"the least", `{"name":"x"}`, `{"name":"x","layer":"episodic"}`},
		{"blanks around", " \r\n{\"name\" : \"x\"}\t", `{"name":"x","layer":"episodic"}`},
		{"depth 32", nested(32), `{"name":"x","layer":"episodic","any":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`},
		{"a surrogate pair", `{"name":"\ud83d\ude00"}`, `{"name":"😀","layer":"episodic"}`},
		{"markup", `{"name":"<a & b>"}`, `{"name":"<a & b>","layer":"episodic"}`},
		{"digits beyond a double in metadata", `{"name":"x","metadata":{"id":12345678901234567890,"f":1.10}}`,
			`{"name":"x","layer":"episodic","metadata":{"f":1.10,"id":12345678901234567890}}`},
		{"any key in metadata", `{"name":"x","metadata":{"Any":1,"any":2,"a.b":{"":null}}}`,
			`{"name":"x","layer":"episodic","metadata":{"Any":1,"a.b":{"":null},"any":2}}`},
		{"another zone", `{"name":"x","at":"2026-01-01T00:30:00.25+02:00"}`, `{"name":"x","layer":"episodic","at":"2025-12-31T22:30:00.25Z"}`},
		{"null for optional keys", `{"name":"x","tags":null,"at":null,"inner":null,"metadata":null}`, `{"name":"x","layer":"episodic"}`},
		{"a body of exactly the limit", `{"name":"x"` + strings.Repeat(" ", 4096-12) + `}`, `{"name":"x","layer":"episodic"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resp := newWorld(t).post("/v1/parcels", row.body)
			got := strings.TrimSpace(readBody(t, resp))
			if resp.StatusCode != http.StatusOK || got != row.want {
				t.Errorf("%d %s\nwant 200 %s", resp.StatusCode, got, row.want)
			}
		})
	}
}

func TestUnmarshalNamesTheFieldWithoutAnOperation(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, body string
		kind       fault.Kind
		at         string
	}{
		{"an unknown key", `{"key":"k","z":1}`, fault.Malformed, "body.z"},
		{"another case", `{"Key":"k"}`, fault.Malformed, "body.Key"},
		{"a repeated key", `{"key":"k","key":"k"}`, fault.Malformed, "body.key"},
		{"a wrong type", `{"key":"k","value":"7"}`, fault.Invalid, "body.value"},
		{"too large a number", `{"key":"k","value":99999999999999999999}`, fault.Invalid, "body.value"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var v inner
			err := httpapi.Unmarshal([]byte(row.body), &v)
			fields := fault.FieldsOf(err)
			if fault.KindOf(err) != row.kind || len(fields) != 1 || fields[0].Location != row.at {
				t.Errorf("got %v %+v, want %v at %s", fault.KindOf(err), fields, row.kind, row.at)
			}
		})
	}
	var v inner
	if err := httpapi.Unmarshal([]byte(`{"key":"k","value":7}`), &v); err != nil || v != (inner{"k", 7}) {
		t.Errorf("got %+v, %v", v, err)
	}
}

func FuzzStrictJSON(f *testing.F) {
	for _, seed := range []string{
		`{"name":"x"}`, `null`, ``, `{"a":1,"a":2}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{"a":"\u0000"}`, "\ufeff{}", `[1,2,{"b":[]}]`,
		nested(32), nested(33), `1e999`, `1e-999`, `{"a":12345678901234567890}`, `"\u0041"`, `{}{}`, `[1,]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v any
		if err := httpapi.Unmarshal(data, &v); err != nil {
			if kind := fault.KindOf(err); kind != fault.Malformed && kind != fault.Invalid {
				t.Fatalf("%q is refused as %v", data, kind)
			}
			if len(fault.FieldsOf(err)) == 0 || !utf8.ValidString(err.Error()) {
				t.Fatalf("%q is refused without a place: %v", data, err)
			}
			return
		}
		if !json.Valid(data) || !utf8.Valid(data) || bytes.ContainsRune(data, 0) {
			t.Fatalf("%q is accepted", data)
		}
		again, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var w any
		if err := httpapi.Unmarshal(again, &w); err != nil || !reflect.DeepEqual(v, w) {
			t.Fatalf("%q becomes %v, and after %s %v (%v)", data, v, again, w, err)
		}
		var plain any
		if err := json.Unmarshal(data, &plain); err != nil || !reflect.DeepEqual(v, plain) {
			t.Fatalf("%q reads %v, encoding/json reads %v (%v)", data, v, plain, err)
		}
	})
}

func FuzzOperation(f *testing.F) {
	for _, seed := range []string{
		`{"name":"x","metadata":{"a.b":[1,{"c":null}]},"inner":{"key":"k"},"items":[{"key":"k","value":1}]}`,
		`{"name":"x","labels":["a",{}],"at":"2026-01-01T00:00:00Z","wait":"1s","any":[[]]}`, `{"input":"x","docs":[{"text":"a","z":1}]}`,
		`{"name":1,"layer":[],"tags":{},"weight":1e400}`, nested(33), `null`, `[]`, `{"Name":"x"}`,
	} {
		f.Add([]byte(seed))
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, path := range []string{"/v1/parcels", "/v1/lenient"} {
			resp := w.post(path, string(data))
			text := readBody(t, resp)
			if resp.StatusCode >= 500 || !json.Valid([]byte(text)) {
				t.Fatalf("%s %q is answered %d %s", path, data, resp.StatusCode, text)
			}
			if resp.StatusCode != http.StatusOK {
				continue
			}
			if again := w.post(path, text); again.StatusCode != http.StatusOK || readBody(t, again) != text {
				t.Fatalf("%s %q is answered %s, which is then read differently", path, data, text)
			}
		}
	})
}
