package postgres

import (
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
)

// link writes which entities a version names, and how it spells them. Those of older versions stay, for a view of the past.
func (t *tx) link(m *memory.Memory, document memory.Seq, named []relevance.Entity) {
	if len(named) == 0 {
		return
	}
	var ids, names, types []string
	for _, entity := range named {
		ids = append(ids, relevance.EntityID(t.scope, entity.Key))
		names, types = append(names, entity.Name), append(types, entity.Type)
	}
	t.exec(`INSERT INTO graph_nodes (tenant, project, id, since) SELECT $1, $2, n, $4 FROM unnest($3::uuid[]) n
		ON CONFLICT (tenant, project, id) DO NOTHING`, t.scope.Tenant, t.scope.Project, ids, document)
	t.exec(`INSERT INTO graph_edges (tenant, project, node_id, document, memory_id, name, type)
		SELECT $1, $2, n.id, $6, $7, n.name, n.type FROM unnest($3::uuid[], $4::text[], $5::text[]) n (id, name, type)`,
		t.scope.Tenant, t.scope.Project, ids, names, types, document, string(m.ID))
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
