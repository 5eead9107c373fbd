// Package cohere speaks Cohere's API, version 2, and the rerank API that Jina, vLLM, llama.cpp and RAE's own rerank
// function took over from it.
package cohere

import (
	"context"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
)

const (
	// BaseURL is where Cohere is asked.
	BaseURL = "https://api.cohere.com"
	// MaxTexts is the most a request for vectors may hold.
	MaxTexts = 96
)

var _ embed.Provider = (*Embeddings)(nil)

// Embeddings asks POST /v2/embed for vectors.
type Embeddings struct {
	Client     *provider.Client
	Model      string
	Dimensions int // asked for; 0 = the model's own
}

// kinds are the values of input_type.
var kinds = map[embed.Kind]string{embed.Query: "search_query", embed.Document: "search_document"}

type embedRequest struct {
	Model      string   `json:"model"`
	Texts      []string `json:"texts"`
	InputType  string   `json:"input_type"`
	Types      []string `json:"embedding_types"`
	Dimensions int      `json:"output_dimension,omitempty"`
	Truncate   string   `json:"truncate"`
}

type embedAnswer struct {
	Embeddings struct {
		Float []provider.Numbers `json:"float"`
	} `json:"embeddings"`
	Meta meta `json:"meta"`
}

// meta says what a request is charged for.
type meta struct {
	BilledUnits struct {
		InputTokens float64 `json:"input_tokens"`
		SearchUnits float64 `json:"search_units"`
	} `json:"billed_units"`
}

// Embed implements embed.Provider.
func (e *Embeddings) Embed(ctx context.Context, kind embed.Kind, texts []string) ([][]float32, llm.Usage, error) {
	ask := embedRequest{
		Model: e.Model, Texts: texts, InputType: kinds[kind], Types: []string{"float"}, Dimensions: e.Dimensions, Truncate: "END",
	}
	var got embedAnswer
	if err := e.Client.Post(ctx, "/v2/embed", ask, &got); err != nil {
		return nil, llm.Usage{}, err
	}
	vectors := make([][]float32, len(got.Embeddings.Float))
	for i, v := range got.Embeddings.Float {
		vectors[i] = v
	}
	return vectors, llm.Usage{TokensIn: tokens(got.Meta.BilledUnits.InputTokens)}, nil
}

// tokens is a count as JSON writes it, which is a float to Cohere.
func tokens(n float64) int {
	const most = 1 << 40
	return int(min(max(n, 0), most))
}
