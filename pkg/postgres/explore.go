package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Entities lists the entities named by at least one visible memory, most mentioned first, ties by name.
func (g Graph) Entities(ctx context.Context, scope memory.Scope, view memory.View) (nodes []search.Node, err error) {
	s := sightOf(&search.Query{Scope: scope, View: view})
	err = g.DB.look(ctx, scope, func(in *session) (err error) {
		in.exec(`SET LOCAL enable_nestloop = off`) // all of everything: each table is read once
		nodes, err = in.nodes(s, `graph_nodes n JOIN graph_edges e ON e.tenant = $1 AND e.project = $2 AND e.node_id = n.id JOIN `+s.from+` ON true`)
		return err
	})
	if err != nil {
		return nil, g.DB.failed(ctx, "list entities of "+scope.String(), err)
	}
	return nodes, nil
}

// nodes reads the entities n that visible memories m mention, by their edges e.
func (in *session) nodes(s *sight, from string) (nodes []search.Node, err error) {
	err = in.rows(`SELECT n.id::text, n.name, n.type, count(*) FROM `+from+s.where()+` AND m.id = e.memory_id AND m.document = e.document
		AND n.tenant = $1 AND n.project = $2 GROUP BY n.id, n.name, n.type
		ORDER BY 4 DESC, n.name COLLATE "C", n.id`, s.args, func(rows pgx.Rows) error {
		var n search.Node
		err := rows.Scan(&n.ID, &n.Name, &n.Type, &n.Mentions)
		nodes = append(nodes, n)
		return err
	})
	return nodes, err
}

// Explore walks depth hops (0..5) from the entities that start names: an entity's id, its name, or a question that
// names entities. NotFound when it names none.
func (g Graph) Explore(ctx context.Context, scope memory.Scope, view memory.View, start string, depth int) (sub search.Subgraph, err error) {
	err = g.DB.look(ctx, scope, func(in *session) error {
		w := walk{session: in, sight: sightOf(&search.Query{Scope: scope, View: view}), evidence: map[[2]string][]memory.ID{}}
		begin, err := in.namedIn(scope, start)
		if err != nil {
			return err
		}
		if len(begin) == 0 && isUUID(memory.ID(start)) {
			begin = []string{start}
		}
		sub, err = w.from(begin, depth)
		return err
	})
	if err != nil {
		return search.Subgraph{}, g.DB.failed(ctx, "walk the graph of "+scope.String(), err)
	}
	return sub, nil
}

// walk is a traversal of the graph, breadth first.
type walk struct {
	*session
	*sight
	order    []string // ids of the nodes reached
	evidence map[[2]string][]memory.ID
}

func (w *walk) from(begin []string, depth int) (search.Subgraph, error) {
	seen, err := w.count(begin)
	if err != nil {
		return search.Subgraph{}, err
	}
	frontier := slices.DeleteFunc(begin, func(id string) bool { return seen[id].Mentions == 0 })
	if len(frontier) == 0 {
		return search.Subgraph{}, fault.New(fault.NotFound, "no entity of this project is named there")
	}
	w.order = slices.Clone(frontier)
	for hop := 0; hop < depth && len(frontier) > 0; hop++ {
		if frontier, err = w.step(frontier); err != nil {
			return search.Subgraph{}, err
		}
	}
	if seen, err = w.count(w.order); err != nil {
		return search.Subgraph{}, err
	}
	var sub search.Subgraph
	for _, id := range w.order {
		sub.Nodes = append(sub.Nodes, seen[id])
	}
	for ends, ids := range w.evidence {
		if _, known := seen[ends[0]]; !known {
			continue
		}
		if _, known := seen[ends[1]]; known {
			sub.Edges = append(sub.Edges, search.Edge{From: ends[0], To: ends[1], Relation: search.MentionedWith, Memories: ids})
		}
	}
	slices.SortFunc(sub.Edges, func(a, b search.Edge) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return sub, nil
}

// count reads nodes by their ids.
func (w *walk) count(ids []string) (map[string]search.Node, error) {
	s := *w.sight
	nodes, err := w.nodes(&s, `(SELECT x.* FROM graph_nodes x WHERE x.tenant = $1 AND x.project = $2 AND x.id = ANY(`+s.arg(ids)+`::uuid[]) ORDER BY x.id) n
		CROSS JOIN LATERAL `+edgesOf("n.id")+` e CROSS JOIN LATERAL `+s.versionAt("e.document")+` m`)
	byID := make(map[string]search.Node, len(nodes))
	for _, n := range nodes {
		byID[n.ID] = n
	}
	return byID, err
}

// mostNeighbours is how many pairs of entities one step looks at.
const mostNeighbours = 10_000

// step follows every edge that leaves the frontier and returns the nodes it reaches for the first time.
func (w *walk) step(frontier []string) (next []string, err error) {
	s := *w.sight
	nodes := s.arg(frontier)
	query := `SELECT a.node_id::text, b.node_id::text, (array_agg(m.id::text ORDER BY m.document))[1:` + s.arg(search.MaxEvidence) + `::int]
		FROM unnest(` + nodes + `::uuid[]) WITH ORDINALITY w(id, nth) CROSS JOIN LATERAL ` + edgesOf("w.id") + ` a
		CROSS JOIN LATERAL ` + s.versionAt("a.document") + ` m CROSS JOIN LATERAL ` + edgesFrom("a.memory_id") + ` b` + s.where() + `
		AND m.id = a.memory_id AND m.document = a.document AND b.document = a.document AND b.node_id <> a.node_id
		GROUP BY w.nth, a.node_id, b.node_id ORDER BY w.nth, min(m.document), b.node_id LIMIT ` + s.arg(mostNeighbours)
	reached := make(map[string]bool, len(w.order))
	for _, id := range w.order {
		reached[id] = true
	}
	err = w.rows(query, s.args, func(rows pgx.Rows) error {
		var ends [2]string
		var ids []memory.ID
		if err := rows.Scan(&ends[0], &ends[1], &ids); err != nil {
			return err
		}
		if other := ends[1]; !reached[other] && len(w.order) < search.MaxNodes {
			reached[other] = true
			w.order, next = append(w.order, other), append(next, other)
		}
		slices.Sort(ends[:])
		w.evidence[ends] = ids
		return nil
	})
	return next, err
}
