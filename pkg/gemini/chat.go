package gemini

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
)

var _ llm.Provider = (*Chat)(nil)

// Chat asks models/{model}:generateContent for answers.
type Chat struct {
	Client *provider.Client
	Model  string // with or without models/ before it
}

type generateRequest struct {
	System   *content         `json:"systemInstruction,omitempty"`
	Contents []content        `json:"contents"`
	Config   generationConfig `json:"generationConfig"`
}

type generationConfig struct {
	MaxOutputTokens int             `json:"maxOutputTokens"`
	Temperature     *float64        `json:"temperature,omitempty"`
	MIMEType        string          `json:"responseMimeType,omitempty"`
	Schema          json.RawMessage `json:"responseJsonSchema,omitempty"`
}

// generateAnswer is an answer, or a piece of one.
type generateAnswer struct {
	Candidates []struct {
		Content      content `json:"content"`
		FinishReason string  `json:"finishReason"`
	} `json:"candidates"`
	Feedback struct {
		BlockReason string `json:"blockReason"`
	} `json:"promptFeedback"`
	// What was thought is not among the candidates' tokens, and is charged for as they are.
	Usage *struct {
		PromptTokens     int `json:"promptTokenCount"`
		CachedTokens     int `json:"cachedContentTokenCount"`
		CandidatesTokens int `json:"candidatesTokenCount"`
		ThoughtsTokens   int `json:"thoughtsTokenCount"`
	} `json:"usageMetadata"`
	ModelVersion string          `json:"modelVersion"`
	Error        json.RawMessage `json:"error"`
}

// refusals are the reasons to finish of an answer that is not given.
var refusals = []string{"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"}

// Ask implements llm.Provider.
func (c *Chat) Ask(ctx context.Context, r llm.Request) (llm.Response, error) {
	ask := generateRequest{Config: generationConfig{MaxOutputTokens: r.MaxTokens, Temperature: r.Temperature}}
	system, turns := llm.Apart(r.Messages)
	if system != "" {
		ask.System = &content{Parts: []part{{Text: system}}}
	}
	for _, m := range turns {
		role := m.Role
		if role == "assistant" {
			role = "model"
		}
		ask.Contents = append(ask.Contents, content{Role: role, Parts: []part{{Text: m.Content}}})
	}
	if r.Schema != nil {
		ask.Config.MIMEType, ask.Config.Schema = "application/json", r.Schema
	}
	path := "/models/" + url.PathEscape(strings.TrimPrefix(c.Model, "models/"))
	heard := reply{client: c.Client, tell: r.Heard}
	var err error
	if r.Heard != nil {
		err = c.Client.Stream(ctx, path+":streamGenerateContent?alt=sse", ask, func(_ string, data []byte) (bool, error) {
			return false, heard.add(data)
		})
	} else {
		var whole json.RawMessage
		if err = c.Client.Post(ctx, path+":generateContent", ask, &whole); err == nil {
			err = heard.add(whole)
		}
	}
	if err != nil {
		return llm.Response{}, err
	}
	return heard.end()
}

// reply is an answer as it comes together.
type reply struct {
	client   *provider.Client
	tell     func(string)
	text     strings.Builder
	finished string // why
	blocked  string // why not
	response llm.Response
}

func (a *reply) add(text []byte) error {
	var got generateAnswer
	if err := a.client.Read(text, &got); err != nil {
		return err
	}
	if len(got.Error) > 0 {
		return a.client.Failed(text)
	}
	if got.ModelVersion != "" {
		a.response.Model = got.ModelVersion
	}
	if got.Feedback.BlockReason != "" {
		a.blocked = got.Feedback.BlockReason
	}
	if len(got.Candidates) > 0 {
		candidate := &got.Candidates[0]
		if candidate.FinishReason != "" {
			a.finished = candidate.FinishReason
		}
		for _, p := range candidate.Content.Parts {
			if p.Thought || p.Text == "" {
				continue
			}
			a.text.WriteString(p.Text)
			if a.tell != nil {
				a.tell(p.Text)
			}
		}
	}
	if u := got.Usage; u != nil { // sums so far
		a.response.Usage = llm.Usage{
			TokensIn: u.PromptTokens, CachedTokens: u.CachedTokens, TokensOut: u.CandidatesTokens + u.ThoughtsTokens, ReasoningTokens: u.ThoughtsTokens,
		}
	}
	return nil
}

func (a *reply) end() (llm.Response, error) {
	if a.blocked == "" && slices.Contains(refusals, a.finished) {
		a.blocked = a.finished
	}
	switch {
	case a.blocked != "":
		return llm.Response{Usage: a.response.Usage}, llm.Spent(llm.Refused(a.client.Name(), strings.ToLower(cmp.Or(a.client.Code(a.blocked), "blocked"))))
	case a.finished != "STOP" && a.finished != "MAX_TOKENS":
		return llm.Response{}, a.client.CutOff()
	}
	a.response.Text, a.response.Truncated = a.text.String(), a.finished == "MAX_TOKENS"
	return a.response, nil
}
