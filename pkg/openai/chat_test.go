package openai_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/openai"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/provider/providertest"
)

func chat(address string, log *slog.Logger) (*openai.Chat, error) {
	client, err := provider.New(provider.Options{Name: "openai", BaseURL: address, Key: providertest.Key, MaxAnswer: providertest.MaxAnswer, Log: log})
	return &openai.Chat{Client: client, Model: "gpt-4.1-mini"}, err
}

// ends are the values of finish_reason.
var ends = map[providertest.End]string{providertest.Done: "stop", providertest.Length: "length", providertest.Refused: "content_filter"}

// usage is what was used as OpenAI writes it.
func usage(u *llm.Usage) string {
	if u == nil {
		return "null"
	}
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":%d,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":%d}}`,
		u.TokensIn, u.TokensOut, u.TokensIn+u.TokensOut, u.CachedTokens, u.ReasoningTokens)
}

// question reads a request as OpenAI documents it.
func question(r *http.Request, body []byte) (q providertest.Question, err error) {
	var ask struct {
		Model               string
		Messages            []llm.Message
		MaxTokens           int `json:"max_tokens"`
		MaxCompletionTokens int `json:"max_completion_tokens"`
		ResponseFormat      *struct {
			Type       string
			JSONSchema struct {
				Name   string
				Strict bool
				Schema json.RawMessage
			} `json:"json_schema"`
		} `json:"response_format"`
		Stream        bool
		StreamOptions *struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	if err := providertest.Exactly(body, &ask); err != nil {
		return q, err
	}
	for len(ask.Messages) > 0 && ask.Messages[0].Role == "system" {
		q.System, ask.Messages = strings.TrimPrefix(q.System+"\n\n"+ask.Messages[0].Content, "\n\n"), ask.Messages[1:]
	}
	q.Turns, q.MaxTokens, q.Stream = ask.Messages, ask.MaxTokens, ask.Stream
	if f := ask.ResponseFormat; f != nil {
		q.Schema = string(f.JSONSchema.Schema)
		if f.Type != "json_schema" || !f.JSONSchema.Strict || f.JSONSchema.Name == "" {
			return q, fmt.Errorf("asked for %+v", f)
		}
	}
	if r.URL.String() != "/chat/completions" || r.Header.Get("Authorization") != "Bearer "+providertest.Key || ask.Model != "gpt-4.1-mini" ||
		ask.MaxCompletionTokens != 0 || (ask.StreamOptions != nil && ask.StreamOptions.IncludeUsage) != ask.Stream {
		return q, fmt.Errorf("asked %s for %+v", r.URL, ask)
	}
	return q, nil
}

func whole(s providertest.Said) string {
	return fmt.Sprintf(`{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4.1-mini-2025-04-14","choices":[{"index":0,"message":{"role":"assistant","content":%s,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":%q}],"usage":%s}`,
		providertest.Text(strings.Join(s.Parts, "")), ends[s.End], usage(s.Usage))
}

func pieces(s providertest.Said) []string {
	piece := func(choices, usage string) string {
		return fmt.Sprintf(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4.1-mini-2025-04-14","choices":[%s],"usage":%s}`, choices, usage)
	}
	delta := func(delta, end string) string {
		return piece(fmt.Sprintf(`{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}`, delta, end), "null")
	}
	events := []string{delta(`{"role":"assistant","content":"","refusal":null}`, "null")}
	for _, part := range s.Parts {
		events = append(events, delta(`{"content":`+providertest.Text(part)+`}`, "null"))
	}
	events = append(events, delta("{}", `"`+ends[s.End]+`"`))
	if s.Usage != nil {
		events = append(events, piece("", usage(s.Usage)))
	}
	return append(events, "data: [DONE]")
}

func TestChatStandsWhatServersDo(t *testing.T) {
	t.Parallel()
	providertest.RunChat(t, providertest.Chat{
		Name:     "openai",
		Open:     func(address string, log *slog.Logger) (llm.Provider, error) { return chat(address, log) },
		Question: question, Whole: whole, Events: pieces, Spare: 2, Thinks: true,
		Wrong: map[string]string{
			"no choices":        `{"choices":[],"usage":{"prompt_tokens":3}}`,
			"an error as 200":   `{"error":{"message":"` + providertest.Words + providertest.Key + `","code":502}}`,
			"no reason to end":  `{"choices":[{"message":{"content":"half"}}]}`,
			"an error to end":   `{"choices":[{"message":{"content":"half"},"delta":{"content":"half"},"finish_reason":"error"}]}`,
			"content in pieces": `{"choices":[{"message":{"content":[{"type":"text"}]},"delta":{"content":[{}]},"finish_reason":"stop"}]}`,
			"text for a number": `{"choices":[{"message":{"content":"yes"},"finish_reason":"stop"}],"usage":{"prompt_tokens":"many"}}`,
		},
		Failures: map[fault.Kind]string{
			fault.Unavailable: `data: {"error":{"message":"` + providertest.Words + `","type":"server_error","param":null,"code":null}}`,
			fault.RateLimited: `data: {"id":"gen-1","choices":[],"error":{"code":429,"message":"` + providertest.Key + `"}}`,
			fault.TooLarge:    `data: {"error":{"message":"x","type":"invalid_request_error","code":"context_length_exceeded"}}`,
		},
		Overflow: `{"error":{"message":"` + providertest.Words + `","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`,
		Filter:   `{"error":{"message":"` + providertest.Words + `","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}`,
	})
}

