// Package gemini speaks the Gemini API of Google AI.
package gemini

import (
	"context"
	"net/url"
	"strings"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
)

const (
	// BaseURL is where Google AI is asked.
	BaseURL = "https://generativelanguage.googleapis.com/v1beta"
	// KeyHeader is where the key goes; in the query, where the API takes it too, it would end up in logs.
	KeyHeader = "x-goog-api-key"
	// MaxTexts is the most a request may hold.
	MaxTexts = 100
)

var _ embed.Provider = (*Embeddings)(nil)

// Embeddings asks models/{model}:batchEmbedContents for vectors.
type Embeddings struct {
	Client     *provider.Client
	Model      string // with or without models/ before it
	Dimensions int    // asked for; 0 = the model's own
}

// tasks are the values of taskType.
var tasks = map[embed.Kind]string{embed.Query: "RETRIEVAL_QUERY", embed.Document: "RETRIEVAL_DOCUMENT"}

type part struct {
	Text    string `json:"text"`
	Thought bool   `json:"thought,omitempty"`
}

type content struct {
	Role  string `json:"role,omitempty"`
	Parts []part `json:"parts"`
}

type embedContent struct {
	Model      string  `json:"model"`
	Content    content `json:"content"`
	TaskType   string  `json:"taskType"`
	Dimensions int     `json:"outputDimensionality,omitempty"`
}

type batchRequest struct {
	Requests []embedContent `json:"requests"`
}

type batchAnswer struct {
	Embeddings []struct {
		Values provider.Numbers `json:"values"`
	} `json:"embeddings"`
	Usage struct {
		PromptTokens int `json:"promptTokenCount"`
	} `json:"usageMetadata"`
}

// Embed implements embed.Provider.
func (e *Embeddings) Embed(ctx context.Context, kind embed.Kind, texts []string) ([][]float32, llm.Usage, error) {
	name := strings.TrimPrefix(e.Model, "models/")
	ask := batchRequest{Requests: make([]embedContent, len(texts))}
	for i, text := range texts {
		ask.Requests[i] = embedContent{
			Model: "models/" + name, Content: content{Parts: []part{{Text: text}}}, TaskType: tasks[kind], Dimensions: e.Dimensions,
		}
	}
	var got batchAnswer
	if err := e.Client.Post(ctx, "/models/"+url.PathEscape(name)+":batchEmbedContents", ask, &got); err != nil {
		return nil, llm.Usage{}, err
	}
	vectors := make([][]float32, len(got.Embeddings))
	for i, item := range got.Embeddings {
		vectors[i] = item.Values
	}
	return vectors, llm.Usage{TokensIn: max(got.Usage.PromptTokens, 0)}, nil
}
