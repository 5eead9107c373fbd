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
	"github.com/rae-memory/rae/pkg/qdrant"
	"github.com/rae-memory/rae/pkg/relevance"
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
	CacheAnswers  int           `envconfig:"RAE_SEARCH_CACHE" default:"4096" min:"0" max:"1000000"`
	Languages     string        `envconfig:"RAE_LANGUAGES"` // as relevance.ParseLanguages reads it; empty: all English

	QdrantURL     string           `envconfig:"RAE_QDRANT_URL"` // empty: vectors are searched without Qdrant
	QdrantKey     telemetry.Secret `envconfig:"RAE_QDRANT_API_KEY"`
	QdrantPrefix  string           `envconfig:"RAE_QDRANT_PREFIX" default:"rae"`
	QdrantTimeout time.Duration    `envconfig:"RAE_QDRANT_TIMEOUT" default:"250ms" min:"10ms" max:"10s"` // of its part of a search
}

// Check implements serve.Checker.
func (c *Config) Check() error {
	if _, err := c.languages(); err != nil {
		return err
	}
	return c.checkQdrant()
}

// languages is what Languages says. Its error is a *serve.ConfigError.
func (c *Config) languages() (relevance.Languages, error) {
	languages, err := relevance.ParseLanguages(c.Languages)
	if err != nil {
		return languages, &serve.ConfigError{Name: "RAE_LANGUAGES", Value: c.Languages, Allowed: relevance.LanguagesFormat}
	}
	return languages, nil
}

// Store is what the function reads: memories, and the feed its index follows; and where it keeps how far Qdrant has
// followed it.
type Store interface {
	memory.Reader
	memory.Feed
	memory.Directory
	memory.Watermarks
}

// Function is the search function with what it stands on.
type Function struct {
	serve.Backing

	service *search.Service
	index   *index.Set
	qdrant  *qdrant.Projector // nil: there is none
	log     *slog.Logger
}

// weights of the legs. The built-in embedder sees the words BM25 sees, only blurred, so it helps out instead of adding
// up; a model that knows meanings will weigh in.
func weights() search.Weights {
	return search.Weights{string(search.Lexical): 1, string(search.Graph): .1, string(search.Dense): -.3}
}

// New returns the function over a store somebody else opens, watches and closes.
func New(cfg Config, store Store, embedder embed.Embedder, rt serve.Runtime) (*Function, error) {
	languages, err := cfg.languages()
	if err != nil {
		return nil, err
	}
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
	set.MaxBytes, set.Language = cfg.IndexMegabyte<<20, languages.Of
	projector, err := openQdrant(&cfg, store, embedder, rt)
	if err != nil {
		return nil, err
	}
	f := &Function{index: set, qdrant: projector, log: rt.Log}
	dense := f.throughQdrant(store, embedder, index.Dense{Set: set})
	f.service = &search.Service{
		Legs:          []search.Leg{index.Lexical{Set: set}, dense, index.Graph{Set: set}},
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
	embedder, err := embed.BuiltIn(cfg.EmbedProvider, "")
	if err != nil {
		return nil, err
	}
	if cfg.Store == "inmem" {
		return New(cfg, inmem.New(inmem.Options{}), embedder, rt)
	}
	db := sqlite.Open(filepath.Join(cfg.DataDir, "rae.db"), sqlite.Options{Log: rt.Log})
	f, err := New(cfg, db, embedder, rt)
	if err != nil {
		return nil, err
	}
	f.Backing = serve.Backing{Ping: db.Ping, Release: db.Close}
	return f, nil
}

// Service answers searches to callers in the same process.
func (f *Function) Service() *search.Service { return f.service }

// EraseTenant drops everything held of an erased tenant; the receipt counts cached answers and indexes, and Qdrant's
// copies of vectors.
func (f *Function) EraseTenant(ctx context.Context, tenant string) (memory.Receipt, error) {
	forgotten := f.index.ForgetTenant(tenant)
	if f.service.Cache != nil {
		forgotten += f.service.Cache.ForgetTenant(tenant)
	}
	vectors, err := f.eraseFromQdrant(ctx, tenant)
	return memory.Receipt{CacheKeys: forgotten, Vectors: vectors}, err
}

// Close closes what the function opened.
func (f *Function) Close(ctx context.Context) error {
	err := f.Backing.Close(ctx)
	if f.qdrant != nil {
		err = errors.Join(err, f.qdrant.Index.Close())
	}
	return err
}

// Name implements serve.Function.
func (f *Function) Name() string { return "search" }

// Events implements serve.Function.
func (f *Function) Events() http.Handler { return eventing.Handler(f.Name(), f.Consumers(), f.log) }

// Consumers are the events the function takes: changes of memories. A search catches up with the store by itself, so
// an event that is late, lost or doubled changes nothing but the time the next search takes.
func (f *Function) Consumers() map[string]eventing.Consumer {
	refresh := func(ctx context.Context, e eventing.Event) error {
		err := f.index.Refresh(ctx, e.Scope)
		if f.qdrant != nil {
			err = errors.Join(err, f.qdrant.Follow(ctx, e.Scope))
		}
		return err
	}
	return map[string]eventing.Consumer{
		eventing.MemoryStored: refresh, eventing.MemoryUpdated: refresh, eventing.MemoryDeleted: refresh,
	}
}
