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
	"github.com/rae-memory/rae/pkg/inference"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
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
	redis    *redis.Client
	endMeter func(context.Context) error
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

// Follow lets the function give memories vectors of the models their scope wants, instead of the embedder's alone. What the
// budget refuses to embed is then looked after later, instead of coming back as a failed event.
func (f *Function) Follow(reembed *embed.Reembed) {
	if f.backfill != nil {
		f.backfill.Spaces, f.backfill.PutOff = reembed.Spaces, reembed.Await
	}
}

// Open reads the environment and opens the store it names, in which memories wait for their vectors.
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
	shared, err := redis.Open(cfg.RedisURL.Reveal(), redis.Options{
		DialTimeout: cfg.RedisDialTimeout, Timeout: cfg.RedisTimeout, Log: rt.Log, Metrics: rt.Metrics,
	})
	if err != nil {
		return nil, err
	}
	embedders := cfg.Embedding.Open(inference.Deps{Meter: meter, Own: own, Vectors: shared.Vectors(), Log: rt.Log})
	embedder, err := embedders("")
	if err != nil {
		return nil, err
	}
	db, err := database.Open(&cfg.Config, rt.Log, nil)
	if err != nil {
		return nil, err
	}
	f := New(embedder, db.Memories, cfg.EmbedTimeout, rt.Log)
	f.Follow(&embed.Reembed{
		Memories: db.Memories, Jobs: &job.Runner{Store: db.Jobs, Log: rt.Log},
		Spaces: &embed.Spaces{Store: db.Memories, Resolve: embed.Resolve(embedders), Log: rt.Log},
	})
	f.alone = &alone{db.Backing, shared, end}
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
		consumers[eventing.MemoryStored], consumers[eventing.MemoryUpdated] = f.backfill.take, f.backfill.take
		consumers[eventing.TenantErased] = func(ctx context.Context, e eventing.Event) error {
			_, err := f.EraseTenant(ctx, e.Scope.Tenant)
			return err
		}
	}
	return consumers
}

// EraseTenant drops the cached vectors, which are everybody's: none tells whose text it was made of. Doing it again, or
// late, costs time and nothing else.
func (f *Function) EraseTenant(ctx context.Context, tenant string) (memory.Receipt, error) {
	receipt := memory.Receipt{Tenant: tenant}
	cached, ok := f.embedder.(interface {
		Forget(ctx context.Context) (int, error)
	})
	var err error
	if ok {
		receipt.CacheKeys, err = cached.Forget(ctx)
	}
	return receipt, err
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
	return errors.Join(f.alone.endMeter(ctx), f.alone.Close(ctx), f.alone.redis.Close())
}

// Limiter counts requests for all instances together, nil without Redis.
func (f *Function) Limiter() serve.Limiter {
	if f.alone == nil || f.alone.redis == nil {
		return nil
	}
	return f.alone.redis.Limits()
}
