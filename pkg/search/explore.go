package search

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
)

// Explorer walks the graph of entities: what memories mention together, and the facts they come to.
type Explorer struct {
	Mentions Mentions
	Facts    knowledge.Facts      // nil: there are none
	Names    knowledge.Identities // who is one with whom; nil: everybody is alone
	Clock    func() time.Time     // nil = time.Now
	Patience time.Duration        // after which a walk ends with what it has; 0 = 2 s
}

// Walk says where a walk begins and how far it goes.
type Walk struct {
	Scope     memory.Scope
	View      memory.View // facts are those of AsOf, or of now; memories count by AsOf only where it is given
	Start     []string    // ids of entities, as many as can be reached at most
	Depth     int         // hops, 0..5
	Relations []string    // followed; empty = all
	Limit     int         // nodes, 1..MaxNodes; 0 = MaxNodes
	Induced   bool        // tell the edges between the last nodes, too
}

// Bounds of one step of a walk: memories of one entity, facts of all.
const (
	mostNear      = 32
	mostFacts     = 2000
	mostVisited   = 5000 // by a search for a path
	factsPerQuery = 1000
)

func (x Explorer) now() time.Time {
	if x.Clock != nil {
		return x.Clock()
	}
	return time.Now()
}

// Known returns those of the ids that are entities as the view shows them: that a memory mentions or a fact tells of.
func (x Explorer) Known(ctx context.Context, scope memory.Scope, view memory.View, ids []string) ([]string, error) {
	x, one, err := x.asOne(ctx, scope, ids)
	if err != nil {
		return nil, err
	}
	given := ids
	ids = one.canonicals(ids)
	nodes, err := x.Mentions.Nodes(ctx, scope, view, ids)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, n := range nodes {
		known[n.ID] = true
	}
	if x.Facts != nil {
		asked := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return known[id] })
		for some := range slices.Chunk(asked, knowledge.MaxAsked) {
			for len(some) > 0 { // those with many facts leave, so that they hide nobody
				q := knowledge.FactQuery{View: memory.View{KnownAt: view.KnownAt}, Entities: some, Limit: factsPerQuery}
				page, err := x.Facts.List(ctx, scope, q)
				if err != nil {
					return nil, err
				}
				for i := range page.Facts {
					known[page.Facts[i].Subject.ID], known[page.Facts[i].Object.ID] = true, true
				}
				if page.Next == "" {
					break
				}
				some = slices.DeleteFunc(slices.Clone(some), func(id string) bool { return known[id] })
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(given), func(id string) bool { return !known[one.canonical(id)] }), nil
}

// Explore returns what lies within w.Depth hops of w.Start, whose unknown ids are left out. NotFound when all are unknown.
func (x Explorer) Explore(ctx context.Context, w Walk) (Subgraph, error) {
	w.Limit = cmp.Or(w.Limit, MaxNodes)
	x, one, err := x.asOne(ctx, w.Scope, w.Start)
	if err != nil {
		return Subgraph{}, err
	}
	w.Start = one.canonicals(w.Start)
	start, err := x.Known(ctx, w.Scope, w.View, unique(w.Start))
	if err != nil {
		return Subgraph{}, err
	}
	if len(start) == 0 {
		return Subgraph{}, fault.New(fault.NotFound, "no entity of this project is named there")
	}
	r := x.newRoute(ctx, &w)
	defer r.end()
	order := start[:min(len(start), w.Limit)]
	r.truncated = len(order) < len(start)
	reached := map[string]bool{}
	for _, id := range order {
		reached[id] = true
	}
	frontier := order
	for hop := 0; len(frontier) > 0 && (hop < w.Depth || w.Induced && hop == w.Depth); hop++ {
		next, err := r.step(frontier)
		if err != nil {
			return Subgraph{}, err
		}
		frontier = nil
		if hop == w.Depth {
			break
		}
		for _, id := range next {
			switch {
			case reached[id]:
			case len(order) == w.Limit:
				r.truncated = true
			default:
				reached[id] = true
				order, frontier = append(order, id), append(frontier, id)
			}
		}
	}
	sub := Subgraph{Edges: r.between(reached), Truncated: r.truncated}
	if len(sub.Edges) > MaxEdges {
		sub.Edges, sub.Truncated = sub.Edges[:MaxEdges], true
	}
	sub.Nodes, err = r.nodes(ctx, order)
	return sub, err
}

