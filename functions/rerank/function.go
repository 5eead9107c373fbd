// Package rerank is the rerank function: the rerank API of Cohere and Jina over whatever reranker is configured.
package rerank

import (
	"context"
	"net/http"
	"time"

	"github.com/rae-memory/rae/pkg/inference"
	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/tokens"
)

const name = "rerank"

// Config is what the environment says to this function.
type Config struct {
	inference.Reranking
	inference.Budget
}

// Check implements serve.Checker.
func (c *Config) Check() error { return c.Reranking.Check() }

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
func Open(_ context.Context, rt serve.Runtime) (serve.Function, error) {
	var cfg Config
	if err := serve.Load(&cfg); err != nil {
		return nil, err
	}
	meter, err := cfg.Meter(rt.Log)
	if err != nil {
		return nil, err
	}
	reranker, err := cfg.Reranking.Open(inference.Deps{Meter: meter, Count: new(tokens.Counter).Count, Log: rt.Log})
	if err != nil {
		return nil, err
	}
	return New(reranker, cfg.RerankTimeout), nil
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
