package rae_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// running is all six functions in this process, on a store in a folder of the test.
type running struct {
	*rae.Engine
	t       *testing.T
	handler http.Handler
	stop    func() // ends it before the test does
}

func start(t *testing.T) *running { return startWith(t, func(*rae.Config) {}) }

// startWith is start with settings of the test's own.
func startWith(t *testing.T, set func(*rae.Config)) *running { return startLogging(t, io.Discard, set) }

// startLogging is startWith with a log, to be read after stop.
func startLogging(t *testing.T, log io.Writer, set func(*rae.Config)) *running {
	t.Helper()
	e := openLogging(t, log, set)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.Run(ctx)
	}()
	closed := e.stop
	e.stop = sync.OnceFunc(func() {
		stop()
		<-ended
		closed()
	})
	t.Cleanup(e.stop)
	return e
}

// open is startWith for an engine that answers requests and does nothing by itself.
func open(t *testing.T, set func(*rae.Config)) *running {
	t.Helper()
	e := openLogging(t, io.Discard, set)
	t.Cleanup(e.stop)
	return e
}

func openLogging(t *testing.T, log io.Writer, set func(*rae.Config)) *running {
	t.Helper()
	cfg, err := rae.Load()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Store.DataDir = t.TempDir()
	set(&cfg)
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	opened, err := rae.Open(cfg, serve.Runtime{Log: logger, Metrics: telemetry.NewRegistry(), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	server, err := opened.Serve(serve.LocalDefaults())
	if err != nil {
		t.Fatal(err)
	}
	return &running{Engine: opened, t: t, handler: server.Handler(), stop: sync.OnceFunc(func() {
		if err := opened.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})}
}

// call sends a request as a client on this machine and returns the status and the parsed answer.
func (e *running) call(method, path, body string, headers ...string) (int, map[string]any) {
	e.t.Helper()
	r := httptest.NewRequestWithContext(e.t.Context(), method, path, strings.NewReader(body))
	r.RemoteAddr, r.Host = "127.0.0.1:4711", "127.0.0.1"
	r.Header.Set("X-Tenant-ID", "acme")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	answer := httptest.NewRecorder()
	e.handler.ServeHTTP(answer, r)
	var parsed map[string]any
	if raw := answer.Body.Bytes(); len(raw) > 0 {
		if err := json.Unmarshal(raw, &parsed); err != nil {
			e.t.Fatalf("%s %s: %d %q", method, path, answer.Code, raw)
		}
	}
	return answer.Code, parsed
}

// eventually asks until the answer is yes. Work that follows by event has no other sign of being done.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute) // a busy machine may have a job try twice, with a wait between
	for !yes() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("after a minute still not: %s", what)
		}
	}
}

func TestASixFunctionStory(t *testing.T) {
	t.Parallel()
	e := start(t)
	for i, content := range []string{
		"Mara walks her greyhound Biscuit along the river path.", "The greyhound Biscuit slept through the whole walk home.",
		"Mara bought a warm coat for her greyhound.", "Biscuit chased a heron at the river.", "Jonas wants a greyhound of his own now.",
		"The river path was flooded, so Mara walked Biscuit in the park.", "A neighbour asked Mara which shelter the greyhound came from.",
		"Biscuit does not like the vet.", "Mara and Jonas walked the dogs together.", "The boiler was serviced in October.",
	} {
		body := fmt.Sprintf(`{"content":%q,"session_id":"s%d"}`, content, i%3)
		if status, answer := e.call("POST", "/v1/memories", body); status != 201 {
			t.Fatalf("store: %d %v", status, answer)
		}
	}
	status, found := e.call("POST", "/v1/search", `{"query":"Where does Mara walk the dog Biscuit?"}`)
	if status != 200 || len(found["results"].([]any)) < 5 {
		t.Fatalf("search: %d %v", status, found)
	}
	if status, packed := e.call("POST", "/v1/context", `{"query":"Biscuit","max_tokens":50}`); status != 200 || packed["text"] == "" {
		t.Errorf("context: %d %v", status, packed)
	}
	if status, vectors := e.call("POST", "/v1/embeddings", `{"input":"a greyhound"}`); status != 200 || len(vectors["data"].([]any)) != 1 {
		t.Errorf("embed: %d %v", status, vectors)
	}
	status, ranked := e.call("POST", "/v1/rerank", `{"query":"greyhound","documents":["a boiler","a greyhound"]}`)
	if status != 200 || ranked["results"].([]any)[0].(map[string]any)["index"] != 1.0 {
		t.Errorf("rerank: %d %v", status, ranked)
	}
	if status, budget := e.call("GET", "/v1/budgets/current", ""); status != 200 || budget["daily_limit"] != 10.0 || budget["monthly_limit"] != 100.0 {
		t.Errorf("the defaults of the guide do not hold: %d %v", status, budget)
	}
	status, reflection := e.call("POST", "/v1/reflections", `{"kind":"insight"}`)
	if status != 202 {
		t.Fatalf("reflect: %d %v", status, reflection)
	}
	eventually(t, "a queued reflection is done and its insight is found", func() bool {
		_, now := e.call("GET", "/v1/reflections/"+reflection["id"].(string), "")
		_, found := e.call("POST", "/v1/search", `{"query":"Mara greyhound","filters":{"layers":["reflective"]}}`)
		return now["status"] == "succeeded" && len(found["results"].([]any)) > 0
	})
}