// Path returns the shortest ways between two entities, of at most depth (1..MaxHops) hops. Both sides are searched breadth
// first, the smaller one next (Pohl, "Bi-directional Search", 1971). NotFound when an end is unknown.
func (x Explorer) Path(ctx context.Context, w Walk, from, to string) (Paths, error) {
	x, one, err := x.asOne(ctx, w.Scope, []string{from, to})
	if err != nil {
		return Paths{}, err
	}
	from, to = one.canonical(from), one.canonical(to)
	known, err := x.Known(ctx, w.Scope, w.View, unique([]string{from, to}))
	if err != nil {
		return Paths{}, err
	}
	for field, id := range map[string]string{"from": from, "to": to} {
		if !slices.Contains(known, id) {
			return Paths{}, fault.New(fault.NotFound, "no entity of this project is meant by %s", field)
		}
	}
	r := x.newRoute(ctx, &w)
	defer r.end()
	sides := [2]*side{newSide(from), newSide(to)}
	met := from == to
	for hops := 0; !met && hops < w.Depth && !r.late; hops++ {
		near, far := sides[0], sides[1]
		if len(far.frontier) < len(near.frontier) {
			near, far = far, near
		}
		if len(near.frontier) == 0 {
			break
		}
		next, err := r.step(near.frontier)
		if err != nil {
			return Paths{}, err
		}
		near.frontier = nil
		for _, id := range next {
			met = met || far.seen[id]
			switch {
			case near.seen[id]:
			case len(near.seen)+len(far.seen) >= mostVisited && !far.seen[id]:
				r.truncated = true
			default:
				near.seen[id] = true
				near.frontier = append(near.frontier, id)
			}
		}
	}
	paths := Paths{Truncated: r.truncated}
	if !met {
		return paths, nil
	}
	if paths.Paths = r.shortest(from, to); len(paths.Paths) > MaxPaths {
		paths.Paths, paths.Truncated = paths.Paths[:MaxPaths], true
	}
	var ids []string
	for _, p := range paths.Paths {
		ids = append(ids, p.Nodes...)
	}
	slices.Sort(ids)
	paths.Nodes, err = r.nodes(ctx, slices.Compact(ids))
	return paths, err
}

// side is what has been reached from one end of a path.
type side struct {
	seen     map[string]bool
	frontier []string
}

func newSide(id string) *side { return &side{map[string]bool{id: true}, []string{id}} }

// route is one walk: the edges it has come by.
type route struct {
	Explorer
	*Walk
	asked     context.Context
	ctx       context.Context // asked, but for so long as the walk has patience
	end       func()
	facts     memory.View
	edges     map[edgeKey]*Edge
	things    map[string]Node // as facts call them
	truncated bool
	late      bool
}

type edgeKey struct {
	from, to, relation string
	fact               memory.ID
}

func (x Explorer) newRoute(ctx context.Context, w *Walk) *route {
	r := &route{Explorer: x, Walk: w, asked: ctx, facts: w.View, edges: map[edgeKey]*Edge{}, things: map[string]Node{}}
	if r.facts.AsOf == nil {
		now := x.now()
		r.facts.AsOf = &now
	}
	r.ctx, r.end = context.WithTimeout(ctx, cmp.Or(x.Patience, defaultStageTimeout))
	return r
}

