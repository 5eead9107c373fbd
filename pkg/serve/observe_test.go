package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// serveOnce sends one request past the network.
func serveOnce(t *testing.T, server *serve.Server, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body)).WithContext(t.Context())
	r.Host = "localhost"
	r.Header.Set("X-Tenant-ID", "acme")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	server.Handler().ServeHTTP(w, r)
	return w
}

func things(handle func(context.Context, *thing) (*said, error)) *function {
	return &function{name: "store", routes: route("things", handle)}
}

func TestEveryAnswerHasARequestID(t *testing.T) {
	t.Parallel()
	server, _, _ := newServer(t, local(), things(func(ctx context.Context, _ *thing) (*said, error) {
		return say(telemetry.RequestID(ctx) + " " + telemetry.Traceparent(ctx)), nil
	}))
	for _, c := range []struct {
		name, path, sent string
		kept             bool
	}{
		{"a sane one is kept", "/v1/things/1", "client-1", true},
		{"an endless one is replaced", "/v1/things/1", strings.Repeat("x", 129), false},
		{"one with spaces is replaced", "/v1/things/1", "a b", false},
		{"none is made up for", "/v1/things/1", "", false},
		{"a 404 has one", "/nowhere", "client-2", true},
		{"health has one", "/health/live", "client-3", true},
	} {
		w := serveOnce(t, server, http.MethodGet, c.path, "", "X-Request-ID", c.sent)
		got := w.Header().Get("X-Request-ID")
		if c.kept && got != c.sent || !c.kept && (got == c.sent || len(got) != 36) {
			t.Errorf("%s: sent %q, answered %q", c.name, c.sent, got)
		}
	}
	w := serveOnce(t, server, http.MethodGet, "/v1/things/1", "", "X-Request-ID", "r-1", "Traceparent", trace)
	if want := `{"said":"r-1 ` + trace + `"}` + "\n"; w.Body.String() != want {
		t.Errorf("the handler knows %s, want %s", w.Body, want)
	}
	w = serveOnce(t, server, http.MethodGet, "/v1/things/1", "", "X-Request-ID", "r-1", "Traceparent", "junk")
	if want := `{"said":"r-1 "}` + "\n"; w.Body.String() != want {
		t.Errorf("of a broken trace the handler knows %s, want %s", w.Body, want)
	}
}

func TestTheAccessLogNamesTheRouteAndNothingTheCallerWrote(t *testing.T) {
	t.Parallel()
	server, out, _ := newServer(t, local(), things(func(_ context.Context, in *thing) (*said, error) {
		switch in.ID {
		case "broken":
			return nil, errors.New("disk full")
		case "missing":
			return nil, fault.New(fault.NotFound, "no such thing")
		}
		return say("hi"), nil
	}))
	call := func(path string) map[string]any {
		before := len(out.lines(t, "request"))
		serveOnce(t, server, http.MethodGet, path, "", "X-Request-ID", "r-1", "Traceparent", trace)
		lines := out.lines(t, "request")[before:]
		if len(lines) != 1 {
			t.Fatalf("%s wrote %d lines", path, len(lines))
		}
		if ms, ok := lines[0]["duration_ms"].(float64); !ok || ms < 0 {
			t.Errorf("%s: duration_ms = %v", path, lines[0]["duration_ms"])
		}
		delete(lines[0], "duration_ms")
		delete(lines[0], "bytes")
		return lines[0]
	}
	line := func(changes map[string]any) map[string]any {
		l := map[string]any{
			"level": "INFO", "msg": "request", "function": "store", "method": "GET", "route": "GET /v1/things/{id}", "status": 200.0,
			"request_id": "r-1", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "tenant": "acme", "project": "default",
		}
		for k, v := range changes {
			if l[k] = v; v == nil {
				delete(l, k)
			}
		}
		return l
	}
	for _, c := range []struct {
		name, path string
		want       map[string]any
	}{
		{"an answer", "/v1/things/7", line(nil)},
		{"a refusal has a kind", "/v1/things/missing", line(map[string]any{"status": 404.0, "kind": "not_found"})},
		{"a failure has its cause", "/v1/things/broken", line(map[string]any{"level": "ERROR", "status": 500.0, "kind": "internal", "err": "disk full"})},
		{"a path nobody serves is not repeated", "/secret-words", line(map[string]any{
			"function": "host", "route": "unmatched", "status": 404.0, "kind": "not_found", "tenant": nil, "project": nil})},
		{"probes are for debugging", "/health/live", line(map[string]any{
			"level": "DEBUG", "function": "host", "route": "GET /health/live", "tenant": nil, "project": nil})},
	} {
		if got := call(c.path); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s\n got %v\nwant %v", c.name, got, c.want)
		}
	}
	call("/v1/things/8?q=secret-words")
	if strings.Contains(out.String(), "secret-words") {
		t.Errorf("the log repeats the caller:\n%s", out)
	}
}

