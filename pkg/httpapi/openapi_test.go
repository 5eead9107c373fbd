package httpapi_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/memory"
)

// document returns the OpenAPI document as a tree.
func (w *world) document() map[string]any {
	w.t.Helper()
	resp := w.get("/openapi.json")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
		w.t.Fatalf("%d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(readBody(w.t, resp)), &doc); err != nil {
		w.t.Fatal(err)
	}
	return doc
}

// at walks a tree by keys; a missing one is nil.
func at(tree any, keys ...string) any {
	for _, key := range keys {
		object, _ := tree.(map[string]any)
		tree = object[key]
	}
	return tree
}

func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestTheDomainIsDescribedAsItTravels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	httpapi.Register(w.api, huma.Operation{OperationID: "memory", Method: http.MethodGet, Path: "/v1/memory"},
		func(context.Context, *struct{}) (*struct{ Body memory.Version }, error) { return nil, nil })
	doc := w.document()
	properties := at(doc, "components", "schemas", "Version", "properties")
	for name, want := range map[string]string{
		"id": `{"examples":["0197e4a2-5c1d-7c3e-9a5b-2f6d8e01b7c4"],"format":"uuid","maxLength":36,"minLength":36,"type":"string"}`,
		"layer": `{"description":"What kind of remembering this is.",` +
			`"enum":["sensory","episodic","working","semantic","longterm","reflective"],"type":"string"}`,
		"metadata":    `{"additionalProperties":true,"description":"The caller's own JSON object.","type":"object"}`,
		"embedding":   `{"description":"Whether the memory already has a vector.","enum":["ready","pending"],"type":"string"}`,
		"occurred_at": `{"format":"date-time","type":"string"}`,
		"created_at":  `{"format":"date-time","type":"string"}`,
		"change":      `{"description":"What the write did.","enum":["created","deduplicated","updated"],"type":"string"}`,
		"entities":    `{"items":{"$ref":"#/components/schemas/Entity"},"type":["array","null"]}`,
	} {
		if got := compact(at(properties, name)); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", name, got, want)
		}
	}
	if got := at(doc, "components", "schemas", "Problem", "required"); !reflect.DeepEqual(got, []any{"type", "title", "status", "detail"}) {
		t.Errorf("a problem requires %v", got)
	}
	for _, unwanted := range []string{"$schema", "ErrorModel", "ErrorDetail"} {
		if strings.Contains(compact(doc), unwanted) {
			t.Errorf("the document mentions %s", unwanted)
		}
	}
}

func TestTheDocumentIsOpenAPI31InJSONAndYAML(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := w.document()
	if at(doc, "openapi") != "3.1.0" || at(doc, "info", "title") != "RAE" || at(doc, "info", "version") != "1.2.3" {
		t.Errorf("%v %v", doc["openapi"], doc["info"])
	}
	if text := readBody(t, w.get("/openapi.yaml")); !strings.Contains(text, "title: RAE") {
		t.Errorf("no YAML in %.100s", text)
	}
	errs := at(doc, "paths", "/v1/parcels", "post", "responses")
	for _, status := range []string{"400", "401", "403", "413", "415", "422", "429", "500", "503"} {
		if at(errs, status, "content", "application/problem+json") == nil {
			t.Errorf("no %s in %s", status, compact(errs))
		}
	}
}

// TestEveryAnswerIsDocumented lists what can be answered beyond what all operations share.
func TestEveryAnswerIsDocumented(t *testing.T) {
	t.Parallel()
	type sent struct {
		httpapi.Scoped
		httpapi.Idempotent
		Body struct {
			Name string `json:"name"`
		}
	}
	type kept struct {
		httpapi.ConsistencyOut
		Status int
		Body   struct {
			Name string `json:"name"`
		}
	}
	w := newWorld(t)
	keep := huma.Operation{OperationID: "keep", Method: http.MethodPost, Path: "/v1/kept", DefaultStatus: http.StatusCreated}
	httpapi.Register(w.api, keep, func(context.Context, *sent) (*kept, error) { return nil, nil })
	told := keep
	told.OperationID, told.Path = "tell", "/v1/told"
	told.Responses = map[string]*huma.Response{"200": {Description: "It stood already."}}
	httpapi.Register(w.api, told, func(context.Context, *sent) (*kept, error) { return nil, nil })
	lenient := huma.Operation{OperationID: "lenient", Method: http.MethodPost, Path: "/v1/lenient-kept"}
	httpapi.Register(w.api, httpapi.Lenient(lenient), func(context.Context, *sent) (*kept, error) { return nil, nil })
	read := huma.Operation{OperationID: "read", Method: http.MethodGet, Path: "/v1/kept"}
	httpapi.Register(w.api, read, func(context.Context, *httpapi.Scoped) (*kept, error) { return nil, nil })

	paths := w.document()["paths"]
	for path, want := range map[string]string{
		"/v1/kept":         "200 201 400 401 403 408 409 413 415 422 429 500 503 504",
		"/v1/told":         "200 201 400 401 403 408 409 413 415 422 429 500 503 504",
		"/v1/lenient-kept": "200 400 401 403 408 409 413 415 429 500 503 504",
	} {
		if got := statuses(at(paths, path, "post", "responses")); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", path, got, want)
		}
	}
	const want = "200 400 401 403 422 429 500 503 504"
	if got := statuses(at(paths, "/v1/kept", "get", "responses")); got != want {
		t.Errorf("a read\ngot  %s\nwant %s", got, want)
	}
	created := at(paths, "/v1/kept", "post", "responses", "201")
	for path, description := range map[string]string{"/v1/kept": "OK", "/v1/told": "It stood already."} {
		got := at(paths, path, "post", "responses", "200")
		if at(got, "description") != description {
			t.Errorf("%s: 200 is described as %v", path, at(got, "description"))
		}
		for _, part := range []string{"content", "headers"} {
			if compact(at(got, part)) != compact(at(created, part)) || at(got, part) == nil {
				t.Errorf("%s: the %s of 200 and 201 differ\ngot  %s\nwant %s", path, part, compact(at(got, part)), compact(at(created, part)))
			}
		}
	}
}

