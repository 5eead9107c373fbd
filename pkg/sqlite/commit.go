package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/rae-memory/rae/pkg/groupcommit"
	"github.com/rae-memory/rae/pkg/llm"
)

// Writers share commits; see package groupcommit. SQLite has one writer at a time, so there is one queue.

// group is the transaction of a group of writers.
type group struct {
	*sql.Tx
	committed func()
}

var _ groupcommit.Tx = group{}

const (
	savepoint  = "SAVEPOINT turn"
	release    = "RELEASE turn"
	rollbackTo = "ROLLBACK TO turn"
)

// Savepoint implements groupcommit.Tx.
func (g group) Savepoint() error { return g.exec(savepoint) }

// Release implements groupcommit.Tx.
func (g group) Release() error { return g.exec(release) }

// TakeBack implements groupcommit.Tx. SQLite drops the whole transaction by itself when a statement is interrupted or
// the disk is full.
func (g group) TakeBack() error {
	err := g.exec(rollbackTo)
	if err == nil {
		err = g.exec(release)
	}
	return err
}

// Commit implements groupcommit.Tx.
func (g group) Commit() error {
	err := g.Tx.Commit()
	if err == nil {
		g.committed()
	}
	return err
}

// Full implements groupcommit.Tx.
func (g group) Full() bool { return false }

// Rollback implements groupcommit.Tx.
func (g group) Rollback() { _ = g.Tx.Rollback() }

func (g group) exec(statement string) error {
	_, err := g.ExecContext(context.Background(), statement)
	return err
}

// write runs do in a transaction and returns once it is durable. do runs on the caller's goroutine, may run more than
// once, and must use tx only. An error of do is returned unchanged, unless it is the database's own. Statements in do
// should run under a context without cancellation.
func (d *DB) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	if err := llm.NoDryRun(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := d.opened(ctx); err != nil {
		return err
	}
	d.writes.Add(1)
	return classify(ctx, d.queue.Write(ctx, func(g group) error { return do(g.Tx) }))
}

// committed counts a commit and tells that the outbox may have something to send.
func (d *DB) committed() {
	d.commits.Add(1)
	if d.announced.Swap(false) && d.options.OnCommit != nil {
		d.options.OnCommit()
	}
}

// beginGroup opens a transaction. The context ends the wait for another process's lock, but never the transaction: that
// belongs to the whole group.
//
// SQLite waits for a lock by asking ever less often, up to every tenth of a second: a process that writes without pause
// is then rarely caught between two of its transactions. So SQLite may wait for a few milliseconds only, and beginGroup asks
// anew.
func (d *DB) beginGroup(ctx context.Context) (g group, end func(), err error) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	pools, err := d.opened(ctx)
	if err != nil {
		return group{}, cancel, err
	}
	stop := context.AfterFunc(ctx, cancel)
	var tx *sql.Tx
	for deadline := time.Now().Add(busyTimeout); ; {
		tx, err = pools.writer.BeginTx(lasting, nil)
		if err == nil || !busy(err) || ctx.Err() != nil || time.Now().After(deadline) {
			break
		}
	}
	if !stop() && err == nil { // cancelled in the very moment it began
		_ = tx.Rollback()
		err = ctx.Err()
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return group{tx, d.committed}, cancel, err
}
