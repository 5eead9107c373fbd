package search

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
)

// space is the embedding model one search uses, from its beginning to its end.
type space struct {
	model    string // "" where nobody tells
	embedder Embedder
	err      error // why there is no embedder; the dense leg is left out
}

func (s *Service) space(ctx context.Context, scope memory.Scope) (sp space) {
	if s.Spaces == nil {
		return space{embedder: s.Embedder}
	}
	sp.model, sp.embedder, sp.err = s.Spaces.Space(ctx, scope)
	return sp
}
