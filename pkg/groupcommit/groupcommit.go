// Package groupcommit lets writers share a commit. A durable commit waits for the disk, and one wait can serve many
// callers: they queue, the first becomes the leader, opens a transaction and gives each waiting writer its turn in it,
// one after the other, each in a savepoint of its own and on its own goroutine. Then it commits once, and all are
// answered. Who arrives during the commit forms the next group. There is no goroutine in the background: the callers
// do the work, so a function that scales to zero has nothing running.
package groupcommit

import (
	"context"
	"sync"
	"time"
)

// Tx is a transaction with one savepoint at a time.
type Tx interface {
	// Savepoint opens a turn. An error means that the transaction is gone.
	Savepoint() error
	// Release keeps what the turn did. An error means that the transaction is gone.
	Release() error
	// TakeBack undoes what the turn did. An error means that the transaction is gone, with everybody's turns.
	TakeBack() error
	// Commit makes all kept turns durable.
	Commit() error
	// Rollback undoes everything. It is called at most once, and not after Commit.
	Rollback()
	// Full reports that no more writers may join.
	Full() bool
}

// Queue is where the writers of one store, or of one part of it, wait. Begin is required.
type Queue[T Tx] struct {
	// Begin opens a transaction. ctx is the leader's: it may end the wait for a connection or a lock, but never the
	// transaction, which belongs to the whole group. end releases what Begin holds; it is called, even when Begin fails,
	// after the transaction has ended.
	Begin func(ctx context.Context) (tx T, end func(), err error)
	Size  int           // writers per commit; 0 = 256
	Time  time.Duration // after this, from the end of the first turn, no more writers join: the first one is waiting; 0 = 20 ms

	mu      sync.Mutex
	waiting []*writer[T]
	leading bool // somebody leads, or has been told to
}

// writer is one call of Write, in the queue or having its turn.
type writer[T Tx] struct {
	ctx     context.Context
	do      func(T) error
	signals chan signal[T] // to the writer; one is under way at most
	ran     chan ran       // to the leader
}

// signal tells a waiting writer one of three things: lead, take your turn in tx, or here is your answer.
type signal[T Tx] struct {
	lead bool
	turn bool
	tx   T
	err  error
}

// ran is how a turn ended.
type ran struct {
	err     error // of the caller's function; its savepoint is rolled back
	broken  error // the transaction is gone, with everybody's work
	aborted bool  // the function panicked or left its goroutine; nobody waits for an answer
}

// Write runs do in a transaction and returns once it is durable. Concurrent calls share a transaction and a commit; each
// has its savepoint, so an error or a panic of one takes back only its own changes. do runs on the caller's goroutine,
// may run more than once, and must use its transaction only. Its error is returned unchanged.
//
// Statements in do should run under a context without cancellation: interrupting one may end the whole transaction, and
// the other members of the group have to run again.
func (q *Queue[T]) Write(ctx context.Context, do func(tx T) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	self := &writer[T]{ctx: ctx, do: do, signals: make(chan signal[T], 1), ran: make(chan ran, 1)}
	if q.join(self) {
		return q.lead(self)
	}
	cancelled := ctx.Done()
	for {
		select {
		case s := <-self.signals:
			switch {
			case s.lead:
				return q.lead(self)
			case s.turn:
				self.run(s.tx)
			default:
				return s.err
			}
		case <-cancelled:
			if q.leave(self) {
				return ctx.Err()
			}
			cancelled = nil // its turn has come: the answer follows
		}
	}
}

// Waiting returns how many writers wait for their turn.
func (q *Queue[T]) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// lead runs groups until self is answered, then hands the lead on. self stands first in the queue.
func (q *Queue[T]) lead(self *writer[T]) error {
	finished := false
	defer func() {
		if !finished { // self's function panicked or left the goroutine
			q.pass()
		}
	}()
	for {
		answer, again := q.group(self)
		if again {
			continue
		}
		finished = true
		q.pass()
		return answer
	}
}

// group runs one transaction and answers its members. again tells that self is still in the queue, at its head.
func (q *Queue[T]) group(self *writer[T]) (answer error, again bool) {
	tx, end, err := q.Begin(self.ctx)
	defer end()
	if err != nil {
		q.remove(self)
		if self.ctx.Err() == nil { // it would fail for the others as well; let them know now
			for _, w := range q.takeAll() {
				w.signals <- signal[T]{err: err}
			}
		}
		return err, false
	}

	var members []*writer[T] // whose changes stand in tx
	var losers []loser[T]    // who failed after members had changed something
	committed := false
	defer func() {
		if !committed {
			tx.Rollback() // nothing of it was promised to anybody
			for _, l := range losers {
				members = append(members, l.writer)
			}
			q.giveBack(members)
		}
	}()
	var selfErr error
	selfDone := false
	started := time.Now()
	size, limit := q.limits()
	for taken := 0; taken == 0 || taken < size && !tx.Full() && time.Since(started) < limit; taken++ { // self always has its turn
		w := q.take()
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
			w.signals <- signal[T]{turn: true, tx: tx}
			turn = <-w.ran
		}
		if taken == 0 {
			started = time.Now() // it may have waited for another process's transaction, and others have come meanwhile
		}
		if turn.aborted {
			turn.broken = tx.TakeBack()
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
			losers = append(losers, loser[T]{w, failure})
		} else if !turn.aborted {
			w.signals <- signal[T]{err: failure}
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
	for _, w := range members {
		if w == self {
			selfErr = err
		} else {
			w.signals <- signal[T]{err: err}
		}
	}
	for _, l := range losers {
		if err != nil { // what it failed over has not come to be
			l.err = err
		}
		l.writer.signals <- signal[T]{err: l.err}
	}
	return selfErr, false
}

// loser is a writer whose function failed, perhaps over changes of the same group that nobody else can see yet. It is
// told after the commit: told before, it would read what stands, not find what it lost to, and lose again.
type loser[T Tx] struct {
	writer *writer[T]
	err    error
}

func (q *Queue[T]) limits() (size int, limit time.Duration) {
	size, limit = q.Size, q.Time
	if size == 0 {
		size = 256
	}
	if limit == 0 {
		limit = 20 * time.Millisecond
	}
	return size, limit
}

// run takes the writer's turn: its function in a savepoint. The leader hears of every ending, even of a panic.
func (w *writer[T]) run(tx T) {
	end := ran{aborted: true}
	defer func() { w.ran <- end }()
	if err := tx.Savepoint(); err != nil {
		end = ran{broken: err}
		return
	}
	err := w.do(tx)
	if err != nil {
		end = ran{err: err, broken: tx.TakeBack()}
		return
	}
	end = ran{broken: tx.Release()}
}
