package postgres

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
)

// GatherAll gathers a tail of any length.
func (d *DB) GatherAll(ctx context.Context, scope memory.Scope) (int, error) {
	return d.gather(ctx, scope, 0)
}
