package rae_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/eventing"
	budgetfn "github.com/rae-memory/rae/functions/budget"
	embedfn "github.com/rae-memory/rae/functions/embed"
	reflectfn "github.com/rae-memory/rae/functions/reflect"
	rerankfn "github.com/rae-memory/rae/functions/rerank"
	searchfn "github.com/rae-memory/rae/functions/search"
	storefn "github.com/rae-memory/rae/functions/store"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// world is RAE with a paid embedder and a paid reranker, however it is deployed.
type world struct {
	*testing.T
	*provider
	handle func(path string) http.Handler // who answers the path
	tick   func()                         // lets the clock tick where it doesn't by itself
	// unheard lists events that a consumer did not say 2xx to.
	unheard func() []string
}

// exchange is what was answered.
type exchange struct {
	status int
	media  string
	body   map[string]any
}

func (w *world) ask(method, path, body string, headers ...string) exchange {
	w.Helper()
	r := httptest.NewRequestWithContext(w.Context(), method, path, strings.NewReader(body))
	r.RemoteAddr, r.Host = "127.0.0.1:4711", "127.0.0.1"
	r.Header.Set("X-Tenant-ID", "acme")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	w.handle(r.URL.Path).ServeHTTP(answer, r)
	got := exchange{status: answer.Code, media: answer.Header().Get("Content-Type")}
	if raw := answer.Body.Bytes(); len(raw) > 0 {
		if err := json.Unmarshal(raw, &got.body); err != nil {
			w.Fatalf("%s %s: %d %q", method, path, answer.Code, raw)
		}
	}
	return got
}

// must is ask for an answer of the status.
func (w *world) must(status int, method, path, body string, headers ...string) map[string]any {
	w.Helper()
	got := w.ask(method, path, body, headers...)
	if got.status != status {
		w.Fatalf("%s %s %s: %d %v, want %d", method, path, body, got.status, got.body, status)
	}
	return got.body
}

// until asks until the answer is yes, letting the clock tick.
func (w *world) until(what string, yes func() bool) {
	w.Helper()
	eventually(w.T, what, func() bool {
		w.tick()
		return yes()
	})
}

// paying sets the settings of an engine that embeds and reranks by the provider.
func (p *provider) paying(c *rae.Config) {
	c.Embed.EmbedProvider, c.Embed.EmbedModel, c.Embed.EmbedBaseURL, c.Embed.EmbedKey = "openai", "text-embedding-3-small", p.URL, providerKey
	c.Embed.EmbedDimensions = new(embed.Hash).Dimensions()
	c.Rerank.RerankProvider, c.Rerank.RerankBaseURL, c.Rerank.RerankKey = "cohere", p.URL, providerKey
	c.Search.CacheAnswers = 0
}

