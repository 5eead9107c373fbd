package inference_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/inference"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// settings are variables in turn: name, value, …
func load(t *testing.T, into any, settings ...string) error {
	t.Helper()
	for i := 0; i < len(settings); i += 2 {
		t.Setenv(settings[i], settings[i+1])
	}
	return serve.Load(into)
}

const key = "sk-never-to-be-told"

func TestSettingsThatCannotBeMeantAreRefusedInOneLine(t *testing.T) {
	for _, c := range []struct {
		settings []string
		want     string
	}{
		{[]string{"RAE_EMBED_PROVIDER", "openai"}, "RAE_EMBED_API_KEY is not set: it must be the key of provider openai"},
		{[]string{"RAE_EMBED_PROVIDER", "openai", "RAE_EMBED_BASE_URL", "http://localhost:1"}, ""},
		{[]string{"RAE_EMBED_PROVIDER", "openai", "RAE_EMBED_API_KEY", key + "\n"}, "RAE_EMBED_API_KEY has a value that is not allowed: it must be visible ASCII without spaces or line breaks"},
		{[]string{"RAE_EMBED_PROVIDER", "azure"}, "RAE_EMBED_BASE_URL is not set: it must be the address of provider azure, an http or https URL without credentials, query or fragment"},
		{[]string{"RAE_EMBED_PROVIDER", "azure", "RAE_EMBED_BASE_URL", "https://me:" + key + "@x"}, "RAE_EMBED_BASE_URL has a value that is not allowed: it must be an http or https URL without credentials, query or fragment"},
		{[]string{"RAE_EMBED_PROVIDER", "azure", "RAE_EMBED_BASE_URL", "https://x"}, "RAE_EMBED_MODEL is not set: it must be the name of a model of provider azure"},
		{[]string{"RAE_EMBED_PROVIDER", "vllm", "RAE_EMBED_MODEL", "acme-1"}, "RAE_EMBED_DIMENSIONS is not set: it must be how many numbers a vector of model acme-1 has, which RAE does not know"},
		{[]string{"RAE_EMBED_PROVIDER", "vllm", "RAE_EMBED_MODEL", "acme-1", "RAE_EMBED_DIMENSIONS", "99"}, ""},
		{[]string{"RAE_EMBED_PROVIDER", "ollama", "RAE_EMBED_DIMENSIONS", "769"}, "RAE_EMBED_DIMENSIONS=769 is not allowed: it must be unset or 768, or less, for model nomic-embed-text"},
		{[]string{"RAE_EMBED_PROVIDER", "ollama", "RAE_EMBED_MODEL", "bge-m3", "RAE_EMBED_DIMENSIONS", "512"}, "RAE_EMBED_DIMENSIONS=512 is not allowed: it must be unset or 1024 for model bge-m3"},
		{[]string{"RAE_EMBED_PROVIDER", "rae", "RAE_EMBED_BASE_URL", "http://rae-embed/v1"}, "RAE_EMBED_MODEL is not set: it must be the name of a model of provider rae"},
		{[]string{"RAE_EMBED_MODEL", "dream-1"}, "RAE_EMBED_MODEL=dream-1 is not allowed: it must be unset or static-256-v1"},
	} {
		t.Run(strings.Join(c.settings, " "), func(t *testing.T) { wantLine(t, load(t, new(inference.Embedding), c.settings...), c.want) })
	}
	for _, c := range []struct {
		settings []string
		want     string
	}{
		{[]string{"RAE_RERANK_PROVIDER", "voyage"}, "RAE_RERANK_API_KEY is not set: it must be the key of provider voyage"},
		{[]string{"RAE_RERANK_PROVIDER", "tei"}, "RAE_RERANK_MODEL is not set: it must be the name of a model of provider tei"},
		{[]string{"RAE_RERANK_PROVIDER", "rae"}, "RAE_RERANK_BASE_URL is not set: it must be the address of provider rae, an http or https URL without credentials, query or fragment"},
		{[]string{"RAE_RERANK_MODEL", "bge"}, "RAE_RERANK_MODEL=bge is not allowed: it must be unset or lexical-v1"},
		{[]string{"RAE_RERANK_PROVIDER", "llm"}, "RAE_LLM_PROVIDER=none is not allowed: it must be a provider, because RAE_RERANK_PROVIDER is llm"},
		{[]string{"RAE_RERANK_PROVIDER", "llm", "RAE_LLM_PROVIDER", "ollama"}, "RAE_LLM_MODEL is not set: it must be the name of a model of provider ollama"},
		{[]string{"RAE_RERANK_PROVIDER", "llm", "RAE_LLM_PROVIDER", "ollama", "RAE_LLM_MODEL", "qwen3", "RAE_RERANK_API_KEY", key}, "RAE_RERANK_API_KEY has a value that is not allowed: it must be unset: the model of provider llm is what RAE_LLM_* says"},
		{[]string{"RAE_RERANK_PROVIDER", "llm", "RAE_LLM_PROVIDER", "ollama", "RAE_LLM_MODEL", "qwen3", "RAE_RERANK_DOCUMENTS", "1"}, "RAE_RERANK_DOCUMENTS=1 is not allowed: it must be a whole number from 2 to 200"},
		{[]string{"RAE_RERANK_PROVIDER", "llm", "RAE_LLM_PROVIDER", "ollama", "RAE_LLM_MODEL", "qwen3"}, ""},
		{[]string{"RAE_LLM_PROVIDER", "openai"}, ""}, // nobody asks it here
	} {
		t.Run(strings.Join(c.settings, " "), func(t *testing.T) { wantLine(t, load(t, new(inference.Reranking), c.settings...), c.want) })
	}
	for _, c := range []struct {
		settings []string
		want     string
	}{
		{nil, ""},
		{[]string{"RAE_LLM_MODEL", "unused"}, ""},
		{[]string{"RAE_LLM_PROVIDER", "anthropic"}, "RAE_LLM_API_KEY is not set: it must be the key of provider anthropic"},
		{[]string{"RAE_LLM_PROVIDER", "anthropic", "RAE_LLM_API_KEY", key}, ""},
		{[]string{"RAE_LLM_PROVIDER", "gemini", "RAE_LLM_API_KEY", key + "é"}, "RAE_LLM_API_KEY has a value that is not allowed: it must be visible ASCII without spaces or line breaks"},
		{[]string{"RAE_LLM_PROVIDER", "openrouter", "RAE_LLM_API_KEY", key}, "RAE_LLM_MODEL is not set: it must be the name of a model of provider openrouter"},
		{[]string{"RAE_LLM_PROVIDER", "azure", "RAE_LLM_API_KEY", key, "RAE_LLM_BASE_URL", "https://x?a=" + key}, "RAE_LLM_BASE_URL has a value that is not allowed: it must be an http or https URL without credentials, query or fragment"},
		{[]string{"RAE_LLM_SCHEMA", "hoped"}, "RAE_LLM_SCHEMA=hoped is not allowed: it must be enforced or described"},
		{[]string{"RAE_LLM_TIMEOUT", "11m"}, "RAE_LLM_TIMEOUT=11m is not allowed: it must be a duration such as 500ms, 30s or 5m from 1ms to 10m"},
	} {
		t.Run(strings.Join(c.settings, " "), func(t *testing.T) { wantLine(t, load(t, new(inference.Language), c.settings...), c.want) })
	}
}

