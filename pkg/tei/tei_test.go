package tei_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/provider/providertest"
	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/tei"
)

func TestRerankerStandsWhatServersDo(t *testing.T) {
	t.Parallel()
	providertest.RunReranking(t, providertest.Reranking{
		Name: "tei",
		Open: func(address string) (rerank.Provider, error) {
			client, err := provider.New(provider.Options{Name: "tei", BaseURL: address, Key: providertest.Key})
			return &tei.Reranker{Client: client}, err
		},
		Question: func(r *http.Request, body []byte) (string, []string, error) {
			var ask struct {
				Query    string
				Texts    []string
				Truncate bool
			}
			err := providertest.Exactly(body, &ask)
			if err == nil && (r.URL.Path != "/rerank" || !ask.Truncate) {
				err = fmt.Errorf("asked %s for %+v", r.URL, ask)
			}
			return ask.Query, ask.Texts, err
		},
		Before: "[", Item: `{"index":%d,"score":%g}`, After: "]",
	})
}
