package sqlite

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// A durable commit waits for the disk, and one wait can serve many callers. Writers queue; the first becomes the
// leader, opens a transaction and gives each waiting writer its turn in it, one after the other, each in a savepoint
// of its own and on its own goroutine. Then it commits once, and all are answered. Who arrives during the commit forms
// the next group. There is no goroutine in the background: the callers do the work.
const (
	groupSize = 256                   // writers per commit
	groupTime = 20 * time.Millisecond // after this no more writers join: the first one is waiting
)

// committer is the queue of writers.
type committer struct {
	time    time.Duration // groupTime, but in tests
	mu      sync.Mutex
	waiting []*writer
	leading bool // somebody leads, or has been told to
}

// writer is one call of write, in the queue or having its turn.
type writer struct {
	ctx     context.Context
	do      func(*sql.Tx) error
	signals chan signal // to the writer; one is under way at most
	ran     chan ran    // to the leader
}

// signal tells a waiting writer one of three things: lead, take your turn in tx, or here is your answer.
type signal struct {
	lead bool
	tx   *sql.Tx
	err  error
}

// ran is how a turn ended.
type ran struct {
	err     error // of the caller's function; its savepoint is rolled back
	broken  error // the transaction is gone, with everybody's work
	aborted bool  // the function panicked or left its goroutine; nobody waits for an answer
}

// write runs do in a transaction and returns once it is durable. Concurrent calls share a transaction and a commit; each
// has its savepoint, so an error or a panic of one takes back only its own changes. do runs on the caller's goroutine,
// may run more than once, and must use tx only. An error of do is returned unchanged, unless it is the database's own.
//
// Statements in do should run under a context without cancellation: interrupting one makes SQLite drop the whole
// transaction, and the other members of the group have to run again.
func (d *DB) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	pools, err := d.opened(ctx)
	if err != nil {
		return err
	}
	self := &writer{ctx: ctx, do: do, signals: make(chan signal, 1), ran: make(chan ran, 1)}
	leads := d.queue.join(self)
	d.writes.Add(1)
	if leads {
		return classify(ctx, d.lead(pools.writer, self))
	}
	cancelled := ctx.Done()
	for {
		select {
		case s := <-self.signals:
			switch {
			case s.lead:
				return classify(ctx, d.lead(pools.writer, self))
			case s.tx != nil:
				self.run(s.tx)
			default:
				return classify(ctx, s.err)
			}
		case <-cancelled:
			if d.queue.leave(self) {
				return ctx.Err()
			}
			cancelled = nil // its turn has come: the answer follows
		}
	}
}

// lead runs groups until self is answered, then hands the lead on. self stands first in the queue.
func (d *DB) lead(db *sql.DB, self *writer) error {
	finished := false
	defer func() {
		if !finished { // self's function panicked or left the goroutine
			d.queue.pass()
		}
	}()
	for {
		answer, again := d.group(db, self)
		if again {
			continue
		}
		finished = true
		d.queue.pass()
		return answer
	}
}

// group runs one transaction and answers its members. again tells that self is still in the queue, at its head.
func (d *DB) group(db *sql.DB, self *writer) (answer error, again bool) {
	tx, end, err := begin(self.ctx, db)
	defer end()
	if err != nil {
		d.queue.remove(self)
		if self.ctx.Err() == nil { // it would fail for the others as well; let them know now
			for _, w := range d.queue.takeAll() {
				w.signals <- signal{err: err}
			}
		}
		return err, false
	}

	var members []*writer // whose changes stand in tx
	var losers []loser    // who failed after members had changed something
	committed := false
	defer func() {
		if !committed {
			_ = tx.Rollback() // nothing of it was promised to anybody
			for _, l := range losers {
				members = append(members, l.writer)
			}
			d.queue.giveBack(members)
		}
	}()
	var selfErr error
	selfDone := false
	started := time.Now()
	for taken := 0; taken == 0 || taken < groupSize && time.Since(started) < d.queue.time; taken++ { // self always has its turn
		w := d.queue.take()
		if w == nil {
			break
		}
		var turn ran
		switch {
		case w.ctx.Err() != nil:
			turn.err = w.ctx.Err()
		case w == self:
			w.run(tx)
			turn = <-w.ran
		default:
			w.signals <- signal{tx: tx}
			turn = <-w.ran
		}
		if turn.aborted {
			turn.broken = takeBack(tx)
		} else if turn.err == nil && turn.broken == nil {
			members = append(members, w)
			continue
		}
		failure := turn.err
		if failure == nil {
			failure = turn.broken
		}
		if w == self {
			selfErr, selfDone = failure, true
		} else if !turn.aborted && turn.broken == nil && len(members) > 0 {
			losers = append(losers, loser{w, failure})
		} else if !turn.aborted {
			w.signals <- signal{err: failure}
		}
		if turn.broken != nil { // the others run again in a transaction that is whole
			return selfErr, !selfDone
		}
	}

	if len(members) == 0 {
		return selfErr, false
	}
	err = tx.Commit()
	committed = true
	d.commits.Add(1)
	for _, w := range members {
		if w == self {
			selfErr = err
		} else {
			w.signals <- signal{err: err}
		}
	}
	for _, l := range losers {
		if err != nil { // what it failed over has not come to be
			l.err = err
		}
		l.writer.signals <- signal{err: l.err}
	}
	if err == nil && d.announced.Swap(false) && d.options.OnCommit != nil {
		d.options.OnCommit()
	}
	return selfErr, false
}

