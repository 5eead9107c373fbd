package eventing_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"pgregory.net/rapid"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

const storedData = `{"memory_id":"01939a4c-7b1e-7c44-9d53-0f5a6a3e9b10","tenant_id":"acme","project_id":"support","layer":"episodic","version":1,"embedding":"ready"}`

// binary is a sound event in binary mode.
func binary() http.Header {
	return http.Header{
		"Ce-Specversion": {"1.0"}, "Ce-Id": {"e1"}, "Ce-Source": {"/rae/store"}, "Ce-Type": {eventing.MemoryStored},
		"Ce-Subject": {"m1"}, "Ce-Time": {"2026-11-20T12:00:00Z"}, "Ce-Tenantid": {"acme"}, "Ce-Projectid": {"support"},
		"Content-Type": {"application/json"},
	}
}

// inOne is the same event in structured mode.
func inOne() map[string]any {
	return map[string]any{
		"specversion": "1.0", "id": "e1", "source": "/rae/store", "type": eventing.MemoryStored, "subject": "m1",
		"time": "2026-11-20T12:00:00Z", "tenantid": "acme", "projectid": "support",
		"datacontenttype": "application/json", "data": json.RawMessage(storedData),
	}
}

func structuredHeader() http.Header {
	return http.Header{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}
}

func TestBothModesTellTheSame(t *testing.T) {
	t.Parallel()
	want := eventing.Event{
		ID: "e1", Source: "/rae/store", Type: eventing.MemoryStored, Subject: "m1", Scope: scope, Time: noon,
		Data: json.RawMessage(storedData),
	}
	equal(t, "binary", must[eventing.Event](t)(eventing.Decode(binary(), strings.NewReader(storedData))), want)
	body := must[[]byte](t)(json.Marshal(inOne()))
	equal(t, "structured", must[eventing.Event](t)(eventing.Decode(structuredHeader(), bytes.NewReader(body))), want)
	other := inOne()
	delete(other, "data")
	other["data_base64"] = base64.StdEncoding.EncodeToString([]byte(storedData))
	body = must[[]byte](t)(json.Marshal(other))
	equal(t, "structured, base64", must[eventing.Event](t)(eventing.Decode(structuredHeader(), bytes.NewReader(body))), want)
}

