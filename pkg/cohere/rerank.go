package cohere

import (
	"context"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/rerank"
)

const (
	// RerankPath is where Cohere itself reranks; others do so at /rerank below the base URL their documentation names.
	RerankPath = "/v2/rerank"
	// MaxDocuments is the most a request for scores may hold.
	MaxDocuments = 1000
)

var _ rerank.Provider = (*Reranker)(nil)

// Reranker asks for scores at Path.
type Reranker struct {
	Client *provider.Client
	Model  string
	Path   string // RerankPath, or /rerank
}

type rerankRequest struct {
	Model     string   `json:"model,omitempty"`
	Query     string   `json:"query"`
	Documents []string `json:"documents"`
	TopN      int      `json:"top_n"`
}

type rerankAnswer struct {
	Results []provider.Scored `json:"results"`
	Meta    meta              `json:"meta"`
	Usage   struct {          // Jina, vLLM and RAE say it here
		TotalTokens int `json:"total_tokens"`
	} `json:"usage"`
	Degraded []string `json:"degraded"` // RAE says so where the scores are not those of the model
}

// Rerank implements rerank.Provider.
func (r *Reranker) Rerank(ctx context.Context, query string, documents []string) ([]float64, llm.Usage, error) {
	var got rerankAnswer
	err := r.Client.Post(ctx, r.Path, rerankRequest{Model: r.Model, Query: query, Documents: documents, TopN: len(documents)}, &got)
	if err != nil {
		return nil, llm.Usage{}, err
	}
	if len(got.Degraded) > 0 {
		return nil, llm.Usage{}, fault.New(fault.Unavailable, "%s answered without its model", r.Client.Name())
	}
	used := llm.Usage{TokensIn: max(got.Usage.TotalTokens, 0)}
	if units := got.Meta.BilledUnits.SearchUnits; units > 0 {
		used.TokensIn = tokens(rerank.SearchTokens * units)
	}
	scores, err := r.Client.InOrder(got.Results, len(documents))
	return scores, used, err
}
