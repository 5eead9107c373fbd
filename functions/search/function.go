// Package search is the search function: finding, packing context and walking entities over HTTP, and keeping its
// index warm by event. How memories are found, packages pkg/search and pkg/index decide.
package search

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/inference"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/qdrant"
	"github.com/rae-memory/rae/pkg/redis"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/tokens"
)

var _ serve.Function = (*Function)(nil)

// Function is the search function with what it stands on.
type Function struct {
	serve.Backing

	service *search.Service
	facts   knowledge.Facts
	parts   parts
	qdrant  *copies // in Qdrant; nil: there is none
	log     *slog.Logger
	alone   *alone // nil in a process with the other functions
}

// alone is what the function opened for itself besides its database.
type alone struct {
	redis    *redis.Client
	endMeter func(context.Context) error
}

// weights of the legs. Hashed n-grams see the words BM25 sees, only blurred, so they help out instead of adding up; a
// model that knows meanings weighs in. A question's profile has a say as well (search.Profiles).
func weights(model string) search.Weights {
	dense := .7
	if model == embed.ModelOf(embed.ProviderHash) {
		dense = -.3
	}
	return search.Weights{string(search.Lexical): 1, string(search.Graph): .1, string(search.Dense): dense}
}

// New returns the function over a store somebody else opens, watches and closes. Which model a scope is searched by,
// spaces tells.
func New(cfg Config, db *database.DB, spaces *embed.Spaces, rt serve.Runtime) (*Function, error) {
	store := db.Memories
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
	own, err := spaces.Resolve("")
	if err != nil {
		return nil, err
	}
	copied, err := openQdrant(&cfg, store, spaces, rt)
	if err != nil {
		return nil, err
	}
	p := partsOf(&cfg, db, spaces)
	f := &Function{facts: db.Facts, parts: p, qdrant: copied, log: rt.Log}
	f.service = &search.Service{
		Legs:          []search.Leg{p.lexical, copied.before(p.dense, p.places), p.entities},
		Weights:       weights(own.Model()),
		ModelWeights:  weights,
		Memories:      store,
		Freshness:     p.freshness,
		Neighbourhood: p.neighbourhood,
		Spaces:        space{spaces, p.holding},
		Reranker:      p.reranker,
		Sittings:      p.sittings,
		Tokens:        new(tokens.Counter),
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
		f.service.Cache = search.NewCache(cfg.CacheAnswers)
	}
	return f, nil
}

// Open reads the environment and opens the store it names.
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
	shared, err := cfg.OpenRedis(rt)
	if err != nil {
		return nil, err
	}
	deps := inference.Deps{Meter: meter, Own: own, Vectors: shared.Vectors(), Count: new(tokens.Counter).Count, Log: rt.Log}
	embedders := cfg.Embedding.Open(deps)
	reranker, err := cfg.Reranking.Open(deps)
	if err != nil {
		return nil, err
	}
	db, err := database.Open(&cfg.Config, rt.Log, nil)
	if err != nil {
		return nil, err
	}
	f, err := New(cfg, db, &embed.Spaces{Store: db.Memories, Resolve: embed.Resolve(embedders), Log: rt.Log}, rt)
	if err != nil {
		return nil, err
	}
	f.Backing, f.alone = db.Backing, &alone{shared, end}
	f.Share(shared.Answers())
	if !cfg.BuiltIn() {
		f.Assist(reranker, cfg.RerankTimeout)
	}
	return f, nil
}

// Share puts a cache that instances share behind the function's own; nil changes nothing, and so does a cache where
// the settings say that no answer is kept.
func (f *Function) Share(answers search.Cache) {
	if answers != nil && f.service.Cache != nil {
		f.service.Cache = search.Layered{Near: f.service.Cache, Far: answers}
	}
}

// Assist has a reranker asked besides the built-in one, which waits for it no longer than the timeout and the stage.
func (f *Function) Assist(reranker search.Scorer, timeout time.Duration) {
	f.service.Reranker = search.Assisted{BuiltIn: f.parts.reranker, Scorer: reranker, Memories: f.service.Memories, Timeout: timeout}
}

// Health asks what the function stands on. Without Redis and Qdrant it still answers.
func (f *Function) Health(ctx context.Context) []serve.Component {
	components := f.Backing.Health(ctx)
	if f.alone != nil {
		components = append(components, serve.Aside(ctx, "redis", f.alone.redis != nil, f.alone.redis.Ping))
	}
	return append(components, serve.Aside(ctx, qdrant.Stage, f.qdrant != nil, f.pingQdrant))
}

// Close closes what the function opened.
func (f *Function) Close(ctx context.Context) error {
	failed := []error{f.Backing.Close(ctx)}
	if f.alone != nil {
		failed = append(failed, f.alone.endMeter(ctx), f.alone.redis.Close())
	}
	if f.qdrant != nil {
		failed = append(failed, f.qdrant.close())
	}
	return errors.Join(failed...)
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

// Name implements serve.Function.
func (f *Function) Name() string { return "search" }

// Events implements serve.Function.
func (f *Function) Events() http.Handler { return eventing.Handler(f.Name(), f.Consumers(), f.log) }

// Consumers are the events the function takes: changes of memories, and erasures of tenants. A search catches up with the store by itself, so
// an event that is late, lost or doubled changes nothing but the time the next search takes.
func (f *Function) Consumers() map[string]eventing.Consumer {
	refresh := func(ctx context.Context, e eventing.Event) error {
		err := f.parts.refresh(ctx, e.Scope)
		if f.qdrant != nil {
			err = errors.Join(err, f.qdrant.follow(ctx, e.Scope))
		}
		return err
	}
	return map[string]eventing.Consumer{
		eventing.MemoryStored: refresh, eventing.MemoryUpdated: refresh, eventing.MemoryDeleted: refresh,
		eventing.TenantErased: f.erased,
	}
}
