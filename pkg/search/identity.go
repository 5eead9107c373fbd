package search

import (
	"cmp"
	"context"
	"slices"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

// whole is who is one with whom, of the entities a question has come by: their groups, by member.
type whole map[string][]string

// wholeOf reads the groups of the ids. Without a register everybody is alone.
func wholeOf(ctx context.Context, names knowledge.Identities, scope memory.Scope, ids []string) (whole, error) {
	w := whole{}
	if names == nil || len(ids) == 0 {
		return w, nil
	}
	groups, err := names.Groups(ctx, scope, ids)
	for _, g := range groups {
		for _, id := range g.Members {
			w[id] = g.Members
		}
	}
	return w, err
}

// canonical is the id that stands for the id.
func (w whole) canonical(id string) string {
	if members := w[id]; members != nil {
		return members[0]
	}
	return id
}

// canonicals are those that stand for the ids, each once, in their order.
func (w whole) canonicals(ids []string) []string {
	if len(w) == 0 {
		return ids
	}
	stand := make([]string, len(ids))
	for i, id := range ids {
		stand[i] = w.canonical(id)
	}
	return unique(stand)
}

// members are the ids and all that are one with one of them, each once.
func (w whole) members(ids []string) []string {
	if len(w) == 0 {
		return ids
	}
	var all []string
	for _, id := range ids {
		if group := w[id]; group != nil {
			all = append(all, group...)
		} else {
			all = append(all, id)
		}
	}
	return unique(all)
}

// mentionsAsOne tells mentions of entities that are one as of the one that stands for them. It is asked about those.
type mentionsAsOne struct {
	Mentions
	names knowledge.Identities
}

// Near tells the newest mentions of each by the ids of their memories, where more than one name brought them.
func (m mentionsAsOne) Near(ctx context.Context, q Query, entities []string, memories []memory.ID, most int) ([]Mention, error) {
	asked, err := wholeOf(ctx, m.names, q.Scope, entities)
	if err != nil {
		return nil, err
	}
	found, err := m.Mentions.Near(ctx, q, asked.members(entities), memories, most)
	if err != nil {
		return nil, err
	}
	var ids []string
	for i := range found {
		ids = append(append(ids, found[i].Entity), found[i].All...)
	}
	slices.Sort(ids)
	w, err := wholeOf(ctx, m.names, q.Scope, slices.Compact(ids))
	if err != nil || len(w) == 0 {
		return found, err
	}
	told := map[string]bool{}
	for i := range found {
		told[found[i].Entity] = true
	}
	var others []string // whom what was found in the memories is one with
	for id := range told {
		for _, member := range w[id] {
			if !told[member] && !slices.Contains(others, member) {
				others = append(others, member)
			}
		}
	}
	if len(others) > 0 && len(memories) > 0 {
		slices.Sort(others)
		more, err := m.Mentions.Near(ctx, q, others, nil, most)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return joined(found, w, most), nil
}

// joined tells the mentions as of whoever stands for each, most of each at most.
func joined(found []Mention, w whole, most int) []Mention {
	type at struct {
		entity string
		memory memory.ID
	}
	seen := map[at]bool{}
	kept := found[:0]
	for _, f := range found {
		grouped := w[f.Entity] != nil
		f.Entity = w.canonical(f.Entity)
		f.All = slices.Sorted(slices.Values(w.canonicals(f.All)))
		if here := (at{f.Entity, f.Memory}); !grouped || !seen[here] {
			seen[here] = true
			kept = append(kept, f)
		}
	}
	slices.SortStableFunc(kept, func(a, b Mention) int {
		order := cmp.Compare(a.Entity, b.Entity)
		if order == 0 && w[a.Entity] != nil {
			order = cmp.Compare(b.Memory, a.Memory)
		}
		return order
	})
	count, last := 0, ""
	return slices.DeleteFunc(kept, func(f Mention) bool {
		if f.Entity != last {
			count, last = 0, f.Entity
		}
		count++
		return count > most
	})
}

// Nodes returns those of the ids that a memory mentions by any of their names, as whoever stands for them.
func (m mentionsAsOne) Nodes(ctx context.Context, scope memory.Scope, view memory.View, ids []string) ([]Node, error) {
	w, err := wholeOf(ctx, m.names, scope, ids)
	if err != nil {
		return nil, err
	}
	nodes, err := m.Mentions.Nodes(ctx, scope, view, w.members(ids))
	if err != nil || len(w) == 0 {
		return nodes, err
	}
	nodes = w.merge(nodes)
	slices.SortFunc(nodes, func(a, b Node) int { return cmp.Compare(a.ID, b.ID) })
	return nodes, nil
}

// Entities lists each once, under the name of whoever stands for it, if a visible memory mentions that.
func (m mentionsAsOne) Entities(ctx context.Context, scope memory.Scope, view memory.View) ([]Node, error) {
	nodes, err := m.Mentions.Entities(ctx, scope, view)
	if err != nil {
		return nil, err
	}
	w, err := wholeOf(ctx, m.names, scope, nodeIDs(nodes))
	if err != nil || len(w) == 0 {
		return nodes, err
	}
	nodes = w.merge(nodes)
	slices.SortFunc(nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(b.Mentions, a.Mentions), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return nodes, nil
}

func nodeIDs(nodes []Node) []string {
	ids := make([]string, len(nodes))
	for i := range nodes {
		ids[i] = nodes[i].ID
	}
	return ids
}

// merge puts the nodes of a group together. A memory that mentions one by two names counts twice.
func (w whole) merge(nodes []Node) []Node {
	at := map[string]int{}
	var merged []Node
	for _, n := range nodes {
		own := n.ID == w.canonical(n.ID)
		n.ID = w.canonical(n.ID)
		i, known := at[n.ID]
		if !known {
			at[n.ID] = len(merged)
			merged = append(merged, n)
			continue
		}
		if own {
			merged[i].Name, merged[i].Type = n.Name, cmp.Or(n.Type, merged[i].Type)
		}
		merged[i].Type = cmp.Or(merged[i].Type, n.Type)
		merged[i].Mentions += n.Mentions
	}
	return merged
}

// factsAsOne tells facts about entities that are one as about the one that stands for them.
type factsAsOne struct {
	knowledge.Facts
	names knowledge.Identities
}

// List is that of Facts about all that are one with the entities of the query.
func (f factsAsOne) List(ctx context.Context, scope memory.Scope, q knowledge.FactQuery) (knowledge.FactPage, error) {
	asked, err := wholeOf(ctx, f.names, scope, q.Entities)
	if err != nil {
		return knowledge.FactPage{}, err
	}
	q.Entities = asked.members(q.Entities)
	q.Entities = q.Entities[:min(len(q.Entities), knowledge.MaxAsked)]
	page, err := f.Facts.List(ctx, scope, q)
	if err != nil {
		return page, err
	}
	var ids []string
	for i := range page.Facts {
		ids = append(ids, page.Facts[i].Subject.ID, page.Facts[i].Object.ID)
	}
	slices.Sort(ids)
	w, err := wholeOf(ctx, f.names, scope, slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" }))
	if err != nil || len(w) == 0 {
		return page, err
	}
	page.Facts = slices.Clone(page.Facts)
	for i := range page.Facts {
		page.Facts[i].Subject.ID, page.Facts[i].Object.ID = w.canonical(page.Facts[i].Subject.ID), w.canonical(page.Facts[i].Object.ID)
	}
	return page, nil
}

// asOne is the explorer of whom its register makes one, and who the ids are one with.
func (x Explorer) asOne(ctx context.Context, scope memory.Scope, ids []string) (Explorer, whole, error) {
	w, err := wholeOf(ctx, x.Names, scope, ids)
	if err != nil || x.Names == nil {
		return x, w, err
	}
	x.Mentions = mentionsAsOne{x.Mentions, x.Names}
	if x.Facts != nil {
		x.Facts = factsAsOne{x.Facts, x.Names}
	}
	x.Names = nil
	return x, w, nil
}

// Entities lists the entities that a visible memory mentions, most mentioned first, ties by name.
func (x Explorer) Entities(ctx context.Context, scope memory.Scope, view memory.View) ([]Node, error) {
	x, _, err := x.asOne(ctx, scope, nil)
	if err != nil {
		return nil, err
	}
	return x.Mentions.Entities(ctx, scope, view)
}