// inOneProcess is all six functions, and their broker, in this process.
func inOneProcess(t *testing.T, set func(*rae.Config)) *world {
	t.Helper()
	p := startProvider(t)
	e := startWith(t, func(c *rae.Config) {
		p.paying(c)
		set(c)
	})
	return &world{
		T: t, provider: p, tick: func() {}, handle: func(string) http.Handler { return e.handler },
		unheard: func() (unheard []string) {
			dead, err := e.Memories.Store.(outbox.Queue).Dead(t.Context(), 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range dead {
				unheard = append(unheard, r.Type+": "+r.Reason)
			}
			return unheard
		},
	}
}

// sixFunctions is each function for itself, over one PostgreSQL, with a broker and a clock between them: embed and rerank
// ask the provider, everybody asks them, and all of them ask budget. It sets the environment of the process.
func sixFunctions(t *testing.T) *world {
	t.Helper()
	p := startProvider(t)
	var cfg rae.Config
	admittedTo(t)(&cfg)
	var mu sync.Mutex
	var unheard []string
	servers := map[string]*httptest.Server{}
	deliver := func(function string, header http.Header, body []byte) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, servers[function].URL+"/", bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		r.Header = header.Clone()
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return // the test has ended
		}
		defer answer.Body.Close()
		said, _ := io.ReadAll(answer.Body)
		if answer.StatusCode/100 != 2 {
			mu.Lock()
			unheard = append(unheard, fmt.Sprintf("%s to %s: %d %s", header.Get("Ce-Type"), function, answer.StatusCode, said))
			mu.Unlock()
		}
	}
	subscribers := func(eventType string) (names []string) {
		for _, entry := range eventing.Catalogue() {
			if entry.Type == eventType {
				names = entry.Subscribers
			}
		}
		return names
	}
	var deliveries sync.WaitGroup
	broker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, function := range subscribers(r.Header.Get("Ce-Type")) {
			deliveries.Go(func() { deliver(function, r.Header, body) })
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	start := func(name string, open serve.Open, settings ...string) {
		for i := 0; i < len(settings); i += 2 {
			t.Setenv(settings[i], settings[i+1])
		}
		rt := serve.Runtime{Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewRegistry(), Version: "test"}
		f, err := open(t.Context(), rt)
		if err != nil {
			t.Fatal(err)
		}
		server, err := serve.New(serve.LocalDefaults(), rt, f)
		if err != nil {
			t.Fatal(err)
		}
		servers[name] = httptest.NewServer(server.Handler())
		t.Cleanup(func() {
			servers[name].Close()
			if err := f.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		broker.Close()
		deliveries.Wait()
	})
	t.Setenv("RAE_STORE", "postgres")
	t.Setenv("RAE_POSTGRES_URL", cfg.Store.PostgresURL.Reveal())
	dimensions := fmt.Sprint(new(embed.Hash).Dimensions())
	start("budget", budgetfn.Open)
	start("embed", embedfn.Open, "RAE_BUDGET_URL", servers["budget"].URL, "RAE_EMBED_PROVIDER", "openai", "RAE_EMBED_BASE_URL", p.URL,
		"RAE_EMBED_API_KEY", providerKey, "RAE_EMBED_DIMENSIONS", dimensions)
	start("rerank", rerankfn.Open, "RAE_RERANK_PROVIDER", "cohere", "RAE_RERANK_BASE_URL", p.URL, "RAE_RERANK_API_KEY", providerKey)
	start("search", searchfn.Open, "RAE_EMBED_PROVIDER", "rae", "RAE_EMBED_BASE_URL", servers["embed"].URL+"/v1", "RAE_EMBED_MODEL", "text-embedding-3-small",
		"RAE_EMBED_API_KEY", "", "RAE_RERANK_PROVIDER", "rae", "RAE_RERANK_BASE_URL", servers["rerank"].URL+"/v1", "RAE_RERANK_API_KEY", "", "RAE_SEARCH_CACHE", "0")
	start("store", storefn.Open, "K_SINK", broker.URL)
	start("reflect", reflectfn.Open)
	return &world{
		T: t, provider: p,
		handle: func(path string) http.Handler {
			owner := map[string]string{
				"budgets": "budget", "costs": "budget", "prices": "budget", "reservations": "budget", "embeddings": "embed", "rerank": "rerank",
				"search": "search", "context": "search", "entities": "search", "graph": "search", "reflections": "reflect",
			}[strings.Split(path, "/")[2]]
			if owner == "" {
				owner = "store"
			}
			return servers[owner].Config.Handler
		},
		tick: func() {
			header := http.Header{}
			for name, value := range map[string]string{
				"Ce-Specversion": "1.0", "Ce-Type": eventing.DrainDue, "Ce-Source": "/rae/clock", "Ce-Id": fmt.Sprint(time.Now().UnixNano()), "Content-Type": "application/json",
			} {
				header.Set(name, value)
			}
			for _, function := range subscribers(eventing.DrainDue) {
				deliver(function, header, []byte("{}"))
			}
		},
		unheard: func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(unheard)
		},
	}
}

// deployments are the ways RAE runs.
func deployments(t *testing.T, story func(*world)) {
	t.Run("one process on SQLite", func(t *testing.T) { story(inOneProcess(t, func(*rae.Config) {})) })
	t.Run("one process on PostgreSQL", func(t *testing.T) { story(inOneProcess(t, admittedTo(t))) })
	t.Run("six functions on PostgreSQL", func(t *testing.T) { story(sixFunctions(t)) })
}

