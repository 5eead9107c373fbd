package openai_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/openai"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/provider/providertest"
)

// dial returns the adapter to a server at the address.
func dial(address string) (*openai.Embeddings, error) {
	client, err := provider.New(provider.Options{Name: "openai", BaseURL: address, Key: providertest.Key})
	return &openai.Embeddings{Client: client, Model: "text-embedding-3-small"}, err
}

// answer is what OpenAI answers, the last text's vector first.
func answer(vectors []string) string {
	var data []string
	for i := range slices.Backward(vectors) {
		data = append(data, fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":%s}`, i, vectors[i]))
	}
	return `{"object":"list","data":[` + strings.Join(data, ",") + `],"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}`
}

func TestEmbeddingsStandWhatServersDo(t *testing.T) {
	t.Parallel()
	item := func(index string) string {
		return fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":%s,"embedding":%s}]}`, providertest.Good(), index, providertest.Good())
	}
	providertest.RunEmbedding(t, providertest.Embedding{
		Name: "openai", Answer: answer, Open: func(address string) (embed.Provider, error) { return dial(address) },
		Texts: func(body []byte) ([]string, error) {
			var ask struct{ Input []string }
			err := json.Unmarshal(body, &ask)
			return ask.Input, err
		},
		Wrong: map[string]string{
			"one index twice": item("0"), "an index too large": item("2"), "a negative index": item("-1"),
			"no vector": fmt.Sprintf(`{"data":[{"index":0,"embedding":%s},{"index":1}]}`, providertest.Good()),
		},
	})
}

func TestEmbeddingsAskAsDocumented(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*openai.Embeddings)
		kind   embed.Kind
		want   string
	}{
		"OpenAI":      {func(*openai.Embeddings) {}, embed.Query, `/embeddings {"model":"text-embedding-3-small","input":["who?"],"encoding_format":"float"}`},
		"shortened":   {func(e *openai.Embeddings) { e.Dimensions = 512 }, embed.Document, `/embeddings {"model":"text-embedding-3-small","input":["who?"],"dimensions":512,"encoding_format":"float"}`},
		"Azure":       {func(e *openai.Embeddings) { e.Azure, e.Model = "2024-10-21", "our vectors" }, embed.Query, `/openai/deployments/our%20vectors/embeddings?api-version=2024-10-21 {"input":["who?"],"encoding_format":"float"}`},
		"RAE, asking": {func(e *openai.Embeddings) { e.TellKind = true }, embed.Query, `/embeddings {"model":"text-embedding-3-small","input":["who?"],"encoding_format":"float","input_type":"query"}`},
		"RAE, told":   {func(e *openai.Embeddings) { e.TellKind = true }, embed.Document, `/embeddings {"model":"text-embedding-3-small","input":["who?"],"encoding_format":"float","input_type":"document"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := providertest.Serve(t, "", providertest.Says(answer([]string{"[1]"})))
			e, err := dial(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			c.change(e)
			vectors, used, err := e.Embed(t.Context(), c.kind, []string{"who?"})
			if err != nil || len(vectors) != 1 || used != (llm.Usage{TokensIn: 8}) {
				t.Errorf("got %d vectors, %+v, %v", len(vectors), used, err)
			}
			if server.Asked() != c.want {
				t.Errorf("asked %s\nwant  %s", server.Asked(), c.want)
			}
		})
	}
}

func TestAServerThatCountsNoIndexesIsTakenInOrder(t *testing.T) {
	t.Parallel()
	e, err := dial(providertest.Serve(t, "", providertest.Says(`{"data":[{"embedding":[1]},{"embedding":[2]}]}`)).URL)
	if err != nil {
		t.Fatal(err)
	}
	vectors, used, err := e.Embed(t.Context(), embed.Document, []string{"a", "b"})
	if err != nil || len(vectors) != 2 || vectors[0][0] != 1 || vectors[1][0] != 2 || used != (llm.Usage{}) {
		t.Errorf("got %v, %+v, %v", vectors, used, err)
	}
}