// step adds the edges of the entities and returns the other ends: of the first entity first, those with most evidence
// first, ties by id. When the walk's time is over it adds nothing, and says so.
func (r *route) step(entities []string) (next []string, err error) {
	added := map[edgeKey]*Edge{}
	err = r.mentioned(entities, added)
	if err == nil {
		err = r.told(entities, added)
	}
	if err != nil {
		if r.ctx.Err() != nil && r.asked.Err() == nil {
			r.late, r.truncated = true, true
			return nil, nil
		}
		return nil, err
	}
	worth := map[string]map[string]int{} // by entity: evidence for each of its neighbours
	for _, e := range added {
		for _, ends := range [][2]string{{e.From, e.To}, {e.To, e.From}} {
			if worth[ends[0]] == nil {
				worth[ends[0]] = map[string]int{}
			}
			worth[ends[0]][ends[1]] += len(e.Evidence)
		}
	}
	maps.Copy(r.edges, added)
	for _, id := range entities {
		beside := slices.Collect(maps.Keys(worth[id]))
		slices.SortFunc(beside, func(a, b string) int { return cmp.Or(cmp.Compare(worth[id][b], worth[id][a]), cmp.Compare(a, b)) })
		next = append(next, beside...)
	}
	return unique(next), nil
}

// mentioned adds what memories mention beside the entities.
func (r *route) mentioned(entities []string, edges map[edgeKey]*Edge) error {
	if len(r.Relations) > 0 && !slices.Contains(r.Relations, MentionedWith) {
		return nil
	}
	near, err := r.Mentions.Near(r.ctx, Query{Scope: r.Scope, View: r.View}, entities, nil, mostNear+1)
	if err != nil {
		return err
	}
	told := 0
	for i, m := range near {
		if i == 0 || near[i-1].Entity != m.Entity {
			told = 0
		}
		if told++; told > mostNear {
			r.truncated = true
			continue
		}
		for _, other := range m.All {
			if other == m.Entity {
				continue
			}
			key := edgeKey{min(m.Entity, other), max(m.Entity, other), MentionedWith, ""}
			e := edges[key]
			if e == nil {
				e = &Edge{From: key.from, To: key.to, Relation: MentionedWith, Confidence: 1}
				edges[key] = e
			}
			if c := (memory.Citation{MemoryID: m.Memory}); len(e.Evidence) < MaxEvidence && !slices.Contains(e.Evidence, c) {
				e.Evidence = append(e.Evidence, c)
			}
		}
	}
	return nil
}

// told adds the facts that join the entities to others. What is denied joins nothing.
func (r *route) told(entities []string, edges map[edgeKey]*Edge) error {
	relations := slices.DeleteFunc(slices.Clone(r.Relations), func(name string) bool { return name == MentionedWith })
	if r.Facts == nil || len(relations) == 0 && len(r.Relations) > 0 {
		return nil
	}
	for some := range slices.Chunk(entities, knowledge.MaxAsked) {
		q := knowledge.FactQuery{View: r.facts, Entities: some, Relations: relations, Limit: factsPerQuery}
		for read := 0; ; {
			page, err := r.Facts.List(r.ctx, r.Scope, q)
			if err != nil {
				return err
			}
			for i := range page.Facts {
				r.join(&page.Facts[i], edges)
			}
			if page.Next == "" {
				break
			}
			if read += len(page.Facts); read >= mostFacts {
				r.truncated = true
				break
			}
			q.After = page.Next
		}
	}
	return nil
}

func (r *route) join(f *knowledge.Fact, edges map[edgeKey]*Edge) {
	if f.Negated || f.Literal || f.Object.ID == "" || f.Object.ID == f.Subject.ID {
		return
	}
	for _, thing := range []knowledge.Thing{f.Subject, f.Object} {
		if _, known := r.things[thing.ID]; !known {
			r.things[thing.ID] = Node{ID: thing.ID, Name: thing.Name, Type: thing.Type}
		}
	}
	evidence := slices.Clone(f.Evidence)
	slices.Reverse(evidence)
	edges[edgeKey{f.Subject.ID, f.Object.ID, f.Relation, f.ID}] = &Edge{
		From: f.Subject.ID, To: f.Object.ID, Relation: f.Relation, Fact: f.ID, ValidFrom: f.ValidFrom, ValidTo: f.ValidTo,
		Confidence: f.Confidence, Evidence: evidence[:min(len(evidence), MaxEvidence)],
	}
}

