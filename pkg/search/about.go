package search

import (
	"cmp"
	"context"
	"slices"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

// About is what is told of an entity.
type About struct {
	Facts     []knowledge.Fact // true at the time that was asked for, by relation and id
	Former    []knowledge.Fact // true before and no longer, what ended last first
	Truncated bool             // there are more of either
}

// MaxAbout is how many facts of each kind are told of an entity.
const MaxAbout = 200

// About tells the facts the entity is subject or object of: those of view.AsOf, or of now, and what was so before.
func (x Explorer) About(ctx context.Context, scope memory.Scope, view memory.View, id string) (About, error) {
	about := About{Facts: []knowledge.Fact{}, Former: []knowledge.Fact{}}
	if x.Facts == nil {
		return about, nil
	}
	x, one, err := x.asOne(ctx, scope, []string{id})
	if err != nil {
		return about, err
	}
	at := x.now()
	if view.AsOf != nil {
		at = *view.AsOf
	}
	q := knowledge.FactQuery{View: memory.View{KnownAt: view.KnownAt}, Entities: []string{one.canonical(id)}, Limit: factsPerQuery}
	for read := 0; ; {
		page, err := x.Facts.List(ctx, scope, q)
		if err != nil {
			return About{}, err
		}
		for _, f := range page.Facts {
			switch {
			case f.TrueAt(at):
				about.Facts = append(about.Facts, f)
			case f.ValidTo != nil && !at.Before(*f.ValidTo):
				about.Former = append(about.Former, f)
			}
		}
		if read += len(page.Facts); page.Next == "" || read >= mostFacts {
			about.Truncated = page.Next != ""
			break
		}
		q.After = page.Next
	}
	slices.SortFunc(about.Facts, func(a, b knowledge.Fact) int {
		return cmp.Or(cmp.Compare(a.Relation, b.Relation), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(about.Former, func(a, b knowledge.Fact) int {
		return cmp.Or(b.ValidTo.Compare(*a.ValidTo), cmp.Compare(a.Relation, b.Relation), cmp.Compare(a.ID, b.ID))
	})
	for _, facts := range []*[]knowledge.Fact{&about.Facts, &about.Former} {
		if len(*facts) > MaxAbout {
			*facts, about.Truncated = (*facts)[:MaxAbout], true
		}
	}
	return about, nil
}
