package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
)

// childEnv holds the assignment of a process that Run or Kills started.
const childEnv = "RAE_LEDGER_ASSIGNMENT"

// assignment is what a process is to do.
type assignment struct {
	Name       string // of the process
	URL        string // of the database
	Log        string // the file to write down calls in
	Seed       uint64
	Goroutines int
	Hot        int           // scopes in which most of them meet
	Begin      time.Time     // of the run: scopes are named by how long ago that is
	Generation time.Duration // how long a scope is in use
	Inherited  []Op          // reserves of a predecessor that nobody has ended
	Stop       string        // of Kills: where it waits to be killed
}

// Child does what the environment assigns to this process, and ends it; without an assignment it returns at once. Programs
// that call Run or Kills call it first: the processes that those start are the same program.
func Child() {
	text := os.Getenv(childEnv)
	if text == "" {
		return
	}
	var a assignment
	err := json.Unmarshal([]byte(text), &a)
	if err == nil {
		err = a.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run spends until standard input ends, which is when whoever started this process wants it to, or has ended itself.
func (a *assignment) run() error {
	file, err := os.OpenFile(a.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	db, err := postgres.Open(a.URL, postgres.Options{Connections: 8, Patience: 20 * time.Second})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // never fails
	c := &caller{name: a.Name, ledger: postgres.NewLedger(db, budget.Policy{}), log: &log{file: file}}
	if a.Stop != "" {
		return a.waitToBeKilled(c)
	}
	running, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	s := &spenders{assignment: a, caller: c, running: running}
	var wg sync.WaitGroup
	errs := make(chan error, a.Goroutines+1)
	for i := range a.Goroutines {
		wg.Go(func() {
			if err := s.spend(i); err != nil {
				errs <- err
				stop()
			}
		})
	}
	wg.Go(func() {
		if err := s.sweep(); err != nil {
			errs <- err
		}
	})
	wg.Wait()
	close(errs)
	return <-errs
}

// spenders are the goroutines of one process.
type spenders struct {
	*assignment
	*caller
	running context.Context

	mu     sync.Mutex
	recent []Op // reserves that were granted of late: anybody may end them
}

// sweep gives back what has ended, as a clock does in production.
func (s *spenders) sweep() error {
	for tick := time.NewTicker(150 * time.Millisecond); ; {
		select {
		case <-s.running.Done():
			tick.Stop()
			return nil
		case <-tick.C:
			if _, err := s.ledger.Expire(s.running, 20); err != nil && failed(err).Outcome != Unknown {
				return fmt.Errorf("expire: %w", err)
			}
		}
	}
}

// spender is one goroutine.
type spender struct {
	*spenders
	*rand.Rand
	number int
	late   []Op // reserves to be settled when their lease has ended
}

func (s *spenders) spend(number int) error {
	w := &spender{spenders: s, Rand: rand.New(rand.NewPCG(s.Seed, uint64(number))), number: number}
	for _, inherited := range s.Inherited {
		if w.IntN(s.Goroutines) == 0 {
			w.late = append(w.late, inherited)
		}
	}
	for s.running.Err() == nil {
		if err := w.act(); err != nil {
			return err
		}
	}
	return nil
}

// scope is where the goroutine spends now.
func (w *spender) scope() memory.Scope {
	name := hotScope(w.number % w.Hot)
	if w.number%quietEvery == 0 {
		name = quietScope(w.number / quietEvery)
	}
	return scopeIn(int(time.Since(w.Begin)/w.Generation), name)
}

// quietEvery is the part of the goroutines that spend in quiet scopes, each with its likes in the other processes.
const quietEvery = 5

func hotScope(i int) string   { return fmt.Sprintf("hot-%d", i) }
func quietScope(i int) string { return fmt.Sprintf("quiet-%d", i) }

func isQuiet(scope memory.Scope) bool { return strings.Contains(scope.Tenant, "-quiet-") }

func scopeIn(generation int, name string) memory.Scope {
	return memory.Scope{Tenant: fmt.Sprintf("g%d-%s", generation, name), Project: "default"}
}

// The size of things, in nano-dollars. Limits are such that some calls in flight use them up.
const (
	limit   = 12_000_000_000
	largest = 2_000_000_000 // reservation
)

// limitsOf are the limits of a scope. Some limit the day, some the month, some both, and some are nearly spent by
// settlements alone.
func limitsOf(scope memory.Scope) budget.Limits {
	kind := rand.New(rand.NewPCG(hash(scope.Tenant), 0))
	monthly := budget.Cost(limit + kind.Int64N(limit))
	daily := monthly - budget.Cost(kind.Int64N(limit/2))
	l := budget.Limits{Monthly: &monthly, Daily: &daily}
	switch kind.IntN(3) {
	case 0:
		l.Daily = nil
	case 1:
		l.Monthly = nil
	}
	return l
}

// hash is FNV-1a.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range []byte(s) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// spent is what a call cost, for a hold: next to nothing in most scopes, which so remain in use; all of it in others.
func (w *spender) spent(scope memory.Scope, hold budget.Cost) budget.Cost {
	if hash(scope.Tenant)%4 != 0 {
		hold /= 100
	}
	return budget.Cost(w.Int64N(int64(hold) + 1))
}

// act makes one call or a few that belong together.
func (w *spender) act() error {
	scope := w.scope()
	if len(w.late) > 0 && time.Now().UnixMicro() > w.late[0].Answer.Expires && w.IntN(4) == 0 {
		late := w.late[0]
		w.late = w.late[1:]
		return w.end(late)
	}
	switch n := w.IntN(100); {
	case n < 8:
		return w.do(&Op{Kind: Current, Scope: scope})
	case n < 14: // end what another holds, or has ended
		if other, found := w.other(); found {
			return w.end(other)
		}
	case n < 16: // end what is another's, in a scope that is not its
		if other, found := w.other(); found {
			return w.do(&Op{Kind: Release, Scope: memory.Scope{Tenant: scope.Tenant, Project: "another"}, Reservation: other.Answer.Reservation})
		}
	}
	reserve := Op{Kind: Reserve, Scope: scope, Cost: budget.Cost(1 + w.Int64N(largest)), Lease: int64(time.Minute / time.Microsecond)}
	if w.IntN(5) == 0 {
		reserve.Lease = int64((time.Second + time.Duration(w.Int64N(int64(time.Second)))) / time.Microsecond)
	}
	if w.IntN(4) == 0 {
		reserve.Key = fmt.Sprintf("%s-%d-%d", w.name, w.number, w.Uint64())
	}
	again := reserve
	if err := w.do(&reserve); err != nil {
		return err
	}
	if reserve.Key != "" && w.IntN(3) == 0 {
		if err := w.do(&again); err != nil {
			return err
		}
		if again.Answer.Outcome == Granted {
			reserve = again
		}
	}
	if reserve.Answer.Outcome != Granted {
		return nil
	}
	w.remember(reserve)
	switch short, n := reserve.Lease < int64(time.Minute/time.Microsecond), w.IntN(10); {
	case short && n < 3:
		w.late = append(w.late, reserve)
		return nil
	case short && n < 6:
		return nil // abandoned
	}
	return w.end(reserve)
}

// end settles or releases a reservation, more than once at times.
func (w *spender) end(reserve Op) error {
	settle := Op{Kind: Settle, Scope: reserve.Scope, Reservation: reserve.Answer.Reservation, Cost: w.spent(reserve.Scope, reserve.Cost)}
	release := Op{Kind: Release, Scope: reserve.Scope, Reservation: reserve.Answer.Reservation}
	first, second := settle, Op{}
	switch n := w.IntN(100); {
	case n < 20:
		first = release
	case n < 24: // more than was held
		first.Cost = reserve.Cost + w.spent(reserve.Scope, reserve.Cost)
	case n < 34:
		second = settle // with the same numbers
	case n < 38:
		second = settle
		second.Cost++
	case n < 42:
		second = release
	case n < 45:
		first, second = release, settle
	case n < 48:
		first, second = release, release
	}
	if err := w.do(&first); err != nil || second.Kind == "" {
		return err
	}
	return w.do(&second)
}

// do makes a call, and at times gives up waiting for its answer.
func (w *spender) do(o *Op) error {
	patience := 30 * time.Second
	if w.IntN(50) == 0 {
		patience = time.Duration(w.Int64N(int64(20 * time.Millisecond)))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return w.call(ctx, o)
}

func (w *spender) remember(reserve Op) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.recent) < 64 {
		w.recent = append(w.recent, reserve)
	} else {
		w.recent[w.IntN(64)] = reserve
	}
}

func (w *spender) other() (Op, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.recent) == 0 {
		return Op{}, false
	}
	return w.recent[w.IntN(len(w.recent))], true
}
