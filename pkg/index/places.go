package index

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Places tells where the current versions of memories stand in their conversations, in the order of ids; nowhere for one
// that is not known.
func (s *Set) Places(ctx context.Context, of memory.Scope, ids []memory.ID) ([]search.Place, error) {
	held, release, err := s.read(ctx, of)
	if err != nil {
		return nil, err
	}
	defer release()
	places := make([]search.Place, len(ids))
	for i, id := range ids {
		if versions := held.byID[id]; len(versions) > 0 {
			if n := versions[len(versions)-1]; held.entries[n].current {
				places[i] = held.place(n)
			}
		}
	}
	return places, nil
}
