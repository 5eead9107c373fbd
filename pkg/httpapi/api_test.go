package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/memory"
)

// parcel is a body with one field of every sort the API uses.
type parcel struct {
	Name     string          `json:"name" minLength:"1" maxLength:"20" doc:"What it is called." example:"box"`
	Count    int             `json:"count,omitempty" minimum:"0" maximum:"9"`
	Weight   *float64        `json:"weight,omitempty"`
	Fragile  bool            `json:"fragile,omitempty"`
	Layer    memory.Layer    `json:"layer,omitempty" default:"episodic"`
	Tags     []string        `json:"tags,omitempty" maxItems:"3"`
	Labels   []string        `json:"labels,omitempty" uniqueItems:"true"`
	Metadata memory.Metadata `json:"metadata,omitempty"`
	Inner    *inner          `json:"inner,omitempty"`
	Items    []inner         `json:"items,omitempty"`
	At       *time.Time      `json:"at,omitempty"`
	Wait     string          `json:"wait,omitempty" format:"duration"`
	Any      any             `json:"any,omitempty"`
}

type inner struct {
	Key   string `json:"key"`
	Value int    `json:"value,omitempty"`
}

type parcelInput struct {
	httpapi.Scoped
	Body parcel
}

type parcelOutput struct {
	httpapi.ConsistencyOut
	Body parcel
}

type lookInput struct {
	httpapi.Scoped
	httpapi.Paged
	httpapi.ConsistencyIn
	ID     memory.ID    `path:"id"`
	Layer  memory.Layer `query:"layer"`
	Tags   []string     `query:"tag"`
	Score  float64      `query:"score" minimum:"0" maximum:"1"`
	Since  time.Time    `query:"since"`
	Detail bool         `query:"detail"`
}

type lookOutput struct{ Body looked }

type looked struct {
	ID     memory.ID `json:"id"`
	Tags   []string  `json:"tags"`
	Since  time.Time `json:"since"`
	Detail bool      `json:"detail"`
	Limit  int       `json:"limit"`
}

type world struct {
	t    testing.TB
	mux  *http.ServeMux
	api  huma.API
	seen []error
}

// newWorld returns an API with a parcel echo, a strict and a lenient one, and a route full of parameters.
func newWorld(t testing.TB) *world {
	t.Helper()
	mux := http.NewServeMux()
	w := &world{t: t, mux: mux, api: httpapi.New(mux, "1.2.3")}
	echo := func(_ context.Context, in *parcelInput) (*parcelOutput, error) {
		out := &parcelOutput{Body: in.Body}
		out.Consistency = httpapi.EncodeConsistency(in.Scope(), 7)
		return out, nil
	}
	httpapi.Register(w.api, huma.Operation{
		OperationID: "post-parcel", Method: http.MethodPost, Path: "/v1/parcels", MaxBodyBytes: 4096, Tags: []string{"parcels"},
	}, echo)
	httpapi.Register(w.api, httpapi.Lenient(huma.Operation{
		OperationID: "post-lenient", Method: http.MethodPost, Path: "/v1/lenient", MaxBodyBytes: 4096,
	}), func(_ context.Context, in *struct{ Body lenientParcel }) (*struct{ Body lenientParcel }, error) {
		return &struct{ Body lenientParcel }{in.Body}, nil
	})
	httpapi.Register(w.api, huma.Operation{
		OperationID: "look", Method: http.MethodGet, Path: "/v1/parcels/{id}",
	}, func(_ context.Context, in *lookInput) (*lookOutput, error) {
		return &lookOutput{looked{ID: in.ID, Tags: in.Tags, Since: in.Since, Detail: in.Detail, Limit: in.Limit}}, nil
	})
	return w
}

type lenientParcel struct {
	Input string         `json:"input" minLength:"1"`
	Docs  []lenientInner `json:"docs,omitempty"`
}

type lenientInner struct {
	Text string `json:"text"`
}

// fails adds a route whose handler answers with the error.
func (w *world) fails(path string, err error, mark func(huma.Operation) huma.Operation) {
	op := huma.Operation{OperationID: "fail" + strings.ReplaceAll(path, "/", "-"), Method: http.MethodGet, Path: path}
	if mark != nil {
		op = mark(op)
	}
	httpapi.Register(w.api, op, func(context.Context, *struct{}) (*struct{}, error) { return nil, err })
}

func (w *world) send(r *http.Request) *http.Response {
	if r.Header.Get("X-Tenant-ID") == "" {
		r.Header.Set("X-Tenant-ID", "acme")
	}
	return w.sendBare(r)
}

func (w *world) sendBare(r *http.Request) *http.Response {
	r = r.WithContext(httpapi.Observe(r.Context(), func(err error) { w.seen = append(w.seen, err) }))
	rec := httptest.NewRecorder()
	httpapi.Fallback(w.mux).ServeHTTP(rec, r)
	return rec.Result()
}

func (w *world) post(path, body string) *http.Response {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return w.send(r)
}

func (w *world) get(path string) *http.Response {
	return w.send(httptest.NewRequest(http.MethodGet, path, nil))
}

// problem is a problem document as a client reads it.
type problem struct {
	Type   string        `json:"type"`
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Detail string        `json:"detail"`
	Errors []fault.Field `json:"errors"`
	Error  *struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	} `json:"error"`
}

func readBody(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// readProblem fails unless the answer is a problem document with the status.
func readProblem(t testing.TB, resp *http.Response, status int) (problem, string) {
	t.Helper()
	text := readBody(t, resp)
	if resp.StatusCode != status {
		t.Fatalf("status = %d, want %d; body %s", resp.StatusCode, status, text)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("Content-Type = %q; body %s", got, text)
	}
	var p problem
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if p.Status != status || p.Type == "" || p.Title == "" || p.Detail == "" {
		t.Fatalf("incomplete problem %s", text)
	}
	return p, text
}

func locations(p problem) string {
	at := make([]string, len(p.Errors))
	for i, field := range p.Errors {
		at[i] = field.Location
	}
	return strings.Join(at, " ")
}
