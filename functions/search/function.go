// Package search is the search function: finding, packing context and walking entities over HTTP, and keeping its
// index warm by event. How memories are found, packages pkg/search and pkg/index decide.
package search

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/redis"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/sqlite"
	"github.com/rae-memory/rae/pkg/telemetry"
)

var _ serve.Function = (*Function)(nil)

// Config is what the environment says to the function.
type Config struct {
	Store         string        `envconfig:"RAE_STORE" default:"sqlite" allowed:"sqlite|inmem"`
	DataDir       string        `envconfig:"RAE_DATA_DIR" default:"./data"`
	EmbedProvider string        `envconfig:"RAE_EMBED_PROVIDER" default:"hash" allowed:"hash"`
	StageTimeout  time.Duration `envconfig:"RAE_SEARCH_STAGE_TIMEOUT" default:"2s" min:"10ms" max:"60s"`
	IndexMegabyte int64         `envconfig:"RAE_SEARCH_INDEX_MB" default:"1024" min:"16" max:"1048576"`
	CacheAnswers  int           `envconfig:"RAE_SEARCH_CACHE" default:"4096" min:"0" max:"1000000"` // 0: no answer is kept anywhere

	RedisURL         telemetry.Secret `envconfig:"RAE_REDIS_URL"` // empty: no Redis
	RedisDialTimeout time.Duration    `envconfig:"RAE_REDIS_DIAL_TIMEOUT" default:"100ms" min:"1ms" max:"10s"`
	RedisTimeout     time.Duration    `envconfig:"RAE_REDIS_TIMEOUT" default:"50ms" min:"1ms" max:"10s"`
}

// Check refuses an address that is none.
func (c *Config) Check() error {
	if redis.Check(c.RedisURL.Reveal()) != nil {
		return &serve.ConfigError{Name: "RAE_REDIS_URL", Secret: true, Allowed: redis.Address}
	}
	return nil
}

// OpenRedis returns the Redis of the deployment, nil where there is none. It connects when first used.
func (c *Config) OpenRedis(rt serve.Runtime) (*redis.Client, error) {
	return redis.Open(c.RedisURL.Reveal(), redis.Options{
		DialTimeout: c.RedisDialTimeout, Timeout: c.RedisTimeout, Log: rt.Log, Metrics: rt.Metrics,
	})
}

// Store is what the function reads: memories, and the feed its index follows.
type Store interface {
	memory.Reader
	memory.Feed
}

// Function is the search function with what it stands on.
type Function struct {
	serve.Backing

	service *search.Service
	index   *index.Set
	log     *slog.Logger
	alone   *alone // nil in a process with the other functions
}

// alone is what the function opened for itself besides its database.
type alone struct{ redis *redis.Client }

// weights of the legs. The built-in embedder sees the words BM25 sees, only blurred, so it helps out instead of adding
// up; a model that knows meanings will weigh in.
func weights() search.Weights {
	return search.Weights{string(search.Lexical): 1, string(search.Graph): .1, string(search.Dense): -.3}
}

// New returns the function over a store somebody else opens, watches and closes.
func New(cfg Config, store Store, embedder embed.Embedder, rt serve.Runtime) (*Function, error) {
	stages := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "rae_search_stage_seconds", Help: "Time of each stage of a search: embed, a leg, rerank, context.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 2},
	}, []string{"stage"})
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rae_search_degraded_total", Help: "Stages that failed and were left out of an answer.",
	}, []string{"stage"})
	for _, collector := range []prometheus.Collector{stages, failures} {
		if err := rt.Metrics.Register(collector); err != nil {
			return nil, err
		}
	}
	set := index.NewSet(store, embedder.Model())
	set.MaxBytes = cfg.IndexMegabyte << 20
	service := &search.Service{
		Legs:          []search.Leg{index.Lexical{Set: set}, index.Dense{Set: set}, index.Graph{Set: set}},
		Weights:       weights(),
		Memories:      store,
		Freshness:     set,
		Neighbourhood: index.Neighbourhood{Set: set},
		Embedder:      embedder,
		Reranker:      index.Reranker{Set: set},
		Log:           rt.Log,
		StageTimeout:  cfg.StageTimeout,
		Observe: func(stage string, took time.Duration, err error) {
			stages.WithLabelValues(stage).Observe(took.Seconds())
			if err != nil {
				failures.WithLabelValues(stage).Inc()
			}
		},
	}
	if cfg.CacheAnswers > 0 {
		service.Cache = search.NewCache(cfg.CacheAnswers)
	}
	return &Function{service: service, index: set, log: rt.Log}, nil
}