// paid are requests that ask a model, each with what a budget that degrades does without.
var paid = []struct {
	path, body string
	reads      bool  // it is answered whatever the budget says
	without    []any // nil: it has no other way and stays refused
}{
	{"/v1/embeddings", `{"input":"a greyhound"}`, false, nil},
	{"/v1/rerank", `{"query":"Who has a greyhound?","documents":["Jonas has a cat.","Mara has a greyhound."]}`, false, []any{"rerank"}},
	{"/v1/search", `{"query":"Who has a greyhound?"}`, true, []any{"dense", "rerank"}},
	{"/v1/search", `{"query":"Who has the greyhound?","rerank":false}`, true, []any{"dense"}},
	{"/v1/search", `{"query":"Who has a greyhound?","mode":"lexical"}`, true, []any{"rerank"}},
	{"/v1/context", `{"query":"Who owns a greyhound?"}`, true, []any{"dense", "rerank"}},
}

// free are requests that ask no model.
var free = [][2]string{
	{"POST /v1/search", `{"query":"Who has a greyhound?","mode":"lexical","rerank":false}`},
	{"POST /v1/search", `{"query":"Who has a greyhound?","mode":"graph"}`},
	{"POST /v1/context", `{"query":"Who has a greyhound?","mode":"lexical","rerank":false}`},
	{"GET /v1/memories", ""}, {"GET /v1/entities", ""}, {"GET /v1/jobs", ""}, {"GET /v1/reflections", ""},
	{"GET /v1/budgets/current", ""}, {"GET /v1/costs", ""}, {"GET /v1/prices", ""},
}

// TestAnEmptyBudget spends a budget and asks for everything that would cost something, and for what does not.
func TestAnEmptyBudget(t *testing.T) {
	deployments(t, func(w *world) {
		mara := w.must(201, "POST", "/v1/memories", `{"content":"Mara has a greyhound."}`)
		if mara["embedding"] != "ready" {
			w.Fatalf("stored %v", mara)
		}
		if budget := w.must(200, "GET", "/v1/budgets/current", ""); budget["daily_usage"] != .02 || budget["daily_reserved"] != 0.0 {
			w.Errorf("a text of a million tokens is booked as %v", budget)
		}
		resets := w.must(200, "PUT", "/v1/budgets", `{"daily_limit":0.01,"monthly_limit":1}`)["resets_at"].(map[string]any)["daily"]
		asked := w.asked.Load()

		refused := func(path, body, exhausted string) {
			w.Helper()
			got := w.ask("POST", path, body)
			requested, _ := got.body["requested"].(float64)
			detail, _ := got.body["detail"].(string)
			delete(got.body, "detail")
			delete(got.body, "requested")
			delete(got.body, "error") // of vendors' APIs
			want := exchange{402, "application/problem+json", map[string]any{
				"type": "urn:rae:problem:over_budget", "title": "Payment Required", "status": 402.0, "level": "project", "period": "daily", "limit": .01, "usage": .02,
				"reserved": 0.0, "resets_at": resets, "on_exhausted": exhausted,
			}}
			if !reflect.DeepEqual(got, want) || !(requested > 0 && requested < .01) || !strings.Contains(detail, "budget does not cover this") {
				w.Errorf("%s %s:\ngot  %v, %v requested, %q\nwant %v", path, body, got, requested, detail, want)
			}
		}
		without := func(path, body string, want []any) {
			w.Helper()
			got := w.must(200, "POST", path, body)
			if !reflect.DeepEqual(got["degraded"], any(want)) {
				w.Errorf("%s %s: degraded %v, want %v", path, body, got["degraded"], want)
			}
			if results, ok := got["results"].([]any); ok && (len(results) == 0 || !strings.Contains(fmt.Sprint(results[0]), "greyhound") && results[0].(map[string]any)["index"] != 1.0) {
				w.Errorf("%s %s: found %v", path, body, results)
			}
		}
		for _, p := range paid {
			if p.reads {
				without(p.path, p.body, p.without)
			} else {
				refused(p.path, p.body, "reject")
			}
		}
		for _, r := range free {
			method, path, _ := strings.Cut(r[0], " ")
			if got := w.ask(method, path, r[1]); got.status != 200 {
				w.Errorf("%s %s: %d %v", r[0], r[1], got.status, got.body)
			}
		}
		// Nothing is ever lost for want of money.
		if got := w.must(201, "POST", "/v1/memories", `{"content":"Jonas has a cat."}`); got["embedding"] != "pending" {
			w.Errorf("stored %v", got)
		}
		batch := w.must(200, "POST", "/v1/memories/batch", `{"memories":[{"content":"Ada has a parrot."}]}`)["results"].([]any)[0].(map[string]any)
		turns := w.must(201, "POST", "/v1/conversations", `{"session_id":"s","messages":[{"role":"user","content":"I have a goldfish."}]}`)
		if batch["status"] != "created" || turns == nil {
			w.Errorf("batch %v, conversation %v", batch, turns)
		}
		if got := w.must(200, "PATCH", "/v1/memories/"+mara["id"].(string), `{"content":"Mara has two greyhounds."}`); got["embedding"] != "pending" {
			w.Errorf("changed to %v", got)
		}

		w.must(200, "PUT", "/v1/budgets", `{"daily_limit":0.01,"monthly_limit":1,"on_exhausted":"degrade"}`)
		for _, p := range paid {
			if p.without == nil {
				refused(p.path, p.body, "degrade")
				continue
			}
			without(p.path, p.body, p.without)
		}
		if n := w.asked.Load(); n != asked {
			w.Errorf("the provider was asked %d times", n-asked)
		}
	})
}

