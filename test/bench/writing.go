package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// importing times an import without HTTP.
func (b *bench) importing(ctx context.Context) error {
	engine, err := open(filepath.Join(b.dir, "import"))
	if err != nil {
		return err
	}
	defer engine.Close(context.WithoutCancel(ctx)) //nolint:errcheck // a temporary store
	began := time.Now()
	stream := newSpeaker(b.seed, 400).lines(b.imported)
	summary, err := engine.Memories.Import(ctx, memory.Scope{Tenant: tenant, Project: "import"}, stream, memory.Why{}, nil)
	if err != nil {
		return err
	}
	b.report.rate(fmt.Sprintf("import of %d memories in process", b.imported), summary.Created, time.Since(began), 2000, "", 0)
	return nil
}

// writing times one memory at a time, by one client and by many, against a bare durable insert.
func (b *bench) writing(ctx context.Context) error {
	server, err := b.startRAE(ctx, filepath.Join(b.dir, "writes"))
	if err != nil {
		return err
	}
	defer server.Kill()
	bare, err := b.bareInsert(ctx, b.writes)
	if err != nil {
		return err
	}
	b.bare = bare
	b.report.took("bare sqlite insert of one row, durable", bare, 0, "", 0)
	caller := newCaller(server.URL)
	defer caller.close()
	store := func(say *speaker, i int) error {
		_, err := caller.do(ctx, "POST", "/v1/memories", map[string]any{"content": fmt.Sprintf("%s Number %d.", say.sentence(), i)})
		return err
	}
	one := newSpeaker(b.seed, 500)
	if err := store(one, -1); err != nil { // opens the store
		return err
	}
	single, err := measure(b.writes, func(i int) error { return store(one, i) })
	if err != nil {
		return err
	}
	b.report.took("store one memory, HTTP, 1 client", single, 0, "bare insert", bare.p50())
	samples, failures := make([]sample, b.clients), make([]error, b.clients)
	var all sync.WaitGroup
	began := time.Now()
	for client := range b.clients {
		all.Go(func() {
			say := newSpeaker(b.seed, uint64(600+client))
			samples[client], failures[client] = measure(max(b.writes/8, 4), func(i int) error { return store(say, client*100_000+i) })
		})
	}
	all.Wait()
	took := time.Since(began)
	var many sample
	for client := range b.clients {
		if failures[client] != nil {
			return failures[client]
		}
		many = append(many, samples[client]...)
	}
	b.report.took(fmt.Sprintf("store one memory, HTTP, %d clients", b.clients), many, 0, "bare insert", bare.p50())
	b.report.rate(fmt.Sprintf("memories stored by %d clients", b.clients), len(many), took, 0, "bare inserts", float64(time.Second)/float64(bare.p50()))
	return nil
}

// spending times a reservation and its settlement, one after the other.
func (b *bench) spending(ctx context.Context) error {
	server, err := b.startRAE(ctx, filepath.Join(b.dir, "budget"))
	if err != nil {
		return err
	}
	defer server.Kill()
	caller := newCaller(server.URL)
	defer caller.close()
	if _, err := caller.do(ctx, "PUT", "/v1/budgets", map[string]any{"monthly_limit": nil}); err != nil {
		return err
	}
	s, err := measure(b.writes, func(int) error {
		raw, err := caller.do(ctx, "POST", "/v1/reservations", map[string]any{"operation": "chat", "model": "gpt-4o", "max_cost": 0.01})
		if err != nil {
			return err
		}
		var made struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(raw, &made); err != nil {
			return err
		}
		_, err = caller.do(ctx, "POST", "/v1/reservations/"+made.ID+"/settle", map[string]any{"tokens_in": 100, "tokens_out": 20})
		return err
	})
	if err != nil {
		return err
	}
	b.report.took("reserve + settle, HTTP, 1 client", s, 0, "2 bare inserts", 2*b.bare.p50())
	return nil
}
