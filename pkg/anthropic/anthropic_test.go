package anthropic_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/anthropic"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/provider/providertest"
)

func open(address string, log *slog.Logger) (llm.Provider, error) {
	client, err := provider.New(provider.Options{
		Name: "anthropic", BaseURL: address, Key: providertest.Key, KeyHeader: anthropic.KeyHeader,
		Header: map[string]string{anthropic.VersionHeader: anthropic.Version}, MaxAnswer: providertest.MaxAnswer, Log: log,
	})
	return &anthropic.Messages{Client: client, Model: "claude-haiku-4-5"}, err
}

// ends are the values of stop_reason.
var ends = map[providertest.End]string{providertest.Done: "end_turn", providertest.Length: "max_tokens", providertest.Refused: "refusal"}

// question reads a request as Anthropic documents it.
func question(r *http.Request, body []byte) (q providertest.Question, err error) {
	var ask struct {
		Model, System string
		MaxTokens     int `json:"max_tokens"`
		Messages      []llm.Message
		Temperature   *float64
		OutputConfig  *struct {
			Format struct {
				Type   string
				Schema json.RawMessage
			}
		} `json:"output_config"`
		Stream bool
	}
	if err := providertest.Exactly(body, &ask); err != nil {
		return q, err
	}
	q = providertest.Question{System: ask.System, Turns: ask.Messages, MaxTokens: ask.MaxTokens, Stream: ask.Stream}
	if ask.OutputConfig != nil {
		q.Schema = string(ask.OutputConfig.Format.Schema)
		if ask.OutputConfig.Format.Type != "json_schema" {
			return q, fmt.Errorf("asked for %+v", ask.OutputConfig)
		}
	}
	if r.URL.String() != "/messages" || r.Header.Get("X-Api-Key") != providertest.Key || r.Header.Get("Authorization") != "" || r.Header.Get("Anthropic-Version") != "2023-06-01" || ask.Model != "claude-haiku-4-5" {
		return q, fmt.Errorf("asked %s for %+v", r.URL, ask)
	}
	return q, nil
}

// usage leaves what was read from a cache, and written to it, out of the input.
func usage(u *llm.Usage) string {
	if u == nil {
		return "{}"
	}
	return fmt.Sprintf(`{"input_tokens":%d,"cache_creation_input_tokens":3,"cache_read_input_tokens":%d,"output_tokens":%d,"service_tier":"standard"}`, u.TokensIn-u.CachedTokens-3, u.CachedTokens, u.TokensOut)
}

func whole(s providertest.Said) string {
	blocks := []string{`{"type":"thinking","thinking":"Let me see.","signature":"x"}`}
	for _, part := range s.Parts {
		blocks = append(blocks, `{"type":"text","text":`+providertest.Text(part)+`}`)
	}
	return fmt.Sprintf(`{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5-20251001","content":[%s],"stop_reason":%q,"stop_sequence":null,"usage":%s}`,
		strings.Join(blocks, ","), ends[s.End], usage(s.Usage))
}

func events(s providertest.Said) []string {
	begun, ended := "{}", "{}"
	if s.Usage != nil {
		first := *s.Usage
		first.TokensOut = 1
		begun, ended = usage(&first), fmt.Sprintf(`{"output_tokens":%d}`, s.Usage.TokensOut)
	}
	all := []string{
		`event: message_start` + "\n" + `data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5-20251001","content":[],"stop_reason":null,"stop_sequence":null,"usage":` + begun + `}}`,
		`event: ping` + "\n" + `data: {"type":"ping"}`,
		`event: content_block_start` + "\n" + `data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`,
		`event: content_block_delta` + "\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me see."}}`,
		`event: content_block_stop` + "\n" + `data: {"type":"content_block_stop","index":0}`,
		`event: content_block_start` + "\n" + `data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
	}
	for _, part := range s.Parts {
		all = append(all, `event: content_block_delta`+"\n"+`data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":`+providertest.Text(part)+`}}`)
	}
	return append(all,
		`event: content_block_stop`+"\n"+`data: {"type":"content_block_stop","index":1}`,
		`event: message_delta`+"\n"+`data: {"type":"message_delta","delta":{"stop_reason":"`+ends[s.End]+`","stop_sequence":null},"usage":`+ended+`}`,
		`event: message_stop`+"\n"+`data: {"type":"message_stop"}`,
	)
}

func TestMessagesStandWhatServersDo(t *testing.T) {
	t.Parallel()
	providertest.RunChat(t, providertest.Chat{
		Name: "anthropic", Open: open, Question: question, Whole: whole, Events: events,
		Wrong: map[string]string{
			"an error as 200":   `{"type":"error","error":{"type":"api_error","message":"` + providertest.Words + providertest.Key + `"}}`,
			"no reason to end":  `{"content":[{"type":"text","text":"half"}],"usage":{"input_tokens":3}}`,
			"text for a number": `{"type":"message_delta","content":[{"type":"text","text":"half"}],"stop_reason":"end_turn","usage":{"input_tokens":"many"}}`,
		},
		Failures: map[fault.Kind]string{
			fault.Unavailable: `event: error` + "\n" + `data: {"type":"error","error":{"type":"overloaded_error","message":"` + providertest.Words + `"}}`,
			fault.RateLimited: `event: error` + "\n" + `data: {"type":"error","error":{"type":"rate_limit_error","message":"` + providertest.Key + `"}}`,
		},
		Overflow: `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum ` + providertest.Words + `"},"request_id":"req_1"}`,
	})
}

func TestMessagesTellWhatEndsThemAndHowWarmTheyAre(t *testing.T) {
	t.Parallel()
	for stop, want := range map[string]bool{"end_turn": false, "stop_sequence": false, "max_tokens": true, "model_context_window_exceeded": true} {
		server := providertest.Serve(t, "", providertest.Says(`{"model":"m","content":[{"type":"text","text":"b"}],"stop_reason":"`+stop+`","usage":{"input_tokens":5,"output_tokens":2}}`))
		p, err := open(server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		hot := 1.7
		got, err := p.Ask(t.Context(), llm.Request{Messages: []llm.Message{{Role: "user", Content: "a"}}, MaxTokens: 9, Temperature: &hot})
		if want := (llm.Response{Text: "b", Model: "m", Truncated: want, Usage: llm.Usage{TokensIn: 5, TokensOut: 2}}); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", stop, got, err)
		}
		if want := `/messages {"model":"claude-haiku-4-5","max_tokens":9,"messages":[{"role":"user","content":"a"}],"temperature":1}`; server.Asked() != want {
			t.Errorf("asked %s\nwant  %s", server.Asked(), want)
		}
	}
}