// TestWhatABudgetPutsOffIsDoneOnceItIsRaised stores memories that no budget pays to embed, raises the limit, and looks.
func TestWhatABudgetPutsOffIsDoneOnceItIsRaised(t *testing.T) {
	deployments(t, raised("/v1/budgets"))
}

func TestWhatABudgetOfATenantPutsOffIsDoneOnceItIsRaised(t *testing.T) {
	raised("/v1/budgets/tenant")(inOneProcess(t, func(*rae.Config) {}))
}

// raised is the story of the budget at the path.
func raised(path string) func(*world) {
	return func(w *world) {
		w.must(200, "PUT", path, `{"daily_limit":0,"monthly_limit":1}`)
		var ids []string
		for _, content := range []string{"Jonas has a cat.", "Mara has a greyhound."} {
			ids = append(ids, w.must(201, "POST", "/v1/memories", fmt.Sprintf(`{"content":%q}`, content))["id"].(string))
		}
		var parked map[string]any
		w.until("a job waits for the budget", func() bool {
			jobs := w.must(200, "GET", "/v1/jobs?kind=reembed", "")["jobs"].([]any)
			if len(jobs) != 1 || jobs[0].(map[string]any)["status"] != "parked" {
				return false
			}
			parked = w.must(200, "GET", "/v1/jobs/"+jobs[0].(map[string]any)["id"].(string), "")
			return true
		})
		if why, _ := parked["error"].(string); !strings.Contains(why, "budget does not cover this") || parked["not_before"] == nil || parked["status"] != "parked" {
			w.Errorf("the job does not say why it waits: %v", parked)
		}
		for _, id := range ids {
			if m := w.must(200, "GET", "/v1/memories/"+id, ""); m["embedding"] != "pending" {
				w.Errorf("before the refill: %v", m)
			}
		}
		if n := w.asked.Load(); n != 0 {
			w.Errorf("the provider was asked %d times", n)
		}
		if unheard := w.unheard(); len(unheard) != 0 {
			w.Errorf("the broker heard of the budget: %q", unheard)
		}

		w.must(200, "PUT", path, `{"daily_limit":1,"monthly_limit":1}`)
		for _, id := range ids {
			w.until(id+" has its vector", func() bool { return w.must(200, "GET", "/v1/memories/"+id, "")["embedding"] == "ready" })
		}
		w.until("the job is done", func() bool {
			return w.must(200, "GET", "/v1/jobs/"+parked["id"].(string), "")["status"] == "succeeded"
		})
		found := w.must(200, "POST", "/v1/search", `{"query":"Mara has a greyhound.","mode":"dense"}`)
		if results := found["results"].([]any); len(results) != 2 || results[0].(map[string]any)["memory"].(map[string]any)["id"] != ids[1] {
			w.Errorf("found %v", found)
		}
		if unheard := w.unheard(); len(unheard) != 0 {
			w.Errorf("the broker was told %q", unheard)
		}
	}
}

