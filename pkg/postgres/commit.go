package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/groupcommit"
	"github.com/rae-memory/rae/pkg/memory"
)

// The writers of a scope take turns: the feed numbers changes in the order they commit, so a scope is written by one
// transaction at a time, whatever the process. Within a process they share transactions (package groupcommit), or one
// hot scope could not be written faster than the disk answers. Scopes do not wait for one another.

// lines are the queues of the scopes somebody is writing to.
type lines struct {
	mu   sync.Mutex
	open map[memory.Scope]*line
}

// line is the queue of one scope's writers.
type line struct {
	groupcommit.Queue[*group]
	writers int // in Write or about to be
}

// enter returns the scope's line, and leave, to be called after the write.
func (l *lines) enter(scope memory.Scope, begin func(context.Context, *line) (*group, func(), error)) (*line, func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[memory.Scope]*line{}
	}
	q := l.open[scope]
	if q == nil {
		q = &line{}
		q.Begin = func(ctx context.Context) (*group, func(), error) { return begin(ctx, q) }
		l.open[scope] = q
	}
	q.writers++
	return q, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if q.writers--; q.writers == 0 {
			delete(l.open, scope)
		}
	}
}

// write runs do in a transaction of the scope, alone in it, and returns once it is durable. See groupcommit.Queue.Write.
// Its turn is waited for no longer within the process than for another process: behind a writer that is stuck, the
// others are told to come again.
func (d *DB) write(ctx context.Context, scope memory.Scope, do func(*group) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q, leave := d.lines.enter(scope, func(ctx context.Context, q *line) (*group, func(), error) {
		g, end, err := d.beginGroup(ctx, scope)
		if g != nil {
			g.alone = func() bool { return q.Waiting() == 0 }
		}
		return g, end, err
	})
	defer leave()
	for try := 1; ; try++ {
		var last *group
		waiting, cancel := context.WithTimeout(ctx, lockTime)
		err := q.Write(waiting, func(g *group) error {
			last = g
			return do(g)
		})
		impatient := last == nil && waiting.Err() != nil && ctx.Err() == nil
		cancel()
		if impatient && errors.Is(err, context.DeadlineExceeded) {
			return again(err, "the store is busy")
		}
		if err == nil || last == nil || try == tries || !last.session.fleeting(err) || !pause(ctx, try) {
			return classify(ctx, err)
		}
	}
}

// group is the transaction of a group of writers.
type group struct {
	*session
	db    *DB
	scope memory.Scope
	alone func() bool // whether nobody else waits
	now   time.Time

	stands scopeRow // as the database has it
	next   scopeRow // with what this transaction did
	known  bool     // stands has been read

	turns     int
	kept      scopeRow // next, as the turn under way found it
	before    int      // statements kept back when the turn began
	flushes   int      // of the session when the turn began
	full      bool
	announced bool // something was written to the outbox
}

var _ groupcommit.Tx = (*group)(nil)

// scopeRow is what is counted for a scope as a whole.
type scopeRow struct {
	exists            bool
	head, floor       memory.Seq
	documents, length int64
	gathered          memory.Seq
}

// lock makes the transaction the only one that writes the scope, and one that no erasure of its tenant overlaps. The
// locks end with the transaction. Their numbers are hashes: two scopes that share one wait for each other, no more.
const (
	lockScope = `SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 1)),
		pg_advisory_xact_lock(hashtextextended(length($1)::text || ':' || $1 || $2, 2))`
	lockTenant = `SELECT pg_advisory_xact_lock(hashtextextended($1, 1))`
	readScope  = `SELECT s.head IS NOT NULL, coalesce(s.head, e.head), coalesce(s.floor, e.head), coalesce(s.documents, 0),
		coalesce(s.length, 0), coalesce(s.gathered, 0), rae_now()
		FROM erased e LEFT JOIN scopes s ON s.tenant = $1 AND s.project = $2`
)

// beginGroup keeps back the opening of a transaction; its first question sends it. The context ends the wait for a
// connection, but never the transaction, which belongs to the whole group.
func (d *DB) beginGroup(ctx context.Context, scope memory.Scope) (*group, func(), error) {
	conn, err := d.acquire(ctx)
	if err != nil {
		return nil, func() {}, err
	}
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTime+lockTime)
	end := func() {
		cancel()
		conn.Release()
	}
	g := &group{session: d.begin(lasting, conn.Conn(), writing, runtimeRole, scope), db: d, scope: scope}
	g.exec(lockScope, scope.Tenant, scope.Project)
	g.ask(readScope, []any{scope.Tenant, scope.Project}, func(rows pgx.Rows) error {
		s := &g.stands
		err := rows.Scan(&s.exists, &s.head, &s.floor, &s.documents, &s.length, &s.gathered, &g.now)
		g.now = g.now.UTC()
		g.next, g.kept, g.known = *s, *s, true
		return err
	})
	return g, end, nil
}

// Savepoint implements groupcommit.Tx.
func (g *group) Savepoint() error {
	g.turns++
	g.kept, g.before, g.flushes = g.next, g.pending.Len(), g.session.flushes
	g.exec("SAVEPOINT turn")
	return nil
}

// Release implements groupcommit.Tx. What the turn kept back is sent now, so that what the database refuses of it is
// this turn's failure and nobody else's; unless nobody else waits: then it is sent with the commit, in one round trip.
func (g *group) Release() error {
	g.exec("RELEASE SAVEPOINT turn")
	g.full = g.turns == 1 && g.alone()
	if g.full {
		return nil
	}
	return g.flush()
}

// Full implements groupcommit.Tx.
func (g *group) Full() bool { return g.full }

// TakeBack implements groupcommit.Tx.
func (g *group) TakeBack() error {
	if g.known {
		g.next = g.kept
	}
	if g.session.flushes == g.flushes { // not even its savepoint has been sent
		g.pending.QueuedQueries = g.pending.QueuedQueries[:g.before]
		return nil
	}
	g.pending.QueuedQueries = nil
	if g.broken {
		return fmt.Errorf("take back what was written: %w", errBroken)
	}
	g.exec("ROLLBACK TO SAVEPOINT turn")
	g.exec("RELEASE SAVEPOINT turn")
	return g.flush()
}

var errBroken = errors.New("the connection is broken")

// Commit implements groupcommit.Tx.
func (g *group) Commit() error {
	if g.known && g.next != g.stands {
		n := &g.next
		g.exec(`INSERT INTO scopes (tenant, project, head, floor, documents, length, gathered) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (tenant, project) DO UPDATE SET head = excluded.head, documents = excluded.documents,
			length = excluded.length, gathered = excluded.gathered`,
			g.scope.Tenant, g.scope.Project, n.head, n.floor, n.documents, n.length, n.gathered)
	}
	err := g.commit()
	if err == nil && g.announced && g.db.options.OnCommit != nil {
		g.db.options.OnCommit()
	}
	return err
}

// Rollback implements groupcommit.Tx.
func (g *group) Rollback() { g.rollback() }

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
