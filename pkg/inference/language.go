package inference

import (
	"cmp"
	"time"

	"github.com/rae-memory/rae/pkg/anthropic"
	"github.com/rae-memory/rae/pkg/gemini"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/openai"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// Language says which language model. Every function that may ask one has it in its Config.
type Language struct {
	LLMProvider   string           `envconfig:"RAE_LLM_PROVIDER" default:"none" allowed:"none|openai|azure|anthropic|gemini|ollama|vllm|lmstudio|openrouter"`
	LLMModel      string           `envconfig:"RAE_LLM_MODEL"`    // empty: the provider's own choice
	LLMBaseURL    string           `envconfig:"RAE_LLM_BASE_URL"` // empty: where the provider usually is
	LLMKey        telemetry.Secret `envconfig:"RAE_LLM_API_KEY"`
	LLMAPIVersion string           `envconfig:"RAE_LLM_API_VERSION" default:"2024-10-21"`                       // of Azure
	LLMSchema     string           `envconfig:"RAE_LLM_SCHEMA" default:"enforced" allowed:"enforced|described"` // described: in the prompt, for servers that know no schemas
	LLMTimeout    time.Duration    `envconfig:"RAE_LLM_TIMEOUT" default:"60s" min:"1ms" max:"10m"`              // of one question with its repetitions
}

// languageHosts are the providers of language models.
var languageHosts = map[string]host{
	"openai": {baseURL: openai.BaseURL, model: "gpt-4.1-mini", key: true},
	"azure":  {keyHeader: openai.AzureKeyHeader},
	"anthropic": {
		baseURL: anthropic.BaseURL, model: "claude-haiku-4-5", key: true, keyHeader: anthropic.KeyHeader,
		header: map[string]string{anthropic.VersionHeader: anthropic.Version},
	},
	"gemini":     {baseURL: gemini.BaseURL, model: "gemini-2.5-flash-lite", key: true, keyHeader: gemini.KeyHeader},
	"ollama":     {baseURL: "http://localhost:11434/v1"},
	"vllm":       {baseURL: "http://localhost:8000/v1"},
	"lmstudio":   {baseURL: "http://localhost:1234/v1"},
	"openrouter": {baseURL: "https://openrouter.ai/api/v1", key: true},
}

const (
	// What a language model is sent and asked for at most. The usual ones hold more.
	languageTokensIn  = 100_000
	languageTokensOut = 8192
	languageAnswer    = 4 << 20 // bytes
)

// Speaks reports whether there is a language model.
func (c *Language) Speaks() bool { return c.LLMProvider != none && c.LLMProvider != "" }

// Check is part of serve.Checker: configurations that have a Language call it from theirs. Its error is a
// *serve.ConfigError.
func (c *Language) Check() error {
	if !c.Speaks() {
		return nil
	}
	return c.setting().check()
}

func (c *Language) setting() *setting {
	return &setting{
		prefix: "RAE_LLM", provider: c.LLMProvider, model: c.LLMModel, baseURL: c.LLMBaseURL, key: c.LLMKey,
		host: languageHosts[c.LLMProvider], answer: languageAnswer,
	}
}

// Name is the model's, as the provider calls it; "" where there is none.
func (c *Language) Name() string { return cmp.Or(c.LLMModel, languageHosts[c.LLMProvider].model) }

// Open returns the language model, llm.None where there is none. Check has passed. Its error is a *serve.ConfigError.
func (c *Language) Open(d Deps) (llm.Model, error) {
	if !c.Speaks() {
		return llm.None{}, nil
	}
	setting := c.setting()
	client, meter, err := setting.open(&d)
	if err != nil {
		return nil, err
	}
	return llm.NewRemote(c.adapter(client), llm.Spec{
		Provider: setting.payee(d.Own), Model: c.Name(), MaxTokensIn: languageTokensIn, MaxTokensOut: languageTokensOut,
		Describe: c.LLMSchema == "described", Timeout: c.LLMTimeout, Count: d.Count,
	}, meter)
}

// adapter speaks as the provider does.
func (c *Language) adapter(client *provider.Client) llm.Provider {
	switch c.LLMProvider {
	case "anthropic":
		return &anthropic.Messages{Client: client, Model: c.Name()}
	case "gemini":
		return &gemini.Chat{Client: client, Model: c.Name()}
	case "azure":
		return &openai.Chat{Client: client, Model: c.Name(), Azure: c.LLMAPIVersion, Completion: true}
	case "openai":
		return &openai.Chat{Client: client, Model: c.Name(), Completion: c.LLMBaseURL == ""}
	}
	return &openai.Chat{Client: client, Model: c.Name()}
}

var _ serve.Checker = (*Language)(nil)
