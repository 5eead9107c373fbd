package groupcommit_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/pkg/groupcommit"
)

// ledger is a store of words: what is durable, and how each transaction ended.
type ledger struct {
	mu      sync.Mutex
	durable []string
	log     []string // "commit 3", "rollback", "begin failed"

	refuse  string // Release fails for a turn that wrote this: its transaction is gone
	failing error  // of Commit
	refusal error  // of Begin
	full    int    // turns after which a transaction is full; 0 = never
	delay   func() // within Begin
	before  func() // the end of Commit
}

// page is a transaction of the ledger.
type page struct {
	on     *ledger
	kept   []string
	turn   []string
	turns  int
	broken bool
}

var errBroken = errors.New("the transaction is gone")

func (p *page) write(word string) { p.turn = append(p.turn, word) }

func (p *page) Savepoint() error { p.turns++; return p.alive() }

func (p *page) Release() error {
	if p.on.refuse != "" && slices.Contains(p.turn, p.on.refuse) {
		p.broken = true
	}
	p.kept, p.turn = append(p.kept, p.turn...), nil
	return p.alive()
}

func (p *page) TakeBack() error { p.turn = nil; return p.alive() }

func (p *page) alive() error {
	if p.broken {
		return errBroken
	}
	return nil
}

func (p *page) Commit() error {
	if p.on.before != nil {
		p.on.before()
	}
	p.on.mu.Lock()
	defer p.on.mu.Unlock()
	if p.on.failing != nil {
		p.on.log = append(p.on.log, "commit failed")
		return p.on.failing
	}
	p.on.durable = append(p.on.durable, p.kept...)
	p.on.log = append(p.on.log, fmt.Sprint("commit ", len(p.kept)))
	return nil
}

func (p *page) Rollback() {
	p.on.mu.Lock()
	defer p.on.mu.Unlock()
	p.on.log = append(p.on.log, "rollback")
}

func (p *page) Full() bool { return p.on.full > 0 && p.turns >= p.on.full }

