package postgres

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Legs are all parts of a search that this database answers itself. A process that begins has nothing to load.
type Legs struct {
	Lexical       Lexical
	Dense         Dense
	Graph         search.Linked
	Mentions      Graph
	Neighbourhood Neighbourhood
	Freshness     Freshness
	Reranker      Reranker
}

// Legs returns the parts of a search, the dense one over the vectors of the model.
func (d *DB) Legs(model string) Legs {
	return Legs{Lexical{DB: d}, Dense{DB: d, Model: model}, search.Linked{Mentions: Graph{d}, Names: NewRegister(d)}, Graph{d}, Neighbourhood{d}, Freshness{d}, Reranker{d}}
}

// Freshness tells how far the legs see: as far as the store, for they look into nothing else.
type Freshness struct{ DB *DB }

var _ search.Freshness = Freshness{}

// CatchUp returns the number of the scope's last change.
func (f Freshness) CatchUp(ctx context.Context, scope memory.Scope) (memory.Seq, error) {
	return f.DB.Head(ctx, scope)
}
