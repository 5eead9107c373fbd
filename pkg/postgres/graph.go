package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/search"
)

// Graph answers by entities: which the query names, which memories mention them, and what else those mention.
type Graph struct{ DB *DB }

var _ search.Leg = Graph{}

// Name returns "graph".
func (Graph) Name() string { return "graph" }

// Retrieve returns the memories that mention an entity of the query (score: the share of the query's entities they
// mention) and, behind them, those that mention an entity related to one.
func (g Graph) Retrieve(ctx context.Context, q search.Query, depth int) (hits []search.Hit, err error) {
	if depth < 1 {
		return nil, ctx.Err()
	}
	err = g.DB.view(ctx, q.Scope, func(in *session) error {
		hits = nil
		seeds, err := in.namedIn(q.Scope, q.Text)
		if err != nil || len(seeds) == 0 {
			return err
		}
		s := sightOf(&q)
		if err := s.settle(in); err != nil {
			return err
		}
		hits, _, err = in.hits(s, s.mentioning(seeds, depth))
		return err
	})
	if err != nil {
		return nil, g.DB.failed(ctx, "search entities in "+q.Scope.String(), err)
	}
	return hits, nil
}

// namedIn returns the ids of the entities whose whole name occurs in the text.
func (in *session) namedIn(scope memory.Scope, question string) (seeds []string, err error) {
	named := map[string]bool{}
	for name := range relevance.NamesIn(question) {
		named[name] = true
	}
	ids := make([]string, 0, len(named))
	for name := range named {
		ids = append(ids, relevance.EntityID(scope, name))
	}
	if len(ids) == 0 {
		return nil, nil
	}
	err = in.rows(`SELECT id::text FROM graph_nodes WHERE tenant = $1 AND project = $2 AND id = ANY($3::uuid[]) ORDER BY since, id`,
		[]any{scope.Tenant, scope.Project, ids}, func(rows pgx.Rows) error {
			var id string
			err := rows.Scan(&id)
			seeds = append(seeds, id)
			return err
		})
	return seeds, err
}

// mentioning selects what the sight shows of memories that mention the seeds, or what stands beside one of those there.
// Each version is asked for once, by its memory's key.
func (s *sight) mentioning(seeds []string, depth int) string {
	nodes, limit := s.arg(seeds), s.arg(depth)
	return `WITH direct AS MATERIALIZED (
			SELECT m.id, m.document, count(*) AS named FROM graph_edges e JOIN ` + s.from + ` ON m.id = e.memory_id AND m.document = e.document` +
		s.where() + ` AND e.tenant = $1 AND e.project = $2 AND e.node_id = ANY(` + nodes + `::uuid[]) GROUP BY m.id, m.document),
		related AS MATERIALIZED (
			SELECT DISTINCT e.node_id FROM direct d JOIN graph_edges e ON e.tenant = $1 AND e.project = $2 AND e.memory_id = d.id
			AND e.document = d.document WHERE e.node_id <> ALL(` + nodes + `::uuid[])),
		beside AS MATERIALIZED (
			SELECT DISTINCT e.memory_id, e.document FROM related r JOIN graph_edges e ON e.tenant = $1 AND e.project = $2
			AND e.node_id = r.node_id WHERE NOT EXISTS (SELECT FROM direct d WHERE d.document = e.document)),
		found AS (
			SELECT id, document, least(1, named * (1 / cardinality(` + nodes + `::uuid[])::float8)) AS score FROM direct
			UNION ALL SELECT memory_id, document, ` + secondHop + ` / cardinality(` + nodes + `::uuid[]) FROM beside)
		SELECT f.score, ` + placedColumns + ` FROM found f JOIN ` + s.from + ` ON m.id = f.id AND m.document = f.document` +
		s.where() + ` ORDER BY f.score DESC, m.id LIMIT ` + limit
}

// secondHop is what a memory earns for naming an entity that only stands beside one the query names.
const secondHop = `.3::float8`
