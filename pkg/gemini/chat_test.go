package gemini_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/gemini"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/provider/providertest"
)

func chat(address string, log *slog.Logger) (llm.Provider, error) {
	client, err := provider.New(provider.Options{
		Name: "gemini", BaseURL: address, Key: providertest.Key, KeyHeader: gemini.KeyHeader, MaxAnswer: providertest.MaxAnswer, Log: log,
	})
	return &gemini.Chat{Client: client, Model: "models/gemini-2.5-flash"}, err
}

// ends are the values of finishReason.
var ends = map[providertest.End]string{providertest.Done: "STOP", providertest.Length: "MAX_TOKENS", providertest.Refused: "SAFETY"}

// question reads a request as Google documents it.
func question(r *http.Request, body []byte) (q providertest.Question, err error) {
	type content struct {
		Role  string
		Parts []struct{ Text string }
	}
	var ask struct {
		SystemInstruction *content
		Contents          []content
		GenerationConfig  struct {
			MaxOutputTokens    int
			ResponseMIMEType   string
			ResponseJSONSchema json.RawMessage
		}
	}
	if err := providertest.Exactly(body, &ask); err != nil {
		return q, err
	}
	q.MaxTokens, q.Schema = ask.GenerationConfig.MaxOutputTokens, string(ask.GenerationConfig.ResponseJSONSchema)
	if ask.SystemInstruction != nil {
		q.System = ask.SystemInstruction.Parts[0].Text
	}
	for _, c := range ask.Contents {
		role := map[string]string{"user": "user", "model": "assistant"}[c.Role]
		q.Turns = append(q.Turns, llm.Message{Role: role, Content: c.Parts[0].Text})
	}
	const path = "/models/gemini-2.5-flash:"
	q.Stream = r.URL.String() == path+"streamGenerateContent?alt=sse"
	if !q.Stream && r.URL.String() != path+"generateContent" || r.Header.Get("X-Goog-Api-Key") != providertest.Key || r.Header.Get("Authorization") != "" ||
		(q.Schema != "") != (ask.GenerationConfig.ResponseMIMEType == "application/json") {
		return q, fmt.Errorf("asked %s for %+v", r.URL, ask)
	}
	return q, nil
}

// usage counts thoughts beside what is said.
func usage(u *llm.Usage) string {
	if u == nil {
		return ""
	}
	return fmt.Sprintf(`,"usageMetadata":{"promptTokenCount":%d,"cachedContentTokenCount":%d,"candidatesTokenCount":%d,"thoughtsTokenCount":%d,"totalTokenCount":%d}`,
		u.TokensIn, u.CachedTokens, u.TokensOut-u.ReasoningTokens, u.ReasoningTokens, u.TokensIn+u.TokensOut)
}

func candidate(parts []string, end, used string) string {
	told := []string{}
	for _, part := range parts {
		told = append(told, `{"text":`+providertest.Text(part)+`}`)
	}
	if end != "" {
		end = `,"finishReason":"` + end + `"`
	}
	return `{"candidates":[{"content":{"role":"model","parts":[` + strings.Join(told, ",") + `]},"index":0` + end + `}],"modelVersion":"gemini-2.5-flash","responseId":"x"` + used + `}`
}

func whole(s providertest.Said) string { return candidate(s.Parts, ends[s.End], usage(s.Usage)) }

func pieces(s providertest.Said) []string {
	begun := ""
	if s.Usage != nil { // the sums so far come with every piece
		begun = usage(&llm.Usage{TokensIn: s.Usage.TokensIn, TokensOut: 1})
	}
	events := []string{
		`data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Let me see.","thought":true}]},"index":0}]` + begun + `}`,
		`data: {"candidates":[{"index":0}]` + begun + `}`,
	}
	for _, part := range s.Parts {
		events = append(events, "data: "+candidate([]string{part}, "", begun))
	}
	return append(events, "data: "+candidate([]string{""}, ends[s.End], usage(s.Usage)))
}

func TestChatStandsWhatServersDo(t *testing.T) {
	t.Parallel()
	providertest.RunChat(t, providertest.Chat{
		Name: "gemini", Open: chat, Question: question, Whole: whole, Events: pieces, Thinks: true,
		Wrong: map[string]string{
			"no candidates":     `{"candidates":[],"usageMetadata":{"promptTokenCount":3}}`,
			"an error as 200":   `{"error":{"code":500,"status":"INTERNAL","message":"` + providertest.Words + providertest.Key + `"}}`,
			"no reason to end":  `{"candidates":[{"content":{"parts":[{"text":"half"}]}}]}`,
			"another reason":    `{"candidates":[{"content":{"parts":[{"text":"half"}]},"finishReason":"MALFORMED_FUNCTION_CALL"}]}`,
			"text for a number": `{"candidates":[{"content":{"parts":[{"text":"yes"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":"many"}}`,
		},
		Failures: map[fault.Kind]string{
			fault.Unavailable: `data: {"error":{"code":503,"message":"` + providertest.Words + `","status":"UNAVAILABLE"}}`,
			fault.RateLimited: `data: {"error":{"code":429,"message":"` + providertest.Key + `","status":"RESOURCE_EXHAUSTED"}}`,
		},
		Overflow: `{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576). ` + providertest.Words + `","status":"INVALID_ARGUMENT"}}`,
	})
}

func TestABlockedPromptIsARefusal(t *testing.T) {
	t.Parallel()
	for body, says := range map[string]string{
		`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":12,"totalTokenCount":12},"modelVersion":"m"}`: "the model of gemini will not answer this (prohibited_content)",
		`{"promptFeedback":{"blockReason":"` + providertest.Key + `"},"usageMetadata":{"promptTokenCount":12}}`:                                   "the model of gemini will not answer this (blocked)",
		`{"candidates":[{"finishReason":"RECITATION"}],"usageMetadata":{"promptTokenCount":12}}`:                                                  "the model of gemini will not answer this (recitation)",
	} {
		server := providertest.Serve(t, "", providertest.Says(body))
		p, err := chat(server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		warm := .5
		got, err := p.Ask(t.Context(), llm.Request{Messages: []llm.Message{{Role: "user", Content: "a"}}, MaxTokens: 9, Temperature: &warm})
		if !llm.WasRefused(err) || !llm.WasSpent(err) || fault.Public(err) != says || got != (llm.Response{Usage: llm.Usage{TokensIn: 12}}) {
			t.Errorf("%s: got %+v, %v", body, got, err)
		}
		if want := `/models/gemini-2.5-flash:generateContent {"contents":[{"role":"user","parts":[{"text":"a"}]}],"generationConfig":{"maxOutputTokens":9,"temperature":0.5}}`; server.Asked() != want {
			t.Errorf("asked %s\nwant  %s", server.Asked(), want)
		}
	}
}
