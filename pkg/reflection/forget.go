package reflection

import (
	"context"
	"fmt"
	"slices"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Writer is what forgetting needs.
type Writer interface {
	Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error
}

// Forget deletes every memory that was derived from one that has been deleted, and returns how many: each quotes its
// sources word for word, and what was deleted must not be found in a quote. What the other sources say is reflected
// upon anew with the next insight. Doing it twice does nothing more.
func (s *Service) Forget(ctx context.Context, scope memory.Scope, source memory.ID) (int, error) {
	if err := s.Store.Unmark(ctx, scope, source); err != nil {
		return 0, err
	}
	cites := func(c memory.Citation) bool { return c.MemoryID == source }
	var quoting []memory.ID
	for _, shape := range shapeOf {
		q := memory.Query{Filter: memory.Filter{Layers: []memory.Layer{shape.layer}, Tags: []string{shape.tag}, Archived: memory.WithArchived}, Limit: windowSize}
		for {
			page, err := s.Memories.List(ctx, scope, q)
			if err != nil {
				return 0, fmt.Errorf("read what was derived from %s: %w", source, err)
			}
			for i := range page.Memories {
				if slices.ContainsFunc(page.Memories[i].DerivedFrom, cites) {
					quoting = append(quoting, page.Memories[i].ID)
				}
			}
			if page.Next == "" {
				break
			}
			q.After = page.Next
		}
	}
	if len(quoting) == 0 {
		return 0, nil
	}
	gone := 0
	err := s.Writer.Write(ctx, scope, func(tx memory.Tx) error {
		gone = 0
		for _, id := range quoting {
			switch err := tx.Delete(ctx, id); {
			case err == nil:
				gone++
			case fault.KindOf(err) != fault.NotFound: // else somebody else has deleted it meanwhile
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("delete what was derived from %s: %w", source, err)
	}
	return gone, nil
}
