package inference

import (
	"cmp"
	"time"

	"github.com/rae-memory/rae/pkg/cohere"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/tei"
	"github.com/rae-memory/rae/pkg/telemetry"
	"github.com/rae-memory/rae/pkg/voyage"
)

// Reranking says which reranker. Every function that reranks has it in its Config. With the provider llm it is the
// language model.
type Reranking struct {
	Language

	RerankProvider  string           `envconfig:"RAE_RERANK_PROVIDER" default:"lexical" allowed:"lexical|cohere|jina|voyage|tei|vllm|rae|onnx|llm"`
	RerankModel     string           `envconfig:"RAE_RERANK_MODEL"`    // empty: the provider's own choice
	RerankBaseURL   string           `envconfig:"RAE_RERANK_BASE_URL"` // empty: where the provider usually is
	RerankKey       telemetry.Secret `envconfig:"RAE_RERANK_API_KEY"`
	RerankTimeout   time.Duration    `envconfig:"RAE_RERANK_TIMEOUT" default:"10s" min:"1ms" max:"10m"`
	RerankDocuments int              `envconfig:"RAE_RERANK_DOCUMENTS" default:"20" min:"2" max:"200"` // that a language model puts in order; the rest follows them

	RerankONNXLibrary string `envconfig:"RAE_ONNX_LIBRARY"`
	RerankONNXThreads int    `envconfig:"RAE_ONNX_THREADS" default:"0" min:"0" max:"1024"`
}

// listwise is the provider that is the language model.
const listwise = "llm"

// rerankHosts are the providers that are asked over HTTP.
var rerankHosts = map[string]host{
	"cohere": {baseURL: cohere.BaseURL, model: "rerank-v3.5", key: true, most: cohere.MaxDocuments},
	"jina":   {baseURL: "https://api.jina.ai/v1", model: "jina-reranker-v2-base-multilingual", key: true, most: cohere.MaxDocuments},
	"voyage": {baseURL: voyage.BaseURL, model: "rerank-2.5-lite", key: true, most: voyage.MaxDocuments},
	"tei":    {baseURL: tei.BaseURL, most: tei.MaxDocuments},
	"vllm":   {baseURL: "http://localhost:8000/v1", most: 100},
	rae:      {model: "default", most: rerank.MaxDocuments},
}

// rerankTokens is how much of a memory a reranker is sent: more than any of the usual ones reads.
const rerankTokens = 4096

// BuiltIn reports whether the reranker is the one that searches have anyway.
func (c *Reranking) BuiltIn() bool { return c.RerankProvider != local && !c.remote() }

// remote reports whether the reranker is asked over HTTP.
func (c *Reranking) remote() bool {
	_, remote := rerankHosts[c.RerankProvider]
	return remote || c.RerankProvider == listwise
}

// Check is part of serve.Checker: configurations that have a Reranking call it from theirs. Its error is a
// *serve.ConfigError.
func (c *Reranking) Check() error {
	if c.RerankProvider == listwise {
		return c.checkLanguage()
	}
	if c.RerankProvider == local {
		_, err := c.folder().read()
		return err
	}
	if c.remote() {
		return c.setting().check()
	}
	return checkBuiltIn("RAE_RERANK", c.RerankProvider, c.RerankModel, rerank.BuiltIn)
}

// checkLanguage finds what cannot be meant where the language model reranks.
func (c *Reranking) checkLanguage() error {
	if !c.Speaks() {
		return &serve.ConfigError{Name: "RAE_LLM_PROVIDER", Value: c.LLMProvider, Allowed: "a provider, because RAE_RERANK_PROVIDER is " + listwise}
	}
	for _, unused := range []struct{ name, value string }{
		{"RAE_RERANK_MODEL", c.RerankModel}, {"RAE_RERANK_BASE_URL", c.RerankBaseURL}, {"RAE_RERANK_API_KEY", c.RerankKey.Reveal()},
	} {
		if unused.value != "" {
			return &serve.ConfigError{Name: unused.name, Secret: true, Allowed: "unset: the model of provider " + listwise + " is what RAE_LLM_* says"}
		}
	}
	return c.Language.Check()
}

func (c *Reranking) setting() *setting {
	return &setting{
		prefix: "RAE_RERANK", provider: c.RerankProvider, model: c.RerankModel, baseURL: c.RerankBaseURL, key: c.RerankKey,
		host: rerankHosts[c.RerankProvider],
	}
}

// Open returns the reranker. Check has passed. Its error is a *serve.ConfigError.
func (c *Reranking) Open(d Deps) (rerank.Reranker, error) {
	if c.RerankProvider == local {
		return c.openFolder()
	}
	if !c.remote() {
		return rerank.BuiltIn(c.RerankProvider, c.RerankModel)
	}
	if c.RerankProvider == listwise {
		model, err := c.Language.Open(d)
		if err != nil {
			return nil, err
		}
		return rerank.NewListwise(model, c.Name(), c.RerankDocuments)
	}
	s := c.setting()
	client, meter, err := s.open(&d)
	if err != nil {
		return nil, err
	}
	model := cmp.Or(c.RerankModel, s.host.model)
	return rerank.NewRemote(c.adapter(client, model), rerank.Spec{
		Provider: s.payee(d.Own), Model: model, MaxDocuments: s.host.most, MaxTextTokens: rerankTokens,
		BySearch: c.RerankProvider == "cohere", Timeout: c.RerankTimeout,
	}, meter)
}

// adapter speaks as the provider does.
func (c *Reranking) adapter(client *provider.Client, model string) rerank.Provider {
	switch c.RerankProvider {
	case "voyage":
		return &voyage.Reranker{Client: client, Model: model}
	case "tei":
		return &tei.Reranker{Client: client}
	case "cohere":
		return &cohere.Reranker{Client: client, Model: model, Path: cohere.RerankPath}
	}
	return &cohere.Reranker{Client: client, Model: model, Path: "/rerank"}
}
