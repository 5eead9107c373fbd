// Package embed is the embed function: the OpenAI embeddings API over whatever embedder is configured, and the vectors
// of memories that were stored while the embedder was away.
package embed

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/inference"
	"github.com/rae-memory/rae/pkg/redis"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

const name = "embed"

// Config is what the environment says to this function.
type Config struct {
	database.Config
	inference.Embedding
	inference.Budget

	RedisURL         telemetry.Secret `envconfig:"RAE_REDIS_URL"` // empty: no Redis
	RedisDialTimeout time.Duration    `envconfig:"RAE_REDIS_DIAL_TIMEOUT" default:"100ms" min:"1ms" max:"10s"`
	RedisTimeout     time.Duration    `envconfig:"RAE_REDIS_TIMEOUT" default:"50ms" min:"1ms" max:"10s"`
}

// Check implements serve.Checker.
func (c *Config) Check() error {
	if err := c.Config.Check(); err != nil {
		return err
	}
	if err := c.Embedding.Check(); err != nil {
		return err
	}
	if redis.Check(c.RedisURL.Reveal()) != nil {
		return &serve.ConfigError{Name: "RAE_REDIS_URL", Secret: true, Allowed: redis.Address}
	}
	return nil
}

// Function is the embed function.
type Function struct {
	embedder embed.Embedder
	timeout  time.Duration
	backfill *Backfill // nil without a store
	log      *slog.Logger
	alone    *alone // nil in a process with the other functions
}

// alone is what the function opened for itself.
type alone struct {
	serve.Backing
	redis *redis.Client
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

// PutOff has what the budget refuses to embed looked after later, instead of coming back as a failed event.
func (f *Function) PutOff(later func(ctx context.Context, scope memory.Scope) error) {
	if f.backfill != nil {
		f.backfill.PutOff = later
	}
}

// Open reads the environment and opens the store it names, in which memories wait for their vectors.
func Open(_ context.Context, rt serve.Runtime) (serve.Function, error) {
	var cfg Config
	if err := serve.Load(&cfg); err != nil {
		return nil, err
	}
	meter, err := cfg.Meter(rt.Log)
	if err != nil {
		return nil, err
	}
	shared, err := redis.Open(cfg.RedisURL.Reveal(), redis.Options{
		DialTimeout: cfg.RedisDialTimeout, Timeout: cfg.RedisTimeout, Log: rt.Log, Metrics: rt.Metrics,
	})
	if err != nil {
		return nil, err
	}
	embedders := cfg.Embedding.Open(inference.Deps{Meter: meter, Vectors: shared.Vectors(), Log: rt.Log})
	embedder, err := embedders("")
	if err != nil {
		return nil, err
	}
	db, err := database.Open(&cfg.Config, rt.Log, nil)
	if err != nil {
		return nil, err
	}
	f := New(embedder, db.Memories, cfg.EmbedTimeout, rt.Log)
	reembed, jobs := embed.Reembed{Memories: db.Memories, Embedder: embedders}, job.Runner{Store: db.Jobs, Log: rt.Log}
	f.PutOff(func(ctx context.Context, scope memory.Scope) error { return reembed.Await(ctx, &jobs, scope, "") })
	f.alone = &alone{db.Backing, shared}
	return f, nil
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
func (f *Function) Health(ctx context.Context) []serve.Component {
	components := []serve.Component{{Name: "ml_service", Critical: true}}
	if f.alone != nil {
		components = append(components, f.alone.Health(ctx)...)
		components = append(components, serve.Aside(ctx, "redis", f.alone.redis != nil, f.alone.redis.Ping))
	}
	return components
}

// Close closes what the function opened.
func (f *Function) Close(ctx context.Context) error {
	if f.alone == nil {
		return nil
	}
	return errors.Join(f.alone.Close(ctx), f.alone.redis.Close())
}

// Limiter counts requests for all instances together, nil without Redis.
func (f *Function) Limiter() serve.Limiter {
	if f.alone == nil || f.alone.redis == nil {
		return nil
	}
	return f.alone.redis.Limits()
}
