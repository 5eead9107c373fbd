package qdrant

import (
	"context"
	"fmt"
	"slices"

	"github.com/rae-memory/rae/pkg/memory"
)

// Comparison is what the store and Qdrant hold of one scope. Differences count only as far as the projection says it has
// come: what is Behind is not wrong, only late.
type Comparison struct {
	Scope   memory.Scope `json:"scope"`
	Stored  int          `json:"stored"`  // current memories with a vector in the store
	Indexed int          `json:"indexed"` // points in Qdrant
	Missing int          `json:"missing"` // stored and not indexed
	Stale   int          `json:"stale"`   // indexed as they were before, or with another vector
	Orphans int          `json:"orphans"` // indexed and not stored
	Behind  int64        `json:"behind"`  // changes the projection has not come to
	Samples []memory.ID  `json:"samples"` // some that differ, at most ten
}

// Drifted reports whether anything is wrong.
func (c *Comparison) Drifted() bool { return c.Missing+c.Stale+c.Orphans > 0 }

const maxSamples = 10

func (c *Comparison) sample(id memory.ID) {
	if len(c.Samples) < maxSamples && !slices.Contains(c.Samples, id) {
		c.Samples = append(c.Samples, id)
	}
}

// Verify compares both sides, memory by memory and vector by vector, of one tenant or of all (""), and tells one
// Comparison per scope, those only Qdrant has included. It changes nothing, works while others write, and holds one
// page of each side at a time.
func (p *Projector) Verify(ctx context.Context, tenant string, told func(Comparison) error) error {
	generation, err := p.Index.look(ctx)
	if err != nil {
		return away(err)
	}
	err = p.each(ctx, tenant, func(scope memory.Scope) error {
		c, err := p.compare(ctx, scope, generation)
		if err != nil {
			return err
		}
		return told(c)
	})
	if err != nil {
		return err
	}
	return p.strays(ctx, tenant, func(scope memory.Scope, points int) error {
		return told(Comparison{Scope: scope, Indexed: points, Orphans: points})
	})
}

// Repair makes right what Verify found wrong with a scope.
func (p *Projector) Repair(ctx context.Context, c Comparison) error {
	head, err := p.Feed.Head(ctx, c.Scope)
	if err != nil {
		return fmt.Errorf("read head of %s: %w", c.Scope, err)
	}
	if head == 0 {
		return away(p.Index.Tenant(c.Scope).drop(ctx))
	}
	return p.RebuildScope(ctx, c.Scope, func(memory.Seq, memory.Seq) {})
}

func (p *Projector) compare(ctx context.Context, scope memory.Scope, generation string) (Comparison, error) {
	c := Comparison{Scope: scope}
	mark, err := p.Marks.Projected(ctx, scope, p.Index.projection(generation))
	if err != nil {
		return c, fmt.Errorf("read watermark of %s: %w", scope, err)
	}
	if err := p.compareStored(ctx, &c, generation, mark); err != nil {
		return c, err
	}
	if err := p.compareIndexed(ctx, &c, mark); err != nil {
		return c, err
	}
	head, err := p.Feed.Head(ctx, scope)
	if err != nil {
		return c, fmt.Errorf("read head of %s: %w", scope, err)
	}
	c.Behind = max(0, int64(head-mark))
	return c, nil
}

// compareStored looks in Qdrant for everything the feed tells up to the mark.
func (p *Projector) compareStored(ctx context.Context, c *Comparison, generation string, mark memory.Seq) error {
	for after := memory.Seq(0); ; {
		changes, err := p.Feed.Changes(ctx, c.Scope, p.Model, after, projectPage)
		if err != nil {
			return fmt.Errorf("follow %s from %d: %w", c.Scope, after, err)
		}
		var expected []*memory.Change
		for i := range changes {
			if one := &changes[i]; current(one) && len(one.Vector) == p.Index.dimensions {
				c.Stored++
				if one.Seq <= mark {
					expected = append(expected, one)
				}
			}
		}
		if err := p.look(ctx, c, generation, expected); err != nil {
			return err
		}
		if len(changes) < projectPage {
			return nil
		}
		after = changes[len(changes)-1].Seq
	}
}

