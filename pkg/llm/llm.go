// Package llm is the port to language models. Adapters are named after their provider; none means that RAE works
// extractively and says so.
package llm

import (
	"context"
	"encoding/json"

	"github.com/rae-memory/rae/pkg/fault"
)

// Message is one turn of a prompt. Role is "system", "user" or "assistant".
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Request asks for one completion of at most MaxTokens output tokens.
type Request struct {
	Messages    []Message
	MaxTokens   int
	Temperature float64         // 0..2
	Schema      json.RawMessage // JSON Schema the answer must follow; nil = free text
}

// Response is the completion and what it consumed.
type Response struct {
	Text  string
	Model string // as the provider names it
	Usage Usage
}

// Usage counts tokens. Estimated is set when the provider did not say and RAE counted by itself.
type Usage struct {
	TokensIn     int
	TokensOut    int
	CachedTokens int // part of TokensIn that was billed at the cached price
	Estimated    bool
}

// Model completes prompts. Complete must honour ctx and must return a classified fault: RateLimited, Unavailable and
// Timeout may be retried, everything else may not.
type Model interface {
	Complete(ctx context.Context, r Request) (Response, error)
}

// None is the model of an engine without one.
type None struct{}

// Complete always fails with Unavailable; callers are expected to take their extractive path instead.
func (None) Complete(context.Context, Request) (Response, error) {
	return Response{}, fault.New(fault.Unavailable, "no language model is configured")
}
