package postgres

import (
	"context"

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

// Waiting is how many wait for their turn at the books of the scope.
func (l *Ledger) Waiting(scope memory.Scope) int {
	l.lines.mu.Lock()
	defer l.lines.mu.Unlock()
	if q := l.lines.open[scope]; q != nil {
		return q.Waiting()
	}
	return 0
}

// GatherAll gathers a tail of any length.
func (d *DB) GatherAll(ctx context.Context, scope memory.Scope) (int, error) {
	return d.gather(ctx, scope, 0)
}

// Sparing returns the leg as it is in a scope so large that no term is looked at before it has to be.
func (l Lexical) Sparing() Lexical { return Lexical{DB: l.DB, few: 1} }