// Open reads the environment and opens the store it names.
func Open(_ context.Context, rt serve.Runtime) (serve.Function, error) {
	var cfg Config
	if err := serve.Load(&cfg); err != nil {
		return nil, err
	}
	embedder, err := embed.BuiltIn(cfg.EmbedProvider, "")
	if err != nil {
		return nil, err
	}
	shared, err := cfg.OpenRedis(rt)
	if err != nil {
		return nil, err
	}
	var store Store = inmem.New(inmem.Options{})
	var backing serve.Backing
	if cfg.Store == "sqlite" {
		db := sqlite.Open(filepath.Join(cfg.DataDir, "rae.db"), sqlite.Options{Log: rt.Log})
		store, backing = db, serve.Backing{Ping: db.Ping, Release: db.Close}
	}
	f, err := New(cfg, store, embed.WithCache(embedder, shared.Vectors()), rt)
	if err != nil {
		return nil, err
	}
	f.Backing, f.alone = backing, &alone{shared}
	f.Share(shared.Answers())
	return f, nil
}

// Share puts a cache that instances share behind the function's own; nil changes nothing, and so does a cache where
// the settings say that no answer is kept.
func (f *Function) Share(answers search.Cache) {
	if answers != nil && f.service.Cache != nil {
		f.service.Cache = search.Layered{Near: f.service.Cache, Far: answers}
	}
}

// Health asks what the function opened.
func (f *Function) Health(ctx context.Context) []serve.Component {
	components := f.Backing.Health(ctx)
	if f.alone != nil {
		components = append(components, serve.Aside(ctx, "redis", f.alone.redis != nil, f.alone.redis.Ping))
	}
	return components
}

// Close closes what the function opened.
func (f *Function) Close(ctx context.Context) error {
	if f.alone == nil {
		return f.Backing.Close(ctx)
	}
	return errors.Join(f.Backing.Close(ctx), f.alone.redis.Close())
}

// Limiter counts requests for all instances together, nil without Redis.
func (f *Function) Limiter() serve.Limiter {
	if f.alone == nil || f.alone.redis == nil {
		return nil
	}
	return f.alone.redis.Limits()
}

// Service answers searches to callers in the same process.
func (f *Function) Service() *search.Service { return f.service }

// EraseTenant drops everything held of an erased tenant; the receipt counts cached answers and indexes.
func (f *Function) EraseTenant(ctx context.Context, tenant string) (memory.Receipt, error) {
	receipt := memory.Receipt{CacheKeys: f.index.ForgetTenant(tenant)}
	if f.service.Cache == nil {
		return receipt, nil
	}
	forgotten, err := f.service.Cache.ForgetTenant(ctx, tenant)
	receipt.CacheKeys += forgotten
	return receipt, err
}

// Name implements serve.Function.
func (f *Function) Name() string { return "search" }

// Events implements serve.Function.
func (f *Function) Events() http.Handler { return eventing.Handler(f.Name(), f.Consumers(), f.log) }

// Consumers are the events the function takes: changes of memories. A search catches up with the store by itself, so
// an event that is late, lost or doubled changes nothing but the time the next search takes.
func (f *Function) Consumers() map[string]eventing.Consumer {
	refresh := func(ctx context.Context, e eventing.Event) error { return f.index.Refresh(ctx, e.Scope) }
	return map[string]eventing.Consumer{
		eventing.MemoryStored: refresh, eventing.MemoryUpdated: refresh, eventing.MemoryDeleted: refresh,
	}
}
