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
	shortTail   = 128      // changes that are not worth gathering: each search reads them twice, at some 10 µs each
	longestTail = 4_096    // changes after which the writer gathers them itself
	gatherSlice = 8_192    // versions gathered at once: the more, the fewer times the block of a term is written
	gatherBytes = 16 << 20 // their words, beyond which no more are
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

// sliceEnd selects the document with which a slice of $4 versions above $3, or of $5 bytes of words, ends; $6 where there
// are not so many.
const sliceEnd = `SELECT coalesce(min(d.document), $6) FROM (
	SELECT d.document, count(*) OVER w AS versions, sum(d.size) OVER w AS bytes FROM (
		(SELECT document, octet_length(words) AS size FROM memories
			WHERE tenant = $1 AND project = $2 AND document > $3 ORDER BY document LIMIT $4)
		UNION ALL
		(SELECT document, octet_length(words) FROM memory_versions
			WHERE tenant = $1 AND project = $2 AND document > $3 ORDER BY document LIMIT $4)
		) d WINDOW w AS (ORDER BY d.document)
	) d WHERE d.versions = $4 OR d.bytes >= $5`

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
	var end memory.Seq
	from := []any{g.scope.Tenant, g.scope.Project, g.next.gathered}
	if err := g.row(sliceEnd, append(from, gatherSlice, gatherBytes, g.next.head), &end); err != nil {
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
	if err := g.append(postingsOf(tail, superseded)); err != nil {
		return err
	}
	g.next.gathered = end
	return nil
}

// postingsOf are the postings of versions, by term.
func postingsOf(tail []tailRow, superseded map[memory.Seq]bool) map[string][]posting {
	found := map[string][]posting{}
	for i := range tail {
		p := posting{tail[i].document, 1, uint32(lengthOf(tail[i].words)), superseded[tail[i].document]}
		for term := range eachWord(tail[i].words) {
			if term == relevance.SentenceBreak {
				continue
			}
			of := found[term]
			if n := len(of); n > 0 && of[n-1].document == p.document {
				of[n-1].count++
				continue
			}
			found[term] = append(of, p)
		}
	}
	return found
}
