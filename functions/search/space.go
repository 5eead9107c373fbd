package search

import (
	"context"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// space fills search.Spaces: the active model of the scope, or the one before while this process still reads the vectors
// of the active one.
type space struct {
	spaces  *embed.Spaces
	holding func(scope memory.Scope, wanted string) string
}

var (
	_ search.Spaces = space{}
	_ search.Closer = (*embed.Static)(nil)
)

func (s space) Space(ctx context.Context, scope memory.Scope) (string, search.Embedder, error) {
	models, err := s.spaces.Models(ctx, scope)
	if err != nil {
		return "", nil, err
	}
	e, err := s.spaces.Resolve(s.holding(scope, models.Active))
	if err != nil {
		return models.Active, nil, err
	}
	return e.Model(), e, nil
}
