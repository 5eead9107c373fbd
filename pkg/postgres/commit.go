package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// write runs do in a transaction of the scope, alone in it, and returns once it is durable.
func (d *DB) write(ctx context.Context, scope memory.Scope, do func(*group) error) error {
	return d.lines.write(ctx, scope, d.beginGroup, do)
}

// group is the transaction of a group of writers of a scope's memories: the feed numbers changes in the order they commit.
type group struct {
	turns
	now time.Time

	stands scopeRow // as the database has it
	next   scopeRow // with what this transaction did
	kept   scopeRow // next, as the turn under way found it
	known  bool     // stands has been read
	doomed []sheet  // what is deleted; its postings are removed before the commit
	spared int      // len(doomed), as the turn under way found it
}

// scopeRow is what is counted for a scope as a whole.
type scopeRow struct {
	exists            bool
	head, floor       memory.Seq
	documents, length int64
	gathered          memory.Seq
	language          text.Language
}

// lock makes the transaction the only one that writes the scope, and one that no erasure of its tenant overlaps. The
// locks end with the transaction. Their numbers are hashes: two scopes that share one wait for each other, no more.
const (
	lockScope = `, pg_advisory_xact_lock_shared(hashtextextended($2, 1)),
		pg_advisory_xact_lock(hashtextextended(length($2)::text || ':' || $2 || $3, 2))` // after enter
	lockTenant = `SELECT pg_advisory_xact_lock(hashtextextended($1, 1))`
	readScope  = `SELECT s.head IS NOT NULL, coalesce(s.head, e.head), coalesce(s.floor, e.head), coalesce(s.documents, 0),
		coalesce(s.length, 0), coalesce(s.gathered, 0), coalesce(s.language, ''), rae_now()
		FROM erased e LEFT JOIN scopes s ON s.tenant = $1 AND s.project = $2`
)

// beginGroup keeps back the opening of a transaction; its first question sends it.
func (d *DB) beginGroup(ctx context.Context, scope memory.Scope, alone func() bool) (*group, func(), error) {
	t, end, err := d.turns(ctx, scope, steadily+lockScope, alone)
	if err != nil {
		return nil, end, err
	}
	g := &group{turns: t}
	g.ask(readScope, []any{scope.Tenant, scope.Project}, func(rows pgx.Rows) error {
		s := &g.stands
		var language string
		if err := rows.Scan(&s.exists, &s.head, &s.floor, &s.documents, &s.length, &s.gathered, &language, &g.now); err != nil {
			return err
		}
		g.now = g.now.UTC()
		s.language = d.language(scope)
		if s.exists {
			s.language, _ = text.ParseLanguage(language)
		}
		g.next, g.kept, g.known = *s, *s, true
		return nil
	})
	return g, end, nil
}

// Savepoint implements groupcommit.Tx.
func (g *group) Savepoint() error {
	g.kept, g.spared = g.next, len(g.doomed)
	return g.turns.Savepoint()
}

// TakeBack implements groupcommit.Tx.
func (g *group) TakeBack() error {
	if g.known {
		g.next, g.doomed = g.kept, g.doomed[:g.spared]
	}
	return g.turns.TakeBack()
}

// Commit implements groupcommit.Tx.
func (g *group) Commit() error {
	if err := g.tidy(); err != nil {
		return err
	}
	if g.known && g.next != g.stands {
		n := &g.next
		g.exec(`INSERT INTO scopes (tenant, project, head, floor, documents, length, gathered, language)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (tenant, project) DO UPDATE SET head = excluded.head, documents = excluded.documents,
			length = excluded.length, gathered = excluded.gathered`,
			g.scope.Tenant, g.scope.Project, n.head, n.floor, n.documents, n.length, n.gathered, n.language.String())
	}
	return g.turns.Commit()
}

// tidy leaves the blocks of words in order: without what was deleted, and with most of what was written.
func (g *group) tidy() error {
	if !g.known {
		return nil
	}
	if err := g.forgetDoomed(); err != nil {
		return err
	}
	if g.next.head-g.next.gathered <= longestTail {
		return nil
	}
	before := g.next
	g.exec("SAVEPOINT gathering")
	err := g.gather()
	if err == nil || g.broken || g.ctx.Err() != nil {
		return err
	}
	// What was written stands without it; it is only found more slowly.
	g.db.options.Log.WarnContext(g.ctx, "words were not gathered", "err", err)
	g.next = before
	g.pending.QueuedQueries = nil
	g.exec("ROLLBACK TO SAVEPOINT gathering")
	return g.flush()
}

// number numbers one change.
func (g *group) number() (memory.Seq, error) {
	if err := g.entered(); err != nil {
		return 0, err
	}
	g.next.head++
	return g.next.head, nil
}

// entered makes sure that the time and the scope's row are known, which nothing asked so far may have brought.
func (g *group) entered() error {
	if g.known {
		return nil
	}
	return g.flush()
}
