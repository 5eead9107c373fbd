// Package llm is the port to language models. Adapters are named after their provider; none means that RAE works
// extractively and says so. Remote is the only way from an adapter to the port, and has a meter before it.
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

// Apart parts what the system says, joined, from the turns that follow, for providers that want them in two places.
func Apart(messages []Message) (system string, turns []Message) {
	for i, m := range messages {
		if m.Role != "system" {
			return system, messages[i:]
		}
		if i > 0 {
			system += "\n\n"
		}
		system += m.Content
	}
	return system, nil
}

// Request asks for one completion of at most MaxTokens output tokens, what a model thinks before it answers included.
type Request struct {
	Operation   string // what for, on bills: "reflection.extract"; "" = "chat"
	Messages    []Message
	MaxTokens   int
	Temperature *float64        // 0..2; nil = the model's own, which models that think insist on
	Schema      json.RawMessage // JSON Schema the answer must follow, of the kind CheckSchema takes; nil = free text
	// Heard is told parts of the text as they come, in order, on the caller's goroutine, and has the answer streamed; nil
	// = it is sent whole. When Complete fails the parts were no answer. Not together with Schema: what is checked is given
	// out when it has been checked.
	Heard func(part string)
}

// Response is the completion and what it consumed.
type Response struct {
	Text      string // with a Schema: JSON that follows it
	Model     string // as the provider names it
	Truncated bool   // MaxTokens, or what the model can hold, ended it
	Usage     Usage
}

// Usage counts tokens. Estimated is set when the provider did not say and RAE counted by itself.
type Usage struct {
	TokensIn        int
	TokensOut       int
	CachedTokens    int // part of TokensIn that was billed at the cached price
	ReasoningTokens int // part of TokensOut that went into thinking: billed like all of it, and never seen
	Estimated       bool
}

// Plus is the usage of both.
func (u Usage) Plus(v Usage) Usage {
	return Usage{
		TokensIn: u.TokensIn + v.TokensIn, TokensOut: u.TokensOut + v.TokensOut, CachedTokens: u.CachedTokens + v.CachedTokens,
		ReasoningTokens: u.ReasoningTokens + v.ReasoningTokens, Estimated: u.Estimated || v.Estimated,
	}
}

// Model completes prompts. Complete must honour ctx and must return a classified fault: RateLimited, Unavailable and
// Timeout may be retried, everything else may not. A model that will not answer this is Invalid, and WasRefused tells it
// from a request that cannot be meant; one that the prompt is too long for is TooLarge.
type Model interface {
	Complete(ctx context.Context, r Request) (Response, error)
}

// None is the model of an engine without one.
type None struct{}

// Complete always fails with Unavailable; callers are expected to take their extractive path instead.
func (None) Complete(context.Context, Request) (Response, error) {
	return Response{}, fault.New(fault.Unavailable, "no language model is configured")
}
