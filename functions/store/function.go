// Package store is the function that keeps memories: it takes what callers tell, recognises what it knows, and
// announces every change through the outbox. Its rules live in package ingest; here are its routes, its events and
// its wiring.
package store

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/resolve"
	"github.com/rae-memory/rae/pkg/serve"
)

var _ serve.Function = (*Function)(nil)

// Function is the store function. Memories is required.
type Function struct {
	Memories *ingest.Service
	// Drain sends what waits in the outbox; it is called for every drain.due and may end before all is sent. nil: the
	// host drains by itself.
	Drain   func(ctx context.Context) error
	Jobs    *job.Runner     // nil: the function has no jobs, and no routes under /v1/jobs
	Blocks  *block.Service  // nil: no routes under /v1/blocks
	Letters outbox.Queue    // where dead letters are; nil: no routes under /v1/dead-letters
	Models  *embed.Reembed  // moves projects to other embedding models; nil: no routes under /v1/embedding-models
	Names   *resolve.Keeper // finds which entities are one; nil: nobody does
	// Importance tells how memories are used, and what that is worth. nil: no route /v1/memories/{id}/use.
	Importance *reflection.Service
	Log        *slog.Logger // nil: slog.Default()

	closers  []func() error // of what Open acquired, in the order to close them
	endMeter func(context.Context) error
}

// New returns the function over parts that its host has opened and will close.
func New(memories *ingest.Service, drain func(context.Context) error, log *slog.Logger) *Function {
	return &Function{Memories: memories, Drain: drain, Log: log}
}

// Name implements serve.Function.
func (f *Function) Name() string { return "store" }

func (f *Function) log() *slog.Logger {
	if f.Log != nil {
		return f.Log
	}
	return slog.Default()
}

// Events implements serve.Function.
func (f *Function) Events() http.Handler { return eventing.Handler(f.Name(), f.Consumers(), f.log()) }

// Consumers are the events the function takes, by type: memory.derived, memory.embedded, job.due, budget.changed, drain.due, and
// the dead letters of a broker.
func (f *Function) Consumers() map[string]eventing.Consumer {
	return map[string]eventing.Consumer{
		eventing.MemoryDerived:  f.derived,
		eventing.MemoryEmbedded: f.embedded,
		eventing.JobDue:         f.work,
		eventing.BudgetChanged:  f.resume,
		eventing.DrainDue:       f.drain,
		eventing.DeadLetter:     f.inter,
	}
}

// probe is the partition health asks about. No tenant can have its name.
var probe = memory.Scope{Tenant: "-", Project: "-"}

// Health implements serve.Function: it asks the database. Without it nothing can be kept; an embedder that is away only puts vectors off.
func (f *Function) Health(ctx context.Context) []serve.Component {
	_, err := f.Memories.Head(ctx, probe)
	return []serve.Component{{Name: "database", Critical: true, Err: err}}
}

// Register implements serve.Function: it adds the routes under /v1/memories, /v1/conversations, /v1/blocks, /v1/jobs,
// /v1/embedding-models, /v1/dead-letters and /v1/tenants.
func (f *Function) Register(api huma.API) {
	describe(api.OpenAPI().Components.Schemas)
	f.registerMemories(api)
	f.registerLists(api)
	f.registerUse(api)
	f.registerStreams(api)
	f.registerConversations(api)
	f.registerTenants(api)
	if f.Blocks != nil {
		f.registerBlocks(api)
	}
	if f.Jobs != nil {
		f.registerJobs(api)
	}
	if f.Models != nil {
		f.registerModels(api)
	}
	if f.Letters != nil {
		f.registerLetters(api)
	}
}

// Close implements serve.Function: it releases what Open acquired.
func (f *Function) Close(ctx context.Context) error {
	var failed []error
	if f.endMeter != nil {
		failed = append(failed, f.endMeter(ctx))
	}
	for _, end := range f.closers {
		failed = append(failed, end())
	}
	return errors.Join(failed...)
}