func (l *ledger) queue() *groupcommit.Queue[*page] {
	return &groupcommit.Queue[*page]{Time: time.Minute, Begin: func(context.Context) (*page, func(), error) {
		if l.delay != nil {
			l.delay()
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.refusal != nil {
			l.log = append(l.log, "begin failed")
			return nil, func() {}, l.refusal
		}
		return &page{on: l}, func() {}, nil
	}}
}

// crowd has one writer per word queue up, in order, behind one that has its turn and writes "first"; then lets all
// through and returns how each of the crowd fared.
func crowd(t *testing.T, q *groupcommit.Queue[*page], words []string, do func(p *page, word string) error) []error {
	t.Helper()
	errs := make([]error, len(words))
	goOn := queued(t, q, words, func(i int) {
		errs[i] = q.Write(t.Context(), func(p *page) error { return do(p, words[i]) })
	})
	goOn()
	return errs
}

// queued starts write(i) for every word, in order, each once the one before it waits in the queue; they go on with goOn,
// which returns when all have ended.
func queued(t *testing.T, q *groupcommit.Queue[*page], words []string, write func(i int)) (goOn func()) {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var writers sync.WaitGroup
	writers.Go(func() {
		err := q.Write(t.Context(), func(p *page) error {
			once.Do(func() { close(held) })
			<-release
			p.write("first")
			return nil
		})
		if err != nil {
			t.Errorf("the first: %v", err)
		}
	})
	<-held
	for i := range words {
		writers.Go(func() { write(i) })
		for q.Waiting() <= i {
			runtime.Gosched()
		}
	}
	return func() { close(release); writers.Wait() }
}

func write(p *page, word string) error { p.write(word); return nil }

func TestWritersShareACommitInTheirOrder(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	words := strings.Fields("a b c d e f g")
	for i, err := range crowd(t, l.queue(), words, write) {
		if err != nil {
			t.Errorf("writer %d: %v", i, err)
		}
	}
	if got := strings.Join(l.durable, " "); got != "first a b c d e f g" {
		t.Errorf("in order: %s", got)
	}
	if got := fmt.Sprint(l.log); got != "[commit 8]" {
		t.Errorf("what happened: %s", got)
	}
}

func TestAnErrorTakesBackItsOwnTurnOnly(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	mine := errors.New("mine")
	errs := crowd(t, l.queue(), strings.Fields("a b c"), func(p *page, word string) error {
		p.write(word)
		if word == "b" {
			return mine
		}
		return nil
	})
	if errs[0] != nil || !errors.Is(errs[1], mine) || errs[2] != nil {
		t.Errorf("they heard %v", errs)
	}
	if got := strings.Join(l.durable, " "); got != "first a c" {
		t.Errorf("durable: %s", got)
	}
}

func TestPoisonFailsAloneAndTheOthersRunAgain(t *testing.T) {
	t.Parallel()
	l := &ledger{refuse: "poison"}
	errs := crowd(t, l.queue(), strings.Fields("a poison b"), write)
	if errs[0] != nil || !errors.Is(errs[1], errBroken) || errs[2] != nil {
		t.Errorf("they heard %v", errs)
	}
	if got := strings.Join(l.durable, " "); got != "first a b" {
		t.Errorf("durable: %s", got)
	}
	if got := fmt.Sprint(l.log); got != "[rollback commit 3]" {
		t.Errorf("what happened: %s", got)
	}
}

func TestAPanicIsItsCallersAlone(t *testing.T) {
	t.Parallel()
	for _, leaves := range []func(){func() { panic("mine") }, runtime.Goexit} {
		l := &ledger{}
		q := l.queue()
		words := strings.Fields("a b c")
		errs := make([]error, len(words))
		panicked := 0
		queued(t, q, words, func(i int) {
			defer func() {
				if recover() != nil || i == 1 {
					panicked++
				}
			}()
			errs[i] = q.Write(t.Context(), func(p *page) error {
				p.write(words[i])
				if words[i] == "b" {
					leaves()
				}
				return nil
			})
		})()
		if errs[0] != nil || errs[2] != nil || panicked != 1 {
			t.Errorf("they heard %v, and %d panicked", errs, panicked)
		}
		if got := strings.Join(l.durable, " "); got != "first a c" {
			t.Errorf("durable: %s", got)
		}
		if err := q.Write(t.Context(), func(p *page) error { return write(p, "later") }); err != nil {
			t.Errorf("a later one: %v", err)
		}
	}
}

func TestALeaderThatPanicsHandsTheLeadOn(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	q := l.queue()
	begun, goOn := make(chan struct{}), make(chan struct{})
	var writers sync.WaitGroup
	writers.Go(func() {
		defer func() { _ = recover() }()
		_ = q.Write(t.Context(), func(p *page) error {
			p.write("lost")
			close(begun)
			<-goOn
			panic("the leader's")
		})
	})
	<-begun
	var err error
	writers.Go(func() { err = q.Write(t.Context(), func(p *page) error { return write(p, "next") }) })
	for q.Waiting() == 0 {
		runtime.Gosched()
	}
	close(goOn)
	writers.Wait()
	if got := strings.Join(l.durable, " "); err != nil || got != "next" {
		t.Errorf("durable: %s, %v", got, err)
	}
}

func TestWhoIsCancelledWhileWaitingLeavesAtOnce(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	q := l.queue()
	ctx, cancel := context.WithCancel(t.Context())
	words := strings.Fields("a gone b")
	errs := make([]error, len(words))
	left := make(chan struct{})
	goOn := queued(t, q, words, func(i int) {
		mine := t.Context()
		if words[i] == "gone" {
			mine = ctx
			defer close(left)
		}
		errs[i] = q.Write(mine, func(p *page) error { return write(p, words[i]) })
	})
	cancel()
	<-left // though nobody has gone on
	if n := q.Waiting(); n != 2 {
		t.Errorf("%d wait, want 2", n)
	}
	goOn()
	if errs[0] != nil || !errors.Is(errs[1], context.Canceled) || errs[2] != nil {
		t.Errorf("they heard %v", errs)
	}
	if got := strings.Join(l.durable, " "); got != "first a b" {
		t.Errorf("durable: %s", got)
	}
}

func TestAFullTransactionTakesNobodyElse(t *testing.T) {
	t.Parallel()
	l := &ledger{full: 2}
	for i, err := range crowd(t, l.queue(), strings.Fields("a b c d"), write) {
		if err != nil {
			t.Errorf("writer %d: %v", i, err)
		}
	}
	if got := fmt.Sprint(l.log); got != "[commit 2 commit 2 commit 1]" {
		t.Errorf("what happened: %s", got)
	}
	if got := strings.Join(l.durable, " "); got != "first a b c d" {
		t.Errorf("in order: %s", got)
	}
}

func TestSizeBoundsAGroup(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	q := l.queue()
	q.Size = 3
	crowd(t, q, strings.Fields("a b c d"), write)
	if got := fmt.Sprint(l.log); got != "[commit 3 commit 2]" {
		t.Errorf("what happened: %s", got)
	}
}

// A leader whose time is up before its first turn has that turn all the same, or nobody would get on.
func TestALeaderWhoseTimeIsUpAtOnceStillHasItsTurn(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	q := l.queue()
	q.Time = time.Nanosecond
	for i, err := range crowd(t, q, strings.Fields("a b c"), write) {
		if err != nil {
			t.Errorf("writer %d: %v", i, err)
		}
	}
	if got := fmt.Sprint(l.log); got != "[commit 1 commit 1 commit 1 commit 1]" {
		t.Errorf("what happened: %s", got)
	}
	if got := strings.Join(l.durable, " "); got != "first a b c" {
		t.Errorf("in order: %s", got)
	}
}

func TestAFailedCommitIsEverybodysInTheGroup(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	q := l.queue()
	full := errors.New("disk full")
	l.failing = full
	words := strings.Fields("a b")
	errs := make([]error, len(words))
	held, release := make(chan struct{}), make(chan struct{})
	var writers sync.WaitGroup
	var first error
	writers.Go(func() {
		first = q.Write(t.Context(), func(p *page) error { close(held); <-release; return nil })
	})
	<-held
	for i := range words {
		writers.Go(func() { errs[i] = q.Write(t.Context(), func(p *page) error { return write(p, words[i]) }) })
	}
	for q.Waiting() < len(words) {
		runtime.Gosched()
	}
	close(release)
	writers.Wait()
	for _, err := range append(errs, first) {
		if !errors.Is(err, full) {
			t.Errorf("a member heard %v", err)
		}
	}
	if len(l.durable) != 0 {
		t.Errorf("durable: %v", l.durable)
	}
}

func TestWhatHindersALeaderToBeginIsToldToAll(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	begun, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	l := &ledger{refusal: away, delay: func() { once.Do(func() { close(begun); <-goOn }) }}
	q := l.queue()
	errs := make([]error, 4)
	var writers sync.WaitGroup
	for i := range errs {
		writers.Go(func() { errs[i] = q.Write(t.Context(), func(p *page) error { return write(p, "x") }) })
	}
	<-begun
	for q.Waiting() < len(errs) {
		runtime.Gosched()
	}
	close(goOn)
	writers.Wait()
	for i, err := range errs {
		if !errors.Is(err, away) {
			t.Errorf("writer %d heard %v", i, err)
		}
	}
	if got := fmt.Sprint(l.log); got != "[begin failed]" {
		t.Errorf("what happened: %s: the others tried for themselves", got)
	}
	l.refusal = nil
	if err := q.Write(t.Context(), func(p *page) error { return write(p, "later") }); err != nil {
		t.Errorf("once it is back: %v", err)
	}
}

// A loser may have failed over what its group has not yet made durable: it hears of it once that is so.
func TestALoserHearsAfterTheCommit(t *testing.T) {
	t.Parallel()
	told := make(chan struct{})
	early := false
	l := &ledger{before: func() {
		select {
		case <-told:
			early = true
		case <-time.After(50 * time.Millisecond):
		}
	}}
	taken := errors.New("taken")
	words := strings.Fields("a b a")
	errs := make([]error, len(words))
	q := l.queue()
	queued(t, q, words, func(i int) {
		errs[i] = q.Write(t.Context(), func(p *page) error {
			if slices.Contains(p.kept, words[i]) {
				return taken
			}
			return write(p, words[i])
		})
		if i == 2 {
			close(told)
		}
	})()
	if errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], taken) || early {
		t.Errorf("they heard %v; the loser before it could read what it lost to: %v", errs, early)
	}
}

