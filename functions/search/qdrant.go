package search

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/memory"
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

// copies are the vectors kept in Qdrant, a collection for each model.
type copies struct {
	store  database.Memories
	spaces *embed.Spaces
	open   func(model string, dimensions int) (*qdrant.Projector, error)

	mu      sync.Mutex
	byModel map[string]*qdrant.Projector
}

// openQdrant returns what keeps the copies of the vectors in Qdrant; nil when the deployment has none.
func openQdrant(cfg *Config, store database.Memories, spaces *embed.Spaces, rt serve.Runtime) (*copies, error) {
	if cfg.QdrantURL == "" {
		return nil, nil
	}
	if err := cfg.checkQdrant(); err != nil {
		return nil, err
	}
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rae_qdrant_rows_dropped_total", Help: "Rows of Qdrant that were not taken, and vectors not given to it, by what was wrong with them.",
	}, []string{"reason"})
	c := &copies{store: store, spaces: spaces, byModel: map[string]*qdrant.Projector{}}
	c.open = func(model string, dimensions int) (*qdrant.Projector, error) {
		index, err := qdrant.Open(qdrant.Options{
			URL: cfg.QdrantURL, Key: cfg.QdrantKey.Reveal(), Model: model, Dimensions: dimensions, Prefix: cfg.QdrantPrefix,
			Timeout: cfg.QdrantTimeout, Log: rt.Log,
			Dropped: func(reason string, rows int) { dropped.WithLabelValues(reason).Add(float64(rows)) },
		})
		if err != nil {
			return nil, err
		}
		return &qdrant.Projector{Index: index, Feed: store, Marks: store, Model: model, Scopes: store, Memories: store}, nil
	}
	for _, collector := range []prometheus.Collector{
		dropped,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rae_qdrant_away", Help: "1 while searches leave Qdrant alone because it has failed.",
		}, func() float64 { return float64(min(1, c.count(away))) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rae_qdrant_scopes_behind", Help: "Scopes this process could not take to Qdrant while it was away.",
		}, func() float64 { return float64(c.count((*qdrant.Projector).Behind)) }),
	} {
		if err := rt.Metrics.Register(collector); err != nil {
			return nil, err
		}
	}
	_, err := c.of("")
	return c, err
}

// away is 1 for a copy that searches leave alone.
func away(p *qdrant.Projector) int {
	if p.Index.Away() {
		return 1
	}
	return 0
}

// count adds up what every copy says.
func (c *copies) count(says func(*qdrant.Projector) int) (sum int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.byModel {
		sum += says(p)
	}
	return sum
}

// of returns the copy of the model; "" is the deployment's.
func (c *copies) of(model string) (*qdrant.Projector, error) {
	e, err := c.spaces.Resolve(model)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.byModel[e.Model()]; ok {
		return p, nil
	}
	p, err := c.open(e.Model(), e.Dimensions())
	if err == nil {
		c.byModel[e.Model()] = p
	}
	return p, err
}

// follow takes the changes of a scope to the copies of all models its memories get vectors of.
func (c *copies) follow(ctx context.Context, scope memory.Scope) error {
	embedders, err := c.spaces.Embedders(ctx, scope)
	for _, e := range embedders {
		p, failed := c.of(e.Model())
		if failed == nil {
			failed = p.Follow(ctx, scope)
		}
		err = errors.Join(err, failed)
	}
	return err
}

func (c *copies) close() (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.byModel {
		err = errors.Join(err, p.Index.Close())
	}
	return err
}

// before puts Qdrant before a leg that finds the same without it.
func (c *copies) before(without search.Leg, places qdrant.Places) search.Leg {
	if c == nil {
		return without
	}
	return &copied{c, without, places}
}

// copied is the dense leg over the copy of the query's model.
type copied struct {
	copies  *copies
	without search.Leg
	places  qdrant.Places
}

func (*copied) Name() string { return string(search.Dense) }

func (l *copied) Retrieve(ctx context.Context, q search.Query, depth int) ([]search.Hit, error) {
	p, err := l.copies.of(q.Model)
	if err != nil {
		return l.without.Retrieve(ctx, q, depth)
	}
	leg := qdrant.Dense{Index: p.Index, Feed: p.Feed, Marks: p.Marks, Model: p.Model, Fallback: l.without, Places: l.places}
	return leg.Retrieve(ctx, q, depth)
}

// Qdrant is what keeps the copy of the model's vectors in Qdrant, "" being the deployment's model; nil when the
// deployment has none.
func (f *Function) Qdrant(model string) (*qdrant.Projector, error) {
	if f.qdrant == nil {
		return nil, nil
	}
	return f.qdrant.of(model)
}

// pingQdrant asks whether Qdrant answers. One that hangs is itself down, not the function.
func (f *Function) pingQdrant(ctx context.Context) error {
	p, err := f.qdrant.of("")
	if err != nil {
		return err
	}
	return p.Index.Ping(ctx)
}
