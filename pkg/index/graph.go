package index

import (
	"cmp"
	"context"
	"slices"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/search"
)

// graph links the entities that memories name. Two entities are related when a memory names both; that memory is the
// evidence.
type graph struct {
	byKey map[string]uint32
	nodes []node
}

type node struct {
	key       string     // relevance.EntityKey
	mentions  []uint32   // entries, versions included
	spelt     []uint32   // how each of them spells it: an index of spellings
	spellings []spelling // each once
}

// spelling is how a memory writes an entity's name, and of what type it says it is.
type spelling struct{ name, kind string }

func newGraph() graph { return graph{byKey: map[string]uint32{}} }

// mention notes that entry n names the entities and returns their nodes.
func (g *graph) mention(entities []relevance.Entity, n uint32) []uint32 {
	var mentioned []uint32
	for _, entity := range entities {
		id, known := g.byKey[entity.Key]
		if !known {
			id = uint32(len(g.nodes))
			g.byKey[entity.Key] = id
			g.nodes = append(g.nodes, node{key: entity.Key})
		}
		mentioned = append(mentioned, id)
		g.nodes[id].mention(n, spelling{entity.Name, entity.Type})
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

// Graph answers by entities: which the query names, which memories mention them, and what else those mention.
type Graph struct{ Set *Set }

// Name returns "graph".
func (Graph) Name() string { return "graph" }

// secondHop is what a memory earns for naming an entity that only stands beside one the query names.
const secondHop = .3

// Retrieve returns the memories that mention an entity of the query (score: the share of the query's entities they
// mention) and, behind them, those that mention an entity related to one.
func (g Graph) Retrieve(ctx context.Context, q search.Query, depth int) ([]search.Hit, error) {
	s, release, err := g.Set.read(ctx, q.Scope)
	if err != nil {
		return nil, err
	}
	defer release()
	seeds := s.graph.namedIn(q.Text)
	if len(seeds) == 0 {
		return nil, nil
	}
	lens := s.lens(&q, g.Set.now())
	scores := map[uint32]float64{}
	related := map[uint32]bool{}
	for _, seed := range seeds {
		for _, n := range s.graph.nodes[seed].mentions {
			if !lens.shows(&s.entries[n]) {
				continue
			}
			scores[n] += 1 / float64(len(seeds))
			for _, other := range s.entries[n].entities {
				if !slices.Contains(seeds, other) {
					related[other] = true
				}
			}
		}
	}
	for other := range related {
		for _, n := range s.graph.nodes[other].mentions {
			if _, direct := scores[n]; !direct && lens.shows(&s.entries[n]) {
				scores[n] = secondHop / float64(len(seeds))
			}
		}
	}
	best := newTop(depth)
	for n, score := range scores {
		best.offer(candidate{n, min(1, score)}, s)
	}
	var hits []search.Hit
	for _, c := range best.sorted(s) {
		hits = append(hits, search.Hit{ID: s.entries[c.entry].id, Score: c.score, Place: s.place(c.entry)})
	}
	return hits, nil
}

// namedIn returns the nodes whose whole name occurs in the text, in the order of their ids.
func (g *graph) namedIn(question string) []uint32 {
	var found []uint32
	for name := range relevance.NamesIn(question) {
		if id, known := g.byKey[name]; known && !slices.Contains(found, id) {
			found = append(found, id)
		}
	}
	slices.Sort(found)
	return found
}

// Entities lists the entities named by at least one visible memory, most mentioned first, ties by name.
func (g Graph) Entities(ctx context.Context, scope memory.Scope, view memory.View) ([]search.Node, error) {
	s, release, err := g.Set.read(ctx, scope)
	if err != nil {
		return nil, err
	}
	defer release()
	lens := s.lens(&search.Query{Scope: scope, View: view}, g.Set.now())
	var nodes []search.Node
	for id := range s.graph.nodes {
		if n := s.node(scope, uint32(id), lens); n.Mentions > 0 {
			nodes = append(nodes, n)
		}
	}
	slices.SortFunc(nodes, func(a, b search.Node) int {
		return cmp.Or(cmp.Compare(b.Mentions, a.Mentions), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return nodes, nil
}

// node is the entity as visible memories tell of it: the first of them its name, the first that knows it its type.
func (s *scope) node(scope memory.Scope, id uint32, lens *lens) search.Node {
	n := &s.graph.nodes[id]
	told := search.Node{ID: relevance.EntityID(scope, n.key)}
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

// Explore walks depth hops (0..5) from the entities that start names: an entity's id, its name, or a question that
// names entities. NotFound when it names none.
func (g Graph) Explore(ctx context.Context, scope memory.Scope, view memory.View, start string, depth int) (search.Subgraph, error) {
	s, release, err := g.Set.read(ctx, scope)
	if err != nil {
		return search.Subgraph{}, err
	}
	defer release()
	lens := s.lens(&search.Query{Scope: scope, View: view}, g.Set.now())
	frontier := s.graph.namedIn(start)
	if len(frontier) == 0 {
		for id := range s.graph.nodes {
			if relevance.EntityID(scope, s.graph.nodes[id].key) == start {
				frontier = append(frontier, uint32(id))
			}
		}
	}
	frontier = slices.DeleteFunc(frontier, func(id uint32) bool { return s.node(scope, id, lens).Mentions == 0 })
	if len(frontier) == 0 {
		return search.Subgraph{}, fault.New(fault.NotFound, "no entity of this project is named there")
	}
	reached := map[uint32]bool{}
	var order []uint32
	for _, id := range frontier {
		reached[id] = true
		order = append(order, id)
	}
	type pair struct{ a, b uint32 }
	evidence := map[pair][]memory.ID{}
	for hop := 0; hop < depth && len(frontier) > 0; hop++ {
		var next []uint32
		for _, id := range frontier {
			for _, m := range s.graph.nodes[id].mentions {
				e := &s.entries[m]
				if !lens.shows(e) {
					continue
				}
				for _, other := range e.entities {
					if other == id {
						continue
					}
					p := pair{min(id, other), max(id, other)}
					if ids := evidence[p]; len(ids) < search.MaxEvidence && !slices.Contains(ids, e.id) {
						evidence[p] = append(ids, e.id)
					}
					if !reached[other] && len(order) < search.MaxNodes {
						reached[other] = true
						order = append(order, other)
						next = append(next, other)
					}
				}
			}
		}
		frontier = next
	}
	var sub search.Subgraph
	for _, id := range order {
		sub.Nodes = append(sub.Nodes, s.node(scope, id, lens))
	}
	for p, ids := range evidence {
		if reached[p.a] && reached[p.b] {
			sub.Edges = append(sub.Edges, search.Edge{From: relevance.EntityID(scope, s.graph.nodes[p.a].key), To: relevance.EntityID(scope, s.graph.nodes[p.b].key), Relation: search.MentionedWith, Memories: ids})
		}
	}
	slices.SortFunc(sub.Edges, func(a, b search.Edge) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return sub, nil
}
