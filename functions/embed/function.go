// Package embed is the embed function: the OpenAI embeddings API over whatever embedder is configured, and the vectors
// of memories that were stored while the embedder was away.
package embed

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/serve"
)

const name = "embed"

// Config is what the environment says to this function.
type Config struct {
	Provider string        `envconfig:"RAE_EMBED_PROVIDER" default:"hash" allowed:"hash"`
	Model    string        `envconfig:"RAE_EMBED_MODEL"` // empty: the provider's own choice
	Timeout  time.Duration `envconfig:"RAE_EMBED_TIMEOUT" default:"10s" min:"1ms" max:"10m"`
}

// Check refuses a model the provider does not have.
func (c *Config) Check() error {
	if _, err := embed.BuiltIn(c.Provider, c.Model); err != nil {
		return &serve.ConfigError{Name: "RAE_EMBED_MODEL", Value: c.Model, Allowed: "unset or " + new(embed.Hash).Model()}
	}
	return nil
}

// Function is the embed function.
type Function struct {
	embedder embed.Embedder
	timeout  time.Duration
	backfill *Backfill // nil without a store
	log      *slog.Logger
}

var _ serve.Function = (*Function)(nil)

// New wires the function. Calls of the embedder end after the timeout. Without a store (nil) nothing can be filled in
// later, and the function takes no events.
func New(embedder embed.Embedder, store Store, timeout time.Duration, log *slog.Logger) *Function {
	f := &Function{embedder: embedder, timeout: timeout, log: log}
	if store != nil {
		f.backfill = &Backfill{Store: store, Embedder: embedder, Timeout: timeout}
	}
	return f
}

// Open reads the environment. The function on its own shares no store with the one that writes memories, so it
// takes no events.
func Open(_ context.Context, rt serve.Runtime) (serve.Function, error) {
	var cfg Config
	if err := serve.Load(&cfg); err != nil {
		return nil, err
	}
	embedder, err := embed.BuiltIn(cfg.Provider, cfg.Model)
	if err != nil {
		return nil, err
	}
	return New(embedder, nil, cfg.Timeout, rt.Log), nil
}

// Name returns "embed".
func (f *Function) Name() string { return name }

// Events fills in the vectors of pending memories; nil without a store.
func (f *Function) Events() http.Handler {
	if f.backfill == nil {
		return nil
	}
	return eventing.Handler(name, f.Consumers(), f.log)
}

// Consumers are the events the function takes, by type: none without a store.
func (f *Function) Consumers() map[string]eventing.Consumer {
	consumers := map[string]eventing.Consumer{}
	if f.backfill != nil {
		for _, eventType := range eventing.Subscribed(name) {
			consumers[eventType] = f.backfill.take
		}
	}
	return consumers
}

// Health names the embedder. The built-in one computes in process and cannot be away.
func (f *Function) Health(context.Context) []serve.Component {
	return []serve.Component{{Name: "ml_service", Critical: true}}
}

// Close has nothing to release.
func (f *Function) Close(context.Context) error { return nil }
