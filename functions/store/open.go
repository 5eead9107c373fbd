package store

import (
	"context"
	"maps"
	"net/url"
	"sync"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/inference"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/resolve"
	"github.com/rae-memory/rae/pkg/serve"
)

// Config is what the environment says to the function.
type Config struct {
	database.Config
	inference.Embedding
	inference.Budget

	JobsKeep time.Duration `envconfig:"RAE_JOBS_KEEP" default:"720h" min:"1h" max:"87600h"` // how long a job that has ended can be read
	Sink     string        `envconfig:"K_SINK"`                                             // the broker's ingress; empty: events wait in the outbox
}

// Check implements serve.Checker.
func (c *Config) Check() error {
	if err := c.Config.Check(); err != nil {
		return err
	}
	if err := c.Embedding.Check(); err != nil {
		return err
	}
	if c.Sink == "" {
		return nil
	}
	if u, err := url.Parse(c.Sink); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return &serve.ConfigError{Name: "K_SINK", Value: c.Sink, Allowed: "unset or an http or https URL"}
	}
	return nil
}

// Embedders are what memories are embedded by, as ingest asks for them.
func Embedders(spaces *embed.Spaces) func(context.Context, memory.Scope) ([]ingest.Embedder, error) {
	return func(ctx context.Context, scope memory.Scope) ([]ingest.Embedder, error) {
		all, err := spaces.Embedders(ctx, scope)
		embedders := make([]ingest.Embedder, len(all))
		for i, e := range all {
			embedders[i] = e
		}
		return embedders, err
	}
}

// Names keeps who is who of the store by jobs of the runner. Likeness is told by the built-in model, which costs nothing.
func Names(db *database.DB, jobs *job.Runner) *resolve.Keeper {
	return &resolve.Keeper{
		Memories: db.Memories, Register: db.Names, Scopes: db.Memories, Jobs: jobs,
		Resolver: resolve.Resolver{Embed: new(embed.Static).EmbedDocuments},
	}
}

// Open reads the environment and opens the store it names. What changes is sent to the broker at K_SINK as soon as it
// is committed, and again with every drain.due until the broker has it.
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
	embedders := cfg.Embedding.Open(inference.Deps{Meter: meter, Own: own, Log: rt.Log})
	if _, err := embedders(""); err != nil {
		return nil, err
	}
	f := New(&ingest.Service{EmbedTimeout: cfg.EmbedTimeout, Log: rt.Log}, nil, rt.Log)
	f.endMeter = end
	post := &postman{}
	db, err := database.Open(&cfg.Config, rt.Log, post.wake)
	if err != nil {
		return nil, err
	}
	if db.Release != nil {
		f.closers = append(f.closers, db.Release)
	}
	f.Memories.Store, f.Letters = db.Memories, db.Memories
	f.Importance = &reflection.Service{Memories: db.Memories, Writer: db.Memories, Keeper: db.Memories, Uses: db.Memories, Store: db.Reflections, Log: rt.Log}
	spaces := &embed.Spaces{Store: db.Memories, Resolve: embed.Resolve(embedders), Log: rt.Log}
	f.Memories.Embedders, f.Memories.Vectors = Embedders(spaces), db.Memories
	f.Blocks = &block.Service{Store: db.Blocks}
	f.Jobs = &job.Runner{Store: db.Jobs, Keep: cfg.JobsKeep, Log: rt.Log}
	f.Models = &embed.Reembed{Memories: db.Memories, Spaces: spaces, Scopes: db.Memories, Jobs: f.Jobs}
	f.Names = Names(db, f.Jobs)
	f.Jobs.Handlers = f.Models.Handlers()
	maps.Copy(f.Jobs.Handlers, f.Names.Handlers())
	if cfg.Sink == "" {
		return f, nil
	}
	relay, err := eventing.NewRelay(db.Memories, &eventing.HTTPSender{URL: cfg.Sink}, eventing.RelayConfig{
		Slice: drainTime, Metrics: rt.Metrics, Log: rt.Log,
	})
	if err != nil {
		return nil, err
	}
	post.relay = relay
	f.Drain = func(ctx context.Context) error {
		_, err := relay.Drain(ctx)
		return err
	}
	f.closers = append([]func() error{post.stop}, f.closers...) // before the database it reads
	return f, nil
}

// postman runs the relay from the first commit of the process on, so that a function that only reads runs nothing.
type postman struct {
	relay *eventing.Relay // nil: there is no broker

	once   sync.Once
	cancel context.CancelFunc
	ended  chan struct{}
}

// wake is called after a commit and does not block.
func (p *postman) wake() {
	if p.relay == nil {
		return
	}
	p.once.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		p.cancel, p.ended = cancel, make(chan struct{})
		go func() {
			defer close(p.ended)
			p.relay.Run(ctx)
		}()
	})
	p.relay.Wake()
}

// stop waits for the relay to let go of what it was sending; what is left is sent after the next start.
func (p *postman) stop() error {
	p.once.Do(func() {}) // no more wakes start it
	if p.cancel != nil {
		p.cancel()
		<-p.ended
	}
	return nil
}
