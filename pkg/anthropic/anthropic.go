// Package anthropic speaks the Messages API of Anthropic.
package anthropic

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
)

const (
	// BaseURL is where Anthropic is asked.
	BaseURL = "https://api.anthropic.com/v1"
	// KeyHeader is where the key goes.
	KeyHeader = "x-api-key"
	// VersionHeader says which version of the API is spoken, Version.
	VersionHeader = "anthropic-version"
	// Version is the API's, and has been since 2023.
	Version = "2023-06-01"
)

var _ llm.Provider = (*Messages)(nil)

// Messages asks POST /messages for answers. Its client sends VersionHeader.
type Messages struct {
	Client *provider.Client
	Model  string
}

type request struct {
	Model        string        `json:"model"`
	MaxTokens    int           `json:"max_tokens"`
	System       string        `json:"system,omitempty"`
	Messages     []llm.Message `json:"messages"`
	Temperature  *float64      `json:"temperature,omitempty"`
	OutputConfig *outputConfig `json:"output_config,omitempty"`
	Stream       bool          `json:"stream,omitempty"`
}

type outputConfig struct {
	Format format `json:"format"`
}

type format struct {
	Type   string          `json:"type"`
	Schema json.RawMessage `json:"schema"`
}

// usage leaves what was read from a cache, and written to one, out of input_tokens. What the model thought is in
// output_tokens.
type usage struct {
	InputTokens         int `json:"input_tokens"`
	CacheCreationTokens int `json:"cache_creation_input_tokens"`
	CacheReadTokens     int `json:"cache_read_input_tokens"`
	OutputTokens        int `json:"output_tokens"`
}

type message struct {
	Model   string `json:"model"`
	Content []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	} `json:"content"`
	StopReason string `json:"stop_reason"`
	Usage      usage  `json:"usage"`
}

// event is one of a stream. Which of its parts are there, its type says.
type event struct {
	Type    string  `json:"type"`
	Message message `json:"message"`
	Delta   struct {
		Type       string `json:"type"`
		Text       string `json:"text"`
		StopReason string `json:"stop_reason"`
	} `json:"delta"`
	Usage *usage `json:"usage"`
}

// Ask implements llm.Provider.
func (m *Messages) Ask(ctx context.Context, r llm.Request) (llm.Response, error) {
	ask := request{Model: m.Model, MaxTokens: r.MaxTokens, Stream: r.Heard != nil}
	ask.System, ask.Messages = llm.Apart(r.Messages)
	if r.Temperature != nil {
		warm := min(*r.Temperature, 1) // the API's scale ends there
		ask.Temperature = &warm
	}
	if r.Schema != nil {
		ask.OutputConfig = &outputConfig{format{"json_schema", r.Schema}}
	}
	const path = "/messages"
	if !ask.Stream {
		var got message
		if err := m.Client.Post(ctx, path, ask, &got); err != nil {
			return llm.Response{}, err
		}
		var text strings.Builder
		for _, block := range got.Content {
			if block.Type == "text" {
				text.WriteString(block.Text)
			}
		}
		return m.end(&got, text.String())
	}
	var got message
	var text strings.Builder
	stopped := false
	err := m.Client.Stream(ctx, path, ask, func(_ string, data []byte) (bool, error) {
		var e event
		if err := m.Client.Read(data, &e); err != nil {
			return false, err
		}
		switch e.Type {
		case "message_start":
			got = e.Message
		case "content_block_delta":
			if e.Delta.Type == "text_delta" && e.Delta.Text != "" {
				text.WriteString(e.Delta.Text)
				r.Heard(e.Delta.Text)
			}
		case "message_delta":
			got.StopReason = e.Delta.StopReason
			got.Usage.update(e.Usage)
		case "message_stop":
			stopped = true
		case "error":
			return false, m.Client.Failed(data)
		}
		return stopped, nil // other types may be added, and say nothing
	})
	switch {
	case err != nil:
		return llm.Response{}, err
	case !stopped:
		return llm.Response{}, m.Client.CutOff()
	}
	return m.end(&got, text.String())
}

// update takes what a stream says later: sums so far, in place of what it said before.
func (u *usage) update(later *usage) {
	if later != nil {
		u.InputTokens, u.OutputTokens = max(u.InputTokens, later.InputTokens), max(u.OutputTokens, later.OutputTokens)
		u.CacheCreationTokens, u.CacheReadTokens = max(u.CacheCreationTokens, later.CacheCreationTokens), max(u.CacheReadTokens, later.CacheReadTokens)
	}
}

func (m *Messages) end(got *message, text string) (llm.Response, error) {
	u := &got.Usage
	used := llm.Usage{TokensIn: u.InputTokens + u.CacheCreationTokens + u.CacheReadTokens, CachedTokens: u.CacheReadTokens, TokensOut: u.OutputTokens}
	switch got.StopReason {
	case "refusal":
		return llm.Response{Usage: used}, llm.Spent(llm.Refused(m.Client.Name(), got.StopReason))
	case "":
		return llm.Response{}, m.Client.CutOff()
	}
	return llm.Response{
		Text: text, Model: got.Model, Usage: used,
		Truncated: got.StopReason == "max_tokens" || got.StopReason == "model_context_window_exceeded",
	}, nil
}
