package inmem

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ memory.Modelled = (*DB)(nil)

// Models returns what stands.
func (d *DB) Models(ctx context.Context, scope memory.Scope) (memory.Models, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.modelsOf(scope), ctx.Err()
}

func (d *DB) modelsOf(scope memory.Scope) memory.Models {
	if m, chosen := d.models[scope]; chosen {
		return m
	}
	p := d.scopes[scope]
	if p == nil {
		return memory.Models{}
	}
	counts, seen := map[string]int{}, 0
	for _, id := range p.ids {
		if seen == memory.ModelSample {
			break
		}
		for model := range p.entries[id].vectors {
			counts[model]++
			seen++
		}
	}
	if len(counts) == 0 {
		return memory.Models{}
	}
	most := slices.MinFunc(slices.Collect(maps.Keys(counts)), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	return memory.Models{Active: most}
}

// ChooseModels keeps what do returns.
func (d *DB) ChooseModels(ctx context.Context, scope memory.Scope, do func(memory.Models) (memory.Models, error)) (chosen memory.Models, err error) {
	err = d.write(ctx, func(u *undo) error {
		stands := d.modelsOf(scope)
		if chosen, err = do(stands); err != nil {
			return err
		}
		if chosen.Active == "" {
			return fault.BadField("active", "must name a model")
		}
		if p := d.scopes[scope]; p != nil && chosen != stands {
			p.head++
			u.add(func() { p.head-- })
		}
		set(u, d.models, scope, chosen)
		return nil
	})
	return chosen, err
}

// Coverage counts memories and vectors.
func (d *DB) Coverage(ctx context.Context, scope memory.Scope, model string) (memory.Coverage, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var c memory.Coverage
	if p := d.scopes[scope]; p != nil {
		now := d.now()
		for _, e := range p.entries {
			if e.expired(now) {
				continue
			}
			c.Memories++
			if e.vectors[model] != nil {
				c.Vectors++
			}
		}
	}
	return c, ctx.Err()
}

// VectorModels tells which models there are vectors of.
func (d *DB) VectorModels(ctx context.Context, scope memory.Scope, ids []memory.ID) (map[memory.ID][]string, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	models := map[memory.ID][]string{}
	if p := d.scopes[scope]; p != nil {
		for _, id := range ids {
			if e := p.entries[id]; e != nil && !e.expired(d.now()) && len(e.vectors) > 0 {
				models[id] = slices.Sorted(maps.Keys(e.vectors))
			}
		}
	}
	return models, ctx.Err()
}

// ForgetModel removes vectors of a model nobody wants.
func (d *DB) ForgetModel(ctx context.Context, scope memory.Scope, model string, limit int) (forgotten int, err error) {
	err = d.write(ctx, func(u *undo) error {
		forgotten = 0
		if slices.Contains(d.modelsOf(scope).Wanted(), model) {
			return fault.New(fault.Conflict, "the project uses vectors of %s", model)
		}
		p := d.scopes[scope]
		if p == nil {
			return nil
		}
		for _, id := range p.ids {
			e := p.entries[id]
			if forgotten == limit {
				break
			}
			if e.vectors[model] == nil {
				continue
			}
			without := &entry{versions: slices.Clone(e.versions), vectors: maps.Clone(e.vectors)}
			delete(without.vectors, model)
			if len(without.vectors) == 0 {
				without.versions[len(without.versions)-1].Embedding = memory.EmbeddingPending
			}
			set(u, p.entries, id, without)
			forgotten++
		}
		return nil
	})
	return forgotten, err
}
