package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
)

const (
	observed        = 1000 // memories of the tenant whose searches are timed
	tenantsMemories = 3    // of each other one
	tenantWriters   = 8
)

// crowding times searches of one tenant that has a database for itself, in turns with the same in a database that it
// shares with thousands of others.
func (r *productionRun) crowding(ctx context.Context) error {
	var sides [2]side
	var indexes [2]float64
	for i, others := range []int{r.tenants, 0} {
		login, owner, err := r.database(ctx, fmt.Sprintf("tenants_%d", others))
		if err != nil {
			return err
		}
		defer owner.Close()
		if err := r.populate(ctx, login, others); err != nil {
			return err
		}
		// Nobody hears of what the others wrote: their reflections would be timed, and not the search beside them.
		if _, err := owner.Exec(ctx, `TRUNCATE outbox`); err != nil {
			return err
		}
		server, err := r.serve(ctx, "RAE_STORE=postgres", "RAE_POSTGRES_URL="+login)
		if err != nil {
			return err
		}
		defer server.Kill()
		caller := newCaller(server.URL)
		defer caller.close()
		if indexes[i], err = r.observe(ctx, caller, owner); err != nil {
			return err
		}
		ask := newSpeaker(r.seed, uint64(9000+i))
		search := func(i int) error { _, err := find(ctx, caller, observed, "hybrid", ask.query(i)); return err }
		if err := warm(search); err != nil {
			return err
		}
		sides[i] = p95s(r.searches, search)
	}
	t, err := inTurns(ctx, r.blocks, sides[0], sides[1])
	if err != nil {
		return err
	}
	r.part.add(figure{What: fmt.Sprintf("indexes in a database of %d tenants", r.tenants+1), Value: indexes[0], Unit: "indexes"}.against("of one tenant", indexes[1]).atMost(1))
	r.part.add(compared(fmt.Sprintf("p95 of search, hybrid, HTTP, beside %d tenants", r.tenants), observed, inMilliseconds, t, "p95 alone").atMost(1.5))
	return nil
}

// populate stores a few memories of each of so many tenants, through the adapter.
func (r *productionRun) populate(ctx context.Context, login string, tenants int) error {
	db, err := postgres.Open(login, postgres.Options{Connections: tenantWriters})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // what was written is in the database
	var next atomic.Int64
	failures := make([]error, tenantWriters)
	var writers sync.WaitGroup
	for w := range tenantWriters {
		writers.Go(func() {
			say := newSpeaker(r.seed, uint64(9100+w))
			for n := next.Add(1); n <= int64(tenants) && failures[w] == nil; n = next.Add(1) {
				failures[w] = r.found(ctx, db, memory.Scope{Tenant: fmt.Sprint("tenant-", n), Project: "default"}, say)
			}
		})
	}
	writers.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// found writes the first memories of a scope.
func (r *productionRun) found(ctx context.Context, db *postgres.DB, scope memory.Scope, say *speaker) error {
	contents := make([]string, tenantsMemories)
	for i := range contents {
		contents[i] = say.sentence()
	}
	vectors, err := r.embedder.EmbedDocuments(ctx, contents)
	if err != nil {
		return err
	}
	return db.Write(ctx, scope, func(tx memory.Tx) error {
		for i, content := range contents {
			vector := memory.Vector{Model: r.embedder.Model(), Values: vectors[i]}
			if _, _, err := tx.Put(ctx, memory.Memory{Content: content}, memory.Why{}, vector); err != nil {
				return err
			}
		}
		return nil
	})
}

// observe imports the memories of the tenant whose searches are timed, and counts the database's indexes.
func (r *productionRun) observe(ctx context.Context, caller *caller, owner *pgxpool.Pool) (indexes float64, err error) {
	blocks, err := r.told(observed)
	if err != nil {
		return 0, err
	}
	for _, b := range blocks {
		if _, err := caller.do(ctx, "POST", "/v1/memories/import", bytes.NewReader(b.stream), "X-Project-ID", projectOf(observed)); err != nil {
			return 0, err
		}
	}
	if err := settle(ctx, owner); err != nil {
		return 0, err
	}
	err = owner.QueryRow(ctx, `SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'`).Scan(&indexes)
	return indexes, err
}
