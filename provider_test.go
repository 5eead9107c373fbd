package rae_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/rerank"
)

const providerKey = "sk-never-to-be-told"

// provider speaks OpenAI's embeddings and chat API and Cohere's rerank API, or answers as it is told.
type provider struct {
	*httptest.Server
	instead atomic.Pointer[http.HandlerFunc] // nil: the right answer
	asked   atomic.Int32
}

func startProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// answers has the provider answer every request alike from now on; status 0 is the right answer.
func (p *provider) answers(status int, media, body string) {
	if status == 0 {
		p.instead.Store(nil)
		return
	}
	handle := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	p.instead.Store(&handle)
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.asked.Add(1)
	if instead := p.instead.Load(); instead != nil {
		(*instead)(w, r)
		return
	}
	var ask struct {
		Input     []string
		Query     string
		Documents []string
		Messages  []struct{ Content string }
	}
	_ = json.NewDecoder(r.Body).Decode(&ask)
	if len(ask.Messages) > 0 {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"choices":[{"message":{"content":"{\"order\":[2,1]}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100000,"completion_tokens":10000}}`)
		return
	}
	var data, results []any
	vectors, _ := new(embed.Hash).EmbedDocuments(r.Context(), ask.Input)
	for i, v := range vectors {
		data = append(data, map[string]any{"index": i, "embedding": v})
	}
	scores, _ := rerank.Lexical{}.Rerank(r.Context(), ask.Query, ask.Documents)
	for i, score := range scores {
		results = append(results, map[string]any{"index": i, "relevance_score": score})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data, "results": results, "usage": map[string]any{"prompt_tokens": 1_000_000 * len(ask.Input)}})
}

// beside is an engine that embeds and reranks by the provider: two cents a text.
func (p *provider) beside(t *testing.T, log *strings.Builder) *running {
	t.Helper()
	return startLogging(t, log, p.paying)
}

func TestAProviderThatAnswersWronglyLeavesMemoriesPending(t *testing.T) {
	t.Parallel()
	vector, _ := json.Marshal(make([]float32, 384))
	for name, c := range map[string]struct {
		status      int
		media, body string
	}{
		"fewer vectors":     {200, "application/json", `{"data":[]}`},
		"other dimensions":  {200, "application/json", `{"data":[{"index":0,"embedding":[1,2,3]}]}`},
		"null for a number": {200, "application/json", `{"data":[{"index":0,"embedding":[null]}]}`},
		"a zero vector":     {200, "application/json", fmt.Sprintf(`{"data":[{"index":0,"embedding":%s}]}`, vector)},
		"a web page":        {200, "text/html", "<html>a greyhound " + providerKey},
		"half an answer":    {200, "application/json", `{"data":[`},
		"a bad key":         {401, "application/json", `{"error":{"message":"` + providerKey + ` a greyhound","code":"invalid_api_key"}}`},
		"a bad request":     {400, "application/json", `{"error":{"message":"a greyhound"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, log := startProvider(t), &strings.Builder{}
			e := p.beside(t, log)
			p.answers(c.status, c.media, c.body)
			status, stored := e.call("POST", "/v1/memories", `{"content":"Mara has a greyhound."}`)
			if status != 201 || stored["embedding"] != "pending" {
				t.Errorf("store: %d %v", status, stored)
			}
			status, found := e.call("POST", "/v1/search", `{"query":"Who has a greyhound?"}`)
			if status != 200 || len(found["results"].([]any)) != 1 || !slices.Contains(found["degraded"].([]any), any("rerank")) {
				t.Errorf("search: %d %v", status, found)
			}
			status, refused := e.call("POST", "/v1/embeddings", `{"input":"a greyhound"}`)
			if told := fmt.Sprint(refused); status < 400 || strings.Contains(told, providerKey) {
				t.Errorf("embeddings: %d %v", status, refused)
			}
			e.stop()
			if told := log.String(); !strings.Contains(told, "openai") || strings.Contains(told, providerKey) || strings.Contains(told, "greyhound") {
				t.Errorf("the log names no provider, or tells a secret:\n%s", told)
			}
		})
	}
}

func TestALanguageModelReranksAndIsPaidFor(t *testing.T) {
	t.Parallel()
	p, log := startProvider(t), &strings.Builder{}
	e := startLogging(t, log, func(c *rae.Config) {
		c.Rerank.RerankProvider, c.Rerank.LLMProvider, c.Rerank.LLMModel, c.Rerank.LLMBaseURL, c.Rerank.LLMKey = "llm", "openai", "gpt-4.1-mini", p.URL, providerKey
		c.Search.CacheAnswers = 0
	})
	ask := func() map[string]any {
		t.Helper()
		status, answer := e.call("POST", "/v1/rerank", `{"query":"Who has a greyhound?","documents":["Jonas has a cat.","Mara has a greyhound."]}`)
		if status != 200 && status != 402 {
			t.Fatalf("rerank: %d %v", status, answer)
		}
		return answer
	}
	if first := ask()["results"].([]any)[0].(map[string]any); first["index"] != 1.0 || first["relevance_score"] != 1.0 {
		t.Errorf("first is %v", first)
	}
	if _, budget := e.call("GET", "/v1/budgets/current", ""); budget["daily_usage"] != .04+.016 || budget["daily_reserved"] != 0.0 {
		t.Errorf("a tenth of a million tokens in and a hundredth out are booked as %v", budget)
	}
	e.call("PUT", "/v1/budgets", `{"daily_limit":0.01,"monthly_limit":1}`)
	asked := p.asked.Load()
	if refused := ask(); refused["period"] != "daily" || p.asked.Load() != asked {
		t.Errorf("got %v, and the model was asked %d times", refused, p.asked.Load()-asked)
	}
	for _, content := range []string{"Mara has a greyhound.", "Mara likes her greyhound."} {
		e.call("POST", "/v1/memories", fmt.Sprintf(`{"content":%q}`, content))
	}
	status, found := e.call("POST", "/v1/search", `{"query":"Who has a greyhound?"}`)
	if degraded := found["degraded"].([]any); status != 200 || len(found["results"].([]any)) != 2 || !slices.Equal(degraded, []any{"rerank"}) {
		t.Errorf("search: %d %v", status, found)
	}
	p.answers(401, "application/json", `{"error":{"message":"`+providerKey+` a greyhound","code":"invalid_api_key"}}`)
	e.call("PUT", "/v1/budgets", `{"daily_limit":10,"monthly_limit":10}`)
	if status, failed := e.call("POST", "/v1/rerank", `{"query":"a greyhound","documents":["a","b"]}`); status != 500 || strings.Contains(fmt.Sprint(failed), providerKey) {
		t.Errorf("a refused key: %d %v", status, failed)
	}
	e.stop()
	if told := log.String(); !strings.Contains(told, "openai") || strings.Contains(told, providerKey) || strings.Contains(told, "greyhound") {
		t.Errorf("the log names no provider, or tells a secret:\n%s", told)
	}
}
