package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
)

func names(err error, location string) bool {
	fields := fault.FieldsOf(err)
	return fault.KindOf(err) == fault.Invalid && len(fields) == 1 && fields[0].Location == location
}

func TestALenientOperationIgnoresWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ path, body, want string }{
		{"/v1/lenient", `{"input":"x","user":"u","extra":{"deep":[1,{"a":null}]}}`, `{"input":"x"}`},
		{"/v1/lenient", `{"Input":"y","input":"x"}`, `{"input":"x"}`},
		{"/v1/lenient?api-version=1", `{"docs":[{"text":"a","id":7},{"id":8,"text":"b"}],"input":"é\ud83d\ude00"}`,
			`{"input":"é😀","docs":[{"text":"a"},{"text":"b"}]}`},
	} {
		resp := newWorld(t).post(row.path, row.body)
		if got := strings.TrimSpace(readBody(t, resp)); resp.StatusCode != 200 || got != row.want {
			t.Errorf("%s\ngot  %d %s\nwant 200 %s", row.body, resp.StatusCode, got, row.want)
		}
	}
}

func TestALenientOperationIsAsStrictAboutTheRest(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, body string
		status     int
		param      string
		kind       string
	}{
		{"a repeated key", `{"input":"x","input":"y"}`, 400, "input", "malformed"},
		{"a repeated unknown key", `{"input":"x","u":1,"u":2}`, 400, "u", "malformed"},
		{"a NUL below an unknown key", `{"input":"x","u":{"v":"\u0000"}}`, 400, "u.v", "malformed"},
		{"depth below an unknown key", `{"input":"x","u":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, 400,
			"u" + strings.Repeat("[0]", 31), "malformed"},
		{"no JSON", `{"input"`, 400, "input", "malformed"},
		{"a required key in another case", `{"Input":"x"}`, 400, "input", "invalid"},
		{"a wrong type", `{"input":7}`, 400, "input", "invalid"},
		{"a body over the limit", `{"input":"` + strings.Repeat("x", 5000) + `"}`, 413, "body", "too_large"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p, text := readProblem(t, newWorld(t).post("/v1/lenient", row.body), row.status)
			if p.Error == nil || p.Error.Param == nil || p.Error.Code == nil {
				t.Fatalf("no error object in %s", text)
			}
			got := []string{p.Error.Message, p.Error.Type, *p.Error.Param, *p.Error.Code}
			want := []string{p.Detail, "invalid_request_error", row.param, row.kind}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("error = %q, want %q", got, want)
			}
		})
	}
}

func TestALenientOperationNamesEveryKindOfError(t *testing.T) {
	t.Parallel()
	types := map[fault.Kind]string{
		fault.Unauthenticated: "authentication_error",
		fault.Denied:          "permission_error",
		fault.OverBudget:      "insufficient_quota",
		fault.RateLimited:     "rate_limit_error",
		fault.Internal:        "server_error",
		fault.Unavailable:     "server_error",
		fault.Timeout:         "server_error",
	}
	for _, kind := range fault.Kinds() {
		w := newWorld(t)
		w.fails("/v1/fails", fault.New(kind, "what happened"), httpapi.Lenient)
		resp := w.get("/v1/fails")
		p, text := readProblem(t, resp, resp.StatusCode)
		want, listed := types[kind]
		if !listed {
			want = "invalid_request_error"
		}
		if p.Error == nil || p.Error.Type != want || p.Error.Message != p.Detail || !strings.Contains(text, `"param":null`) {
			t.Errorf("%v: %s", kind, text)
		}
	}
}

func TestLenientOperationsFailAsTheirClientsExpect(t *testing.T) {
	t.Parallel()
	type input struct {
		Body struct {
			Model string `json:"model"`
			Size  int    `json:"size,omitempty" maximum:"3"`
		}
	}
	mux := http.NewServeMux()
	httpapi.Register(httpapi.New(mux, "test"), httpapi.Lenient(huma.Operation{
		OperationID: "post-vendor", Method: http.MethodPost, Path: "/v1/vendor",
	}), func(_ context.Context, in *input) (*struct{}, error) {
		switch in.Body.Model {
		case "absent":
			return nil, httpapi.Coded(&fault.Error{
				Kind: fault.NotFound, Message: "no such model",
				Fields: []fault.Field{{Location: "body.model", Message: "is unknown"}},
			}, "model_not_found")
		case "wrong":
			return nil, fault.BadField("body.model", "is wrong")
		}
		return nil, nil
	})
	for _, c := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"the code is the one the error was given", `{"model":"absent"}`, 404,
			`{"detail":"no such model","error":{"message":"no such model","type":"invalid_request_error","param":"model","code":"model_not_found"},"errors":[{"location":"body.model","message":"is unknown"}],"status":404,"title":"Not Found","type":"urn:rae:problem:not_found"}`},
		{"a value the handler refuses is a bad request", `{"model":"wrong"}`, 400,
			`{"detail":"body.model is wrong","error":{"message":"body.model is wrong","type":"invalid_request_error","param":"model","code":"invalid"},"errors":[{"location":"body.model","message":"is wrong"}],"status":400,"title":"Bad Request","type":"urn:rae:problem:invalid"}`},
		{"a value the schema refuses is a bad request", `{"model":"x","size":4}`, 400,
			`{"detail":"body.size expected number \u003c= 3","error":{"message":"body.size expected number \u003c= 3","type":"invalid_request_error","param":"size","code":"invalid"},"errors":[{"location":"body.size","message":"expected number \u003c= 3"}],"status":400,"title":"Bad Request","type":"urn:rae:problem:invalid"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/v1/vendor", strings.NewReader(c.body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if got := strings.TrimSpace(w.Body.String()); w.Code != c.status || got != c.want {
				t.Errorf("got %d %s\nwant %d %s", w.Code, got, c.status, c.want)
			}
		})
	}
}

func TestWhatNoPatternMatchesIsAProblem(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodGet, "/", 404, ""},
		{http.MethodGet, "/v1/nowhere", 404, ""},
		{http.MethodPost, "/v1/parcels/", 404, ""},
		{http.MethodGet, "/v1//nowhere", 404, ""},
		{http.MethodGet, "/v1/parcels", 405, "POST"},
		{http.MethodDelete, "/v1/parcels/" + someID, 405, "GET, HEAD"},
		{http.MethodOptions, "/docs", 405, "GET, HEAD"},
		{"BREW", "/openapi.json", 405, "GET, HEAD"},
	} {
		w := newWorld(t)
		resp := w.send(httptest.NewRequest(row.method, row.path, nil))
		readProblem(t, resp, row.status)
		if got := resp.Header.Get("Allow"); got != row.allow {
			t.Errorf("%s %s: Allow = %q, want %q", row.method, row.path, got, row.allow)
		}
		if len(w.seen) != 1 || fault.KindOf(w.seen[0]) == fault.Internal {
			t.Errorf("%s %s: the observer saw %v", row.method, row.path, w.seen)
		}
	}
}

func TestAProblemReturnedAsAnErrorStaysWhatItIs(t *testing.T) {
	t.Parallel()
	p := httpapi.ProblemOf(fault.New(fault.Conflict, "another version stands"))
	if again := httpapi.ProblemOf(errors.Join(p)); again != p {
		t.Errorf("%#v becomes %#v", p, again)
	}
}
