package reflection

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// How importance fades: see fading. Each layer has its own half-life, unless the project's policies have another. A change smaller than the step is not written: a memory fades in a handful
// of versions, not in one a day.
const (
	decayStep  = 0.05
	decaySlice = 100  // memories looked at per transaction
	decayPart  = 20   // slices per claim
	decayNamed = 1000 // lowered memories a reflection names
)

const decayReason = "decay"

// halfLife is how fast a layer fades by itself; 0 is never.
func halfLife(l memory.Layer) time.Duration {
	switch l {
	case memory.Sensory:
		return oneDay
	case memory.Working:
		return 3 * oneDay
	case memory.Episodic:
		return 14 * oneDay
	case memory.Semantic:
		return 70 * oneDay
	case memory.LongTerm:
		return 365 * oneDay
	}
	return 0
}

// of is the importance that remains of one told at the given age.
func (f fading) of(importance float64, age time.Duration) float64 {
	if f.half == 0 || age <= f.half || importance <= f.floor {
		return importance
	}
	return f.floor + (importance-f.floor)*math.Exp2(-float64(age-f.half)/float64(f.half))
}

// decay lowers the importance of memories nobody has touched for long, in slices. What a memory fades to follows from
// what was last told of it and how long ago, never from how often decay ran: a slice done twice changes nothing.
func (s *Service) decay(ctx context.Context, scope memory.Scope, r *Reflection) (found, error) {
	if s.Keeper == nil {
		return found{}, fault.New(fault.Unsupported, "decay is switched off")
	}
	policies, err := s.Store.Policies(ctx, scope)
	if err != nil {
		return found{}, fmt.Errorf("read how %s fades: %w", scope, err)
	}
	var f found
	after := memory.ID(r.Cursor)
	for range decayPart {
		page, err := s.Memories.List(ctx, scope, memory.Query{Filter: r.window(), After: after, Limit: decaySlice})
		if err != nil {
			return found{}, fmt.Errorf("read memories to decay: %w", err)
		}
		lowered, err := s.lower(ctx, scope, &policies, page.Memories)
		if err != nil {
			return found{}, err
		}
		room := max(0, decayNamed-len(r.MemoryIDs)-len(f.ids))
		if len(lowered) > room {
			f.degraded = union(f.degraded, []string{"memory_ids"}) // more were lowered than are named
		}
		f.ids = append(f.ids, lowered[:min(room, len(lowered))]...)
		if page.Next == "" {
			return f, nil
		}
		after = page.Next
	}
	f.cursor = string(after)
	return f, nil
}

// lower writes the next version of those memories whose importance has moved by at least a step, in one transaction: it
// fades, and use moves it either way.
func (s *Service) lower(ctx context.Context, scope memory.Scope, policies *Policies, memories []memory.Memory) ([]memory.ID, error) {
	now := s.now()
	due := map[memory.ID]memory.Memory{}
	uses, err := s.usesOf(ctx, scope, memories)
	if err != nil {
		return nil, err
	}
	var ids []memory.ID
	for _, m := range memories {
		fading := policies.of(m.Layer).fading()
		use, used := uses[m.ID]
		untouched := fading.half == 0 || now.Sub(m.CreatedAt) <= fading.half || m.Importance-decayStep < fading.floor
		if !toldBySomebody(&m) || !used && untouched {
			continue
		}
		told, err := s.lastTold(ctx, scope, m.ID)
		if fault.KindOf(err) == fault.NotFound {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		target := importanceOf(&told, m.Importance, use, fading, now).Target
		if moved := m.Importance - target; moved < decayStep && (!used || moved > -decayStep) {
			continue
		}
		m.Importance = target
		due[m.ID] = m
		ids = append(ids, m.ID)
	}
	if len(due) == 0 {
		return nil, nil
	}
	var written []memory.ID
	err = s.Keeper.Write(ctx, scope, func(tx memory.Tx) error {
		written = written[:0]
		for _, id := range ids {
			standing, err := tx.Get(ctx, id)
			if fault.KindOf(err) == fault.NotFound || err == nil && standing.Version != due[id].Version {
				continue // deleted or told anew meanwhile: the next run sees it as it is then
			}
			if err != nil {
				return err
			}
			standing.Importance = due[id].Importance
			if _, err := tx.Replace(ctx, standing, memory.Why{Actor: "reflect", Reason: decayReason}); err != nil {
				return err
			}
			written = append(written, id)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("change the importance of %s: %w", plural(len(ids), "memory"), err)
	}
	return slices.Clone(written), nil
}

// lastTold is the newest version that decay did not write.
func (s *Service) lastTold(ctx context.Context, scope memory.Scope, id memory.ID) (memory.Version, error) {
	versions, err := s.Keeper.History(ctx, scope, id)
	if err != nil {
		return memory.Version{}, fmt.Errorf("read the history of %s: %w", id, err)
	}
	return toldLast(versions), nil
}

// toldLast is the newest version that decay did not write, of versions from the newest.
func toldLast(versions []memory.Version) memory.Version {
	for _, v := range versions {
		if v.Reason != decayReason {
			return v
		}
	}
	return versions[len(versions)-1]
}

// usesOf is how the memories are used, as far as that is known.
func (s *Service) usesOf(ctx context.Context, scope memory.Scope, memories []memory.Memory) (map[memory.ID]memory.Use, error) {
	if s.Uses == nil || len(memories) == 0 {
		return nil, nil
	}
	ids := make([]memory.ID, len(memories))
	for i := range memories {
		ids[i] = memories[i].ID
	}
	uses, err := s.Uses.Use(ctx, scope, ids)
	if err != nil {
		return nil, fmt.Errorf("read how memories are used: %w", err)
	}
	return uses, nil
}
