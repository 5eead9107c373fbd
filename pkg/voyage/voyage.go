// Package voyage speaks the rerank API of Voyage AI.
package voyage

import (
	"context"

	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/rerank"
)

const (
	// BaseURL is where Voyage is asked.
	BaseURL = "https://api.voyageai.com/v1"
	// MaxDocuments is the most a request may hold.
	MaxDocuments = 1000
)

var _ rerank.Provider = (*Reranker)(nil)

// Reranker asks POST /rerank for scores.
type Reranker struct {
	Client *provider.Client
	Model  string
}

type request struct {
	Model      string   `json:"model"`
	Query      string   `json:"query"`
	Documents  []string `json:"documents"`
	TopK       int      `json:"top_k"`
	Truncation bool     `json:"truncation"`
}

type answer struct {
	Data  []provider.Scored `json:"data"`
	Usage struct {
		TotalTokens int `json:"total_tokens"`
	} `json:"usage"`
}

// Rerank implements rerank.Provider.
func (r *Reranker) Rerank(ctx context.Context, query string, documents []string) ([]float64, llm.Usage, error) {
	var got answer
	ask := request{Model: r.Model, Query: query, Documents: documents, TopK: len(documents), Truncation: true}
	if err := r.Client.Post(ctx, "/rerank", ask, &got); err != nil {
		return nil, llm.Usage{}, err
	}
	scores, err := r.Client.InOrder(got.Data, len(documents))
	return scores, llm.Usage{TokensIn: max(got.Usage.TotalTokens, 0)}, err
}
