package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// warming is how many calls come before those that are timed: statements are planned anew up to five times before a
// plan is kept, on each connection.
const warming = 24

// warm calls do so often.
func warm(do func(i int) error) error {
	_, err := measure(warming, func(i int) error { return do(-1 - i) })
	return err
}

// searching asks through HTTP, and in turns the same engine in this process, on the same database.
func (r *productionRun) searching(ctx context.Context, n int) error {
	server, err := r.serve(ctx, r.environment()...)
	if err != nil {
		return err
	}
	defer server.Kill()
	caller := newCaller(server.URL)
	defer caller.close()
	engine, err := open(func(cfg *rae.Config) {
		cfg.Store.Store, cfg.Store.PostgresURL = database.Postgres, telemetry.Secret(r.login)
	})
	if err != nil {
		return err
	}
	defer engine.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	asks := newSpeakers(r.seed, uint64(4000+n), 2)
	over := func(i int) error {
		_, err := find(ctx, caller, n, "hybrid", asks[0].query(i))
		return err
	}
	within := func(i int) error {
		_, err := engine.Search.Search(ctx, search.Request{Scope: scopeOf(n), Query: asks[1].query(i), Limit: 10})
		return err
	}
	for _, do := range []func(int) error{over, within} {
		if err := warm(do); err != nil {
			return err
		}
	}
	t, err := inTurns(ctx, r.blocks, p50s(r.calls, over), p50s(r.calls, within))
	if err != nil {
		return err
	}
	f := compared("search, hybrid, HTTP", n, inMilliseconds, t, "in process")
	switch {
	case n >= 100_000:
		f = f.atMost(1.2)
	case n >= 10_000:
		f = f.atMost(1.5)
	}
	r.part.add(f)
	return nil
}

// isolating asks the leg of words with row-level security and, in turns, without.
func (r *productionRun) isolating(ctx context.Context, n int) error {
	db, err := postgres.Open(r.login, postgres.Options{})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	leg, ask := db.Legs(r.embedder.Model()).Lexical, newSpeaker(r.seed, uint64(5000+n))
	retrieve := func(i int) error {
		_, err := leg.Retrieve(ctx, search.Query{Scope: scopeOf(n), Text: ask.query(i)}, 200)
		return err
	}
	if err := retrieve(-1); err != nil { // while it is on: no store is opened without
		return err
	}
	under := func(security string) side {
		timed := p50s(r.calls, retrieve)
		return func(block int) (float64, error) {
			if err := secure(ctx, r.owner, security); err != nil {
				return 0, err
			}
			if err := warm(retrieve); err != nil {
				return 0, err
			}
			return timed(block)
		}
	}
	defer secure(context.WithoutCancel(ctx), r.owner, "ENABLE") //nolint:errcheck // the next step would tell
	t, err := inTurns(ctx, r.blocks, under("ENABLE"), under("DISABLE"))
	if err != nil {
		return err
	}
	r.part.add(compared("full text with row-level security, in process", n, inMilliseconds, t, "without").atMost(3))
	return nil
}

// secure turns row-level security of every table that has it on or off.
func secure(ctx context.Context, owner *pgxpool.Pool, how string) error {
	_, err := owner.Exec(ctx, fmt.Sprintf(`DO $$ DECLARE t regclass; BEGIN
		FOR t IN SELECT DISTINCT polrelid FROM pg_policy LOOP EXECUTE format('ALTER TABLE %%s %s ROW LEVEL SECURITY', t); END LOOP;
	END $$`, how))
	return err
}