func wantLine(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want || strings.Contains(got, key) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// metered counts calls, by provider and model.
type metered struct {
	mu    sync.Mutex
	calls []string
}

func (m *metered) Spend(ctx context.Context, c llm.Call, do func(context.Context) (llm.Usage, error)) error {
	m.mu.Lock()
	m.calls = append(m.calls, c.Operation+" "+c.Provider+" "+c.Model)
	m.mu.Unlock()
	_, err := do(ctx)
	return err
}

// asked is a server that answers every provider's question, and keeps what it was asked.
type asked struct {
	*httptest.Server
	mu     sync.Mutex
	what   []string
	length int // of vectors
}

func listen(t *testing.T, length int) *asked {
	t.Helper()
	a := &asked{length: length}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	credential := ""
	for _, name := range []string{"Authorization", "Api-Key", "X-Goog-Api-Key", "X-Api-Key", "Anthropic-Version"} {
		if r.Header.Get(name) != "" {
			credential += " " + name
		}
	}
	a.mu.Lock()
	a.what = append(a.what, r.URL.String()+credential+" "+r.Header.Get("X-Tenant-ID")+" "+string(body))
	a.mu.Unlock()
	vector, _ := json.Marshal(append([]float32{1}, make([]float32, a.length-1)...))
	w.Header().Set("Content-Type", "application/json")
	scores := `[{"index":0,"relevance_score":0.5,"score":0.5}]`
	switch {
	case r.URL.Path == "/rerank" && strings.Contains(string(body), `"texts"`):
		fmt.Fprint(w, scores)
	default:
		data := fmt.Sprintf(`[{"index":0,"embedding":%s}]`, vector)
		if strings.HasSuffix(r.URL.Path, "rerank") {
			data = scores
		}
		said := `"choices":[{"message":{"content":"yes"},"finish_reason":"stop"}],"stop_reason":"end_turn","candidates":[{"content":{"parts":[{"text":"yes"}]},"finishReason":"STOP"}]`
		fmt.Fprintf(w, `{"data":%s,"embeddings":{"float":[%s]},"results":%s,"content":[{"type":"text","text":"yes"}],%s}`, data, vector, scores, said)
	}
}

func TestEveryEmbeddingProviderIsAskedAsItWantsToBe(t *testing.T) {
	for _, c := range []struct {
		provider, model string
		length          int
		more            []string
		id, want        string
	}{
		{"openai", "", 1536, nil, "text-embedding-3-small", `/embeddings Authorization  {"model":"text-embedding-3-small","input":["who?"],"encoding_format":"float"}`},
		{"openai", "", 256, []string{"RAE_EMBED_DIMENSIONS", "256"}, "text-embedding-3-small@256", `/embeddings Authorization  {"model":"text-embedding-3-small","input":["who?"],"dimensions":256,"encoding_format":"float"}`},
		{"azure", "text-embedding-3-large", 3072, nil, "text-embedding-3-large", `/openai/deployments/text-embedding-3-large/embeddings?api-version=2024-10-21 Api-Key  {"input":["who?"],"encoding_format":"float"}`},
		{"cohere", "", 1536, nil, "embed-v4.0", `/v2/embed Authorization  {"model":"embed-v4.0","texts":["who?"],"input_type":"search_query","embedding_types":["float"],"truncate":"END"}`},
		{"ollama", "", 768, nil, "nomic-embed-text", `/embeddings Authorization  {"model":"nomic-embed-text","input":["search_query: who?"],"encoding_format":"float"}`},
		{"ollama", "", 768, []string{"RAE_EMBED_DIMENSIONS", "256"}, "nomic-embed-text@256", `/embeddings Authorization  {"model":"nomic-embed-text","input":["search_query: who?"],"encoding_format":"float"}`},
		{"vllm", "intfloat/e5-base-v2", 768, nil, "intfloat/e5-base-v2", `/embeddings Authorization  {"model":"intfloat/e5-base-v2","input":["query: who?"],"encoding_format":"float"}`},
		{"tei", "BAAI/bge-m3", 1024, []string{"RAE_EMBED_QUERY_PREFIX", "Q: "}, "BAAI/bge-m3+9d0306bd", `/embeddings Authorization  {"model":"BAAI/bge-m3","input":["Q: who?"],"encoding_format":"float"}`},
		{"lmstudio", "acme-1", 5, []string{"RAE_EMBED_DIMENSIONS", "5"}, "acme-1", `/embeddings Authorization  {"model":"acme-1","input":["who?"],"encoding_format":"float"}`},
		{"rae", "e5-base-v2", 768, nil, "e5-base-v2", `/embeddings Authorization acme {"model":"e5-base-v2","input":["who?"],"encoding_format":"float","input_type":"query"}`},
	} {
		t.Run(c.provider+" "+c.id, func(t *testing.T) {
			server, meter := listen(t, c.length), &metered{}
			var cfg inference.Embedding
			settings := append([]string{"RAE_EMBED_PROVIDER", c.provider, "RAE_EMBED_MODEL", c.model, "RAE_EMBED_BASE_URL", server.URL, "RAE_EMBED_API_KEY", key}, c.more...)
			if err := load(t, &cfg, settings...); err != nil {
				t.Fatal(err)
			}
			e, err := cfg.Open(inference.Deps{Meter: meter})("")
			if err != nil {
				t.Fatal(err)
			}
			ctx := llm.WithPayer(t.Context(), memory.Scope{Tenant: "acme", Project: "p"})
			for range 2 { // the second comes from the cache
				if v, err := e.EmbedQuery(ctx, "who?"); err != nil || len(v) != e.Dimensions() {
					t.Fatalf("got %d dimensions, %v", len(v), err)
				}
			}
			if !slices.Equal(server.what, []string{c.want}) {
				t.Errorf("asked %q\nwant  %q", server.what, c.want)
			}
			id, dimensions, err := cfg.Vectors()
			if e.Model() != c.id || id != c.id || dimensions != e.Dimensions() || err != nil {
				t.Errorf("called %q, and %q of %d dimensions beforehand, %v; want %q", e.Model(), id, dimensions, err, c.id)
			}
			if want := c.provider != "rae"; (len(meter.calls) == 1) != want {
				t.Errorf("metered %q", meter.calls)
			}
		})
	}
}

func TestEveryRerankProviderIsAskedAsItWantsToBe(t *testing.T) {
	const body = `"query":"who?","documents":["me"],"top_n":1}`
	for _, c := range []struct{ provider, model, want string }{
		{"cohere", "", `/v2/rerank Authorization  {"model":"rerank-v3.5",` + body},
		{"jina", "", `/rerank Authorization  {"model":"jina-reranker-v2-base-multilingual",` + body},
		{"vllm", "bge-reranker-v2-m3", `/rerank Authorization  {"model":"bge-reranker-v2-m3",` + body},
		{"rae", "", `/rerank Authorization acme {"model":"default",` + body},
		{"voyage", "", `/rerank Authorization  {"model":"rerank-2.5-lite","query":"who?","documents":["me"],"top_k":1,"truncation":true}`},
		{"tei", "bge-reranker-base", `/rerank Authorization  {"query":"who?","texts":["me"],"truncate":true}`},
	} {
		t.Run(c.provider, func(t *testing.T) {
			server, meter := listen(t, 1), &metered{}
			var cfg inference.Reranking
			if err := load(t, &cfg, "RAE_RERANK_PROVIDER", c.provider, "RAE_RERANK_MODEL", c.model, "RAE_RERANK_BASE_URL", server.URL, "RAE_RERANK_API_KEY", key); err != nil {
				t.Fatal(err)
			}
			r, err := cfg.Open(inference.Deps{Meter: meter})
			if err != nil || cfg.BuiltIn() {
				t.Fatal(err)
			}
			ctx := llm.WithPayer(t.Context(), memory.Scope{Tenant: "acme", Project: "p"})
			if got, err := r.Rerank(ctx, "who?", []string{"me"}); err != nil || !slices.Equal(got, []float64{.5}) {
				t.Errorf("got %v, %v", got, err)
			}
			if !slices.Equal(server.what, []string{c.want}) {
				t.Errorf("asked %q\nwant  %q", server.what, c.want)
			}
			if want := c.provider != "rae"; (len(meter.calls) == 1) != want {
				t.Errorf("metered %q", meter.calls)
			}
		})
	}
}

func TestEveryLanguageModelIsAskedAsItWantsToBe(t *testing.T) {
	const messages = `"messages":[{"role":"user","content":"who?"}]`
	for _, c := range []struct {
		provider, model string
		more            []string
		name, want      string
	}{
		{"openai", "", nil, "gpt-4.1-mini", `/chat/completions Authorization  {"model":"gpt-4.1-mini",` + messages + `,"max_tokens":9}`},
		{"openai", "o4-mini", nil, "o4-mini", `/chat/completions Authorization  {"model":"o4-mini",` + messages + `,"max_completion_tokens":9}`},
		{"azure", "words", []string{"RAE_LLM_API_VERSION", "2025-01-01"}, "words", `/openai/deployments/words/chat/completions?api-version=2025-01-01 Api-Key  {` + messages + `,"max_completion_tokens":9}`},
		{"anthropic", "", nil, "claude-haiku-4-5", `/messages X-Api-Key Anthropic-Version  {"model":"claude-haiku-4-5","max_tokens":9,` + messages + `}`},
		{"gemini", "", nil, "gemini-2.5-flash-lite", `/models/gemini-2.5-flash-lite:generateContent X-Goog-Api-Key  {"contents":[{"role":"user","parts":[{"text":"who?"}]}],"generationConfig":{"maxOutputTokens":9}}`},
		{"ollama", "qwen3", nil, "qwen3", `/chat/completions Authorization  {"model":"qwen3",` + messages + `,"max_tokens":9}`},
		{"vllm", "qwen3", nil, "qwen3", `/chat/completions Authorization  {"model":"qwen3",` + messages + `,"max_tokens":9}`},
		{"lmstudio", "qwen3", nil, "qwen3", `/chat/completions Authorization  {"model":"qwen3",` + messages + `,"max_tokens":9}`},
		{"openrouter", "a/b", nil, "a/b", `/chat/completions Authorization  {"model":"a/b",` + messages + `,"max_tokens":9}`},
	} {
		t.Run(c.provider+" "+c.name, func(t *testing.T) {
			server, meter := listen(t, 1), &metered{}
			var cfg inference.Language
			settings := append([]string{"RAE_LLM_PROVIDER", c.provider, "RAE_LLM_MODEL", c.model, "RAE_LLM_BASE_URL", server.URL, "RAE_LLM_API_KEY", key}, c.more...)
			if err := load(t, &cfg, settings...); err != nil {
				t.Fatal(err)
			}
			m, err := cfg.Open(inference.Deps{Meter: meter})
			if err != nil || !cfg.Speaks() || cfg.Name() != c.name {
				t.Fatal(cfg.Name(), err)
			}
			ask := llm.Request{MaxTokens: 9, Messages: []llm.Message{{Role: "user", Content: "who?"}}}
			ctx := llm.WithPayer(t.Context(), memory.Scope{Tenant: "acme", Project: "p"})
			got, err := m.Complete(ctx, ask)
			if err != nil || got.Text != "yes" || !got.Usage.Estimated || got.Usage.TokensOut != 1 {
				t.Errorf("got %+v, %v", got, err)
			}
			if !slices.Equal(server.what, []string{c.want}) {
				t.Errorf("asked %q\nwant  %q", server.what, c.want)
			}
			if !slices.Equal(meter.calls, []string{"chat " + c.provider + " " + c.name}) {
				t.Errorf("metered %q", meter.calls)
			}
		})
	}
}

func TestASchemaIsDescribedWhereTheSettingsSaySo(t *testing.T) {
	const schema = `{"type":"object","properties":{},"required":[],"additionalProperties":false}`
	for set, want := range map[string]string{
		"enforced":  `/chat/completions  {"model":"m","messages":[{"role":"user","content":"who?"}],"max_tokens":9,"response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":` + schema + `}}}`,
		"described": `/chat/completions  {"model":"m","messages":[{"role":"system","content":"Answer with nothing but JSON that follows this schema: ` + strings.ReplaceAll(schema, `"`, `\"`) + `"},{"role":"user","content":"who?"}],"max_tokens":9}`,
	} {
		server := listen(t, 1)
		var cfg inference.Language
		if err := load(t, &cfg, "RAE_LLM_PROVIDER", "vllm", "RAE_LLM_MODEL", "m", "RAE_LLM_BASE_URL", server.URL, "RAE_LLM_SCHEMA", set); err != nil {
			t.Fatal(err)
		}
		m, err := cfg.Open(inference.Deps{Meter: &metered{}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Complete(t.Context(), llm.Request{MaxTokens: 9, Messages: []llm.Message{{Role: "user", Content: "who?"}}, Schema: json.RawMessage(schema)})
		if fault.KindOf(err) != fault.Unavailable || len(server.what) != 2 || server.what[0] != want { // it says yes, twice
			t.Errorf("%s: got %v, asked %q\nwant %q", set, err, server.what, want)
		}
	}
}

func TestTheLanguageModelReranksWhereItIsTold(t *testing.T) {
	server, meter := listen(t, 1), &metered{}
	var cfg inference.Reranking
	if err := load(t, &cfg, "RAE_RERANK_PROVIDER", "llm", "RAE_LLM_PROVIDER", "ollama", "RAE_LLM_MODEL", "qwen3", "RAE_LLM_BASE_URL", server.URL); err != nil {
		t.Fatal(err)
	}
	r, err := cfg.Open(inference.Deps{Meter: meter})
	if err != nil || cfg.BuiltIn() || r.Model() != "qwen3" {
		t.Fatal(err)
	}
	if _, err := r.Rerank(t.Context(), "who?", []string{"me", "you"}); fault.KindOf(err) != fault.Unavailable || !slices.Equal(meter.calls, []string{"rerank ollama qwen3", "rerank ollama qwen3"}) {
		t.Errorf("got %v, metered %q", err, meter.calls)
	}
}

func TestWithoutALanguageModelNobodyIsAsked(t *testing.T) {
	var cfg inference.Language
	if err := load(t, &cfg); err != nil {
		t.Fatal(err)
	}
	m, err := cfg.Open(inference.Deps{})
	if _, none := m.(llm.None); !none || err != nil || cfg.Speaks() || cfg.Name() != "" {
		t.Errorf("got %T, %v, called %q", m, err, cfg.Name())
	}
}

func TestNothingPaidIsOpenedWithoutAMeter(t *testing.T) {
	const want = "RAE_BUDGET_URL is not set: it must be the address of the budget function, because calls of provider openai are metered"
	var cfg inference.Embedding
	if err := load(t, &cfg, "RAE_EMBED_PROVIDER", "openai", "RAE_EMBED_API_KEY", key); err != nil {
		t.Fatal(err)
	}
	_, err := cfg.Open(inference.Deps{})("")
	wantLine(t, err, want)
	var reranking inference.Reranking
	if err := load(t, &reranking, "RAE_RERANK_PROVIDER", "cohere", "RAE_RERANK_API_KEY", key); err != nil {
		t.Fatal(err)
	}
	_, err = reranking.Open(inference.Deps{})
	wantLine(t, err, strings.Replace(want, "openai", "cohere", 1))
	var language inference.Language
	if err := load(t, &language, "RAE_LLM_PROVIDER", "gemini", "RAE_LLM_API_KEY", key); err != nil {
		t.Fatal(err)
	}
	_, err = language.Open(inference.Deps{})
	wantLine(t, err, strings.Replace(want, "openai", "gemini", 1))
}

func TestTheMeterOfAFunctionAloneIsTheBudgetFunction(t *testing.T) {
	m, end, err := new(inference.Budget).Meter(serve.Runtime{})
	if m != nil || err != nil || end(t.Context()) != nil {
		t.Errorf("got %v, %v", m, err)
	}
	_, _, err = (&inference.Budget{BudgetURL: "budget"}).Meter(serve.Runtime{})
	wantLine(t, err, "RAE_BUDGET_URL=budget is not allowed: it must be an http or https URL without credentials, query or fragment")
	ledger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusPaymentRequired)
		fmt.Fprintf(w, `{"type":"over_budget","status":402,"detail":"%s has nothing left for %s","period":"daily","limit":1,"usage":1,"reserved":0,"requested":1,"resets_at":"2026-12-01T00:00:00Z","on_exhausted":"degrade"}`,
			r.Header.Get("X-Tenant-ID"), r.Header.Get("X-API-Key"))
	}))
	defer ledger.Close()
	m, _, err = (&inference.Budget{BudgetURL: ledger.URL, BudgetKey: "function"}).Meter(serve.Runtime{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := llm.WithPayer(t.Context(), memory.Scope{Tenant: "acme", Project: "p"})
	err = m.Spend(ctx, llm.Call{Operation: "embeddings", Provider: "openai", Model: "m"}, func(context.Context) (llm.Usage, error) {
		t.Error("the provider was called")
		return llm.Usage{}, nil
	})
	if fault.KindOf(err) != fault.OverBudget || llm.Rejected(err) {
		t.Errorf("got %v", err)
	}
}

func TestWhatACacheSparedReachesTheBudgetFunctionWhenTheFunctionCloses(t *testing.T) {
	var told []string
	ledger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Savings []budget.Saving }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"calls":[`)
		for _, s := range body.Savings {
			told = append(told, fmt.Sprint(r.URL.Path, " ", r.Header.Get("X-Tenant-ID"), " ", s.Model, " ", s.Calls, " ", s.TokensIn, " ", s.RequestID))
			fmt.Fprintf(w, `{"id":%q,"model":%q,"operation":"embeddings","provider":"openai","cache_hit":true,"saved":0.25}`, s.ID, s.Model)
		}
		fmt.Fprint(w, `]}`)
	}))
	defer ledger.Close()
	registry := prometheus.NewRegistry()
	m, end, err := (&inference.Budget{BudgetURL: ledger.URL}).Meter(serve.Runtime{Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	ctx, call := telemetry.NewCall(llm.WithPayer(t.Context(), memory.Scope{Tenant: "acme", Project: "p"}))
	call.Identify("req-1", "")
	m.(llm.Saver).Saved(ctx, llm.Call{Operation: "embeddings", Provider: "openai", Model: "m", Most: llm.Usage{TokensIn: 7}}, 1)
	if len(told) != 0 {
		t.Errorf("somebody waited for %q", told)
	}
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"/v1/costs/savings acme m 1 7 req-1"}; !slices.Equal(told, want) {
		t.Errorf("got %q, want %q", told, want)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "rae_cost_savings_total" && f.GetMetric()[0].GetCounter().GetValue() == .25 {
			return
		}
	}
	t.Errorf("the saving is not counted in %v", families)
}

func TestModelsAreOpenedOnceByNameOrId(t *testing.T) {
	var cfg inference.Embedding
	if err := load(t, &cfg, "RAE_EMBED_PROVIDER", "openai", "RAE_EMBED_API_KEY", key, "RAE_EMBED_DIMENSIONS", "512"); err != nil {
		t.Fatal(err)
	}
	open := cfg.Open(inference.Deps{Meter: &metered{}})
	get := func(model string) embed.Embedder {
		t.Helper()
		e, err := open(model)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	set := get("")
	if get("text-embedding-3-small") != set || get("text-embedding-3-small@512") != set {
		t.Error("the model that is set is another one by its name")
	}
	for model, dimensions := range map[string]int{"text-embedding-3-small@256": 256, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536} {
		if e := get(model); e.Model() != model || e.Dimensions() != dimensions || get(model) != e {
			t.Errorf("%s: got %s of %d dimensions", model, e.Model(), e.Dimensions())
		}
	}
	if e, err := open("text-embedding-3-small@9999"); err == nil {
		t.Errorf("got %s", e.Model())
	}
	var hash inference.Embedding
	if err := load(t, &hash, "RAE_EMBED_PROVIDER", "hash", "RAE_EMBED_DIMENSIONS", "0"); err != nil {
		t.Fatal(err)
	}
	if _, err := hash.Open(inference.Deps{})("dream-1"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v", err)
	}
}
