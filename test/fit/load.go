package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/eval"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/serve"
)

// collection is a set in an engine of its own.
type collection struct {
	set      *eval.Set
	engine   *rae.Engine
	projects map[string]memory.Scope
}

// open loads the set at dir into a fresh engine in this process.
func open(ctx context.Context, dir string) (*collection, error) {
	set, err := eval.Load(dir)
	if err != nil {
		return nil, err
	}
	cfg, err := rae.Load()
	if err != nil {
		return nil, err
	}
	cfg.Store.Store, cfg.Search.CacheAnswers = "inmem", 0
	host := serve.LocalDefaults()
	if err := serve.Load(&host); err != nil {
		return nil, err
	}
	host.LogLevel = "warn"
	rt, err := serve.NewRuntime(&host, os.Stderr, slog.String("service", "fit"))
	if err != nil {
		return nil, err
	}
	engine, err := rae.Open(cfg, rt)
	if err != nil {
		return nil, err
	}
	c := &collection{set: set, engine: engine, projects: map[string]memory.Scope{}}
	for i, name := range set.Scopes() {
		c.projects[name] = memory.Scope{Tenant: "fit", Project: fmt.Sprintf("haystack-%d", i+1)}
	}
	return c, c.fill(ctx)
}

func (c *collection) fill(ctx context.Context) error {
	for scope, project := range c.projects {
		var items []json.RawMessage
		for i := range c.set.Documents {
			d := &c.set.Documents[i]
			if d.Scope != scope {
				continue
			}
			item, err := json.Marshal(ingest.Draft{
				Content: d.Text, Metadata: d.Meta, ExternalID: d.ID, SessionID: d.Session(), OccurredAt: d.OccurredAt(),
			})
			if err != nil {
				return err
			}
			items = append(items, item)
		}
		for some := range slices.Chunk(items, ingest.MaxBatch) {
			if _, _, err := c.engine.Memories.Batch(ctx, project, some, memory.Key{}, memory.Why{Actor: "fit"}); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask returns the answer of a question, as deep as an answer can be.
func (c *collection) ask(ctx context.Context, q *eval.Question) ([]search.Result, error) {
	found, err := c.engine.Search.Search(ctx, search.Request{Scope: c.projects[q.Scope], Query: q.Text, Limit: 100})
	return found.Results, err
}
