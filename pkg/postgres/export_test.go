package postgres

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
)

// GatherAll gathers a tail of any length.
func (d *DB) GatherAll(ctx context.Context, scope memory.Scope) (int, error) {
	return d.gather(ctx, scope, 0)
}

// Sparing returns the leg as it is in a scope so large that no term is looked at before it has to be.
func (l Lexical) Sparing() Lexical { return Lexical{DB: l.DB, few: 1} }