// between returns the edges both of whose ends have been reached, in order.
func (r *route) between(reached map[string]bool) []Edge {
	var edges []Edge
	for _, e := range r.edges {
		if reached[e.From] && reached[e.To] {
			edges = append(edges, *e)
		}
	}
	slices.SortFunc(edges, byEnds)
	return edges
}

func byEnds(a, b Edge) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Relation, b.Relation), cmp.Compare(a.Fact, b.Fact))
}

// nodes reads the entities, in the order given.
func (r *route) nodes(ctx context.Context, ids []string) ([]Node, error) {
	mentioned, err := r.Mentions.Nodes(ctx, r.Scope, r.View, ids)
	if err != nil {
		return nil, err
	}
	byID := maps.Clone(r.things)
	for _, n := range mentioned {
		n.Type = cmp.Or(n.Type, byID[n.ID].Type)
		byID[n.ID] = n
	}
	var nodes []Node
	for _, id := range ids {
		n, known := byID[id]
		if !known { // a fact tells of it that the walk did not come by
			if n, err = r.thing(ctx, id); err != nil {
				return nil, err
			}
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// thing reads an entity that facts alone tell of.
func (r *route) thing(ctx context.Context, id string) (Node, error) {
	n := Node{ID: id}
	if r.Facts == nil {
		return n, nil
	}
	page, err := r.Facts.List(ctx, r.Scope, knowledge.FactQuery{View: memory.View{KnownAt: r.View.KnownAt}, Entities: []string{id}, Limit: 1})
	for i := range page.Facts {
		for _, thing := range []knowledge.Thing{page.Facts[i].Subject, page.Facts[i].Object} {
			if thing.ID == id {
				n = Node{ID: id, Name: thing.Name, Type: thing.Type}
			}
		}
	}
	return n, err
}

// shortest returns up to one more than MaxPaths of the shortest ways over the edges, in the order of their nodes.
func (r *route) shortest(from, to string) []Path {
	beside := map[string][]string{}
	joins := map[[2]string][]Edge{}
	for _, e := range r.edges {
		beside[e.From], beside[e.To] = append(beside[e.From], e.To), append(beside[e.To], e.From)
		ends := [2]string{min(e.From, e.To), max(e.From, e.To)}
		joins[ends] = append(joins[ends], *e)
	}
	far := map[string]int{to: 0} // hops from each entity to the end
	for frontier := []string{to}; len(frontier) > 0; {
		var next []string
		for _, id := range frontier {
			for _, other := range beside[id] {
				if _, seen := far[other]; !seen {
					far[other] = far[id] + 1
					next = append(next, other)
				}
			}
		}
		frontier = next
	}
	var paths []Path
	var extend func(nodes []string)
	extend = func(nodes []string) {
		at := nodes[len(nodes)-1]
		if at == to {
			paths = append(paths, Path{Nodes: slices.Clone(nodes)})
			return
		}
		steps := unique(beside[at])
		slices.Sort(steps)
		for _, next := range steps {
			if hops, leads := far[next]; leads && hops == far[at]-1 && len(paths) <= MaxPaths {
				extend(append(nodes, next))
			}
		}
	}
	extend([]string{from})
	for i := range paths {
		nodes := paths[i].Nodes
		for n := range len(nodes) - 1 {
			hop := joins[[2]string{min(nodes[n], nodes[n+1]), max(nodes[n], nodes[n+1])}]
			slices.SortFunc(hop, func(a, b Edge) int { return cmp.Or(cmp.Compare(b.Fact, a.Fact), byEnds(a, b)) })
			paths[i].Hops = append(paths[i].Hops, hop[:min(len(hop), maxParallel)])
		}
	}
	return paths
}

// EntityNamed is the id of the entity that a caller means by a name or by an id.
func EntityNamed(scope memory.Scope, named string) string {
	if id, ok := memory.ParseID(named); ok {
		return string(id)
	}
	return relevance.EntityID(scope, relevance.EntityKey(named))
}

// unique drops what was there before, and keeps the order.
func unique(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		was := seen[id]
		seen[id] = true
		return was
	})
}
