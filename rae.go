// Package rae is all six functions in one process: one store, one broker, one API. It is what the root func.yaml
// builds and what the command line serves; the functions are the same code that runs one by one on Knative.
package rae

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/rae-memory/rae/eventing"
	budgetfn "github.com/rae-memory/rae/functions/budget"
	embedfn "github.com/rae-memory/rae/functions/embed"
	reflectfn "github.com/rae-memory/rae/functions/reflect"
	rerankfn "github.com/rae-memory/rae/functions/rerank"
	searchfn "github.com/rae-memory/rae/functions/search"
	storefn "github.com/rae-memory/rae/functions/store"
	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/inference"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/learn"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/qdrant"
	"github.com/rae-memory/rae/pkg/redis"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/resolve"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/tokens"
)

// Config is what the environment says to the six functions. The store the store function names is the one all share.
type Config struct {
	Store   storefn.Config
	Search  searchfn.Config
	Embed   embedfn.Config
	Rerank  rerankfn.Config
	Reflect reflectfn.Config
	Budget  budgetfn.Config
}

// Load reads the environment. Its error is a *serve.ConfigError.
func Load() (Config, error) {
	var c Config
	for _, part := range []any{&c.Store, &c.Search, &c.Embed, &c.Rerank, &c.Reflect, &c.Budget} {
		if err := serve.Load(part); err != nil {
			return Config{}, err
		}
	}
	return c, nil
}

// Engine is the six functions wired to one store.
type Engine struct {
	Memories    *ingest.Service
	Search      *search.Service
	Ledger      budget.Ledger
	Reflections *reflection.Service
	Blocks      *block.Service
	Facts       *learn.Learner    // what memories come to
	Jobs        *job.Runner       // of every kind
	Reembed     *embed.Reembed    // whose jobs are among them
	Names       *resolve.Keeper   // who finds which entities are one, by jobs among them
	Spaces      *embed.Spaces     // which models a project's vectors are of
	Qdrant      *qdrant.Projector // over vectors of the deployment's model, see Copy; nil: it has no Qdrant
	// Copy is Qdrant over the vectors of another model; nil where there is no Qdrant.
	Copy func(model string) (*qdrant.Projector, error)

	guard     *budget.Guard // before every paid call
	store     database.Memories
	redis     *redis.Client // nil: none
	functions []serve.Function
	events    http.Handler
	broker    *eventing.Broker
	relay     *eventing.Relay
	rt        serve.Runtime
}

