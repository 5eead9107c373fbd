// Package tei speaks the rerank API of Text Embeddings Inference by Hugging Face.
package tei

import (
	"context"

	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/rerank"
)

const (
	// BaseURL is where the server listens unless it is told otherwise.
	BaseURL = "http://localhost:8080"
	// MaxDocuments is the most a request may hold unless the server was started with a larger --max-client-batch-size.
	MaxDocuments = 32
)

var _ rerank.Provider = (*Reranker)(nil)

// Reranker asks POST /rerank for scores, of the one model the server has.
type Reranker struct {
	Client *provider.Client
}

type request struct {
	Query    string   `json:"query"`
	Texts    []string `json:"texts"`
	Truncate bool     `json:"truncate"`
}

// Rerank implements rerank.Provider.
func (r *Reranker) Rerank(ctx context.Context, query string, documents []string) ([]float64, llm.Usage, error) {
	var got []provider.Scored
	if err := r.Client.Post(ctx, "/rerank", request{Query: query, Texts: documents, Truncate: true}, &got); err != nil {
		return nil, llm.Usage{}, err
	}
	scores, err := r.Client.InOrder(got, len(documents))
	return scores, llm.Usage{}, err
}
