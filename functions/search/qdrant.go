package search

import (
	"context"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/qdrant"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/serve"
)

// checkQdrant finds an address of Qdrant that cannot be used.
func (c *Config) checkQdrant() error {
	if c.QdrantURL == "" {
		return nil
	}
	if _, err := qdrant.ParseURL(c.QdrantURL); err != nil {
		return &serve.ConfigError{
			Name: "RAE_QDRANT_URL", Value: c.QdrantURL, Secret: strings.Contains(c.QdrantURL, "@"), // it may hold a password
			Allowed: "grpc://host:port or grpcs://host:port, the port being that of gRPC (6334), not of REST (6333)",
		}
	}
	if !qdrant.ValidPrefix(c.QdrantPrefix) {
		return &serve.ConfigError{Name: "RAE_QDRANT_PREFIX", Value: c.QdrantPrefix, Allowed: "1 to 64 lower-case letters, digits, dashes or underscores"}
	}
	return nil
}

// openQdrant returns what keeps the copy of the vectors in Qdrant; nil when the deployment has none.
func openQdrant(cfg *Config, store database.Memories, embedder embed.Embedder, rt serve.Runtime) (*qdrant.Projector, error) {
	if cfg.QdrantURL == "" {
		return nil, nil
	}
	if err := cfg.checkQdrant(); err != nil {
		return nil, err
	}
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rae_qdrant_rows_dropped_total", Help: "Rows of Qdrant that were not taken, and vectors not given to it, by what was wrong with them.",
	}, []string{"reason"})
	index, err := qdrant.Open(qdrant.Options{
		URL: cfg.QdrantURL, Key: cfg.QdrantKey.Reveal(), Model: embedder.Model(), Dimensions: embedder.Dimensions(), Prefix: cfg.QdrantPrefix,
		Timeout: cfg.QdrantTimeout, Log: rt.Log,
		Dropped: func(reason string, rows int) { dropped.WithLabelValues(reason).Add(float64(rows)) },
	})
	if err != nil {
		return nil, err
	}
	projector := &qdrant.Projector{Index: index, Feed: store, Marks: store, Model: embedder.Model(), Scopes: store, Memories: store}
	for _, collector := range []prometheus.Collector{
		dropped,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rae_qdrant_away", Help: "1 while searches leave Qdrant alone because it has failed.",
		}, func() float64 {
			if index.Away() {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rae_qdrant_scopes_behind", Help: "Scopes this process could not take to Qdrant while it was away.",
		}, func() float64 { return float64(projector.Behind()) }),
	} {
		if err := rt.Metrics.Register(collector); err != nil {
			return nil, err
		}
	}
	return projector, nil
}

// throughQdrant puts Qdrant before a leg that finds the same without it.
func (f *Function) throughQdrant(store database.Memories, embedder embed.Embedder, without search.Leg) search.Leg {
	if f.qdrant == nil {
		return without
	}
	return &qdrant.Dense{
		Index: f.qdrant.Index, Feed: store, Marks: store, Model: embedder.Model(), Fallback: without, Places: f.parts.places,
	}
}

// Qdrant is what keeps the copy of the vectors in Qdrant; nil when the deployment has none.
func (f *Function) Qdrant() *qdrant.Projector { return f.qdrant }

// pingQdrant asks whether Qdrant answers. One that hangs is itself down, not the function.
func (f *Function) pingQdrant(ctx context.Context) error { return f.qdrant.Index.Ping(ctx) }

// eraseFromQdrant drops an erased tenant's vectors.
func (f *Function) eraseFromQdrant(ctx context.Context, tenant string) (vectors int, err error) {
	if f.qdrant == nil {
		return 0, nil
	}
	receipt, err := f.qdrant.Index.EraseTenant(ctx, tenant)
	if err != nil {
		err = fault.Wrap(fault.Unavailable, err, "the vector index could not be reached, and may still hold vectors of the tenant; repeat the erasure")
	}
	return receipt.Vectors, err
}
