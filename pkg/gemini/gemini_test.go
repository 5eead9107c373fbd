package gemini_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/embed/embedtest"
	"github.com/rae-memory/rae/pkg/gemini"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/provider/providertest"
)

func dial(t *testing.T, address string) *gemini.Embeddings {
	t.Helper()
	client, err := provider.New(provider.Options{Name: "gemini", BaseURL: address, Key: providertest.Key, KeyHeader: gemini.KeyHeader})
	if err != nil {
		t.Fatal(err)
	}
	return &gemini.Embeddings{Client: client, Model: "models/gemini-embedding-001"}
}

func embedder(t *testing.T, e *gemini.Embeddings) embed.Embedder {
	t.Helper()
	r, err := embed.NewRemote(e, embed.Spec{Provider: "gemini", Model: e.Model, Dimensions: new(embed.Hash).Dimensions(), MaxTexts: 8}, providertest.Free{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// answer is what the API answers, with vectors by hashing.
func answer(_ *http.Request, body []byte) string {
	var ask struct {
		Requests []struct {
			Content struct{ Parts []struct{ Text string } }
		}
	}
	if err := json.Unmarshal(body, &ask); err != nil {
		return err.Error()
	}
	embeddings := make([]any, len(ask.Requests))
	for i, r := range ask.Requests {
		v, _ := new(embed.Hash).EmbedQuery(context.Background(), r.Content.Parts[0].Text)
		embeddings[i] = map[string]any{"values": v}
	}
	text, _ := json.Marshal(map[string]any{"embeddings": embeddings})
	return string(text)
}

func TestEmbeddingsStandWhatServersDo(t *testing.T) {
	t.Parallel()
	good, _ := json.Marshal(append(make([]float32, 383), 1))
	providertest.Run(t, "gemini embeddings", providertest.Subject{
		Name: "gemini", Answer: answer,
		Ask: func(ctx context.Context, address string) error {
			_, err := embedder(t, dial(t, address)).EmbedDocuments(ctx, []string{providertest.Words, "more of them"})
			return err
		},
		Wrong: map[string]string{
			"fewer vectors":     fmt.Sprintf(`{"embeddings":[{"values":%s}]}`, good),
			"nothing":           `{}`,
			"other dimensions":  fmt.Sprintf(`{"embeddings":[{"values":%s},{"values":[1,2,3]}]}`, good),
			"no values":         fmt.Sprintf(`{"embeddings":[{"values":%s},{}]}`, good),
			"null for a number": fmt.Sprintf(`{"embeddings":[{"values":%s},{"values":[null]}]}`, good),
			"NaN":               fmt.Sprintf(`{"embeddings":[{"values":%s},{"values":["NaN"]}]}`, good),
		},
	})
}

func TestEmbeddingsKeepTheContract(t *testing.T) {
	t.Parallel()
	embedtest.Run(t, "gemini", func(t *testing.T) embed.Embedder {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body json.RawMessage
			_ = json.NewDecoder(r.Body).Decode(&body)
			w.Header().Set("Content-Type", "application/json; charset=UTF-8")
			_, _ = w.Write([]byte(answer(r, body)))
		}))
		t.Cleanup(server.Close)
		return embedder(t, dial(t, server.URL))
	})
}

func TestEmbeddingsAskAsDocumented(t *testing.T) {
	t.Parallel()
	for kind, task := range map[embed.Kind]string{embed.Query: "RETRIEVAL_QUERY", embed.Document: "RETRIEVAL_DOCUMENT"} {
		var asked string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var read json.RawMessage
			_ = json.NewDecoder(r.Body).Decode(&read)
			asked = r.URL.String() + " " + r.Header.Get("X-Goog-Api-Key") + " " + r.Header.Get("Authorization") + " " + string(read)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"embeddings":[{"values":[3,4]}],"usageMetadata":{"promptTokenCount":5}}`))
		}))
		e := dial(t, server.URL)
		e.Dimensions = 2
		vectors, used, err := e.Embed(t.Context(), kind, []string{"who?"})
		server.Close()
		if err != nil || len(vectors) != 1 || len(vectors[0]) != 2 || used.TokensIn != 5 {
			t.Errorf("got %v, %+v, %v", vectors, used, err)
		}
		want := "/models/gemini-embedding-001:batchEmbedContents " + providertest.Key + `  {"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"who?"}]},"taskType":"` + task + `","outputDimensionality":2}]}`
		if asked != want {
			t.Errorf("asked %s\nwant  %s", asked, want)
		}
	}
}
