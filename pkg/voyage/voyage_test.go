package voyage_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/provider/providertest"
	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/voyage"
)

func open(address string) (rerank.Provider, error) {
	client, err := provider.New(provider.Options{Name: "voyage", BaseURL: address, Key: providertest.Key})
	return &voyage.Reranker{Client: client, Model: "rerank-2.5"}, err
}

func TestRerankerStandsWhatServersDo(t *testing.T) {
	t.Parallel()
	providertest.RunReranking(t, providertest.Reranking{
		Name: "voyage", Open: open,
		Question: func(r *http.Request, body []byte) (string, []string, error) {
			var ask struct {
				Model, Query string
				Documents    []string
				TopK         int `json:"top_k"`
				Truncation   bool
			}
			err := providertest.Exactly(body, &ask)
			if err == nil && (r.URL.Path != "/rerank" || r.Header.Get("Authorization") != "Bearer "+providertest.Key || ask.Model != "rerank-2.5" || ask.TopK != len(ask.Documents) || !ask.Truncation) {
				err = fmt.Errorf("asked %s for %+v", r.URL, ask)
			}
			return ask.Query, ask.Documents, err
		},
		Before: `{"object":"list","data":[`, Item: `{"index":%d,"relevance_score":%g}`, After: `],"model":"rerank-2.5","usage":{"total_tokens":26}}`,
	})
}

func TestRerankerTellsWhatItCosts(t *testing.T) {
	t.Parallel()
	server := providertest.Serve(t, "", providertest.Says(`{"data":[{"index":0,"relevance_score":0.5}],"usage":{"total_tokens":26}}`))
	r, err := open(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, used, err := r.Rerank(t.Context(), "q", []string{"d"}); err != nil || used.TokensIn != 26 {
		t.Errorf("got %+v, %v", used, err)
	}
}
