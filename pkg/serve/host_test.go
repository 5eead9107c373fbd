package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// programEnv makes the test binary run serve.Main instead of the tests, for what only a process can show.
const programEnv = "SERVE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		serve.Main("store", func(context.Context, serve.Runtime) (serve.Function, error) {
			return &function{name: "store", routes: holding}, nil
		})
	}
	goleak.VerifyTestMain(m)
}

// function is a Function made of parts a test cares for.
type function struct {
	name   string
	routes func(huma.API)
	events http.Handler
	health func(context.Context) []serve.Component
	close  func(context.Context) error
}

func (f *function) Name() string { return f.name }

func (f *function) Register(api huma.API) {
	if f.routes != nil {
		f.routes(api)
	}
}

func (f *function) Events() http.Handler { return f.events }

func (f *function) Health(ctx context.Context) []serve.Component {
	if f.health == nil {
		return nil
	}
	return f.health(ctx)
}

func (f *function) Close(ctx context.Context) error {
	if f.close == nil {
		return nil
	}
	return f.close(ctx)
}

// thing is the input and output of the routes below.
type thing struct {
	httpapi.Scoped
	ID string `path:"id"`
}

type said struct {
	Body struct {
		Said string `json:"said"`
	}
}

func say(words string) *said {
	s := &said{}
	s.Body.Said = words
	return s
}

// route registers GET /v1/<noun>/{id}.
func route(noun string, handle func(context.Context, *thing) (*said, error)) func(huma.API) {
	return func(api huma.API) {
		httpapi.Register(api, huma.Operation{
			OperationID: "get-" + noun, Method: http.MethodGet, Path: "/v1/" + noun + "/{id}",
		}, handle)
	}
}

// holding is a route that answers only when the process or the request ends.
func holding(api huma.API) {
	route("held", func(ctx context.Context, _ *thing) (*said, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})(api)
}

// logs is a log that can be read while it is written.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// lines returns the records with the message, without their times.
func (l *logs) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for _, raw := range bytes.Split([]byte(l.String()), []byte("\n")) {
		var record map[string]any
		if len(raw) == 0 {
			continue
		}
		if err := json.Unmarshal(raw, &record); err != nil {
			t.Fatalf("log line %q: %v", raw, err)
		}
		if record["msg"] == message {
			delete(record, "time")
			found = append(found, record)
		}
	}
	return found
}

// local is a configuration for tests: a free port on loopback, no credentials.
func local() serve.Config {
	cfg := serve.LocalDefaults()
	cfg.Port, cfg.LogLevel = 0, "debug"
	return cfg
}

func runtimeFor(t *testing.T, cfg serve.Config, out io.Writer) serve.Runtime {
	t.Helper()
	rt, err := serve.NewRuntime(&cfg, out)
	if err != nil {
		t.Fatal(err)
	}
	rt.Version = "v1.2.3"
	return rt
}

func newServer(t *testing.T, cfg serve.Config, functions ...serve.Function) (*serve.Server, *logs, prometheus.Gatherer) {
	t.Helper()
	out := &logs{}
	rt := runtimeFor(t, cfg, out)
	server, err := serve.New(cfg, rt, functions...)
	if err != nil {
		t.Fatal(err)
	}
	return server, out, rt.Metrics.(prometheus.Gatherer)
}

// host is a server that really listens.
type host struct {
	url    string
	addr   string
	client *http.Client
	logs   *logs
	drain  context.CancelFunc
	ended  chan error // what Run returned
}

// start serves until the test ends or drain is called; a Run that fails, fails the test.
func start(t *testing.T, cfg serve.Config, functions ...serve.Function) *host {
	t.Helper()
	server, out, _ := newServer(t, cfg, functions...)
	address, err := server.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	transport := &http.Transport{}
	h := &host{
		url: "http://" + address.String(), addr: address.String(), client: &http.Client{Transport: transport},
		logs: out, drain: cancel, ended: make(chan error, 1),
	}
	over := make(chan struct{})
	go func() {
		h.ended <- server.Run(ctx)
		close(over)
	}()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		<-over
	})
	return h
}

// get asks with a tenant and returns the status, the headers and the body.
func (h *host) get(t *testing.T, path string, headers ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Tenant-ID", "acme")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := h.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(body)
}

func TestTwoFunctionsMayNotClaimOneRoute(t *testing.T) {
	t.Parallel()
	routes := route("things", func(context.Context, *thing) (*said, error) { return say("x"), nil })
	cfg := local()
	_, err := serve.New(cfg, runtimeFor(t, cfg, io.Discard), &function{name: "store", routes: routes}, &function{name: "search", routes: routes})
	if err == nil {
		t.Fatal("New accepts both")
	}
}

func TestMetricsNeedARegistryThatCanBeRead(t *testing.T) {
	t.Parallel()
	wrapped := prometheus.WrapRegistererWithPrefix("x_", telemetry.NewRegistry())
	if _, err := serve.New(local(), serve.Runtime{Log: slog.New(slog.DiscardHandler), Metrics: wrapped}); err == nil {
		t.Fatal("New accepts a registerer without a gatherer")
	}
}

func TestEventsGoToWhoeverTakesThem(t *testing.T) {
	t.Parallel()
	taker := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, name) })
	}
	post := func(server *serve.Server) (int, string) {
		w := serveOnce(t, server, http.MethodPost, "/", "")
		return w.Code, w.Body.String()
	}
	alone, _, _ := newServer(t, local(), &function{name: "store", events: taker("store")})
	if status, body := post(alone); status != http.StatusOK || body != "store" {
		t.Errorf("a single function: %d %s", status, body)
	}
	several := []serve.Function{&function{name: "store", events: taker("store")}, &function{name: "search", events: taker("search")}}
	dispatched, _, _ := newServer(t, local(), several...)
	dispatched.Events = taker("dispatcher")
	if status, body := post(dispatched); status != http.StatusOK || body != "dispatcher" {
		t.Errorf("several functions with a dispatcher: %d %s", status, body)
	}
	undecided, _, _ := newServer(t, local(), several...)
	if status, _ := post(undecided); status != http.StatusNotFound {
		t.Errorf("several functions without a dispatcher: %d", status)
	}
	deaf, _, _ := newServer(t, local(), &function{name: "rerank"})
	if status, _ := post(deaf); status != http.StatusNotFound {
		t.Errorf("a function that takes no events: %d", status)
	}
}

func TestCredentialsAreAskedForWhereTheyAreRequired(t *testing.T) {
	t.Parallel()
	cfg := local()
	cfg.Auth, cfg.MasterKey = auth.Required, "a-master-key"
	h := start(t, cfg, &function{name: "store", routes: route("things", func(ctx context.Context, in *thing) (*said, error) {
		return say(in.Tenant + " " + auth.PrincipalOf(ctx).Subject), nil
	})})
	if status, _, _ := h.get(t, "/v1/things/1"); status != http.StatusUnauthorized {
		t.Errorf("without a credential: %d", status)
	}
	if status, _, body := h.get(t, "/v1/things/1", "X-API-Key", "a-master-key"); status != http.StatusOK || body != `{"said":"acme master"}`+"\n" {
		t.Errorf("with one: %d %s", status, body)
	}
	for _, open := range []string{"/health", "/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs"} {
		if status, _, _ := h.get(t, open); status != http.StatusOK {
			t.Errorf("%s: %d", open, status)
		}
	}
	if status, _, body := h.get(t, "/nowhere"); status != http.StatusNotFound {
		t.Errorf("/nowhere: %d %s", status, body)
	}
}
