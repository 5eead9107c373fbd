package cohere_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rae-memory/rae/pkg/cohere"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/embed/embedtest"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/provider/providertest"
)

func dial(t *testing.T, address string) *provider.Client {
	t.Helper()
	client, err := provider.New(provider.Options{Name: "cohere", BaseURL: address, Key: providertest.Key})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// serve answers with what answer makes of a request, and keeps the last one asked.
func serve(t *testing.T, answer func(*http.Request, []byte) string, asked *string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&body)
		if asked != nil {
			*asked = r.URL.String() + " " + r.Header.Get("Authorization") + " " + string(body)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(answer(r, body)))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func embedder(t *testing.T, address string) embed.Embedder {
	t.Helper()
	e := &cohere.Embeddings{Client: dial(t, address), Model: "embed-v4.0"}
	r, err := embed.NewRemote(e, embed.Spec{Provider: "cohere", Model: e.Model, Dimensions: new(embed.Hash).Dimensions(), MaxTexts: 8}, providertest.Free{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// embeds is what Cohere answers, with vectors by hashing.
func embeds(_ *http.Request, body []byte) string {
	var ask struct{ Texts []string }
	if err := json.Unmarshal(body, &ask); err != nil {
		return err.Error()
	}
	vectors, _ := new(embed.Hash).EmbedDocuments(context.Background(), ask.Texts)
	text, _ := json.Marshal(map[string]any{
		"id": "x", "embeddings": map[string]any{"float": vectors}, "texts": ask.Texts, "response_type": "embeddings_by_type",
		"meta": map[string]any{"api_version": map[string]any{"version": "2"}, "billed_units": map[string]any{"input_tokens": 6}},
	})
	return string(text)
}

func TestEmbeddingsStandWhatServersDo(t *testing.T) {
	t.Parallel()
	good, _ := json.Marshal(append(make([]float32, 383), 1))
	providertest.Run(t, "cohere embeddings", providertest.Subject{
		Name: "cohere", Answer: embeds,
		Ask: func(ctx context.Context, address string) error {
			_, err := embedder(t, address).EmbedDocuments(ctx, []string{providertest.Words, "more of them"})
			return err
		},
		Wrong: map[string]string{
			"fewer vectors":     fmt.Sprintf(`{"embeddings":{"float":[%s]}}`, good),
			"another type":      fmt.Sprintf(`{"embeddings":{"int8":[%s,%s]}}`, good, good),
			"version 1":         fmt.Sprintf(`{"embeddings":[%s,%s]}`, good, good),
			"other dimensions":  fmt.Sprintf(`{"embeddings":{"float":[%s,[1,2]]}}`, good),
			"null for a vector": fmt.Sprintf(`{"embeddings":{"float":[%s,null]}}`, good),
			"null for a number": fmt.Sprintf(`{"embeddings":{"float":[%s,[null]]}}`, good),
		},
	})
}

func TestEmbeddingsKeepTheContract(t *testing.T) {
	t.Parallel()
	embedtest.Run(t, "cohere", func(t *testing.T) embed.Embedder { return embedder(t, serve(t, embeds, nil)) })
}

func TestEmbeddingsAskAsDocumented(t *testing.T) {
	t.Parallel()
	for kind, inputType := range map[embed.Kind]string{embed.Query: "search_query", embed.Document: "search_document"} {
		var asked string
		e := &cohere.Embeddings{Client: dial(t, serve(t, embeds, &asked)), Model: "embed-v4.0", Dimensions: 512}
		vectors, used, err := e.Embed(t.Context(), kind, []string{"who?"})
		if err != nil || len(vectors) != 1 || used.TokensIn != 6 {
			t.Errorf("got %d vectors, %+v, %v", len(vectors), used, err)
		}
		want := "/v2/embed Bearer " + providertest.Key + ` {"model":"embed-v4.0","texts":["who?"],"input_type":"` + inputType + `","embedding_types":["float"],"output_dimension":512,"truncate":"END"}`
		if asked != want {
			t.Errorf("asked %s\nwant  %s", asked, want)
		}
	}
}
