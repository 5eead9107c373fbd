package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rae-memory/rae/pkg/memory"
)

// Ask asks outside any transaction, on a connection of the pool.
func (d *DB) Ask(ctx context.Context, query string, into ...any) error {
	pool, err := d.opened(ctx)
	if err != nil {
		return err
	}
	return pool.QueryRow(ctx, query).Scan(into...)
}

// OpenWith opens the pool as the first use would, with a configuration that set has changed.
func (d *DB) OpenWith(ctx context.Context, set func(*pgxpool.Config)) error {
	config, err := pgxpool.ParseConfig(d.url)
	if err != nil {
		return err
	}
	d.configure(config)
	set(config)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	if err := d.check(ctx, pool); err != nil {
		pool.Close()
		return err
	}
	d.pool.Store(pool)
	return nil
}

// Connected returns how many connections have been opened in all.
func (d *DB) Connected() int64 {
	if p := d.pool.Load(); p != nil {
		return p.Stat().NewConnsCount()
	}
	return 0
}

// Waiting returns how many writers of the scope's memories wait for their turn.
func (d *DB) Waiting(scope memory.Scope) int { return d.lines.Waiting(scope) }

// Waiting is how many wait for their turn at the books of the tenant.
func (l *Ledger) Waiting(tenant string) int { return l.lines.Waiting(memory.Scope{Tenant: tenant}) }

// GatherAll gathers a tail of any length.
func (d *DB) GatherAll(ctx context.Context, scope memory.Scope) (int, error) {
	return d.gather(ctx, scope, 0)
}

// Sparing returns the leg as it is in a scope so large that no term is looked at before it has to be.
func (l Lexical) Sparing() Lexical { return Lexical{DB: l.DB, few: 1} }

// GatherSlice gathers one slice of the tail and returns how many changes it covered.
func (d *DB) GatherSlice(ctx context.Context, scope memory.Scope) (covered int, err error) {
	err = d.write(ctx, scope, func(g *group) error {
		if err := g.entered(); err != nil {
			return err
		}
		before := g.next.gathered
		err := g.gatherSlice()
		covered = int(g.next.gathered - before)
		return err
	})
	return covered, err
}

// Look is what every part of a search does its work by.
func (d *DB) Look(ctx context.Context, scope memory.Scope, do func(ask func(query string) error) error) error {
	return d.look(ctx, scope, func(s *session) error {
		return do(func(query string) error {
			return s.rows(query, nil, func(pgx.Rows) error { return nil })
		})
	})
}

// MigrateTo brings the database to the schema of the version.
func MigrateTo(ctx context.Context, url string, version int64) error {
	_, err := migrateTo(ctx, url, version)
	return err
}

// Outdated finds the tenant's books changed, once they are open, and calls meanwhile when the database has said so.
func (l *Ledger) Outdated(ctx context.Context, tenant string, meanwhile func()) error {
	return l.changeTenant(ctx, tenant, func(b *books) error {
		b.exec(`SELECT rae_outdated()`)
		err := l.failed(ctx, "look at the books", memory.Scope{Tenant: tenant}, b.flush())
		meanwhile()
		return err
	})
}
