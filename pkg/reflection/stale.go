package reflection

import (
	"context"
	"fmt"
	"strings"

	"github.com/rae-memory/rae/pkg/memory"
)

// maxFind bounds the ids asked for at once.
const maxFind = 500

// markStale sets Stale on every reflection one of whose sources has gone or no longer says what was quoted. It is
// computed on reading, so it is never late. A derived memory that has itself gone makes nothing stale.
func (s *Service) markStale(ctx context.Context, scope memory.Scope, reflections []Reflection) error {
	wanted := map[memory.ID]bool{}
	for _, r := range reflections {
		for _, c := range r.Sources {
			wanted[c.MemoryID] = true
		}
		if len(r.Sources) > 0 {
			for _, id := range r.MemoryIDs {
				wanted[id] = true
			}
		}
	}
	standing, err := s.find(ctx, scope, wanted)
	if err != nil {
		return err
	}
	for i := range reflections {
		r := &reflections[i]
		r.Stale = false
		for _, c := range r.Sources {
			if source, ok := standing[c.MemoryID]; !ok || c.End > len(source.Content) {
				r.Stale = true
			}
		}
		for _, id := range r.MemoryIDs {
			derived, ok := standing[id]
			if !ok {
				continue
			}
			for _, c := range derived.DerivedFrom {
				source, ok := standing[c.MemoryID]
				if !ok || c.Start < 0 || c.Start > c.End || c.End > len(source.Content) || !strings.Contains(derived.Content, source.Content[c.Start:c.End]) {
					r.Stale = true
				}
			}
		}
	}
	return nil
}

// find reads memories in portions.
func (s *Service) find(ctx context.Context, scope memory.Scope, wanted map[memory.ID]bool) (map[memory.ID]memory.Memory, error) {
	standing := make(map[memory.ID]memory.Memory, len(wanted))
	ids := make([]memory.ID, 0, maxFind)
	flush := func() error {
		if len(ids) == 0 {
			return nil
		}
		memories, err := s.Memories.Find(ctx, scope, ids, memory.View{})
		if err != nil {
			return fmt.Errorf("find the sources of reflections: %w", err)
		}
		for _, m := range memories {
			standing[m.ID] = m
		}
		ids = ids[:0]
		return nil
	}
	for id := range wanted {
		if ids = append(ids, id); len(ids) == maxFind {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	return standing, flush()
}
