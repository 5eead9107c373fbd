package cohere_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/cohere"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/provider/providertest"
)

func dial(address string) (*cohere.Embeddings, error) {
	client, err := provider.New(provider.Options{Name: "cohere", BaseURL: address, Key: providertest.Key})
	return &cohere.Embeddings{Client: client, Model: "embed-v4.0"}, err
}

// answer is what Cohere answers.
func answer(vectors []string) string {
	return `{"id":"x","embeddings":{"float":[` + strings.Join(vectors, ",") + `]},"texts":[],"response_type":"embeddings_by_type","meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":6}}}`
}

func TestEmbeddingsStandWhatServersDo(t *testing.T) {
	t.Parallel()
	good := providertest.Good()
	providertest.RunEmbedding(t, providertest.Embedding{
		Name: "cohere", Answer: answer, Open: func(address string) (embed.Provider, error) { return dial(address) },
		Texts: func(body []byte) ([]string, error) {
			var ask struct{ Texts []string }
			err := json.Unmarshal(body, &ask)
			return ask.Texts, err
		},
		Wrong: map[string]string{
			"another type": `{"embeddings":{"int8":[` + good + `,` + good + `]}}`,
			"version 1":    `{"embeddings":[` + good + `,` + good + `]}`,
		},
	})
}

func TestEmbeddingsAskAsDocumented(t *testing.T) {
	t.Parallel()
	for kind, inputType := range map[embed.Kind]string{embed.Query: "search_query", embed.Document: "search_document"} {
		server := providertest.Serve(t, "", providertest.Says(answer([]string{"[1]"})))
		e, err := dial(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		e.Dimensions = 512
		vectors, used, err := e.Embed(t.Context(), kind, []string{"who?"})
		if err != nil || len(vectors) != 1 || used.TokensIn != 6 {
			t.Errorf("got %d vectors, %+v, %v", len(vectors), used, err)
		}
		want := `/v2/embed {"model":"embed-v4.0","texts":["who?"],"input_type":"` + inputType + `","embedding_types":["float"],"output_dimension":512,"truncate":"END"}`
		if server.Asked() != want || server.Header("Authorization") != "Bearer "+providertest.Key {
			t.Errorf("asked %s\nwant  %s", server.Asked(), want)
		}
	}
}