// statuses lists the keys of an operation's responses.
func statuses(responses any) string {
	object, _ := responses.(map[string]any)
	return strings.Join(slices.Sorted(maps.Keys(object)), " ")
}

func TestStreamsAreDocumentedAsNDJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	streaming(w.api, 0, nil)
	paths := w.document()["paths"]
	const want = `{"application/x-ndjson":{"schema":{"description":"One JSON object per line.","type":"string"}}}`
	for name, got := range map[string]any{
		"import": at(paths, "/v1/import", "post", "requestBody", "content"),
		"export": at(paths, "/v1/export", "get", "responses", "200", "content"),
	} {
		if compact(got) != want {
			t.Errorf("%s: %s", name, compact(got))
		}
	}
}

func TestALenientOperationIsDocumentedAsOne(t *testing.T) {
	t.Parallel()
	schemas := at(newWorld(t).document(), "components", "schemas")
	for name, open := range map[string]bool{"LenientParcel": true, "LenientInner": true, "Parcel": false, "Inner": false} {
		if got := at(schemas, name, "additionalProperties"); got != open {
			t.Errorf("%s takes more keys: %v", name, got)
		}
	}
}

func TestTypesOfOneNameLiveSideBySide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type Entity struct {
		Local string `json:"local"`
	}
	type both struct {
		Ours   Entity        `json:"ours"`
		Theirs memory.Entity `json:"theirs"`
		Again  []Entity      `json:"again"`
	}
	httpapi.Register(w.api, huma.Operation{OperationID: "both", Method: http.MethodGet, Path: "/v1/both"},
		func(context.Context, *struct{}) (*struct{ Body both }, error) { return nil, nil })
	schemas := at(w.document(), "components", "schemas")
	got := compact(at(schemas, "Both", "properties"))
	const want = `{"again":{"items":{"$ref":"#/components/schemas/Entity"},"type":["array","null"]},` +
		`"ours":{"$ref":"#/components/schemas/Entity"},"theirs":{"$ref":"#/components/schemas/MemoryEntity"}}`
	if got != want || at(schemas, "MemoryEntity", "properties", "name") == nil || at(schemas, "Entity", "properties", "local") == nil {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTheDocsNeedNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, media := range map[string]string{
		"/docs":          "text/html; charset=utf-8",
		"/docs/docs.css": "text/css; charset=utf-8",
		"/docs/docs.js":  "text/javascript; charset=utf-8",
		"/docs/icon.svg": "image/svg+xml",
	} {
		resp := w.get(path)
		text := readBody(t, resp)
		policy := resp.Header.Get("Content-Security-Policy")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != media || len(text) == 0 {
			t.Errorf("%s: %d %s, %d bytes", path, resp.StatusCode, resp.Header.Get("Content-Type"), len(text))
		}
		if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: policy %q", path, policy)
		}
		outside := strings.ReplaceAll(text, "http://www.w3.org/", "") // XML namespaces are names, not addresses
		if strings.Contains(outside, "//cdn") || strings.Contains(outside, "http://") || strings.Contains(outside, "https://") {
			t.Errorf("%s loads from elsewhere", path)
		}
		if media == "text/html; charset=utf-8" && (strings.Contains(text, "<style") || strings.Contains(text, " style=") || strings.Contains(text, "onclick")) {
			t.Errorf("%s has inline code the policy refuses", path)
		}
	}
}
