package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
)

// Words are found in two places. Those of a scope's newest versions, its tail, are read from the versions themselves, so
// that a write costs nothing more; from time to time the tail is gathered in blocks, by term. What a version superseded
// is marked in the blocks when the version is gathered; until then, a search reckons with the tail.
const (
	shortTail   = 128   // changes that are not worth gathering: each search reads them twice, at some 10 µs each
	longestTail = 4_096 // changes after which the writer gathers them itself
	gatherSlice = 2_048 // versions gathered at once
)

// Gather merges the scope's newest words into blocks once there are enough of them, and returns how many changes it
// covered. A consumer of memory.stored calls it; where nobody does, a writer will at last.
func (d *DB) Gather(ctx context.Context, scope memory.Scope) (int, error) {
	return d.gather(ctx, scope, shortTail)
}

// gather gathers a tail that is longer than spare.
func (d *DB) gather(ctx context.Context, scope memory.Scope, spare int) (covered int, err error) {
	var head, gathered memory.Seq
	err = d.view(ctx, scope, func(s *session) error {
		head, gathered = 0, 0
		s.ask(`SELECT head, gathered FROM scopes WHERE tenant = $1 AND project = $2`,
			[]any{scope.Tenant, scope.Project}, func(rows pgx.Rows) error { return rows.Scan(&head, &gathered) })
		return nil
	})
	if err != nil || int(head-gathered) <= spare {
		return 0, d.failed(ctx, "look at the words of "+scope.String(), err)
	}
	err = d.write(ctx, scope, func(g *group) error {
		if err := g.entered(); err != nil {
			return err
		}
		before := g.next.gathered
		if err := g.gather(); err != nil {
			return err
		}
		covered = int(g.next.gathered - before)
		return nil
	})
	return covered, d.failed(ctx, "gather the words of "+scope.String(), err)
}

// gather merges the tail, slice by slice.
func (g *group) gather() error {
	for g.next.gathered < g.next.head {
		if err := g.gatherSlice(); err != nil {
			return err
		}
	}
	return nil
}

// tailOf selects the versions whose document lies above after and passes the further condition on x: the words, whether
// it has been superseded, the document it superseded itself, and, where that is not above after, its words.
func tailOf(after, further string) string {
	versions := func(table, id, past string) string {
		return `SELECT m.document, m.words, ` + past + `, coalesce(p.document, 0), CASE WHEN p.document <= ` + after + ` THEN p.words ELSE '' END
			FROM (SELECT x.* FROM ` + table + ` x WHERE x.tenant = $1 AND x.project = $2 AND x.document > ` + after + further + ` ORDER BY x.document) m
			LEFT JOIN LATERAL (SELECT o.version, o.document, o.words FROM memory_versions o WHERE m.version > 1 AND o.tenant = $1 AND o.project = $2
				AND o.memory_id = m.` + id + ` AND o.version >= m.version - 1 ORDER BY o.memory_id, o.version LIMIT 1) p ON p.version = m.version - 1`
	}
	return versions(`memories`, `id`, `false`) + ` UNION ALL ` + versions(`memory_versions`, `memory_id`, `true`) + ` ORDER BY 1`
}

// The tail up to $4 of what lies above $3, and the whole of it as it stands.
var (
	tailSlice = tailOf(`$3`, ` AND x.document <= $4`)
	wholeTail = tailOf(`(SELECT gathered FROM scopes WHERE tenant = $1 AND project = $2)`, ``)
)

// sliceEnd selects the document with which a slice of at most $4 versions above $3 ends, if there are more.
const sliceEnd = `SELECT d.document FROM (
	(SELECT document FROM memories WHERE tenant = $1 AND project = $2 AND document > $3 ORDER BY document LIMIT $4)
	UNION ALL
	(SELECT document FROM memory_versions WHERE tenant = $1 AND project = $2 AND document > $3 ORDER BY document LIMIT $4)
	) d ORDER BY 1 LIMIT 1 OFFSET $4 - 1`

// tailRow is a row of tailOf.
type tailRow struct {
	sheet
	past       bool
	superseded sheet // without words when it is in the tail, too
}

func (r *tailRow) scan(rows pgx.Rows) error {
	return rows.Scan(&r.document, &r.words, &r.past, &r.superseded.document, &r.superseded.words)
}

// gatherSlice merges the oldest of the tail.
func (g *group) gatherSlice() error {
	end := g.next.head
	from := []any{g.scope.Tenant, g.scope.Project, g.next.gathered}
	if err := g.rows(sliceEnd, append(from, gatherSlice), func(rows pgx.Rows) error { return rows.Scan(&end) }); err != nil {
		return err
	}
	var tail []tailRow
	superseded := map[memory.Seq]bool{}
	older := amendments{}
	err := g.rows(tailSlice, append(from, end), func(rows pgx.Rows) error {
		var row tailRow
		if err := row.scan(rows); err != nil {
			return err
		}
		superseded[row.superseded.document] = true
		older.add(row.superseded, supersede)
		tail = append(tail, row)
		return nil
	})
	if err != nil {
		return err
	}
	if err := g.amend(older); err != nil {
		return err
	}
	if err := g.append(tail, superseded); err != nil {
		return err
	}
	g.next.gathered = end
	return nil
}

// append adds the postings of versions to the last blocks of their terms.
func (g *group) append(tail []tailRow, superseded map[memory.Seq]bool) error {
	fresh := map[string][]posting{}
	var terms []string
	for i := range tail {
		counts, length := count(tail[i].words)
		for term, n := range counts {
			if fresh[term] == nil {
				terms = append(terms, term)
			}
			fresh[term] = append(fresh[term], posting{tail[i].document, n, length, superseded[tail[i].document]})
		}
	}
	if len(terms) == 0 {
		return nil
	}
	blocks, err := g.blocks(`SELECT w.term, b.first, b.postings FROM unnest($3::text[]) w(term) CROSS JOIN LATERAL (
		SELECT x.first, x.postings FROM term_blocks x WHERE x.tenant = $1 AND x.project = $2 AND x.term = w.term
		ORDER BY x.first DESC LIMIT 1) b`, terms)
	if err != nil {
		return err
	}
	last := make(map[string]*block, len(terms))
	for _, b := range blocks {
		last[b.term] = b
	}
	for _, term := range terms {
		b := last[term]
		for _, p := range fresh[term] {
			if next := push(b, term, p); next != b {
				b, blocks = next, append(blocks, next)
			}
		}
	}
	g.store(blocks)
	return nil
}

// count tells how often each term occurs, and how long what encodeWords wrote is.
func count(words string) (counts map[string]uint32, length uint32) {
	counts = make(map[string]uint32, len(words)/8+1)
	for term, extra := range eachWord(words) {
		if term == relevance.SentenceBreak {
			continue
		}
		counts[term]++
		if !extra {
			length++
		}
	}
	return counts, length
}
