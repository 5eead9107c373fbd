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

// Reranking says which reranker. Every function that reranks has it in its Config.
type Reranking struct {
	RerankProvider string           `envconfig:"RAE_RERANK_PROVIDER" default:"lexical" allowed:"lexical|cohere|jina|voyage|tei|vllm|rae|onnx"`
	RerankModel    string           `envconfig:"RAE_RERANK_MODEL"`    // empty: the provider's own choice
	RerankBaseURL  string           `envconfig:"RAE_RERANK_BASE_URL"` // empty: where the provider usually is
	RerankKey      telemetry.Secret `envconfig:"RAE_RERANK_API_KEY"`
	RerankTimeout  time.Duration    `envconfig:"RAE_RERANK_TIMEOUT" default:"10s" min:"1ms" max:"10m"`

	RerankONNXLibrary string `envconfig:"RAE_ONNX_LIBRARY"`
	RerankONNXThreads int    `envconfig:"RAE_ONNX_THREADS" default:"0" min:"0" max:"1024"`
}

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
	return remote
}

// Check is part of serve.Checker: configurations that have a Reranking call it from theirs. Its error is a
// *serve.ConfigError.
func (c *Reranking) Check() error {
	if c.RerankProvider == local {
		_, err := c.folder().read()
		return err
	}
	if c.remote() {
		return c.setting().check()
	}
	builtIn, err := rerank.BuiltIn(c.RerankProvider, "")
	if err != nil {
		return &serve.ConfigError{Name: "RAE_RERANK_PROVIDER", Value: c.RerankProvider, Allowed: "a provider of this build"}
	}
	if _, err := rerank.BuiltIn(c.RerankProvider, c.RerankModel); err != nil {
		return &serve.ConfigError{Name: "RAE_RERANK_MODEL", Value: c.RerankModel, Allowed: "unset or " + builtIn.Model()}
	}
	return nil
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
	s := c.setting()
	client, err := s.client(d.Log)
	if err != nil {
		return nil, err
	}
	meter, err := s.meter(&d)
	if err != nil {
		return nil, err
	}
	model := cmp.Or(c.RerankModel, s.host.model)
	return rerank.NewRemote(c.adapter(client, model), rerank.Spec{
		Provider: c.RerankProvider, Model: model, MaxDocuments: s.host.most, MaxTextTokens: rerankTokens,
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