func TestHealthIsTheGuides(t *testing.T) {
	t.Parallel()
	e := start(t)
	status, got := e.call("GET", "/health", "")
	want := map[string]any{"status": "healthy", "version": "test", "components": map[string]any{
		"database": "healthy", "ml_service": "healthy", "redis": "disabled", "qdrant": "disabled",
	}}
	if status != 200 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d %v, want %v", status, got, want)
	}
}

// TestAPoisonEventBlocksNothing puts an event that can never work into the outbox, before one that can.
func TestAPoisonEventBlocksNothing(t *testing.T) {
	t.Parallel()
	e := start(t)
	scope := memory.Scope{Tenant: "acme", Project: "default"}
	derived := func(content string, cites memory.ID) []byte {
		now := time.Now()
		data, err := json.Marshal(eventing.Derivation{ReflectionID: memory.NewID(), Memory: memory.Memory{
			ID: memory.NewID(), TenantID: scope.Tenant, ProjectID: scope.Project, Content: content, Layer: memory.Reflective, Tags: []string{},
			Importance: .5, Source: "reflection", DerivedFrom: []memory.Citation{{MemoryID: cites, Start: 0, End: 3}},
			Embedding: memory.EmbeddingPending, Version: 1, CreatedAt: now, UpdatedAt: now,
		}})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	_, stored := e.call("POST", "/v1/memories", `{"content":"the raw turn"}`)
	err := e.Memories.Store.Write(t.Context(), scope, func(tx memory.Tx) error {
		for subject, data := range map[string][]byte{
			"poison": derived("cites what does not exist", memory.NewID()),
			"good":   derived("cites what exists", memory.ID(stored["id"].(string))),
		} {
			if err := tx.Emit(t.Context(), outbox.Record{Type: outbox.MemoryDerived, Subject: subject, Data: data}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	queue := e.Memories.Store.(outbox.Queue)
	eventually(t, "the good event is taken and the poison is among the dead", func() bool {
		_, found := e.call("POST", "/v1/search", `{"query":"cites","filters":{"layers":["reflective"]}}`)
		dead, err := queue.Dead(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(found["results"].([]any)) == 1 && len(dead) == 1 && dead[0].Subject == "poison" && strings.Contains(dead[0].Reason, "store answered 4")
	})
}

// TestEventsFromOutsideReachTheFunctions posts what a broker would.
func TestEventsFromOutsideReachTheFunctions(t *testing.T) {
	t.Parallel()
	e := start(t)
	post := func(eventType, id, body string, headers ...string) int {
		status, _ := e.call("POST", "/", body, append([]string{"Ce-Specversion", "1.0", "Ce-Type", eventType, "Ce-Source", "/rae/clock", "Ce-Id", id, "X-Tenant-ID", ""}, headers...)...)
		return status
	}
	if status := post("dev.rae.drain.due.v1", "1", `{}`); status != 204 {
		t.Errorf("a clock event: %d", status)
	}
	if status := post("dev.rae.memory.derived.v1", "2", `{"memory":{}}`, "Ce-Tenantid", "acme", "Ce-Projectid", "default"); status != 422 && status != 400 {
		t.Errorf("poison: %d", status)
	}
	if status := post("com.example.unknown", "3", `{}`); status != 400 {
		t.Errorf("an unknown type: %d", status)
	}
}

// TestADeletedMemoryIsGoneFromInsightsToo deletes a memory that an insight quotes.
func TestADeletedMemoryIsGoneFromInsightsToo(t *testing.T) {
	t.Parallel()
	e := start(t)
	for _, content := range []string{
		"The hydraulic pump of the harbour crane leaks.", "A technician sealed the hydraulic pump of the harbour crane.",
		"Since May the harbour crane has another hydraulic pump.", "Nobody may stand under the harbour crane while the hydraulic pump warms up.",
	} {
		e.call("POST", "/v1/memories", fmt.Sprintf(`{"content":%q}`, content))
	}
	e.call("POST", "/v1/reflections", `{"kind":"insight","wait":true}`)
	insights := func() []any {
		_, list := e.call("GET", "/v1/memories?layer=reflective", "")
		return list["memories"].([]any)
	}
	eventually(t, "an insight stands", func() bool { return len(insights()) == 1 })
	source := insights()[0].(map[string]any)["derived_from"].([]any)[0].(map[string]any)["memory_id"].(string)
	if status, answer := e.call("DELETE", "/v1/memories/"+source, ""); status != 204 && status != 200 {
		t.Fatalf("%d %v", status, answer)
	}
	eventually(t, "the insight that quotes it is gone", func() bool { return len(insights()) == 0 })
}

func TestAnErasedTenantIsGoneFromEveryAnswer(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.call("POST", "/v1/memories", `{"content":"a canary sings","entities":["Canary"]}`)
	e.call("POST", "/v1/search", `{"query":"canary"}`)
	status, receipt := e.call("DELETE", "/v1/tenants/acme/data", "")
	if status != 200 || receipt["memories"] != 1.0 || receipt["cache_keys"].(float64) < 1 {
		t.Fatalf("%d %v", status, receipt)
	}
	_, found := e.call("POST", "/v1/search", `{"query":"canary"}`)
	_, entities := e.call("GET", "/v1/entities", "")
	_, list := e.call("GET", "/v1/memories", "")
	if len(found["results"].([]any))+len(entities["entities"].([]any))+len(list["memories"].([]any)) != 0 {
		t.Errorf("found %v, entities %v, list %v", found, entities, list)
	}
}

// TestTheClockWakesWhatNobodyElseDoes leaves work without a record that announces it, and lets time pass.
func TestTheClockWakesWhatNobodyElseDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg, err := rae.Load()
		if err != nil {
			t.Fatal(err)
		}
		cfg.Store.Store = "inmem"
		e, err := rae.Open(cfg, serve.Runtime{Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewRegistry(), Version: "test"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			e.Run(ctx)
		}()
		scope := memory.Scope{Tenant: "acme", Project: "default"}
		queued := reflection.Reflection{ID: memory.NewID(), TenantID: "acme", ProjectID: "default", Kind: reflection.Insight, Status: reflection.Queued, CreatedAt: time.Now()}
		if _, _, err := e.Reflections.Store.Create(ctx, scope, queued, memory.Key{}); err != nil {
			t.Fatal(err)
		}
		told := reflection.Gathered{Events: []reflection.Event{{Source: "/rae/store", ID: "1"}}, Every: 20}
		if _, err := e.Reflections.Store.Gather(ctx, scope, told, queued); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		if r, err := e.Reflections.Get(ctx, scope, queued.ID); err != nil || r.Status != reflection.Succeeded {
			t.Errorf("after ten seconds: %+v, %v", r, err)
		}
		time.Sleep(time.Hour)
		page, err := e.Reflections.List(ctx, scope, reflection.Query{Kind: reflection.Decay, Limit: 10})
		if err != nil || len(page.Reflections) != 1 || page.Reflections[0].Status != reflection.Succeeded {
			t.Errorf("after an hour of the day's decay: %+v, %v", page, err)
		}
		stop()
		<-ended
		if err := e.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
}

// TestInstance drives the engine as Knative's function runtime does. It sets the environment, so it is not parallel.
func TestInstance(t *testing.T) {
	t.Setenv("RAE_DATA_DIR", t.TempDir())
	t.Setenv("RAE_AUTH", "none")
	t.Setenv("RAE_LOG_LEVEL", "error")
	i := rae.New()
	if ready, err := i.Ready(t.Context()); ready || err == nil {
		t.Error("ready before it was started")
	}
	if err := i.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if ready, err := i.Ready(t.Context()); !ready || err != nil {
		t.Errorf("ready: %v, %v", ready, err)
	}
	if alive, err := i.Alive(t.Context()); !alive || err != nil {
		t.Errorf("alive: %v, %v", alive, err)
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/health", nil)
	r.Host = "localhost"
	answer := httptest.NewRecorder()
	i.Handle(answer, r)
	if body, _ := io.ReadAll(answer.Body); answer.Code != 200 {
		t.Errorf("%d %s", answer.Code, body)
	}
	if err := i.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// TestAnEngineLeavesNothingRunning opens, uses and closes one.
func TestAnEngineLeavesNothingRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("use", func(t *testing.T) {
		e := start(t)
		e.call("POST", "/v1/memories", `{"content":"x"}`)
		e.call("POST", "/v1/search", `{"query":"x"}`)
	})
}

// second is another embedding model: two dimensions, which tell the length of a text.
type second struct{}

func (second) Model() string   { return "second-2" }
func (second) Dimensions() int { return 2 }

func (second) EmbedDocuments(_ context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i, s := range texts {
		vectors[i] = []float32{1, float32(len(s))}
	}
	return vectors, nil
}

func (s second) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	vectors, err := s.EmbedDocuments(ctx, []string{text})
	return vectors[0], err
}

func TestAJobIsDoneByItself(t *testing.T) {
	t.Parallel()
	e := start(t)
	first := e.Spaces.Resolve
	e.Spaces.Resolve = func(model string) (embed.Embedder, error) {
		if model == "second-2" {
			return second{}, nil
		}
		return first(model)
	}
	e.Jobs.Slice = time.Second
	var steps atomic.Int32
	e.Jobs.Handlers[embed.ReembedKind] = func(ctx context.Context, s *job.Slice) (bool, error) {
		done, err := e.Reembed.Step(ctx, s)
		if steps.Add(1) <= 2 {
			<-ctx.Done() // the slice is over: the next must be woken for
		}
		return done, err
	}
	scope := memory.Scope{Tenant: "acme", Project: "default"}
	for i := range 100 {
		if status, answer := e.call("POST", "/v1/memories", fmt.Sprintf(`{"content":"Biscuit chased heron number %d."}`, i)); status != 201 {
			t.Fatalf("store: %d %v", status, answer)
		}
	}
	j, err := e.Reembed.Start(t.Context(), scope, "second-2")
	if err != nil {
		t.Fatal(err)
	}
	var last map[string]any
	eventually(t, "the job is done", func() bool {
		_, last = e.call("GET", "/v1/jobs/"+string(j.ID), "")
		return last["status"] == "succeeded"
	})
	if progress := last["progress"]; !reflect.DeepEqual(progress, map[string]any{"done": 100.0, "total": 100.0}) {
		t.Errorf("ended with %v", progress)
	}
	if status, found := e.call("POST", "/v1/search", `{"query":"heron number 42"}`); status != 200 || len(found["results"].([]any)) == 0 {
		t.Errorf("search beside the second model: %d %v", status, found)
	}
	if scopes, err := e.Scopes(t.Context(), memory.Scope{}, 10); err != nil || !reflect.DeepEqual(scopes, []memory.Scope{{Tenant: "acme", Project: "default"}}) {
		t.Errorf("scopes %v, %v", scopes, err)
	}
}
