package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/serve"
)

// goals of a search in a scope of so many memories.
var searchGoals = map[int]time.Duration{600: 5 * time.Millisecond, 100_000: 15 * time.Millisecond}

// searching fills scopes through HTTP and searches them through HTTP and then in process, over the same store.
func (b *embeddedRun) searching(ctx context.Context) error {
	dir := filepath.Join(b.dir, "scopes")
	overHTTP, err := b.searchOverHTTP(ctx, dir)
	if err != nil {
		return err
	}
	return b.searchInProcess(ctx, dir, overHTTP)
}

func projectOf(size int) string { return fmt.Sprintf("scope-%d", size) }

func (b *embeddedRun) searchOverHTTP(ctx context.Context, dir string) (map[int]sample, error) {
	server, err := b.startRAE(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	caller := newCaller(server.URL)
	defer caller.close()
	results, imported := map[int]sample{}, 0
	for i, size := range b.scopes {
		imported += size
		stream := newSpeaker(b.seed, uint64(100+i)).lines(size)
		began := time.Now()
		if _, err := caller.do(ctx, "POST", "/v1/memories/import", stream, "X-Project-ID", projectOf(size)); err != nil {
			return nil, err
		}
		if i == len(b.scopes)-1 {
			b.part.add(rate("import, HTTP", size, size, time.Since(began)).faster(2000))
		}
	}
	if err := b.relayed(ctx, caller, imported); err != nil {
		return nil, err
	}
	for i, size := range b.scopes {
		ask := newSpeaker(b.seed, uint64(200+i))
		post := func(query string) error {
			_, err := caller.do(ctx, "POST", "/v1/search", map[string]any{"query": query}, "X-Project-ID", projectOf(size))
			return err
		}
		first, err := measure(1, func(int) error { return post(ask.query(-1)) })
		if err != nil {
			return nil, err
		}
		s, err := measure(b.searches, func(n int) error { return post(ask.query(n)) })
		if err != nil {
			return nil, err
		}
		query := ask.query(b.searches)
		if err := post(query); err != nil {
			return nil, err
		}
		again, err := measure(b.searches, func(int) error { return post(query) })
		if err != nil {
			return nil, err
		}
		results[size] = s
		unique := milliseconds(s.p50())
		b.part.add(took("search, hybrid, HTTP", size, s).within(searchGoals[size]))
		b.part.add(took("the same query again (cache)", size, again).against("unique queries", unique))
		b.part.add(took("the first search, HTTP", size, first).against("unique queries", unique))
	}
	return results, nil
}

// sentTotal finds how many events have been relayed.
var sentTotal = regexp.MustCompile(`(?m)^rae_outbox_sent_total (\S+)`)

// relayed waits until the events of the imports, one for each memory, have been relayed, so that what follows measures
// searches and not them; a minute at most.
func (b *embeddedRun) relayed(ctx context.Context, caller *caller, imported int) error {
	const longest = time.Minute
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		raw, err := caller.do(ctx, "GET", "/metrics", nil)
		if err != nil {
			return err
		}
		sent := 0.0
		if found := sentTotal.FindSubmatch(raw); found != nil {
			if sent, err = strconv.ParseFloat(string(found[1]), 64); err != nil {
				return err
			}
		}
		waited := time.Since(began)
		if sent >= float64(imported) {
			b.part.add(took("from the end of the imports until their last event is relayed", 0, sample{waited}))
			return nil
		}
		if waited > longest {
			b.part.add(figure{What: fmt.Sprintf("events of %d relayed a minute after the imports", imported), Value: sent, Unit: ofRows})
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// openEmbedded opens the engine on a data folder in this process.
func openEmbedded(dir string) (*rae.Engine, error) {
	return open(func(cfg *rae.Config) { cfg.Store.Store, cfg.Store.DataDir = database.SQLite, dir })
}

// open opens the engine in this process, with its default settings but those that are set.
func open(set func(*rae.Config)) (*rae.Engine, error) {
	cfg, err := rae.Load()
	if err != nil {
		return nil, err
	}
	set(&cfg)
	host := serve.LocalDefaults()
	rt, err := serve.NewRuntime(&host, io.Discard, slog.String("service", "bench"))
	if err != nil {
		return nil, err
	}
	return rae.Open(cfg, rt)
}

func (b *embeddedRun) searchInProcess(ctx context.Context, dir string, overHTTP map[int]sample) error {
	engine, err := openEmbedded(dir)
	if err != nil {
		return err
	}
	defer engine.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	for i, size := range b.scopes {
		ask := newSpeaker(b.seed, uint64(300+i))
		find := func(query string) error {
			_, err := engine.Search.Search(ctx, search.Request{
				Scope: memory.Scope{Tenant: tenant, Project: projectOf(size)}, Query: query, Limit: 10,
			})
			return err
		}
		load, err := measure(1, func(int) error { return find(ask.query(-1)) })
		if err != nil {
			return err
		}
		s, err := measure(b.searches, func(n int) error { return find(ask.query(n)) })
		if err != nil {
			return err
		}
		b.part.add(took("search, hybrid, in process", size, s).against("HTTP", milliseconds(overHTTP[size].p50())))
		b.part.add(took("the first search in process, index made anew", size, load))
	}
	return nil
}
