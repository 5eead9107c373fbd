package openai

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"

	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
)

var _ llm.Provider = (*Chat)(nil)

// Chat asks POST /chat/completions for answers.
type Chat struct {
	Client *provider.Client
	Model  string
	Azure  string // api-version of Azure's API, where Model is the name of a deployment; "" = any other server
	// Completion says max_completion_tokens, as OpenAI and Azure want it; other servers know max_tokens, and some that alone.
	Completion bool
}

type chatRequest struct {
	Model               string          `json:"model,omitempty"`
	Messages            []llm.Message   `json:"messages"`
	MaxTokens           int             `json:"max_tokens,omitempty"`
	MaxCompletionTokens int             `json:"max_completion_tokens,omitempty"`
	Temperature         *float64        `json:"temperature,omitempty"`
	ResponseFormat      *responseFormat `json:"response_format,omitempty"`
	Stream              bool            `json:"stream,omitempty"`
	StreamOptions       *streamOptions  `json:"stream_options,omitempty"`
}

type responseFormat struct {
	Type       string     `json:"type"`
	JSONSchema jsonSchema `json:"json_schema"`
}

type jsonSchema struct {
	Name   string          `json:"name"`
	Strict bool            `json:"strict"`
	Schema json.RawMessage `json:"schema"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type chatMessage struct {
	Content string `json:"content"`
	Refusal string `json:"refusal"`
}

// chatAnswer is an answer, or a piece of one.
type chatAnswer struct {
	Model   string `json:"model"`
	Choices []struct {
		Message      chatMessage `json:"message"` // of an answer
		Delta        chatMessage `json:"delta"`   // of a piece
		FinishReason string      `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
		TotalTokens      int `json:"total_tokens"`
		PromptDetails    struct {
			CachedTokens int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		CompletionDetails struct {
			ReasoningTokens int `json:"reasoning_tokens"`
		} `json:"completion_tokens_details"`
	} `json:"usage"`
	Error json.RawMessage `json:"error"`
}

// thinking are the names of OpenAI's models that think, whoever serves them: they know max_completion_tokens alone, and no
// temperature.
var thinking = regexp.MustCompile(`^(.*/)?(o[0-9]|gpt-[5-9])`)

// Ask implements llm.Provider.
func (c *Chat) Ask(ctx context.Context, r llm.Request) (llm.Response, error) {
	path, ask := "/chat/completions", chatRequest{Model: c.Model, Messages: r.Messages, Temperature: r.Temperature, Stream: r.Heard != nil}
	thinks := thinking.MatchString(c.Model)
	if thinks {
		ask.Temperature = nil
	}
	if c.Completion || thinks {
		ask.MaxCompletionTokens = r.MaxTokens
	} else {
		ask.MaxTokens = r.MaxTokens
	}
	if r.Schema != nil {
		ask.ResponseFormat = &responseFormat{"json_schema", jsonSchema{"answer", true, r.Schema}}
	}
	if ask.Stream {
		ask.StreamOptions = &streamOptions{IncludeUsage: true}
	}
	if c.Azure != "" {
		path, ask.Model = deployment(c.Model, path, c.Azure), ""
	}
	heard := reply{chat: c, tell: r.Heard}
	var err error
	if ask.Stream {
		err = c.Client.Stream(ctx, path, ask, heard.take)
	} else {
		var whole json.RawMessage
		if err = c.Client.Post(ctx, path, ask, &whole); err == nil {
			err = heard.add(whole)
		}
	}
	if err != nil {
		return llm.Response{}, err
	}
	return heard.end()
}

// deployment is the path of Azure's API to a model.
func deployment(name, path, version string) string {
	return "/openai/deployments/" + url.PathEscape(name) + path + "?api-version=" + url.QueryEscape(version)
}

// reply is an answer as it comes together.
type reply struct {
	chat     *Chat
	tell     func(string)
	text     strings.Builder
	refused  bool
	finished string
	response llm.Response
}

// take takes an event of a stream.
func (a *reply) take(_ string, data []byte) (last bool, err error) {
	if string(data) == "[DONE]" {
		return true, nil
	}
	return false, a.add(data)
}

func (a *reply) add(text []byte) error {
	client := a.chat.Client
	var got chatAnswer
	if err := client.Read(text, &got); err != nil {
		return err
	}
	if len(got.Error) > 0 && string(got.Error) != "null" {
		return client.Failed(text)
	}
	if got.Model != "" {
		a.response.Model = got.Model
	}
	if len(got.Choices) > 0 {
		choice := &got.Choices[0]
		a.refused = a.refused || choice.Message.Refusal+choice.Delta.Refusal != ""
		if choice.FinishReason != "" {
			a.finished = choice.FinishReason
		}
		if part := choice.Message.Content + choice.Delta.Content; part != "" {
			a.text.WriteString(part)
			if a.tell != nil {
				a.tell(part)
			}
		}
	}
	if u := got.Usage; u != nil {
		a.response.Usage = llm.Usage{
			TokensIn: u.PromptTokens, CachedTokens: u.PromptDetails.CachedTokens, ReasoningTokens: u.CompletionDetails.ReasoningTokens,
			TokensOut: max(u.CompletionTokens, u.TotalTokens-u.PromptTokens), // some leave what was thought out of the former
		}
	}
	return nil
}

func (a *reply) end() (llm.Response, error) {
	name := a.chat.Client.Name()
	switch {
	case a.finished == "content_filter":
		return llm.Response{Usage: a.response.Usage}, llm.Spent(llm.Refused(name, a.finished))
	case a.refused:
		return llm.Response{Usage: a.response.Usage}, llm.Spent(llm.Refused(name, "refusal"))
	case a.finished == "", a.finished == "error":
		return llm.Response{}, a.chat.Client.CutOff()
	}
	a.response.Text, a.response.Truncated = a.text.String(), a.finished == "length"
	return a.response, nil
}
