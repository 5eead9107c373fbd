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
