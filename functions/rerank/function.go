// Package rerank is the rerank function: the rerank API of Cohere and Jina over whatever reranker is configured.
package rerank

import (
	"context"
	"net/http"
	"time"

	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/serve"
)

const name = "rerank"

// Config is what the environment says to this function.
type Config struct {
	Provider string        `envconfig:"RAE_RERANK_PROVIDER" default:"lexical" allowed:"lexical"`
	Model    string        `envconfig:"RAE_RERANK_MODEL"` // empty: the provider's own choice
	Timeout  time.Duration `envconfig:"RAE_RERANK_TIMEOUT" default:"10s" min:"1ms" max:"10m"`
}

// Check refuses a model the provider does not have.
func (c *Config) Check() error {
	if _, err := rerank.BuiltIn(c.Provider, c.Model); err != nil {
		return &serve.ConfigError{Name: "RAE_RERANK_MODEL", Value: c.Model, Allowed: "unset or " + rerank.Lexical{}.Model()}
	}
	return nil
}

// Function is the rerank function.
type Function struct {
	reranker rerank.Reranker
	timeout  time.Duration
}

var _ serve.Function = (*Function)(nil)

// New wires the function. Calls of the reranker end after the timeout.
func New(reranker rerank.Reranker, timeout time.Duration) *Function {
	return &Function{reranker: reranker, timeout: timeout}
}

// Open reads the environment.
func Open(context.Context, serve.Runtime) (serve.Function, error) {
	var cfg Config
	if err := serve.Load(&cfg); err != nil {
		return nil, err
	}
	reranker, err := rerank.BuiltIn(cfg.Provider, cfg.Model)
	if err != nil {
		return nil, err
	}
	return New(reranker, cfg.Timeout), nil
}

// Name returns "rerank".
func (f *Function) Name() string { return name }

// Events returns nil: reranking is asked for, never announced.
func (f *Function) Events() http.Handler { return nil }

// Health names the reranker. The built-in one computes in process and cannot be away.
func (f *Function) Health(context.Context) []serve.Component {
	return []serve.Component{{Name: "ml_service", Critical: true}}
}

// Close has nothing to release.
func (f *Function) Close(context.Context) error { return nil }