// look compares memories as the feed told them with their points.
func (p *Projector) look(ctx context.Context, c *Comparison, generation string, expected []*memory.Change) error {
	if len(expected) == 0 {
		return nil
	}
	ids := make([]memory.ID, len(expected))
	for i, e := range expected {
		ids[i] = e.Version.ID
	}
	points, err := p.Index.Tenant(c.Scope).get(ctx, ids)
	if err != nil {
		return away(err)
	}
	var suspects []*memory.Change
	for _, e := range expected {
		if point, there := points[e.Version.ID]; !there || !point.tells(generation, e) {
			suspects = append(suspects, e)
		}
	}
	standing, err := p.standing(ctx, c.Scope, suspects)
	if err != nil {
		return err
	}
	for _, e := range suspects {
		if m, there := standing[e.Version.ID]; !there || m.Version != e.Version.Memory.Version {
			continue // it has changed since the feed was read
		}
		c.sample(e.Version.ID)
		if _, there := points[e.Version.ID]; there {
			c.Stale++
		} else {
			c.Missing++
		}
	}
	return nil
}

// tells reports whether the point is the change's, or a later one's.
func (k *kept) tells(generation string, c *memory.Change) bool {
	if k.generation != generation || k.seq < c.Seq {
		return false
	}
	const same = .999 // Qdrant keeps vectors at length 1, and may keep them less precisely
	return k.seq > c.Seq || len(k.vector) == len(c.Vector) && cosine(k.vector, c.Vector) >= same
}

func (p *Projector) standing(ctx context.Context, scope memory.Scope, changes []*memory.Change) (map[memory.ID]memory.Memory, error) {
	ids := make([]memory.ID, len(changes))
	for i, c := range changes {
		ids[i] = c.Version.ID
	}
	return p.find(ctx, scope, ids)
}

func (p *Projector) find(ctx context.Context, scope memory.Scope, ids []memory.ID) (map[memory.ID]memory.Memory, error) {
	found := map[memory.ID]memory.Memory{}
	if len(ids) == 0 {
		return found, nil
	}
	memories, err := p.Memories.Find(ctx, scope, ids, memory.View{})
	if err != nil {
		return nil, fmt.Errorf("read %d memories of %s: %w", len(ids), scope, err)
	}
	for _, m := range memories {
		found[m.ID] = m
	}
	return found, nil
}

// compareIndexed looks in the store for everything Qdrant holds of the scope. Something deleted that the projection has
// not come to yet is no orphan, so only where it is at the head can there be any.
func (p *Projector) compareIndexed(ctx context.Context, c *Comparison, mark memory.Seq) error {
	to := p.Index.Tenant(c.Scope)
	return to.scroll(ctx, func(page []kept) error {
		c.Indexed += len(page)
		now := p.now().UnixMicro()
		var ids []memory.ID
		for i := range page {
			if page[i].misplaced {
				c.Orphans++
				c.sample(page[i].id)
			} else if page[i].expires > now { // what has expired is in no answer, and goes when it is swept
				ids = append(ids, page[i].id)
			}
		}
		found, err := p.find(ctx, c.Scope, ids)
		if err != nil {
			return err
		}
		gone := slices.DeleteFunc(ids, func(id memory.ID) bool { _, there := found[id]; return there })
		if len(gone) == 0 {
			return nil
		}
		head, err := p.Feed.Head(ctx, c.Scope)
		if err != nil || head != mark {
			return err
		}
		still, err := to.get(ctx, gone)
		if err != nil {
			return away(err)
		}
		for id := range still {
			c.Orphans++
			c.sample(id)
		}
		return nil
	})
}

// Drifted verifies and returns the scopes where something is wrong; told hears of every scope, what it has on both sides
// and how far behind it is.
func (p *Projector) Drifted(ctx context.Context, tenant string, told func(stored, indexed int, behind int64)) ([]Comparison, error) {
	var drifted []Comparison
	err := p.Verify(ctx, tenant, func(c Comparison) error {
		told(c.Stored, c.Indexed, c.Behind)
		if c.Drifted() {
			drifted = append(drifted, c)
		}
		return nil
	})
	return drifted, err
}