// paidHash is the built-in embedder under another name, sold at two cents a text by whoever asks for the money.
type paidHash struct{ asked int }

func (p *paidHash) Embed(ctx context.Context, _ embed.Kind, texts []string) ([][]float32, llm.Usage, error) {
	p.asked++
	vectors, err := new(embed.Hash).EmbedDocuments(ctx, texts)
	return vectors, llm.Usage{TokensIn: 1_000_000 * len(texts)}, err
}

// TestWhatABudgetPutsOffIsDoneWhenItBeginsAnew lets the day, or the month, pass.
func TestWhatABudgetPutsOffIsDoneWhenItBeginsAnew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits string
		until  time.Time
	}{
		"a day":   {`{"daily_limit":0.01}`, time.Date(2000, 2, 1, 0, 0, 0, 0, time.UTC).Add(-24 * time.Hour)},
		"a month": {`{"monthly_limit":0.01}`, time.Date(2000, 2, 1, 0, 0, 0, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(c.until.Add(-150 * time.Minute)))
				cfg, err := rae.Load()
				if err != nil {
					t.Fatal(err)
				}
				cfg.Store.Store = "inmem"
				e, err := rae.Open(cfg, serve.Runtime{Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewRegistry(), Version: "test"})
				if err != nil {
					t.Fatal(err)
				}
				sold := &paidHash{}
				model, err := embed.NewRemote(sold, embed.Spec{
					Provider: "openai", Model: "text-embedding-3-small", Native: new(embed.Hash).Dimensions(), Dimensions: new(embed.Hash).Dimensions(), MaxTexts: 1,
				}, &budget.Guard{Ledger: e.Ledger})
				if err != nil {
					t.Fatal(err)
				}
				e.Spaces.Resolve = embed.One(model)
				server, err := e.Serve(serve.LocalDefaults())
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					e.Run(ctx)
				}()
				w := &world{T: t, handle: func(string) http.Handler { return server.Handler() }}
				w.must(200, "PUT", "/v1/budgets", c.limits)
				if first := w.must(201, "POST", "/v1/memories", `{"content":"Jonas has a cat."}`); first["embedding"] != "ready" {
					t.Fatalf("stored %v", first)
				}
				second := w.must(201, "POST", "/v1/memories", `{"content":"Mara has a greyhound."}`)["id"].(string)
				status := func() any { return w.must(200, "GET", "/v1/memories/"+second, "")["embedding"] }
				time.Sleep(time.Until(c.until) - time.Second)
				if got := status(); got != "pending" || sold.asked != 1 {
					t.Errorf("a second before the refill: %v, the model was asked %d times", got, sold.asked)
				}
				parked := w.must(200, "GET", "/v1/jobs?kind=reembed", "")["jobs"].([]any)[0].(map[string]any)
				if at, err := time.Parse(time.RFC3339, fmt.Sprint(parked["not_before"])); parked["status"] != "parked" || err != nil || math.Abs(at.Sub(c.until).Seconds()) > 15 {
					t.Errorf("the job waits for %v: %v", c.until, parked)
				}
				time.Sleep(2 * time.Minute)
				if got := status(); got != "ready" || sold.asked != 2 {
					t.Errorf("after the refill: %v, the model was asked %d times", got, sold.asked)
				}
				stop()
				<-ended
				if err := e.Close(context.WithoutCancel(ctx)); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
