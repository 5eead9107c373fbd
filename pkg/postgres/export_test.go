package postgres

import "context"

// Ask asks outside any transaction, on a connection of the pool.
func (d *DB) Ask(ctx context.Context, query string, into ...any) error {
	pool, err := d.opened(ctx)
	if err != nil {
		return err
	}
	return pool.QueryRow(ctx, query).Scan(into...)
}
