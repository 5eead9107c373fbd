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
	endMeter func(context.Context) error // nil: whoever opened the meter ends it
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
	meter, end, err := cfg.Meter(rt)
	if err != nil {
		return nil, err
	}
	own, err := cfg.Hosts()
	if err != nil {
		return nil, err
	}
	reranker, err := cfg.Reranking.Open(inference.Deps{Meter: meter, Own: own, Count: new(tokens.Counter).Count, Log: rt.Log})
	if err != nil {
		return nil, err
	}
	f := New(reranker, cfg.RerankTimeout)
	f.endMeter = end
	return f, nil
}

// Name returns "rerank".
func (f *Function) Name() string { return name }

// Events returns nil: reranking is asked for, never announced.
func (f *Function) Events() http.Handler { return nil }

// Health names the reranker. The built-in one computes in process and cannot be away.
func (f *Function) Health(context.Context) []serve.Component {
	return []serve.Component{{Name: "ml_service", Critical: true}}
}

// Close ends the meter, which is all the function may have opened.
func (f *Function) Close(ctx context.Context) error {
	if f.endMeter == nil {
		return nil
	}
	return f.endMeter(ctx)
}
