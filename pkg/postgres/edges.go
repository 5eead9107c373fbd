package postgres

import (
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rae-memory/rae/pkg/relevance"
)

// link writes which entities versions name. Those of older versions stay, for a view of the past.
func (t *tx) link(rows []*row) {
	type node struct {
		id         pgtype.UUID
		name, kind string
		since      int64
	}
	type edge struct {
		node, memory pgtype.UUID
		document     int64
	}
	var nodes []*node
	var edges []edge
	seen := map[string]*node{}
	for _, r := range rows {
		for _, entity := range r.named {
			id := relevance.EntityID(t.scope, entity.Key)
			edges = append(edges, edge{uuidOf(id), uuidOf(r.ID), int64(r.seq)})
			switch n := seen[id]; {
			case n == nil:
				seen[id] = &node{uuidOf(id), entity.Name, entity.Type, int64(r.seq)}
				nodes = append(nodes, seen[id])
			case n.kind == "":
				n.kind = entity.Type
			}
		}
	}
	if len(edges) == 0 {
		return
	}
	plain, typed := nodes[:0:0], nodes[:0:0]
	for _, n := range nodes {
		if n.kind == "" {
			plain = append(plain, n)
		} else {
			typed = append(typed, n)
		}
	}
	write := func(nodes []*node, otherwise string) {
		if len(nodes) == 0 {
			return
		}
		t.exec(`INSERT INTO graph_nodes AS n (tenant, project, id, name, type, since)
			SELECT $1, $2, r.* FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bigint[]) r
			ON CONFLICT (tenant, project, id) DO `+otherwise, t.scope.Tenant, t.scope.Project,
			column(nodes, func(n *node) pgtype.UUID { return n.id }), column(nodes, func(n *node) string { return n.name }),
			column(nodes, func(n *node) string { return n.kind }), column(nodes, func(n *node) int64 { return n.since }))
	}
	write(plain, `NOTHING`) // the commonest case: an UPDATE, even of nothing, locks each row
	write(typed, `UPDATE SET type = excluded.type WHERE n.type = ''`)
	t.exec(`INSERT INTO graph_edges (tenant, project, node_id, document, memory_id)
		SELECT $1, $2, e.* FROM unnest($3::uuid[], $4::bigint[], $5::uuid[]) e`,
		t.scope.Tenant, t.scope.Project, column(edges, func(e edge) pgtype.UUID { return e.node }),
		column(edges, func(e edge) int64 { return e.document }), column(edges, func(e edge) pgtype.UUID { return e.memory }))
}

// unlink removes the edges of a memory that is being deleted, and the entities that nothing else names.
func (t *tx) unlink(old *standing) {
	t.exec(`WITH gone AS (
			DELETE FROM graph_edges WHERE tenant = $1 AND project = $2 AND memory_id = $3 RETURNING node_id)
		DELETE FROM graph_nodes n USING (SELECT DISTINCT node_id FROM gone) g
		WHERE n.tenant = $1 AND n.project = $2 AND n.id = g.node_id AND NOT EXISTS (SELECT FROM graph_edges e
			WHERE e.tenant = $1 AND e.project = $2 AND e.node_id = n.id AND e.memory_id <> $3)`,
		t.scope.Tenant, t.scope.Project, string(old.ID))
}