func TestMetricsAreByRouteAndNeverByPath(t *testing.T) {
	t.Parallel()
	server, _, gatherer := newServer(t, local(),
		things(func(_ context.Context, in *thing) (*said, error) {
			if in.ID == "missing" {
				return nil, fault.New(fault.NotFound, "no such thing")
			}
			return say("hi"), nil
		}),
		&function{name: "search", routes: route("found", func(context.Context, *thing) (*said, error) { panic("x") })},
	)
	for _, target := range []string{
		"/v1/things/1", "/v1/things/2", "/v1/things/missing", "/v1/found/1", "/nowhere/1", "/nowhere/2", "//v1//things/1", "/health/live",
	} {
		serveOnce(t, server, http.MethodGet, target, "")
	}
	serveOnce(t, server, "BREW", "/v1/things/1", "")
	serveOnce(t, server, http.MethodPost, "/", "")

	families, err := gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "rae_api_") {
			continue
		}
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += " " + label.GetName() + "=" + label.GetValue()
			}
			got[name] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	want := map[string]float64{
		"rae_api_requests_in_flight": 0,
		"rae_api_requests_total code=200 function=store route=GET /v1/things/{id}":  2,
		"rae_api_requests_total code=404 function=store route=GET /v1/things/{id}":  1,
		"rae_api_requests_total code=307 function=store route=GET /v1/things/{id}":  1,
		"rae_api_requests_total code=500 function=search route=GET /v1/found/{id}":  1,
		"rae_api_requests_total code=404 function=host route=unmatched":             2,
		"rae_api_requests_total code=405 function=host route=unmatched":             1,
		"rae_api_requests_total code=200 function=host route=GET /health/live":      1,
		"rae_api_requests_total code=404 function=events route=POST /{$}":           1,
		"rae_api_request_duration_seconds function=store route=GET /v1/things/{id}": 4,
		"rae_api_request_duration_seconds function=search route=GET /v1/found/{id}": 1,
		"rae_api_request_duration_seconds function=host route=unmatched":            3,
		"rae_api_request_duration_seconds function=host route=GET /health/live":     1,
		"rae_api_request_duration_seconds function=events route=POST /{$}":          1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("metrics\n got %v\nwant %v", got, want)
	}

	scrape := serveOnce(t, server, http.MethodGet, "/metrics", "")
	for _, name := range []string{"rae_api_requests_total{", "rae_api_requests_in_flight 1", "go_goroutines"} {
		if !strings.Contains(scrape.Body.String(), name) {
			t.Errorf("/metrics has no %s", name)
		}
	}
}

func TestAPanicIsA500ThatNamesItsRequest(t *testing.T) {
	t.Parallel()
	h := start(t, local(), things(func(_ context.Context, in *thing) (*said, error) {
		if in.ID == "index" {
			var empty []string
			return say(empty[len(in.ID)]), nil
		}
		panic("what the memory said")
	}))
	for id, cause := range map[string]string{"words": "string", "index": "runtime error: index out of range [5] with length 0"} {
		status, header, body := h.get(t, "/v1/things/"+id, "X-Request-ID", "r-"+id)
		var problem struct {
			Status    int
			Detail    string
			RequestID string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(body), &problem); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if status != 500 || problem.Status != 500 || problem.Detail != "internal error" || problem.RequestID != "r-"+id || header.Get("X-Request-ID") != "r-"+id {
			t.Errorf("%s: %d %v %s", id, status, header, body)
		}
		found := false
		for _, l := range h.logs.lines(t, "panic") {
			if l["request_id"] == "r-"+id {
				stack, _ := l["stack"].(string)
				found = l["cause"] == cause && strings.Contains(stack, "observe_test.go")
			}
		}
		if !found {
			t.Errorf("%s: no panic line with cause %q and stack:\n%s", id, cause, h.logs)
		}
	}
	if strings.Contains(h.logs.String(), "memory said") {
		t.Error("the log holds what was panicked with")
	}
}

func TestAPanicLeavesNothingOfTheAnswerThatWillNotCome(t *testing.T) {
	t.Parallel()
	h := start(t, local(), &function{name: "store", events: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("ETag", `"x"`)
		panic("x")
	})})
	answer, err := h.client.Post(h.url+"/", "application/json", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusInternalServerError || answer.Header.Get("ETag") != "" || !json.Valid(body) {
		t.Errorf("%d %v %q, %v", answer.StatusCode, answer.Header, body, err)
	}
}

func TestARedirectIsLoggedByRouteToo(t *testing.T) {
	t.Parallel()
	server, out, _ := newServer(t, local(), &function{name: "store", routes: func(api huma.API) {
		huma.Register(api, huma.Operation{OperationID: "x", Method: http.MethodGet, Path: "/v1/tree/{id}/"},
			func(context.Context, *thing) (*said, error) { return say("x"), nil })
	}})
	if w := serveOnce(t, server, http.MethodGet, "/v1/tree/secret-words", ""); w.Code/100 != 3 {
		t.Fatalf("status %d, want a redirect", w.Code)
	}
	if got := out.lines(t, "request")[0]["route"]; got != "GET /v1/tree/{id}/" || strings.Contains(out.String(), "secret-words") {
		t.Errorf("route %v", got)
	}
}

func TestHalfAnAnswerIsCutRatherThanEnded(t *testing.T) {
	t.Parallel()
	h := start(t, local(), &function{name: "store", routes: func(api huma.API) {
		huma.Register(api, huma.Operation{OperationID: "x", Method: http.MethodGet, Path: "/v1/things"},
			func(context.Context, *struct{}) (*huma.StreamResponse, error) {
				return &huma.StreamResponse{Body: func(c huma.Context) {
					_, _ = io.WriteString(c.BodyWriter(), "half")
					c.BodyWriter().(http.Flusher).Flush()
					panic("x")
				}}, nil
			})
	}})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+"/v1/things", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Tenant-ID", "acme")
	answer, err := h.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err == nil {
		t.Errorf("read %q as if it were whole", body)
	}
}
