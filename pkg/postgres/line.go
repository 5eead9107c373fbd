package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rae-memory/rae/pkg/groupcommit"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Those who write the same thing of a scope take turns, whatever the process: an advisory lock lets one transaction after
// the other. Within a process they share transactions (package groupcommit), or one hot scope could not be written faster
// than the disk answers. Scopes do not wait for one another, and in a scope its memories and its budget don't.

// lines are the queues of the scopes somebody is writing to.
type lines[T shared] struct {
	groupcommit.Lines[memory.Scope, T]
}

// shared is the transaction of a group of writers.
type shared interface {
	groupcommit.Tx
	fleeting(error) bool
}

// begin opens a group's transaction; alone reports whether nobody waits to join it.
type begin[T shared] func(ctx context.Context, scope memory.Scope, alone func() bool) (T, func(), error)

// write runs do in a transaction of the scope, alone in it, and returns once it is durable. See groupcommit.Queue.Write.
// Its turn is waited for no longer within the process than for another process: behind a writer that is stuck, the
// others are told to come again.
func (l *lines[T]) write(ctx context.Context, scope memory.Scope, open begin[T], do func(T) error) error {
	if err := cmp.Or(ctx.Err(), llm.NoDryRun(ctx), scope.Check()); err != nil {
		return err
	}
	q, leave := l.Enter(scope, func(q *groupcommit.Queue[T]) {
		q.Begin = func(ctx context.Context) (T, func(), error) {
			return open(ctx, scope, func() bool { return q.Waiting() == 0 })
		}
	})
	defer leave()
	for try := 1; ; try++ {
		var last T
		var own error
		ran, fleeting := false, false
		waiting, cancel := context.WithTimeout(ctx, lockTime)
		err := q.Write(waiting, func(tx T) error {
			last, ran, own = tx, true, do(tx)
			fleeting = last.fleeting(own) // asked now: when its error is told, others have the transaction
			return own
		})
		impatient := !ran && waiting.Err() != nil && ctx.Err() == nil
		cancel()
		if impatient && errors.Is(err, context.DeadlineExceeded) {
			return again(err, "the store is busy")
		}
		if ran && err != nil && !errors.Is(err, own) { // it is of the transaction's end
			fleeting = last.fleeting(err)
		}
		if ran && outdated(err) { // nothing was tried: the next transaction reads what it began with
			if ctx.Err() != nil {
				return ctx.Err()
			}
			try--
			continue
		}
		if err == nil || !ran || try == tries || !fleeting || !pause(ctx, try) {
			return classify(ctx, err)
		}
	}
}

// turns is a transaction whose savepoints are the turns of a group's members. What embeds it remembers what it knows of
// the scope as a turn begins.
type turns struct {
	*session
	db    *DB
	scope memory.Scope
	alone func() bool // whether nobody else waits

	taken  int
	before int  // statements kept back when the turn began
	sent   int  // flushes of the session when the turn began
	full   bool // nobody may join any more
}

// turns keeps back the opening of a transaction; its first question sends it. also is as begin has it. The context ends the wait for a connection,
// but never the transaction, which belongs to the whole group.
func (d *DB) turns(ctx context.Context, scope memory.Scope, also string, alone func() bool) (turns, func(), error) {
	conn, err := d.acquire(ctx)
	if err != nil {
		return turns{}, func() {}, err
	}
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTime+lockTime)
	s := d.begin(lasting, conn.Conn(), writing, runtimeRole, scope, also)
	return turns{session: s, db: d, scope: scope, alone: alone}, func() {
		cancel()
		conn.Release()
	}, nil
}

// Savepoint implements groupcommit.Tx.
func (t *turns) Savepoint() error {
	t.taken++
	t.before, t.sent = t.pending.Len(), t.flushes
	t.exec("SAVEPOINT turn")
	return nil
}

// Release implements groupcommit.Tx. What the turn kept back is sent now, so that what the database refuses of it is
// this turn's failure and nobody else's; unless nobody else waits: then it is sent with the commit, in one round trip.
func (t *turns) Release() error {
	t.full = t.taken == 1 && t.alone()
	t.leave()
	if t.full {
		return nil
	}
	return t.flush()
}

// leave keeps back the end of the turn's savepoint, or goes without one that has not been sent.
func (t *turns) leave() {
	if t.flushes == t.sent {
		t.pending.QueuedQueries = slices.Delete(t.pending.QueuedQueries, t.before, t.before+1)
		return
	}
	t.exec("RELEASE SAVEPOINT turn")
}

// Full implements groupcommit.Tx.
func (t *turns) Full() bool { return t.full }

// TakeBack implements groupcommit.Tx.
func (t *turns) TakeBack() error {
	if t.flushes == t.sent { // not even its savepoint has been sent
		t.pending.QueuedQueries = t.pending.QueuedQueries[:t.before]
		return nil
	}
	t.pending.QueuedQueries = nil
	if t.broken {
		return fmt.Errorf("take back what was written: %w", errBroken)
	}
	t.exec("ROLLBACK TO SAVEPOINT turn")
	t.exec("RELEASE SAVEPOINT turn")
	return t.flush()
}

var errBroken = errors.New("the connection is broken")

// Commit implements groupcommit.Tx.
func (t *turns) Commit() error {
	err := t.commit()
	if err == nil {
		t.db.committed(t.session)
	}
	return err
}

// Rollback implements groupcommit.Tx.
func (t *turns) Rollback() { t.rollback() }
