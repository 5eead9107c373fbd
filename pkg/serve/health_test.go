package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/pkg/serve"
)

func reports(name string, components ...serve.Component) *function {
	return &function{name: name, health: func(context.Context) []serve.Component { return components }}
}

func readHealth(t *testing.T, server *serve.Server, path string) (int, serve.Health) {
	t.Helper()
	w := serveOnce(t, server, http.MethodGet, path, "")
	var h serve.Health
	if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil {
		t.Fatalf("%s answers %q: %v", path, w.Body, err)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("%s is %s", path, got)
	}
	return w.Code, h
}

func TestHealthMergesWhatTheFunctionsSay(t *testing.T) {
	t.Parallel()
	down := errors.New("dial tcp 10.0.0.7:5432: connection refused")
	const up, missing = serve.Healthy, serve.Unhealthy
	for _, c := range []struct {
		name      string
		functions []serve.Function
		status    int
		want      serve.Status
		parts     map[string]serve.Status
	}{
		{"nobody says anything", nil, 200, serve.Healthy, map[string]serve.Status{}},
		{"all is well", []serve.Function{
			reports("store", serve.Component{Name: "database", Critical: true}),
			reports("search", serve.Component{Name: "database", Critical: true}, serve.Component{Name: "redis"}),
		}, 200, serve.Healthy, map[string]serve.Status{"database": up, "redis": up}},
		{"a helper is down", []serve.Function{
			reports("search", serve.Component{Name: "qdrant", Err: down}, serve.Component{Name: "redis"}),
		}, 200, serve.Degraded, map[string]serve.Status{"qdrant": missing, "redis": up}},
		{"what cannot be done without is down", []serve.Function{
			reports("store", serve.Component{Name: "database", Critical: true, Err: down}, serve.Component{Name: "redis", Err: down}),
		}, 503, serve.Unhealthy, map[string]serve.Status{"database": missing, "redis": missing}},
		{"the worse word holds, whoever says it first", []serve.Function{
			reports("store", serve.Component{Name: "database", Critical: true, Err: down}),
			reports("search", serve.Component{Name: "database", Critical: true}),
			reports("embed", serve.Component{Name: "redis"}),
			reports("budget", serve.Component{Name: "redis", Err: down}),
		}, 503, serve.Unhealthy, map[string]serve.Status{"database": missing, "redis": missing}},
		{"a function panics", []serve.Function{
			&function{name: "store", health: func(context.Context) []serve.Component { panic("x") }},
			reports("search", serve.Component{Name: "redis"}),
		}, 503, serve.Unhealthy, map[string]serve.Status{"store": missing, "redis": up}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, out, _ := newServer(t, local(), c.functions...)
			want := serve.Health{Status: c.want, Version: "v1.2.3", Components: c.parts}
			for _, path := range []string{"/health", "/health/ready"} {
				if status, got := readHealth(t, server, path); status != c.status || !reflect.DeepEqual(got, want) {
					t.Errorf("%s\n got %d %+v\nwant %d %+v", path, status, got, c.status, want)
				}
			}
			if c.want != serve.Healthy && len(out.lines(t, "component down")) == 0 {
				t.Error("the log does not say why")
			}
			alive := serve.Health{Status: serve.Healthy, Version: "v1.2.3", Components: map[string]serve.Status{}}
			if status, got := readHealth(t, server, "/health/live"); status != 200 || !reflect.DeepEqual(got, alive) {
				t.Errorf("/health/live: %d %+v", status, got)
			}
		})
	}
}

func TestHealthNeverTellsWhy(t *testing.T) {
	t.Parallel()
	server, _, _ := newServer(t, local(), reports("store", serve.Component{Name: "database", Critical: true, Err: errors.New("dial tcp 10.0.0.7:5432")}))
	if w := serveOnce(t, server, http.MethodGet, "/health", ""); strings.Contains(w.Body.String(), "10.0.0.7") {
		t.Errorf("/health gives away an address: %s", w.Body)
	}
}

func TestLivenessTouchesNothing(t *testing.T) {
	t.Parallel()
	server, _, _ := newServer(t, local(), &function{name: "store", health: func(context.Context) []serve.Component {
		t.Error("a function was asked")
		return nil
	}})
	if status, _ := readHealth(t, server, "/health/live"); status != 200 {
		t.Errorf("status %d", status)
	}
}

func TestAFunctionThatNeverAnswersIsDownAfterTwoSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		server, _, _ := newServer(t, local(),
			&function{name: "store", health: func(context.Context) []serve.Component { <-free; return nil }},
			reports("search", serve.Component{Name: "redis"}),
		)
		began := time.Now()
		status, got := readHealth(t, server, "/health")
		took := time.Since(began)
		close(free)
		want := serve.Health{Status: serve.Unhealthy, Version: "v1.2.3", Components: map[string]serve.Status{"store": serve.Unhealthy, "redis": serve.Healthy}}
		if status != 503 || took != 2*time.Second || !reflect.DeepEqual(got, want) {
			t.Errorf("after %s: %d %+v, want %+v after 2s", took, status, got, want)
		}
	})
}
