package postgres

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Graph tells which memories mention which entities.
type Graph struct{ DB *DB }

var _ search.Mentions = Graph{}

// Near implements search.Mentions.
func (g Graph) Near(ctx context.Context, q search.Query, entities []string, memories []memory.ID, most int) (near []search.Mention, err error) {
	if len(entities)+len(memories) == 0 || most < 1 {
		return nil, ctx.Err()
	}
	err = g.DB.look(ctx, q.Scope, func(in *session) error {
		near = nil
		s := sightOf(&q)
		if err := s.settle(in); err != nil {
			return err
		}
		return in.rows(s.near(entities, memories, most), s.args, func(rows pgx.Rows) error {
			var m search.Mention
			err := rows.Scan(&m.Entity, &m.Memory, &m.All)
			near = append(near, m)
			return err
		})
	})
	if err != nil {
		return nil, g.DB.failed(ctx, "follow mentions in "+q.Scope.String(), err)
	}
	return near, nil
}

// near selects the newest mentions of each entity: an entity, a memory, and all entities the memory mentions.
func (s *sight) near(entities []string, memories []memory.ID, most int) string {
	from := `unnest(` + s.arg(entities) + `::uuid[])`
	if len(memories) > 0 {
		from = `(SELECT * FROM ` + from + ` UNION SELECT e.node_id FROM unnest(` + s.arg(memories) + `::uuid[]) k(id) CROSS JOIN LATERAL ` +
			edgesFrom("k.id") + ` e CROSS JOIN LATERAL ` + s.versionAt("e.document") + ` m` + s.where() +
			` AND m.id = e.memory_id AND m.document = e.document)`
	}
	return `SELECT w.id::text, m.id::text, (SELECT array_agg(b.node_id::text ORDER BY b.node_id) FROM ` + edgesFrom("m.id") + ` b WHERE b.document = m.document)
		FROM ` + from + ` w(id) CROSS JOIN LATERAL (SELECT m.id, m.document FROM ` + newestEdgesOf("w.id") + ` e CROSS JOIN LATERAL ` + s.versionAt("e.document") + ` m` +
		s.where() + ` AND m.id = e.memory_id AND m.document = e.document ORDER BY e.document DESC LIMIT ` + s.arg(most) + `) m
		ORDER BY w.id, m.document DESC`
}

// edgesOf selects the edges of the node with the id, an expression.
func edgesOf(id string) string {
	return `(SELECT x.* FROM graph_edges x WHERE x.tenant = $1 AND x.project = $2 AND x.node_id = ` + id + ` ORDER BY x.node_id, x.document)`
}

// newestEdgesOf selects the newest search.MaxScanned of them. In this order only one index has them, see edgesFrom.
func newestEdgesOf(id string) string {
	return `(SELECT x.* FROM graph_edges x WHERE x.tenant = $1 AND x.project = $2 AND x.node_id >= ` + id + ` AND x.node_id <= ` + id +
		` ORDER BY x.node_id DESC, x.document DESC LIMIT ` + strconv.Itoa(search.MaxScanned) + `)`
}

// edgesFrom selects the edges of the memory with the id, an expression. In its order only one index has them, see pick.go,
// and to the planner what is equal to one value needs no order.
func edgesFrom(id string) string {
	return `(SELECT x.* FROM graph_edges x WHERE x.tenant = $1 AND x.project = $2 AND x.memory_id >= ` + id + ` AND x.memory_id <= ` + id +
		` ORDER BY x.memory_id)`
}

// Places implements search.Mentions.
func (g Graph) Places(ctx context.Context, q search.Query, ids []memory.ID) (hits []search.Hit, err error) {
	if len(ids) == 0 {
		return nil, ctx.Err()
	}
	wanted := make([]string, len(ids))
	for i, id := range ids {
		wanted[i] = string(id)
	}
	err = g.DB.look(ctx, q.Scope, func(in *session) (err error) {
		s := sightOf(&q)
		if err := s.settle(in); err != nil {
			return err
		}
		hits, err = in.hits(s, `SELECT 0::float8 AS score, `+placedColumns+` FROM `+s.byID(wanted))
		return err
	})
	if err != nil {
		return nil, g.DB.failed(ctx, "place what mentions lead to in "+q.Scope.String(), err)
	}
	slices.SortFunc(hits, func(a, b search.Hit) int { return cmp.Compare(a.ID, b.ID) })
	return hits, nil
}

// Nodes implements search.Mentions.
func (g Graph) Nodes(ctx context.Context, scope memory.Scope, view memory.View, ids []string) (nodes []search.Node, err error) {
	if len(ids) == 0 {
		return nil, ctx.Err()
	}
	err = g.DB.look(ctx, scope, func(in *session) (err error) {
		s := sightOf(&search.Query{Scope: scope, View: view})
		nodes, err = in.nodes(s, `(SELECT x.* FROM graph_nodes x WHERE x.tenant = $1 AND x.project = $2 AND x.id = ANY(`+s.arg(ids)+`::uuid[]) ORDER BY x.id) n
			CROSS JOIN LATERAL `+edgesOf("n.id")+` e CROSS JOIN LATERAL `+s.versionAt("e.document")+` m`)
		return err
	})
	if err != nil {
		return nil, g.DB.failed(ctx, "read entities of "+scope.String(), err)
	}
	slices.SortFunc(nodes, func(a, b search.Node) int { return cmp.Compare(a.ID, b.ID) })
	return nodes, nil
}

// Entities implements search.Mentions.
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

// nodes reads the entities n that visible memories m mention, by their edges e. The first of these memories tells the
// name, the first that knows it the type.
func (in *session) nodes(s *sight, from string) (nodes []search.Node, err error) {
	err = in.rows(`SELECT n.id::text, (array_agg(e.name ORDER BY m.updated_at, m.id))[1] COLLATE "C" AS name,
		coalesce((array_agg(e.type ORDER BY m.updated_at, m.id) FILTER (WHERE e.type <> ''))[1], ''), count(*) FROM `+from+s.where()+` AND m.id = e.memory_id AND m.document = e.document
		AND n.tenant = $1 AND n.project = $2 GROUP BY n.id
		ORDER BY 4 DESC, name, n.id`, s.args, func(rows pgx.Rows) error {
		var n search.Node
		err := rows.Scan(&n.ID, &n.Name, &n.Type, &n.Mentions)
		nodes = append(nodes, n)
		return err
	})
	return nodes, err
}