func TestAStormIsAllWrittenOnce(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	q := l.queue()
	q.Time = 0
	var writers sync.WaitGroup
	for n := range 32 {
		writers.Go(func() {
			for i := range 50 {
				if err := q.Write(t.Context(), func(p *page) error { return write(p, fmt.Sprint(n, "/", i)) }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	slices.Sort(l.durable)
	if n := len(slices.Compact(slices.Clone(l.durable))); len(l.durable) != 1600 || n != 1600 {
		t.Errorf("%d words, %d of them different, want 1600", len(l.durable), n)
	}
	if q.Waiting() != 0 {
		t.Errorf("%d still wait", q.Waiting())
	}
}

// A first turn may have to wait for another process: whoever has come meanwhile shares its transaction all the same.
func TestAFirstTurnThatWaitedLongTakesTheOthersAlong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		q := l.queue()
		q.Time = 20 * time.Millisecond
		words := strings.Fields("a b c")
		var writers sync.WaitGroup
		for _, word := range words {
			writers.Go(func() {
				err := q.Write(t.Context(), func(p *page) error {
					if len(p.kept) == 0 {
						time.Sleep(time.Second)
					}
					return write(p, word)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		writers.Wait()
		if got := fmt.Sprint(l.log); got != "[commit 3]" {
			t.Errorf("what happened: %s", got)
		}
	})
}
