package cohere_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/rae-memory/rae/pkg/cohere"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/provider/providertest"
	"github.com/rae-memory/rae/pkg/rerank"
)

func TestRerankersStandWhatServersDo(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"cohere": cohere.RerankPath, "jina": "/rerank"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.RunReranking(t, providertest.Reranking{
				Name: name,
				Open: func(address string) (rerank.Provider, error) {
					client, err := provider.New(provider.Options{Name: name, BaseURL: address, Key: providertest.Key})
					return &cohere.Reranker{Client: client, Model: "rerank-v3.5", Path: path}, err
				},
				Question: func(r *http.Request, body []byte) (string, []string, error) {
					var ask struct {
						Model, Query string
						Documents    []string
						TopN         int `json:"top_n"`
					}
					err := providertest.Exactly(body, &ask)
					if err == nil && (r.URL.Path != path || r.Header.Get("Authorization") != "Bearer "+providertest.Key || ask.Model != "rerank-v3.5" || ask.TopN != len(ask.Documents)) {
						err = fmt.Errorf("asked %s for %+v", r.URL, ask)
					}
					return ask.Query, ask.Documents, err
				},
				Before: `{"id":"07734bd2","results":[`, Item: `{"index":%d,"relevance_score":%g}`,
				After: `],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}`,
			})
		})
	}
}

func TestRerankersTellWhatTheyCost(t *testing.T) {
	t.Parallel()
	for told, want := range map[string]int{
		`"meta":{"billed_units":{"search_units":2}}`: 2 * rerank.SearchTokens, `"usage":{"total_tokens":38}`: 38, `"meta":{}`: 0, `"usage":{"total_tokens":-1}`: 0,
	} {
		server := providertest.Serve(t, "", providertest.Says(`{"results":[{"index":0,"relevance_score":0.5}],`+told+`}`))
		client, err := provider.New(provider.Options{Name: "cohere", BaseURL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		r := cohere.Reranker{Client: client, Model: "m", Path: cohere.RerankPath}
		if _, used, err := r.Rerank(t.Context(), "q", []string{"d"}); err != nil || used != (llm.Usage{TokensIn: want}) {
			t.Errorf("%s: got %+v, %v", told, used, err)
		}
	}
}

func TestScoresThatAreNotTheModelsAreNotTaken(t *testing.T) {
	t.Parallel()
	server := providertest.Serve(t, "", providertest.Says(`{"results":[{"index":0,"relevance_score":0.5}],"degraded":["rerank"]}`))
	client, err := provider.New(provider.Options{Name: "cohere", BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	r := cohere.Reranker{Client: client, Model: "m", Path: "/rerank"}
	if scores, used, err := r.Rerank(t.Context(), "q", []string{"d"}); fault.KindOf(err) != fault.Unavailable || scores != nil || used != (llm.Usage{}) || llm.WasSpent(err) {
		t.Errorf("got %v, %+v, %v", scores, used, err)
	}
}
