package index

import (
	"cmp"
	"context"
	"slices"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/search"
)

// graph links the entities that memories name. Two entities are related when a memory names both; that memory is the
// evidence.
type graph struct {
	byID  map[string]uint32
	nodes []node
}

type node struct {
	id        string     // relevance.EntityID
	mentions  []uint32   // entries, versions included
	spelt     []uint32   // how each of them spells it: an index of spellings
	spellings []spelling // each once
}

// spelling is how a memory writes an entity's name, and of what type it says it is.
type spelling struct{ name, kind string }

func newGraph() graph { return graph{byID: map[string]uint32{}} }

// mention notes that entry n of the scope names the entities and returns their nodes.
func (g *graph) mention(of memory.Scope, entities []relevance.Entity, n uint32) []uint32 {
	var mentioned []uint32
	for _, entity := range entities {
		id := relevance.EntityID(of, entity.Key)
		at, known := g.byID[id]
		if !known {
			at = uint32(len(g.nodes))
			g.byID[id] = at
			g.nodes = append(g.nodes, node{id: id})
		}
		mentioned = append(mentioned, at)
		g.nodes[at].mention(n, spelling{entity.Name, entity.Type})
	}
	return mentioned
}

func (n *node) mention(entry uint32, as spelling) {
	spelt := slices.Index(n.spellings, as)
	if spelt < 0 {
		spelt = len(n.spellings)
		n.spellings = append(n.spellings, as)
	}
	n.mentions, n.spelt = append(n.mentions, entry), append(n.spelt, uint32(spelt))
}

// Graph tells which memories mention which entities.
type Graph struct{ Set *Set }

var _ search.Mentions = Graph{}

// Near implements search.Mentions.
func (g Graph) Near(ctx context.Context, q search.Query, entities []string, memories []memory.ID, most int) ([]search.Mention, error) {
	s, release, err := g.Set.read(ctx, q.Scope)
	if err != nil {
		return nil, err
	}
	defer release()
	lens := s.lens(&q, g.Set.now())
	ids := slices.Clone(entities)
	for _, id := range memories {
		for _, n := range s.byID[id] {
			if e := &s.entries[n]; lens.shows(e) {
				ids = append(ids, s.mentioned(e)...)
			}
		}
	}
	slices.Sort(ids)
	var near []search.Mention
	for _, id := range slices.Compact(ids) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		at, known := s.graph.byID[id]
		if !known {
			continue
		}
		taken, scanned := 0, 0
		for _, n := range slices.Backward(s.graph.nodes[at].mentions) {
			e := &s.entries[n]
			if e.removed {
				continue
			}
			if scanned++; taken == most || scanned > search.MaxScanned {
				break
			}
			if lens.shows(e) {
				taken++
				near = append(near, search.Mention{Entity: id, Memory: e.id, All: s.mentioned(e)})
			}
		}
	}
	return near, nil
}

// mentioned are the ids of an entry's entities, in their order.
func (s *scope) mentioned(e *entry) []string {
	ids := make([]string, len(e.entities))
	for i, at := range e.entities {
		ids[i] = s.graph.nodes[at].id
	}
	slices.Sort(ids)
	return ids
}

// Places implements search.Mentions.
func (g Graph) Places(ctx context.Context, q search.Query, ids []memory.ID) ([]search.Hit, error) {
	s, release, err := g.Set.read(ctx, q.Scope)
	if err != nil {
		return nil, err
	}
	defer release()
	lens := s.lens(&q, g.Set.now())
	var hits []search.Hit
	for _, id := range ids {
		for _, n := range s.byID[id] {
			if lens.shows(&s.entries[n]) {
				hits = append(hits, search.Hit{ID: id, Place: s.place(n)})
			}
		}
	}
	slices.SortFunc(hits, func(a, b search.Hit) int { return cmp.Compare(a.ID, b.ID) })
	return hits, nil
}

// Nodes implements search.Mentions.
func (g Graph) Nodes(ctx context.Context, scope memory.Scope, view memory.View, ids []string) ([]search.Node, error) {
	s, release, err := g.Set.read(ctx, scope)
	if err != nil {
		return nil, err
	}
	defer release()
	ids = slices.Clone(ids)
	slices.Sort(ids)
	lens := s.lens(&search.Query{Scope: scope, View: view}, g.Set.now())
	var nodes []search.Node
	for _, id := range slices.Compact(ids) {
		if at, known := s.graph.byID[id]; known {
			if n := s.node(at, lens); n.Mentions > 0 {
				nodes = append(nodes, n)
			}
		}
	}
	return nodes, nil
}

// Entities implements search.Mentions.
func (g Graph) Entities(ctx context.Context, scope memory.Scope, view memory.View) ([]search.Node, error) {
	s, release, err := g.Set.read(ctx, scope)
	if err != nil {
		return nil, err
	}
	defer release()
	lens := s.lens(&search.Query{Scope: scope, View: view}, g.Set.now())
	var nodes []search.Node
	for at := range s.graph.nodes {
		if n := s.node(uint32(at), lens); n.Mentions > 0 {
			nodes = append(nodes, n)
		}
	}
	slices.SortFunc(nodes, func(a, b search.Node) int {
		return cmp.Or(cmp.Compare(b.Mentions, a.Mentions), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return nodes, nil
}

// node is the entity as visible memories tell of it: the first of them its name, the first that knows it its type.
func (s *scope) node(at uint32, lens *lens) search.Node {
	n := &s.graph.nodes[at]
	told := search.Node{ID: n.id}
	var named, typed *entry
	for i, m := range n.mentions {
		e := &s.entries[m]
		if !lens.shows(e) {
			continue
		}
		told.Mentions++
		as := &n.spellings[n.spelt[i]]
		if named == nil || earlier(e, named) < 0 {
			named, told.Name = e, as.name
		}
		if as.kind != "" && (typed == nil || earlier(e, typed) < 0) {
			typed, told.Type = e, as.kind
		}
	}
	return told
}

// earlier orders versions by when they were recorded, ties by id.
func earlier(a, b *entry) int {
	return cmp.Or(cmp.Compare(a.recorded.from, b.recorded.from), cmp.Compare(a.id, b.id))
}
