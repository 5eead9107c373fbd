package openai_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/embed/embedtest"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/openai"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/provider/providertest"
)

// dial returns the adapter to a server at the address, as change has it.
func dial(t *testing.T, address string, change ...func(*openai.Embeddings)) *openai.Embeddings {
	t.Helper()
	client, err := provider.New(provider.Options{Name: "openai", BaseURL: address, Key: providertest.Key})
	if err != nil {
		t.Fatal(err)
	}
	e := &openai.Embeddings{Client: client, Model: "text-embedding-3-small"}
	for _, c := range change {
		c(e)
	}
	return e
}

// embedder is the adapter as RAE uses it.
func embedder(t *testing.T, e *openai.Embeddings) embed.Embedder {
	t.Helper()
	r, err := embed.NewRemote(e, embed.Spec{Provider: "openai", Model: e.Model, Dimensions: new(embed.Hash).Dimensions(), MaxTexts: 8, MaxTextTokens: 8191}, providertest.Free{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// answer is what OpenAI answers, with vectors by hashing, the last text's first.
func answer(_ *http.Request, body []byte) string {
	var ask struct{ Input []string }
	if err := json.Unmarshal(body, &ask); err != nil {
		return err.Error()
	}
	vectors, _ := new(embed.Hash).EmbedDocuments(context.Background(), ask.Input)
	var data []any
	for i := range slices.Backward(vectors) {
		data = append(data, map[string]any{"object": "embedding", "index": i, "embedding": vectors[i]})
	}
	text, _ := json.Marshal(map[string]any{
		"object": "list", "data": data, "model": "text-embedding-3-small", "usage": map[string]any{"prompt_tokens": 8, "total_tokens": 8},
	})
	return string(text)
}

func TestEmbeddingsStandWhatServersDo(t *testing.T) {
	t.Parallel()
	vector, _ := json.Marshal(make([]float32, 384))
	good, _ := json.Marshal(append(make([]float32, 383), 1))
	providertest.Run(t, "openai embeddings", providertest.Subject{
		Name: "openai", Answer: answer,
		Ask: func(ctx context.Context, address string) error {
			_, err := embedder(t, dial(t, address)).EmbedDocuments(ctx, []string{providertest.Words, "more of them"})
			return err
		},
		Wrong: map[string]string{
			"fewer vectors":      fmt.Sprintf(`{"data":[{"index":0,"embedding":%s}]}`, good),
			"no vectors":         `{"data":[]}`,
			"nothing":            `null`,
			"another API":        `{"choices":[]}`,
			"one index twice":    fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":0,"embedding":%s}]}`, good, good),
			"an index too large": fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":2,"embedding":%s}]}`, good, good),
			"a negative index":   fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":-1,"embedding":%s}]}`, good, good),
			"other dimensions":   fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":1,"embedding":[1,2]}]}`, good),
			"no vector":          fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":1}]}`, good),
			"null for a vector":  fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":1,"embedding":null}]}`, good),
			"null for a number":  fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":1,"embedding":[1,null]}]}`, good),
			"NaN":                fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":1,"embedding":[1,NaN]}]}`, good),
			"a zero vector":      fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":1,"embedding":%s}]}`, good, vector),
			"base64":             fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":1,"embedding":"AACAPw=="}]}`, good),
			"an error as 200":    `{"error":{"message":"no","code":"x"}}`,
		},
	})
}

func TestEmbeddingsKeepTheContract(t *testing.T) {
	t.Parallel()
	embedtest.Run(t, "openai", func(t *testing.T) embed.Embedder {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body json.RawMessage
			_ = json.NewDecoder(r.Body).Decode(&body)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(answer(r, body)))
		}))
		t.Cleanup(server.Close)
		return embedder(t, dial(t, server.URL))
	})
}

func TestEmbeddingsAskAsDocumented(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*openai.Embeddings)
		kind   embed.Kind
		path   string
		body   string
	}{
		"OpenAI":      {func(*openai.Embeddings) {}, embed.Query, "/embeddings", `{"model":"text-embedding-3-small","input":["who?"],"encoding_format":"float"}`},
		"shortened":   {func(e *openai.Embeddings) { e.Dimensions = 512 }, embed.Document, "/embeddings", `{"model":"text-embedding-3-small","input":["who?"],"dimensions":512,"encoding_format":"float"}`},
		"Azure":       {func(e *openai.Embeddings) { e.Azure, e.Model = "2024-10-21", "our vectors" }, embed.Query, "/openai/deployments/our%20vectors/embeddings?api-version=2024-10-21", `{"input":["who?"],"encoding_format":"float"}`},
		"RAE, asking": {func(e *openai.Embeddings) { e.TellKind = true }, embed.Query, "/embeddings", `{"model":"text-embedding-3-small","input":["who?"],"encoding_format":"float","input_type":"query"}`},
		"RAE, told":   {func(e *openai.Embeddings) { e.TellKind = true }, embed.Document, "/embeddings", `{"model":"text-embedding-3-small","input":["who?"],"encoding_format":"float","input_type":"document"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var path, body string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var read json.RawMessage
				_ = json.NewDecoder(r.Body).Decode(&read)
				path, body = r.URL.String(), string(read)
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(answer(r, read)))
			}))
			defer server.Close()
			vectors, used, err := dial(t, server.URL, c.change).Embed(t.Context(), c.kind, []string{"who?"})
			if err != nil || len(vectors) != 1 || used != (llm.Usage{TokensIn: 8}) {
				t.Errorf("got %d vectors, %+v, %v", len(vectors), used, err)
			}
			if path != c.path || body != c.body {
				t.Errorf("asked %s %s\nwant  %s %s", path, body, c.path, c.body)
			}
		})
	}
}

func TestAServerThatCountsNoIndexesIsTakenInOrder(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"data":[{"embedding":[1]},{"embedding":[2]}]}`))
	}))
	defer server.Close()
	vectors, used, err := dial(t, server.URL).Embed(t.Context(), embed.Document, []string{"a", "b"})
	if err != nil || len(vectors) != 2 || vectors[0][0] != 1 || vectors[1][0] != 2 || used != (llm.Usage{}) {
		t.Errorf("got %v, %+v, %v", vectors, used, err)
	}
}
