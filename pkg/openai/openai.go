// Package openai speaks OpenAI's API, and that of the many servers that speak it too: Azure OpenAI, Ollama, vLLM, Text
// Embeddings Inference, LM Studio, and RAE's own embed function.
package openai

import (
	"context"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
)

// BaseURL is where OpenAI itself is asked.
const BaseURL = "https://api.openai.com/v1"

// AzureKeyHeader is where Azure wants the key.
const AzureKeyHeader = "api-key"

var _ embed.Provider = (*Embeddings)(nil)

// Embeddings asks POST /embeddings for vectors.
type Embeddings struct {
	Client     *provider.Client
	Model      string
	Dimensions int    // asked for; 0 = the model's own
	Azure      string // api-version of Azure's API, where Model is the name of a deployment; "" = any other server
	TellKind   bool   // send input_type, query or document, which RAE's own embed function reads
}

// kinds are the values of input_type.
var kinds = map[embed.Kind]string{embed.Query: "query", embed.Document: "document"}

type embeddingsRequest struct {
	Model          string   `json:"model,omitempty"`
	Input          []string `json:"input"`
	Dimensions     int      `json:"dimensions,omitempty"`
	EncodingFormat string   `json:"encoding_format"`
	InputType      string   `json:"input_type,omitempty"`
}

type embeddingsAnswer struct {
	Data []struct {
		Index     *int             `json:"index"`
		Embedding provider.Numbers `json:"embedding"`
	} `json:"data"`
	Usage struct {
		PromptTokens int `json:"prompt_tokens"`
		TotalTokens  int `json:"total_tokens"`
	} `json:"usage"`
}

// Embed implements embed.Provider.
func (e *Embeddings) Embed(ctx context.Context, kind embed.Kind, texts []string) ([][]float32, llm.Usage, error) {
	path, ask := "/embeddings", embeddingsRequest{Model: e.Model, Input: texts, Dimensions: e.Dimensions, EncodingFormat: "float"}
	if e.Azure != "" {
		path, ask.Model = deployment(e.Model, path, e.Azure), ""
	}
	if e.TellKind {
		ask.InputType = kinds[kind]
	}
	var got embeddingsAnswer
	if err := e.Client.Post(ctx, path, ask, &got); err != nil {
		return nil, llm.Usage{}, err
	}
	used := llm.Usage{TokensIn: max(got.Usage.PromptTokens, got.Usage.TotalTokens, 0)}
	vectors := make([][]float32, len(got.Data))
	for i, item := range got.Data {
		at := i
		if item.Index != nil {
			at = *item.Index
		}
		if at < 0 || at >= len(vectors) {
			return nil, used, llm.Spent(fault.New(fault.Unavailable, "%s returned vectors whose indexes are not those of %d texts", e.Client.Name(), len(texts)))
		}
		vectors[at] = item.Embedding // where an index comes twice another is missing, and has no dimensions
	}
	return vectors, used, nil
}