// Open wires the engine and touches nothing: the store is opened when first used.
func Open(cfg Config, rt serve.Runtime) (*Engine, error) {
	e := &Engine{rt: rt}
	policy, err := cfg.Budget.Policy()
	if err != nil {
		return nil, err
	}
	if e.redis, err = cfg.Search.OpenRedis(rt); err != nil {
		return nil, err
	}
	db, err := database.Open(&cfg.Store.Config, rt.Log, e.wake)
	if err != nil {
		return nil, err
	}
	e.store, e.Ledger = db.Memories, db.Ledger(policy)
	if e.guard, err = inference.NewGuard(e.Ledger, rt); err != nil {
		return nil, err
	}
	own, err := cfg.Embed.Hosts()
	if err != nil {
		return nil, err
	}
	deps := inference.Deps{Meter: e.guard, Own: own, Vectors: e.redis.Vectors(), Count: new(tokens.Counter).Count, Log: rt.Log}
	embedders := cfg.Embed.Embedding.Open(deps)
	embedder, err := embedders("")
	if err != nil {
		return nil, err
	}
	reranker, err := cfg.Rerank.Reranking.Open(deps)
	if err != nil {
		return nil, err
	}
	model, err := cfg.Reflect.Language.Open(deps)
	if err != nil {
		return nil, err
	}
	e.Blocks = &block.Service{Store: db.Blocks}
	e.Jobs = &job.Runner{Store: db.Jobs, Keep: cfg.Store.JobsKeep, Log: rt.Log}
	e.Facts = &learn.Learner{Store: db.Facts}
	e.Reflections = cfg.Reflect.Service(db, model, e.Facts, rt.Log)
	e.Spaces = &embed.Spaces{Store: e.store, Resolve: embed.Resolve(embedders), Log: rt.Log}
	e.Reembed = &embed.Reembed{Memories: e.store, Spaces: e.Spaces, Scopes: e.store, Jobs: e.Jobs}
	e.Names = storefn.Names(db, e.Jobs)
	e.Jobs.Handlers = e.Reembed.Handlers()
	maps.Copy(e.Jobs.Handlers, e.Names.Handlers())
	searching, err := searchfn.New(cfg.Search, db, e.Spaces, rt)
	if err != nil {
		return nil, err
	}
	searching.Share(e.redis.Answers())
	if !cfg.Rerank.BuiltIn() {
		searching.Assist(reranker, cfg.Rerank.RerankTimeout)
	}
	e.Search, e.Copy = searching.Service(), searching.Qdrant
	if e.Qdrant, err = searching.Qdrant(""); err != nil {
		return nil, err
	}
	e.Memories = &ingest.Service{
		Store: e.store, Embedders: storefn.Embedders(e.Spaces), Vectors: e.store, EmbedTimeout: cfg.Store.EmbedTimeout, Log: rt.Log,
	}
	embedding := embedfn.New(embedder, e.store, cfg.Embed.EmbedTimeout, rt.Log)
	embedding.Follow(e.Reembed)
	e.Memories.Erasers = []ingest.Eraser{searching, embedding}
	storing := storefn.New(e.Memories, nil, rt.Log) // Run drains; a tick that waited for its turn would keep a worker from other events
	storing.Blocks, storing.Jobs, storing.Models, storing.Letters, storing.Names = e.Blocks, e.Jobs, e.Reembed, e.store, e.Names
	storing.Importance = &reflection.Service{Memories: db.Memories, Writer: db.Memories, Keeper: db.Memories, Uses: db.Memories, Store: db.Reflections, Log: rt.Log}
	budgeting := budgetfn.New(e.Ledger, auth.RequireAdmin, rt.Log)
	if err := budgeting.Gauge(rt.Metrics); err != nil {
		return nil, err
	}
	reflecting := reflectfn.New(e.Reflections, model, rt.Log)
	reflecting.Learner = e.Facts
	e.functions = []serve.Function{
		storing,
		searching,
		embedding,
		rerankfn.New(reranker, cfg.Rerank.RerankTimeout),
		reflecting,
		budgeting,
		&foundation{db.Backing, e.redis},
	}
	if err := e.connect(); err != nil {
		return nil, err
	}
	return e, nil
}

// Scopes implements memory.Directory.
func (e *Engine) Scopes(ctx context.Context, after memory.Scope, limit int) ([]memory.Scope, error) {
	return e.store.Scopes(ctx, after, limit)
}

// together is how many events a function takes at a time. They all end in the one writer of the store, which commits
// for as many as are waiting: more at a time is fewer commits.
const together = 16

// lease is how long an event that was being delivered when the process was killed waits before it is sent again. No
// function works on one event for longer.
const lease = 30 * time.Second

// pace is how long the events of what is written are let gather while others come. Whoever stores shares processors, disk
// and connections with the functions that take events. On average one waits for half as long, and the first for nobody.
const pace = 50 * time.Millisecond

// connect puts a broker between the outbox and the functions, and takes events from outside to the same consumers.
func (e *Engine) connect() (err error) {
	letters := &eventing.DeadLetters{Queue: e.store}
	e.broker, err = eventing.NewBroker(eventing.BrokerConfig{
		Concurrency: together, Metrics: e.rt.Metrics, Log: e.rt.Log, OnDead: letters.Note,
	})
	if err != nil {
		return fmt.Errorf("open broker: %w", err)
	}
	letters.Broker = e.broker
	for _, f := range e.functions {
		types := eventing.Subscribed(f.Name())
		if handler := f.Events(); handler != nil && len(types) > 0 {
			if err := e.broker.Subscribe(eventing.Subscription{Name: f.Name(), Types: types, Handler: handler}); err != nil {
				return fmt.Errorf("subscribe %s: %w", f.Name(), err)
			}
		}
	}
	e.relay, err = eventing.NewRelay(e.store, letters, eventing.RelayConfig{
		Parallel: 8 * together, Lease: lease, Pace: pace, Metrics: e.rt.Metrics, Log: e.rt.Log,
	})
	if err != nil {
		return fmt.Errorf("open relay: %w", err)
	}
	e.events = eventing.Handler("rae", e.consumers(), e.rt.Log)
	return nil
}

