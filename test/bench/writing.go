package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// importing times an import without HTTP.
func (b *embeddedRun) importing(ctx context.Context) error {
	engine, err := openEmbedded(filepath.Join(b.dir, "import"))
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
	b.part.add(rate("import, in process", b.imported, summary.Created, time.Since(began)).faster(2000))
	return nil
}

// writing times one memory at a time, by one client and by many, against a bare durable insert.
func (b *embeddedRun) writing(ctx context.Context) error {
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
	b.part.add(took("bare sqlite insert of one row, durable", 0, bare))
	insert := milliseconds(bare.p50())
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
	b.part.add(took("store one memory, HTTP, 1 client", 0, single).against("bare insert", insert))
	speakers := newSpeakers(b.seed, 600, b.clients)
	many, spent, err := crowd(b.clients, max(b.writes/8, 4), func(client, i int) error { return store(speakers[client], client*100_000+i) })
	if err != nil {
		return err
	}
	b.part.add(took(fmt.Sprintf("store one memory, HTTP, %d clients", b.clients), 0, many).against("bare insert", insert))
	b.part.add(rate(fmt.Sprintf("memories stored by %d clients", b.clients), 0, len(many), spent).against("bare inserts", 1000/insert))
	return nil
}

// spending times a reservation and its settlement, one after the other.
func (b *embeddedRun) spending(ctx context.Context) error {
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
	b.part.add(took("reserve + settle, HTTP, 1 client", 0, s).against("2 bare inserts", 2*milliseconds(b.bare.p50())))
	return nil
}
