package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rae-memory/rae/pkg/memory"
)

// OpenPooled opens the pool as the first use would, but prepares every connection before each of its transactions.
func (d *DB) OpenPooled(ctx context.Context, prepare func(context.Context, *pgx.Conn) (bool, error)) error {
	config, err := pgxpool.ParseConfig(d.url)
	if err != nil {
		return err
	}
	d.configure(config)
	config.PrepareConn = prepare
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

// Waiting returns how many writers of the scope wait for their turn.
func (d *DB) Waiting(scope memory.Scope) int {
	d.lines.mu.Lock()
	defer d.lines.mu.Unlock()
	if q := d.lines.open[scope]; q != nil {
		return q.Waiting()
	}
	return 0
}
