package postgres

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Freshness tells how far the legs see: as far as the store, for they look into nothing else.
type Freshness struct{ DB *DB }

var _ search.Freshness = Freshness{}

// CatchUp returns the number of the scope's last change.
func (f Freshness) CatchUp(ctx context.Context, scope memory.Scope) (memory.Seq, error) {
	return f.DB.Head(ctx, scope)
}