func TestChatLimitsTokensInTheWordsOfTheServer(t *testing.T) {
	t.Parallel()
	warm := .5
	for name, c := range map[string]struct {
		change func(*openai.Chat)
		want   string
	}{
		"any server":       {func(*openai.Chat) {}, `/chat/completions {"model":"gpt-4.1-mini","messages":[{"role":"user","content":"a"}],"max_tokens":9,"temperature":0.5}`},
		"OpenAI":           {func(c *openai.Chat) { c.Completion = true }, `/chat/completions {"model":"gpt-4.1-mini","messages":[{"role":"user","content":"a"}],"max_completion_tokens":9,"temperature":0.5}`},
		"a thinking model": {func(c *openai.Chat) { c.Model = "openai/o4-mini" }, `/chat/completions {"model":"openai/o4-mini","messages":[{"role":"user","content":"a"}],"max_completion_tokens":9}`},
		"a newer one":      {func(c *openai.Chat) { c.Model = "gpt-5-nano" }, `/chat/completions {"model":"gpt-5-nano","messages":[{"role":"user","content":"a"}],"max_completion_tokens":9}`},
		"an open one":      {func(c *openai.Chat) { c.Model = "olmo-2" }, `/chat/completions {"model":"olmo-2","messages":[{"role":"user","content":"a"}],"max_tokens":9,"temperature":0.5}`},
		"Azure": {func(c *openai.Chat) { c.Completion, c.Azure, c.Model = true, "2024-10-21", "our words" },
			`/openai/deployments/our%20words/chat/completions?api-version=2024-10-21 {"messages":[{"role":"user","content":"a"}],"max_completion_tokens":9,"temperature":0.5}`},
	} {
		server := providertest.Serve(t, "", providertest.Says(whole(providertest.Said{Parts: []string{"b"}})))
		adapter, err := chat(server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.change(adapter)
		got, err := adapter.Ask(t.Context(), llm.Request{Messages: []llm.Message{{Role: "user", Content: "a"}}, MaxTokens: 9, Temperature: &warm})
		if err != nil || got.Text != "b" || got.Usage != (llm.Usage{}) || server.Asked() != c.want {
			t.Errorf("%s: got %+v, %v\nasked %s\nwant  %s", name, got, err, server.Asked(), c.want)
		}
	}
}

func TestChatReadsWhatServersMakeOfTheFormat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		streamed bool
		says     string
		text     string
		used     llm.Usage
		refused  bool
	}{
		"thoughts left out of the sum": {false, `{"choices":[{"message":{"content":"b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":40}}`, "b", llm.Usage{TokensIn: 10, TokensOut: 30}, false},
		"thoughts beside the text":     {false, `{"choices":[{"message":{"content":"b","reasoning_content":"so"},"finish_reason":"stop"}]}`, "b", llm.Usage{}, false},
		"a refusal by the model":       {false, `{"choices":[{"message":{"content":null,"refusal":"I won't."},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}`, "", llm.Usage{TokensIn: 10, TokensOut: 2}, true},
		"a refusal in a stream":        {true, "data: {\"choices\":[{\"delta\":{\"refusal\":\"I \"}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", "", llm.Usage{}, true},
		"usage with every piece":       {true, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n", "ab", llm.Usage{TokensIn: 3, TokensOut: 2}, false},
		"Azure's piece of its filter":  {true, "data: {\"choices\":[],\"prompt_filter_results\":[{}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\",\"content_filter_results\":{}}]}\n\ndata: [DONE]\n\n", "a", llm.Usage{}, false},
	} {
		media := ""
		r := llm.Request{Messages: []llm.Message{{Role: "user", Content: "a"}}, MaxTokens: 9}
		if c.streamed {
			media, r.Heard = "text/event-stream", func(string) {}
		}
		adapter, err := chat(providertest.Serve(t, media, providertest.Says(c.says)).URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := adapter.Ask(t.Context(), r)
		if got.Text != c.text || got.Usage != c.used || llm.WasRefused(err) != c.refused || (err != nil) != c.refused {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}
