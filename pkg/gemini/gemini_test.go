package gemini_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/gemini"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/provider/providertest"
)

func dial(address string) (*gemini.Embeddings, error) {
	client, err := provider.New(provider.Options{Name: "gemini", BaseURL: address, Key: providertest.Key, KeyHeader: gemini.KeyHeader})
	return &gemini.Embeddings{Client: client, Model: "models/gemini-embedding-001"}, err
}

// answer is what the API answers.
func answer(vectors []string) string {
	var embeddings []string
	for _, v := range vectors {
		embeddings = append(embeddings, `{"values":`+v+`}`)
	}
	return `{"embeddings":[` + strings.Join(embeddings, ",") + `],"usageMetadata":{"promptTokenCount":5}}`
}

func TestEmbeddingsStandWhatServersDo(t *testing.T) {
	t.Parallel()
	providertest.RunEmbedding(t, providertest.Embedding{
		Name: "gemini", Answer: answer, Open: func(address string) (embed.Provider, error) { return dial(address) },
		Texts: func(body []byte) (texts []string, err error) {
			var ask struct {
				Requests []struct {
					Content struct{ Parts []struct{ Text string } }
				}
			}
			err = json.Unmarshal(body, &ask)
			for _, r := range ask.Requests {
				texts = append(texts, r.Content.Parts[0].Text)
			}
			return texts, err
		},
		Wrong: map[string]string{"no values": `{"embeddings":[{"values":` + providertest.Good() + `},{}]}`},
	})
}

func TestEmbeddingsAskAsDocumented(t *testing.T) {
	t.Parallel()
	for kind, task := range map[embed.Kind]string{embed.Query: "RETRIEVAL_QUERY", embed.Document: "RETRIEVAL_DOCUMENT"} {
		server := providertest.Serve(t, "", providertest.Says(answer([]string{"[3,4]"})))
		e, err := dial(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		e.Dimensions = 2
		vectors, used, err := e.Embed(t.Context(), kind, []string{"who?"})
		if err != nil || len(vectors) != 1 || len(vectors[0]) != 2 || used.TokensIn != 5 {
			t.Errorf("got %v, %+v, %v", vectors, used, err)
		}
		want := `/models/gemini-embedding-001:batchEmbedContents {"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"who?"}]},"taskType":"` + task + `","outputDimensionality":2}]}`
		if server.Asked() != want || server.Header("X-Goog-Api-Key") != providertest.Key || server.Header("Authorization") != "" {
			t.Errorf("asked %s\nwant  %s", server.Asked(), want)
		}
	}
}