// loser is a writer whose function failed, perhaps over changes of the same group that nobody else can see yet. It is
// told after the commit: told before, it would read what stands, not find what it lost to, and lose again.
type loser struct {
	writer *writer
	err    error
}

// begin opens a transaction. The context ends the wait for another process's lock, but never the transaction: that
// belongs to the whole group. end releases what begin holds, after the transaction.
//
// SQLite waits for a lock by asking ever less often, up to every tenth of a second: a process that writes without pause
// is then rarely caught between two of its transactions. So SQLite may wait for a few milliseconds only, and begin asks
// anew.
func begin(ctx context.Context, db *sql.DB) (tx *sql.Tx, end func(), err error) {
	group, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	for deadline := time.Now().Add(busyTimeout); ; {
		tx, err = db.BeginTx(group, nil)
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
	return tx, cancel, err
}

const (
	savepoint  = "SAVEPOINT turn"
	release    = "RELEASE turn"
	rollbackTo = "ROLLBACK TO turn"
)

// run takes the writer's turn: its function in a savepoint. The leader hears of every ending, even of a panic.
func (w *writer) run(tx *sql.Tx) {
	end := ran{aborted: true}
	defer func() { w.ran <- end }()
	ctx := context.Background()
	if _, err := tx.ExecContext(ctx, savepoint); err != nil {
		end = ran{broken: err}
		return
	}
	err := w.do(tx)
	if err != nil {
		end = ran{err: err, broken: takeBack(tx)}
		return
	}
	_, err = tx.ExecContext(ctx, release)
	end = ran{broken: err}
}

// takeBack undoes the turn. An error means that the whole transaction is gone: SQLite drops it by itself when a
// statement is interrupted or the disk is full.
func takeBack(tx *sql.Tx) error {
	ctx := context.Background()
	_, err := tx.ExecContext(ctx, rollbackTo)
	if err == nil {
		_, err = tx.ExecContext(ctx, release)
	}
	return err
}

// join queues the writer and reports whether it leads.
func (c *committer) join(w *writer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, w)
	if c.leading {
		return false
	}
	c.leading = true
	return true
}

// leave takes a writer that gave up out of the queue. It reports false when the writer's turn, lead or answer is
// already under way.
func (c *committer) leave(w *writer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(w.signals) > 0 {
		return false
	}
	return c.removeLocked(w)
}

func (c *committer) remove(w *writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeLocked(w)
}

func (c *committer) removeLocked(w *writer) bool {
	for i := range c.waiting {
		if c.waiting[i] == w {
			c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// take removes the first writer of the queue; nil when it is empty.
func (c *committer) take() *writer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		return nil
	}
	first := c.waiting[0]
	c.waiting[0] = nil
	c.waiting = c.waiting[1:]
	return first
}

func (c *committer) takeAll() []*writer {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.waiting
	c.waiting = nil
	return all
}

// giveBack puts writers whose transaction was lost at the head of the queue, in their order.
func (c *committer) giveBack(ws []*writer) {
	if len(ws) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(append([]*writer(nil), ws...), c.waiting...)
}

// pass makes the first of the queue the leader, or nobody.
func (c *committer) pass() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.leading = false
		return
	}
	c.waiting[0].signals <- signal{lead: true}
}
