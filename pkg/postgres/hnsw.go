package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Scopes that outgrow comparing one by one share one approximate index per model and dimension: HNSW (Malkov &
// Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World graphs",
// 2018) over half floats. It holds only rows that are marked as indexed, so that small tenants neither pay for it nor
// crowd it. Rows are marked in slices, by IndexVectors; those that are not marked yet are compared one by one.

// widestIndexed is how many dimensions the index can take.
const widestIndexed = 4_000

// vectorIndex names the index of a model's vectors of a dimension.
func vectorIndex(model string, dimensions int) string {
	digest := sha256.Sum256([]byte(model + "\n" + strconv.Itoa(dimensions)))
	return "memory_vectors_hnsw_" + hex.EncodeToString(digest[:8])
}

// literal is a text as SQL writes it. A query has to say the same of a row as a partial index, letter by letter.
func literal(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// EnsureVectorIndex makes the index of a model's vectors in the database at the URL, unless there is one. It takes long
// where many rows are marked, blocks nobody meanwhile, and what an earlier attempt left unfinished is made anew. The
// URL's role owns the schema, as for Migrate. Vectors of more than 4,000 dimensions cannot be indexed: Invalid.
func EnsureVectorIndex(ctx context.Context, url, model string, dimensions int) error {
	if dimensions < 1 || dimensions > widestIndexed {
		return fault.New(fault.Invalid, "vectors of %d dimensions cannot be indexed, only 1 to %d", dimensions, widestIndexed)
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return classify(ctx, fmt.Errorf("connect: %w", broken{err}))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	name := vectorIndex(model, dimensions)
	var invalid bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid)`, name).Scan(&invalid)
	if err == nil && invalid {
		_, err = conn.Exec(ctx, `DROP INDEX CONCURRENTLY IF EXISTS `+name)
	}
	if err == nil {
		_, err = conn.Exec(ctx, fmt.Sprintf(`CREATE INDEX CONCURRENTLY IF NOT EXISTS %s ON memory_vectors
			USING hnsw ((vector::halfvec(%d)) halfvec_cosine_ops) WHERE %s`, name, dimensions, marked(model, dimensions)))
	}
	if err != nil {
		return classify(ctx, fmt.Errorf("index vectors of %s: %w", model, broken{err}))
	}
	return nil
}

// marked is the condition of the index of a model's vectors of a dimension.
func marked(model string, dimensions int) string {
	return fmt.Sprintf(`indexed AND model = %s AND vector_dims(vector) = %d`, literal(model), dimensions)
}

// indexSlice is how many vectors are marked in one transaction. Each is inserted into the index, which takes milliseconds.
const indexSlice = 200

// IndexVectors marks up to limit vectors of the scope, of that many dimensions, as indexed, and returns how many; where
// ctx ends it, the next call goes on. It marks none of a scope that is small enough to be compared one by one. Many are
// indexed fastest by marking them before EnsureVectorIndex makes the index.
func (d Dense) IndexVectors(ctx context.Context, scope memory.Scope, dimensions, limit int) (done int, err error) {
	for slice := indexSlice; done < limit && slice == indexSlice; {
		slice, err = d.indexSlice(ctx, scope, dimensions, min(indexSlice, limit-done))
		done += slice
		if err != nil {
			return done, d.DB.failed(ctx, "index vectors of "+scope.String(), err)
		}
	}
	return done, nil
}

func (d Dense) indexSlice(ctx context.Context, scope memory.Scope, dimensions, limit int) (int, error) {
	var done int64
	err := d.DB.change(ctx, scope, func(in *session) error {
		in.affect(&done, `UPDATE memory_vectors v SET indexed = true FROM (
				SELECT f.tenant, f.project, f.memory_id, f.model FROM memory_vectors f JOIN scopes s
				ON s.tenant = f.tenant AND s.project = f.project AND s.documents > $5
				WHERE f.tenant = $1 AND f.project = $2 AND f.model = $3 AND NOT f.indexed AND vector_dims(f.vector) = $4
				LIMIT $6 FOR UPDATE OF f SKIP LOCKED) f
			WHERE v.tenant = f.tenant AND v.project = f.project AND v.memory_id = f.memory_id AND v.model = f.model`,
			scope.Tenant, scope.Project, d.Model, dimensions, d.exact(), limit)
		return in.flush()
	})
	return int(done), err
}

// What a question to the index costs. A row that the index visits costs about as much as visitCost rows compared one by
// one.
const (
	visitCost  = 10
	mostVisits = 100_000
)

// outgrown tells whether the index should be asked: there is one, which has most of the scope's vectors, the sight shows
// more of them than are compared one by one, and they are a large enough part of the index for enough of them to be met
// on the way.
func (n *nearest) outgrown(exact int) (bool, error) {
	if n.past || len(n.vector) > widestIndexed {
		return false, nil
	}
	var documents, entries, seen int
	n.ask(`SELECT documents FROM scopes WHERE tenant = $1 AND project = $2`, n.args[:2:2], func(rows pgx.Rows) error { return rows.Scan(&documents) })
	err := n.rows(`SELECT c.reltuples::bigint FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
		WHERE c.oid = to_regclass($1) AND i.indisvalid`, []any{vectorIndex(n.model, len(n.vector))},
		func(rows pgx.Rows) error { return rows.Scan(&entries) })
	if err != nil || documents <= exact || entries == 0 && !n.restricted() {
		return false, err
	}
	seen = documents
	if n.restricted() {
		s := *n.sight
		query := `SELECT count(*) FROM (SELECT FROM ` + s.from + s.where() + ` LIMIT ` + s.arg(exact+1) + `) m`
		err := n.row(query, s.args, &seen)
		n.few = err == nil && seen <= exact
		if err != nil || n.few {
			return false, err
		}
	}
	var unmarked int // what the index does not have is compared with what it finds, each looked up by itself
	err = n.row(`SELECT count(*) FROM (SELECT FROM memory_vectors WHERE tenant = $1 AND project = $2 AND model = $3 AND NOT indexed LIMIT $4) v`,
		append(n.args[:2:2], n.model, exact+1), &unmarked)
	if err != nil || entries == 0 || unmarked > exact {
		return false, err
	}
	visits := float64(n.depth) * float64(max(entries, documents)) / float64(seen)
	return visits*visitCost < float64(documents) && visits < mostVisits, nil
}

// approximate asks the index for the nearest that the sight shows, adds what is not in it yet, and compares all of these
// exactly. Where the index gives up before it has met enough, it is not enough.
func (n *nearest) approximate() ([]search.Hit, bool, error) {
	// The index is worth what its order is worth: whatever would sort the whole scope instead is out of the question.
	n.exec(`SELECT set_config('hnsw.ef_search', $1, true), set_config('hnsw.iterative_scan', 'relaxed_order', true),
		set_config('hnsw.max_scan_tuples', $2, true), set_config('enable_sort', 'off', true),
		set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('enable_seqscan', 'off', true),
		set_config('enable_bitmapscan', 'off', true)`,
		strconv.Itoa(min(1000, max(100, 2*n.depth))), strconv.Itoa(mostVisits))
	s := *n.sight
	join, cosine := s.sameSpace(n)
	half := fmt.Sprintf(`halfvec(%d)`, len(n.vector))
	vector := `(SELECT $` + strconv.Itoa(len(n.args)+2) + `::real[]::vector::` + half + `)`
	most := n.depth + n.depth/4
	query := `SELECT d.* FROM (SELECT * FROM (
			SELECT ` + cosine + ` AS score, ` + placedColumns + ` FROM (
				SELECT v.memory_id FROM memory_vectors v JOIN ` + s.from + ` ON m.id = v.memory_id` + s.where() + `
				AND v.tenant = $1 AND v.project = $2 AND ` + marked(n.model, len(n.vector)) + ` ORDER BY v.vector::` + half + ` <=> ` + vector + ` LIMIT ` + s.arg(most) + `) near
			JOIN ` + s.from + ` ON m.id = near.memory_id` + join + s.where() + ` OFFSET 0) a
		UNION ALL SELECT * FROM (SELECT ` + cosine + ` AS score, ` + placedColumns + ` FROM ` + s.from + join + s.where() + ` AND NOT v.indexed OFFSET 0) b) d
		WHERE d.score > 0 ORDER BY d.score DESC, d.id COLLATE "C" LIMIT ` + s.arg(n.depth)
	hits, err := n.hits(&s, query)
	if err != nil {
		return nil, false, err
	}
	n.exec(`SELECT set_config(name, 'on', true) FROM unnest(ARRAY['enable_sort', 'enable_hashjoin', 'enable_mergejoin', 'enable_seqscan', 'enable_bitmapscan']) name`)
	return hits, len(hits) >= n.depth, nil
}