func TestWhatBrokersAddIsNoFault(t *testing.T) {
	t.Parallel()
	h := binary()
	h.Set("Ce-Knativeerrordest", "http://reflect.rae.svc.cluster.local/")
	h.Set("Ce-Knativeerrorcode", "500")
	h.Set("Ce-Knativeerrordata", strings.Repeat("x", 1024))
	h.Set("Ce-Knativearrivaltime", "2026-11-20T12:00:01Z")
	h.Set("Ce-Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	e := must[eventing.Event](t)(eventing.Decode(h, strings.NewReader(storedData)))
	equal(t, "trace", e.TraceParent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	one := inOne()
	one["knativeerrorcode"], one["replayed"] = 500, true
	body := must[[]byte](t)(json.Marshal(one))
	must[eventing.Event](t)(eventing.Decode(structuredHeader(), bytes.NewReader(body)))
	h.Set("Ce-Traceparent", "not one")
	e = must[eventing.Event](t)(eventing.Decode(h, strings.NewReader(storedData)))
	equal(t, "a trace context that is none", e.TraceParent, "")
}

func TestAFieldOfTomorrowIsNoFault(t *testing.T) {
	t.Parallel()
	data := strings.Replace(storedData, "{", `{"since_v2":[1],`, 1)
	must[eventing.Event](t)(eventing.Decode(binary(), strings.NewReader(data)))
}

func TestAPingBecomesTheClockEventItStandsFor(t *testing.T) {
	t.Parallel()
	h := http.Header{
		"Ce-Specversion": {"1.0"}, "Ce-Id": {"p1"}, "Ce-Source": {"/apis/v1/namespaces/rae/pingsources/drain"},
		"Ce-Type": {eventing.Ping}, "Ce-Raeclock": {"drain.due"},
	}
	want := eventing.Event{
		ID: "p1", Source: "/apis/v1/namespaces/rae/pingsources/drain", Type: eventing.DrainDue, Data: json.RawMessage("{}"),
	}
	equal(t, "ping", must[eventing.Event](t)(eventing.Decode(h, nil)), want)

	h.Set("Content-Type", "application/json")
	want.Data, want.Scope = json.RawMessage(`{"tenant_id":"acme"}`), memory.Scope{Tenant: "acme"}
	equal(t, "ping of a tenant", must[eventing.Event](t)(eventing.Decode(h, strings.NewReader(`{"tenant_id":"acme"}`))), want)

	for _, clock := range []string{"", "memory.stored", "tea.due"} {
		h.Set("Ce-Raeclock", clock)
		_, err := eventing.Decode(h, nil)
		equal(t, "fields of "+clock, places(err), []string{"event.raeclock"})
	}
}

// places are the locations an error names.
func places(err error) (all []string) {
	for _, f := range fault.FieldsOf(err) {
		all = append(all, f.Location)
	}
	slices.Sort(all)
	return all
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	set := func(key, value string) func(http.Header) { return func(h http.Header) { h[key] = []string{value} } }
	del := func(key string) func(http.Header) { return func(h http.Header) { delete(h, key) } }
	long := strings.Repeat("x", 64<<10)
	for _, tc := range []struct {
		name   string
		change func(http.Header)
		data   string
		kind   fault.Kind
		place  string
	}{
		{"no id", del("Ce-Id"), storedData, fault.Malformed, "event.id"},
		{"an empty id", set("Ce-Id", ""), storedData, fault.Malformed, "event.id"},
		{"an id of spaces", set("Ce-Id", "  "), storedData, fault.Malformed, "event.id"},
		{"an id of 64 KB", set("Ce-Id", long), storedData, fault.Malformed, "event.id"},
		{"an id with a newline", set("Ce-Id", "a\nb"), storedData, fault.Malformed, "event.id"},
		{"two ids", func(h http.Header) { h["Ce-Id"] = []string{"a", "b"} }, storedData, fault.Malformed, "event.id"},
		{"two spellings of the id", func(h http.Header) { h["ce-id"] = []string{"b"} }, storedData, fault.Malformed, "event.id"},
		{"no source", del("Ce-Source"), storedData, fault.Malformed, "event.source"},
		{"an empty source", set("Ce-Source", ""), storedData, fault.Malformed, "event.source"},
		{"a source of 64 KB", set("Ce-Source", long), storedData, fault.Malformed, "event.source"},
		{"a source that is no URI", set("Ce-Source", "%zz"), storedData, fault.Malformed, "event.source"},
		{"no specversion", del("Ce-Specversion"), storedData, fault.Malformed, "event.specversion"},
		{"specversion 0.3", set("Ce-Specversion", "0.3"), storedData, fault.Malformed, "event.specversion"},
		{"no type", del("Ce-Type"), storedData, fault.Malformed, "event.type"},
		{"an unknown type", set("Ce-Type", "dev.rae.memory.sold.v1"), storedData, fault.Malformed, "event.type"},
		{"a type of tomorrow", set("Ce-Type", "dev.rae.memory.stored.v2"), storedData, fault.Malformed, "event.type"},
		{"an empty subject", set("Ce-Subject", ""), storedData, fault.Malformed, "event.subject"},
		{"no time at all", set("Ce-Time", "yesterday"), storedData, fault.Malformed, "event.time"},
		{"the year 0", set("Ce-Time", "0000-01-01T00:00:00Z"), storedData, fault.Malformed, "event.time"},
		{"an extension of 64 KB", set("Ce-Other", long), storedData, fault.Malformed, "event.other"},
		{"a name with a dash", set("Ce-Other-One", "x"), storedData, fault.Malformed, "header"},
		{"an attribute without a name", set("Ce-", "x"), storedData, fault.Malformed, "header"},
		{"another schema", set("Ce-Dataschema", "urn:rae:event:"+eventing.DrainDue), storedData, fault.Malformed, "event.dataschema"},
		{"no tenant", del("Ce-Tenantid"), storedData, fault.Malformed, "event.tenantid"},
		{"no project", del("Ce-Projectid"), storedData, fault.Malformed, "event.projectid"},
		{"a tenant that is none", set("Ce-Tenantid", "../acme"), storedData, fault.Malformed, "event.tenantid"},
		{"another tenant than the data's", set("Ce-Tenantid", "evil"), storedData, fault.Invalid, "event.tenantid"},
		{"another project than the data's", set("Ce-Projectid", "evil"), storedData, fault.Invalid, "event.projectid"},
		{"XML", set("Content-Type", "application/xml"), storedData, fault.Malformed, "event.datacontenttype"},
		{"Latin-1", set("Content-Type", "application/json; charset=latin1"), storedData, fault.Malformed, "event.datacontenttype"},
		{"a content type that is none", set("Content-Type", "json"), storedData, fault.Malformed, "event.datacontenttype"},
		{"a batch", set("Content-Type", "application/cloudevents-batch+json"), "[" + storedData + "]", fault.Malformed, "header.Content-Type"},
		{"protobuf", set("Content-Type", "application/cloudevents+protobuf"), storedData, fault.Malformed, "header.Content-Type"},
		{"binary and structured at once", set("Content-Type", "application/cloudevents+json"), storedData, fault.Malformed, "header"},
		{"no data", nil, "", fault.Malformed, "event.data"},
		{"data that is not JSON", nil, "<a/>", fault.Malformed, "event.data"},
		{"two documents", nil, storedData + storedData, fault.Malformed, "event.data"},
		{"a duplicate key", nil, strings.Replace(storedData, "{", `{"tenant_id":"evil",`, 1), fault.Malformed, "event.data"},
		{"NUL", nil, strings.Replace(storedData, "{", `{"x":"\u0000",`, 1), fault.Malformed, "event.data"},
		{"NUL in a key", nil, strings.Replace(storedData, "{", `{"\u0000":1,`, 1), fault.Malformed, "event.data"},
		{"a lone surrogate", nil, strings.Replace(storedData, "{", `{"x":"\ud800",`, 1), fault.Malformed, "event.data"},
		{"invalid UTF-8", nil, strings.Replace(storedData, "{", "{\"x\":\"\xff\",", 1), fault.Malformed, "event.data"},
		{"depth", nil, strings.Replace(storedData, "{", `{"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+",", 1), fault.Malformed, "event.data"},
		{"a number that takes a year to read", nil, strings.Replace(storedData, "{", `{"x":1e999999999,`, 1), fault.Malformed, "event.data"},
		{"a tiny number", nil, strings.Replace(storedData, "{", `{"x":1e-999999999,`, 1), fault.Malformed, "event.data"},
		{"a long number", nil, strings.Replace(storedData, "{", `{"x":`+strings.Repeat("1", 100)+",", 1), fault.Malformed, "event.data"},
		{"a list", nil, "[]", fault.Invalid, "event.data"},
		{"null", nil, "null", fault.Invalid, "event.data"},
		{"a missing field", nil, strings.Replace(storedData, `"layer":"episodic",`, "", 1), fault.Invalid, "event.data.layer"},
		{"a wrong layer", nil, strings.Replace(storedData, "episodic", "happy", 1), fault.Invalid, "event.data.layer"},
		{"a wrong id", nil, strings.Replace(storedData, "01939a4c", "g1939a4c", 1), fault.Invalid, "event.data.memory_id"},
		{"content", nil, strings.Replace(storedData, "{", `{"content":"a secret",`, 1), fault.Invalid, "event.data.content"},
		{"a key of another case", nil, strings.Replace(storedData, "version", "Version", 1), fault.Invalid, "event.data.version"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := binary()
			if tc.change != nil {
				tc.change(h)
			}
			_, err := eventing.Decode(h, strings.NewReader(tc.data))
			if fault.KindOf(err) != tc.kind || !slices.Equal(places(err), []string{tc.place}) {
				t.Errorf("got %v at %v, want %v at %s: %v", fault.KindOf(err), places(err), tc.kind, tc.place, err)
			}
			if err != nil && strings.Contains(fault.Public(err), "secret") {
				t.Error("the answer repeats content")
			}
		})
	}
}

func TestWhatIsWrongInAStructuredEventIsNamed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		body  string
		place string
	}{
		{"no JSON", `{`, "body"},
		{"a list", `[]`, "body"},
		{"a duplicate attribute", `{"id":"a","id":"b"}`, "body"},
		{"no specversion", `{}`, "event.specversion"},
		{"a number for an id", `{"specversion":"1.0","id":1}`, "event.id"},
		{"null for a tenant", `{"specversion":"1.0","tenantid":null}`, "event.tenantid"},
		{"an object for an extension", `{"specversion":"1.0","other":{}}`, "event.other"},
		{"a name in capitals", `{"specversion":"1.0","ID":"a"}`, "event"},
		{"an empty name", `{"specversion":"1.0","":"a"}`, "event"},
		{"both kinds of data", `{"specversion":"1.0","data":{},"data_base64":"e30="}`, "event.data"},
		{"a number for base64", `{"data_base64":1,"specversion":"1.0","id":"a"}`, "event.data_base64"},
		{"an id beyond ASCII", `{"specversion":"1.0","id":"ä","source":"/s","type":"t"}`, "event.id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := eventing.Decode(structuredHeader(), strings.NewReader(tc.body))
			if fault.KindOf(err) != fault.Malformed || !slices.Equal(places(err), []string{tc.place}) {
				t.Errorf("got %v at %v, want malformed at %s: %v", fault.KindOf(err), places(err), tc.place, err)
			}
		})
	}
}

func TestADerivedMemoryBelongsToTheScopeOfItsEvent(t *testing.T) {
	t.Parallel()
	h := binary()
	h.Set("Ce-Type", eventing.MemoryDerived)
	data := string(must[[]byte](t)(eventing.Example(eventing.MemoryDerived)))
	must[eventing.Event](t)(eventing.Decode(h, strings.NewReader(data)))
	_, err := eventing.Decode(h, strings.NewReader(strings.Replace(data, `"acme"`, `"evil"`, 1)))
	equal(t, "another tenant's memory", places(err), []string{"event.tenantid"})
	var insight map[string]map[string]any
	if err := json.Unmarshal([]byte(strings.Replace(data, `"reflection_id": "01939a4d-1c77-7e05-b2c4-9a8e4f60d731"`, `"more": {}`, 1)), &insight); err != nil {
		t.Fatal(err)
	}
	delete(insight["memory"], "derived_from")
	_, err = eventing.Decode(h, bytes.NewReader(must[[]byte](t)(json.Marshal(insight))))
	equal(t, "an insight that cites nothing, of no reflection", places(err), []string{"event.data.memory.derived_from", "event.data.reflection_id"})
}

func TestTooMuchIsTooLarge(t *testing.T) {
	t.Parallel()
	data := strings.Replace(storedData, "{", `{"x":"`+strings.Repeat("x", eventing.MaxBody)+`",`, 1)
	_, err := eventing.Decode(binary(), strings.NewReader(data))
	equal(t, "kind", fault.KindOf(err), fault.TooLarge)
	h := binary()
	h.Set("Content-Encoding", "gzip")
	_, err = eventing.Decode(h, strings.NewReader(storedData))
	equal(t, "kind of a coding", fault.KindOf(err), fault.Unsupported)
	for i := range 100 {
		h.Set("Ce-X"+strings.Repeat("y", i%50)+strings.Repeat("z", i/50), "1")
	}
	h.Del("Content-Encoding")
	_, err = eventing.Decode(h, strings.NewReader(storedData))
	equal(t, "places of too many attributes", places(err), []string{"event"})
}

// drawRecord draws an outbox record of any type with the example's data.
func drawRecord(t *rapid.T, examples map[string]outbox.Record) outbox.Record {
	kinds := slices.Sorted(maps.Keys(examples))
	r := examples[rapid.SampledFrom(kinds).Draw(t, "type")]
	text := rapid.StringMatching(`[!-~]([ -~]{0,60}[!-~])?`)
	r.ID = text.Draw(t, "id")
	r.Subject = rapid.OneOf(rapid.Just(""), text).Draw(t, "subject")
	r.Time = time.Unix(rapid.Int64Range(0, 7e9).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC()
	if !rapid.Bool().Draw(t, "traced") {
		r.TraceParent = ""
	}
	return r
}

func TestEveryEventSurvivesBothModes(t *testing.T) {
	t.Parallel()
	examples := map[string]outbox.Record{}
	for _, entry := range eventing.Catalogue() {
		examples[entry.Record] = exampleRecord(t, entry)
	}
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t, examples)
		e, err := eventing.FromRecord(r, rapid.SampledFrom([]string{"", "/rae/elsewhere", "https://example.com/a?b=c#d"}).Draw(t, "source"))
		if err != nil {
			t.Fatal(err)
		}
		header, body, err := eventing.Encode(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		binary, err := eventing.Decode(header, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		one, err := eventing.EncodeStructured(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		structured, err := eventing.Decode(structuredHeader(), bytes.NewReader(one))
		if err != nil {
			t.Fatal(err)
		}
		want := eventing.Event{
			ID: r.ID, Source: e.Source(), Type: e.Type(), Subject: r.Subject, Scope: memory.Scope{Tenant: r.Tenant, Project: r.Project},
			Time: r.Time, TraceParent: r.TraceParent,
		}
		for mode, got := range map[string]eventing.Event{"binary": binary, "structured": structured} {
			var a, b any
			if json.Unmarshal(got.Data, &a) != nil || json.Unmarshal(r.Data, &b) != nil {
				t.Fatal("data is no JSON")
			}
			if !memory.SameJSON(a, b) {
				t.Fatalf("%s: data %s, want %s", mode, got.Data, r.Data)
			}
			got.Data = nil
			if !sameEvent(got, want) {
				t.Fatalf("%s\n got %#v\nwant %#v", mode, got, want)
			}
		}
	})
}

// sameEvent compares everything but the data.
func sameEvent(a, b eventing.Event) bool {
	return a.ID == b.ID && a.Source == b.Source && a.Type == b.Type && a.Subject == b.Subject && a.Scope == b.Scope &&
		a.Time.Equal(b.Time) && a.TraceParent == b.TraceParent
}

func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	t.Parallel()
	e := event.New()
	e.SetID("e1")
	e.SetSource("/rae/store")
	e.SetType("dev.rae.unheard.v1")
	_, _, err := eventing.Encode(t.Context(), e)
	equal(t, "binary", places(err), []string{"event.type"})
	_, err = eventing.EncodeStructured(t.Context(), e)
	equal(t, "structured", places(err), []string{"event.type"})
	r := stored(memory.NewID())
	r.Data = []byte(`{"memory_id":`)
	_, err = eventing.FromRecord(r, "")
	equal(t, "a record with broken data", places(err), []string{"event.data"})
	r.Type = "memory.sold"
	_, err = eventing.FromRecord(r, "")
	equal(t, "a record of an unknown type", places(err), []string{"event.type"})
}

// FuzzDecode looks for bytes that make Decode panic, pass something it would not encode, or answer with a kind that
// would bring poison back.
func FuzzDecode(f *testing.F) {
	for _, entry := range eventing.Catalogue() {
		example, err := eventing.Example(entry.Type)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(entry.Type, "e1", "/rae/store", "acme", "application/json", example)
	}
	f.Add("", "", "", "", "application/cloudevents+json", []byte(`{"specversion":"1.0","id":"e1","source":"/s","type":"`+eventing.DrainDue+`","data_base64":"e30="}`))
	f.Add("", "", "", "", "application/cloudevents+json", []byte(`{"data_base64":1,"specversion":"1.0"}`))
	f.Add(eventing.Ping, "e1", "/s", "", "", []byte(nil))
	f.Fuzz(func(t *testing.T, eventType, id, source, tenant, contentType string, body []byte) {
		h := http.Header{}
		for name, value := range map[string]string{"Ce-Type": eventType, "Ce-Id": id, "Ce-Source": source, "Ce-Tenantid": tenant, "Content-Type": contentType} {
			if value != "" {
				h.Set(name, value)
			}
		}
		if len(h) > 1 {
			h.Set("Ce-Specversion", "1.0")
			h.Set("Ce-Projectid", "support")
		}
		e, err := eventing.Decode(h, bytes.NewReader(body))
		if err != nil {
			if status, _ := eventing.Verdict(err); eventing.Retried(status) {
				t.Fatalf("poison would come back: %v", err)
			}
			return
		}
		if e.ID == "" || e.Source == "" || !json.Valid(e.Data) {
			t.Fatalf("passed: %#v", e)
		}
		again := event.New()
		again.SetID(e.ID)
		again.SetSource(e.Source)
		again.SetType(e.Type)
		for name, value := range map[string]string{"tenantid": e.Scope.Tenant, "projectid": e.Scope.Project} {
			if value != "" {
				again.SetExtension(name, value)
			}
		}
		again.DataEncoded = e.Data
		if _, _, err := eventing.Encode(t.Context(), again); err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v\n%#v", err, e)
		}
	})
}
