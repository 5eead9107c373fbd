package postgres

import (
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rae-memory/rae/pkg/relevance"
)

// link writes which entities versions name, and how they spell them. Those of older versions stay, for a view of the past.
func (t *tx) link(rows []*row) {
	type node struct {
		id    pgtype.UUID
		since int64
	}
	type edge struct {
		node, memory pgtype.UUID
		name, kind   string
		document     int64
	}
	var nodes []node
	var edges []edge
	seen := map[string]bool{}
	for _, r := range rows {
		for _, entity := range r.named {
			id := relevance.EntityID(t.scope, entity.Key)
			edges = append(edges, edge{uuidOf(id), uuidOf(r.ID), entity.Name, entity.Type, int64(r.seq)})
			if !seen[id] {
				seen[id] = true
				nodes = append(nodes, node{uuidOf(id), int64(r.seq)})
			}
		}
	}
	if len(edges) == 0 {
		return
	}
	t.exec(`INSERT INTO graph_nodes (tenant, project, id, since)
		SELECT $1, $2, n.* FROM unnest($3::uuid[], $4::bigint[]) n ON CONFLICT (tenant, project, id) DO NOTHING`,
		t.scope.Tenant, t.scope.Project, column(nodes, func(n node) pgtype.UUID { return n.id }), column(nodes, func(n node) int64 { return n.since }))
	t.exec(`INSERT INTO graph_edges (tenant, project, node_id, document, memory_id, name, type)
		SELECT $1, $2, e.* FROM unnest($3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::text[]) e`,
		t.scope.Tenant, t.scope.Project, column(edges, func(e edge) pgtype.UUID { return e.node }),
		column(edges, func(e edge) int64 { return e.document }), column(edges, func(e edge) pgtype.UUID { return e.memory }),
		column(edges, func(e edge) string { return e.name }), column(edges, func(e edge) string { return e.kind }))
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
