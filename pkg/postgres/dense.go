package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Dense is the leg that matches meaning as far as the embedder sees it: cosine similarity. In most scopes every vector
// is compared; only in large ones, and then only under filters that let much pass, an approximate index is asked, see
// hnsw.go.
type Dense struct {
	DB    *DB
	Model string // id of the model whose vectors are compared where the query does not name one
	Exact int    // how many vectors are compared one by one at most; 0 = 10,000
}

var _ search.Leg = Dense{}

// exactVectors is how many vectors are compared one by one when nobody says otherwise: that takes somewhat longer than
// the index would (BenchmarkSearch), and spares those who have no more the price of every insertion into it.
const exactVectors = 10_000

func (d Dense) exact() int {
	if d.Exact > 0 {
		return d.Exact
	}
	return exactVectors
}

// Name returns "dense".
func (Dense) Name() string { return "dense" }

// Retrieve compares the query's vector with every visible memory that has one of the model. The score is the cosine,
// floored at 0; what has none above is left out. A view of the past finds a version by the vector of its memory as long
// as the memory still says the same, for a store keeps no vector longer.
func (d Dense) Retrieve(ctx context.Context, q search.Query, depth int) (hits []search.Hit, err error) {
	if depth < 1 || len(q.Vector) == 0 || len(q.Vector) > maxDimensions {
		return nil, ctx.Err()
	}
	err = d.DB.view(ctx, q.Scope, func(in *session) (err error) { // beside the other legs, not after them
		in.exec(steadyPlans)
		n := nearest{session: in, sight: sightOf(&q), model: cmp.Or(q.Model, d.Model), vector: q.Vector, depth: depth}
		hits, err = n.run(d.exact())
		return err
	})
	if err != nil {
		return nil, d.DB.failed(ctx, "search vectors in "+q.Scope.String(), err)
	}
	return hits, nil
}

// nearest is a search for the nearest vectors.
type nearest struct {
	*session
	*sight
	model  string
	vector []float32
	depth  int
	few    bool // the sight shows few vectors of a large scope
}

func (n *nearest) run(exact int) ([]search.Hit, error) {
	if err := n.settle(n.session); err != nil {
		return nil, err
	}
	approximate, err := n.outgrown(exact)
	if err != nil {
		return nil, err
	}
	attempts := []func() ([]search.Hit, bool, error){n.compareSeen}
	if !n.restricted() {
		attempts = append([]func() ([]search.Hit, bool, error){n.compareAll}, attempts...)
	}
	if approximate {
		attempts = append([]func() ([]search.Hit, bool, error){n.approximate}, attempts...)
	}
	for _, attempt := range attempts {
		hits, enough, err := attempt()
		if err != nil {
			return nil, err
		}
		if enough {
			return hits, nil
		}
	}
	return nil, nil
}

// sameSpace joins the vectors v of the model to the versions m, by the names of the arguments that hold the model and
// the dimension, and cosine compares them with the vector, which is an argument, too: it is made a vector once and not
// for every row. A vector of another dimension compares to nothing.
func (s *sight) sameSpace(n *nearest) (join, cosine string) {
	model, vector, dimensions := s.arg(n.model), s.arg(n.vector), s.arg(len(n.vector))
	join = ` JOIN memory_vectors v ON v.tenant = $1 AND v.project = $2 AND v.memory_id = m.id AND v.model = ` + model
	if n.few { // one by one
		join = ` CROSS JOIN LATERAL (SELECT x.* FROM memory_vectors x WHERE x.tenant = $1 AND x.project = $2 AND x.memory_id = m.id AND x.model = ` + model + ` OFFSET 0) v`
	}
	if s.past {
		join += ` JOIN memories c ON c.tenant = $1 AND c.project = $2 AND c.id = m.id AND c.content = m.content`
	}
	cosine = `CASE WHEN vector_dims(v.vector) = ` + dimensions + ` THEN least(1, 1 - (v.vector <=> (SELECT ` + vector + `::real[]::vector))) END`
	return join, cosine
}

// compareSeen compares every vector the sight shows. What it finds is always enough.
func (n *nearest) compareSeen() ([]search.Hit, bool, error) {
	s := *n.sight
	join, cosine := s.sameSpace(n)
	if !n.few {
		n.exec(`SET LOCAL enable_nestloop = off`) // each side is read once
		defer n.exec(`SET LOCAL enable_nestloop = on`)
	}
	// OFFSET 0: each is compared once, and not again where it is selected and sorted
	hits, err := n.hits(&s, `SELECT d.* FROM (SELECT `+cosine+` AS score, `+placedColumns+` FROM `+s.from+join+s.where()+` OFFSET 0) d
		WHERE d.score > 0 ORDER BY d.score DESC, d.id COLLATE "C" LIMIT `+s.arg(n.depth))
	return hits, true, err
}

// spareVectors is how many more vectors are selected than asked for where expired memories may have some of them.
const spareVectors = 32

// compareAll compares every vector and then reads which of the nearest belong to memories that have not expired. Too many
// may have: then it is not enough. It asks twice, for a join would look each of them up by itself, which takes longer than
// comparing a thousand.
func (n *nearest) compareAll() ([]search.Hit, bool, error) {
	s := *n.sight
	_, cosine := s.sameSpace(n)
	most := n.depth + spareVectors
	var ids []string
	scores := make(map[memory.ID]float64, most)
	err := n.rows(`SELECT c.memory_id::text, c.score FROM (SELECT v.memory_id, `+cosine+` AS score FROM memory_vectors v
			WHERE v.tenant = $1 AND v.project = $2 AND v.model = $3 OFFSET 0) c
		WHERE c.score > 0 ORDER BY c.score DESC, c.memory_id LIMIT `+s.arg(most), s.args, func(rows pgx.Rows) error {
		var id string
		var score float64
		err := rows.Scan(&id, &score)
		ids, scores[memory.ID(id)] = append(ids, id), score
		return err
	})
	if err != nil || len(ids) == 0 {
		return nil, err == nil, err
	}
	seen := *n.sight
	var hits []search.Hit
	var document memory.Seq
	seats, err := n.placedRows(&seen, "a.document", `SELECT m.document, `+placedColumns+` FROM `+seen.byID(ids),
		func() []any { return []any{&document} }, func(p *placed) error {
			hits = append(hits, p.hit(scores[memory.ID(p.id)]))
			return nil
		})
	if err != nil {
		return nil, false, err
	}
	seats.seat(hits)
	slices.SortFunc(hits, byScore)
	return hits[:min(len(hits), n.depth)], len(hits) >= n.depth || len(ids) < most, nil
}