// consumer is a function that takes events.
type consumer interface {
	Consumers() map[string]eventing.Consumer
}

// consumers takes each event posted from outside to every function that consumes its type.
func (e *Engine) consumers() map[string]eventing.Consumer {
	all := map[string][]eventing.Consumer{}
	for _, f := range e.functions {
		if c, ok := f.(consumer); ok {
			for eventType, consume := range c.Consumers() {
				all[eventType] = append(all[eventType], consume)
			}
		}
	}
	merged := map[string]eventing.Consumer{}
	for eventType, consumers := range all {
		merged[eventType] = eventing.Join(consumers...)
	}
	return merged
}

// wake is called after each commit that wrote to the outbox.
func (e *Engine) wake() {
	if e.relay != nil {
		e.relay.Wake()
	}
}

// Serve returns a server of the six functions behind one port. The server does not close them: the relay still
// needs them when the last request has ended, and Close closes them after it.
func (e *Engine) Serve(cfg serve.Config) (*serve.Server, error) {
	lent := make([]serve.Function, len(e.functions))
	for i, f := range e.functions {
		lent[i] = borrowed{f}
	}
	server, err := serve.New(cfg, e.rt, lent...)
	if err != nil {
		return nil, err
	}
	server.Events = e.events
	if e.redis != nil {
		server.Limiter = e.redis.Limits()
	}
	return server, nil
}

// borrowed is a function that its host must leave open.
type borrowed struct{ serve.Function }

func (borrowed) Close(context.Context) error { return nil }

// How often the clock ticks where no PingSource does it.
const (
	drainEvery    = time.Minute
	reflectEvery  = 10 * time.Second
	maintainEvery = 15 * time.Minute
)

// Run relays events and keeps the clock until ctx ends. Everything works without it but what follows by event.
func (e *Engine) Run(ctx context.Context) {
	relayed := make(chan struct{})
	go func() {
		defer close(relayed)
		e.relay.Run(ctx)
	}()
	drain, reflect, maintain := time.NewTicker(drainEvery), time.NewTicker(reflectEvery), time.NewTicker(maintainEvery)
	defer drain.Stop()
	defer reflect.Stop()
	defer maintain.Stop()
	e.tick(ctx, eventing.DrainDue, time.Now()) // what was left behind, or came with a new program, need not wait
	for {
		select {
		case <-ctx.Done():
			<-relayed
			return
		case now := <-drain.C:
			e.tick(ctx, eventing.DrainDue, now)
		case now := <-reflect.C:
			e.tick(ctx, eventing.ReflectionDue, now)
		case now := <-maintain.C:
			e.tick(ctx, eventing.MaintenanceDue, now)
		}
	}
}

// tick publishes a clock event. Nobody is told when it fails, so it is logged; the next tick tries again.
func (e *Engine) tick(ctx context.Context, eventType string, at time.Time) {
	record, err := eventing.Due(eventType, eventing.Tick{}, at)
	if err == nil {
		tick, convert := eventing.FromRecord(record, "/rae/clock")
		err = convert
		if err == nil {
			err = e.broker.Publish(ctx, tick)
		}
	}
	if err != nil && ctx.Err() == nil {
		e.rt.Log.WarnContext(ctx, "clock event not published", "type", eventType, "err", err)
	}
}

// Close ends deliveries and then closes the functions and what they stand on.
func (e *Engine) Close(ctx context.Context) error {
	failed := []error{e.broker.Close(ctx), e.guard.Close(ctx)}
	for _, f := range e.functions { // what they stand on comes last
		failed = append(failed, f.Close(ctx))
	}
	return errors.Join(failed...)
}
