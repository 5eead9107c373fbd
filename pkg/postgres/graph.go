package postgres

import (
	"context"
	"slices"

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
	err = g.DB.look(ctx, q.Scope, func(in *session) error {
		hits = nil
		seeds, err := in.namedIn(q.Scope, q.Text)
		if err != nil || len(seeds) == 0 {
			return err
		}
		s := sightOf(&q)
		if err := s.settle(in); err != nil {
			return err
		}
		m := mentions{session: in, sight: s, seeds: seeds, depth: depth}
		hits, err = m.run()
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

// secondHop is what a memory earns for naming an entity that only stands beside one the query names.
const secondHop = .3

// mentions is a search for what mentions the seeds, or an entity that a memory mentions beside one.
type mentions struct {
	*session
	*sight
	seeds     []string
	depth     int
	documents []memory.Seq // what mentions a seed
	ids       []string     // their memories
	hits      []search.Hit
}

func (m *mentions) run() ([]search.Hit, error) {
	if err := m.direct(); err != nil {
		return nil, err
	}
	if 0 < len(m.hits) && len(m.hits) < m.depth { // then these are all, and whatever stands beside them ranks behind
		if err := m.beside(); err != nil {
			return nil, err
		}
	}
	return m.hits, nil
}

// shown looks, one after the other and in their order, which of the versions selected as d may be seen.
func (m *mentions) shown(query string, s *sight, score func(named int) float64) error {
	before := len(m.hits)
	var named int
	var document memory.Seq
	seats, err := m.placedRows(s, "a.named, a.document", `SELECT d.named, d.document, m.* FROM (`+query+`) d
		CROSS JOIN LATERAL (SELECT `+placedColumns+` FROM `+s.versionAt("d.document")+` m`+s.where()+`
		AND m.id = d.memory_id AND m.document = d.document OFFSET 0) m LIMIT `+s.arg(m.depth-len(m.hits)),
		func() []any { return []any{&named, &document} }, func(p *placed) error {
			m.documents, m.ids = append(m.documents, document), append(m.ids, p.id)
			m.hits = append(m.hits, p.hit(score(named)))
			return nil
		})
	seats.seat(m.hits[before:])
	slices.SortFunc(m.hits[before:], byScore)
	return err
}

// direct finds what mentions the seeds, by how many.
func (m *mentions) direct() error {
	s := *m.sight
	return m.shown(`SELECT e.memory_id, e.document, count(*) AS named FROM unnest(`+s.arg(m.seeds)+`::uuid[]) w(id) CROSS JOIN LATERAL
		`+edgesOf("w.id")+` e GROUP BY e.memory_id, e.document ORDER BY named DESC, e.memory_id`, &s,
		func(named int) (score float64) {
			for range named { // as other indexes add it up
				score += 1 / float64(len(m.seeds))
			}
			return min(1, score)
		})
}

// edgesOf selects the edges of the node with the id, an expression.
func edgesOf(id string) string {
	return `(SELECT x.* FROM graph_edges x WHERE x.tenant = $1 AND x.project = $2 AND x.node_id = ` + id + ` ORDER BY x.node_id, x.document)`
}

// edgesFrom selects the edges of the memory with the id, an expression. In its order only one index has them, see pick.go,
// and to the planner what is equal to one value needs no order.
func edgesFrom(id string) string {
	return `(SELECT x.* FROM graph_edges x WHERE x.tenant = $1 AND x.project = $2 AND x.memory_id >= ` + id + ` AND x.memory_id <= ` + id +
		` ORDER BY x.memory_id)`
}

// beside finds what mentions an entity that is mentioned beside a seed. All of it is equally good.
func (m *mentions) beside() error {
	s := *m.sight
	seeds, documents, ids := s.arg(m.seeds), s.arg(m.documents), s.arg(m.ids)
	return m.shown(`SELECT DISTINCT e.memory_id, e.document, 0 AS named FROM (
			SELECT DISTINCT r.node_id FROM unnest(`+ids+`::uuid[], `+documents+`::bigint[]) w(id, document) CROSS JOIN LATERAL
				`+edgesFrom("w.id")+` r WHERE r.document = w.document AND r.node_id <> ALL(`+seeds+`::uuid[]) OFFSET 0) r
		CROSS JOIN LATERAL `+edgesOf("r.node_id")+` e
		WHERE e.document <> ALL(`+documents+`::bigint[]) ORDER BY e.memory_id`, &s,
		func(int) float64 { return secondHop / float64(len(m.seeds)) })
}
