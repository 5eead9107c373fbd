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

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/rerank"
)

const providerKey = "sk-never-to-be-told"

// provider speaks OpenAI's embeddings API and Cohere's rerank API, or answers as it is told.
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
	}
	_ = json.NewDecoder(r.Body).Decode(&ask)
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
