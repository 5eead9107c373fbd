package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
)

// Options of a run.
type Options struct {
	URL        string // of a superuser; an empty database with the schema, which nobody else uses
	Dir        string // for what the processes write down; empty
	Seed       uint64
	Processes  int
	Goroutines int           // of all processes together
	Hot        int           // scopes in which four fifths of them meet
	Duration   time.Duration // of spending
	Generation time.Duration // how long a scope is in use
	KillEvery  time.Duration // on average one process is killed
	Effort     int           // steps of the search for an order of a scope's calls
}

// Report is what happened in a run.
type Report struct {
	Calls    map[Kind]map[Outcome]int
	Kills    int
	Scopes   int
	Longest  int // history, in calls
	Hinted   int // histories whose order was found where the database's journal had it
	Searched int // without hints: all of quiet scopes among them
	Seconded int // of those, by porcupine too
	Checking time.Duration
}

// Total is how many calls there were.
func (r *Report) Total() (n int) {
	for _, outcomes := range r.Calls {
		for _, count := range outcomes {
			n += count
		}
	}
	return n
}

func (r *Report) String() string {
	var words []string
	for _, kind := range []Kind{Reserve, Settle, Release, Current} {
		for _, outcome := range slices.Sorted(maps.Keys(r.Calls[kind])) {
			name := string(outcome)
			if outcome == Unknown {
				name = "cut off"
			}
			words = append(words, fmt.Sprintf("%s %s %d", kind, name, r.Calls[kind][outcome]))
		}
	}
	return fmt.Sprintf("%d calls (%s), %d kills, %d scopes of up to %d calls, orders: %d where the journal had them, %d searched without hints, %d of these by porcupine too (checked in %.1f s)",
		r.Total(), strings.Join(words, ", "), r.Kills, r.Scopes, r.Longest, r.Hinted, r.Searched, r.Seconded, r.Checking.Seconds())
}

// Run spends as the options say and checks everything. Its error tells what the ledger did wrong, or why it cannot be
// told.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := keepJournal(ctx, o.URL); err != nil {
		return nil, err
	}
	r := &run{Options: o, limits: map[memory.Scope]budget.Limits{}, rand: rand.New(rand.NewPCG(o.Seed, 1))}
	if err := r.setLimits(ctx); err != nil {
		return nil, err
	}
	if err := r.spend(ctx); err != nil {
		return nil, err
	}
	return r.check(ctx)
}

type run struct {
	Options
	rand   *rand.Rand
	limits map[memory.Scope]budget.Limits
	logs   []string
	kills  int
}

// How long a history may be for porcupine to be asked about it, and how long it is waited for: it may take for ever.
const (
	porcupineCalls = 100
	porcupineTime  = 500 * time.Millisecond
)

// setLimits gives every scope that will be spent from its limits.
func (r *run) setLimits(ctx context.Context) error {
	perProcess := r.Goroutines / r.Processes
	for generation := range int(r.Duration/r.Generation) + 2 {
		for i := range r.Hot {
			scope := scopeIn(generation, hotScope(i))
			r.limits[scope] = limitsOf(scope)
		}
		for i := range (perProcess + quietEvery - 1) / quietEvery {
			scope := scopeIn(generation, quietScope(i))
			r.limits[scope] = limitsOf(scope)
		}
	}
	db, err := postgres.Open(r.URL, postgres.Options{})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // never fails
	ledger := postgres.NewLedger(db, budget.Policy{})
	scopes, limits := slices.Collect(maps.Keys(r.limits)), r.limits
	return inParallel(4, len(scopes), func(i int) error {
		_, err := ledger.PutLimits(ctx, scopes[i], limits[scopes[i]])
		return err
	})
}

// inParallel calls do for 0..n-1, a few at a time.
func inParallel(few, n int, do func(i int) error) error {
	errs := make([]error, n)
	next := make(chan int)
	var wg sync.WaitGroup
	for range few {
		wg.Go(func() {
			for i := range next {
				errs[i] = do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return errors.Join(errs...)
}

// spend lets the processes spend, and kills one now and then.
func (r *run) spend(ctx context.Context) (err error) {
	begin := time.Now()
	processes := make([]*process, r.Processes)
	defer func() {
		for _, p := range processes {
			if p != nil {
				err = errors.Join(err, p.end())
			}
		}
	}()
	for i := range processes {
		if processes[i], err = r.start(i, begin, nil); err != nil {
			return err
		}
	}
	end := time.NewTimer(r.Duration)
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end.C:
			return nil
		case <-time.After(time.Duration(r.rand.Int64N(2 * int64(r.KillEvery)))):
		}
		i := r.rand.IntN(len(processes))
		killed := processes[i]
		processes[i] = nil
		if err := killed.kill(); err != nil {
			return err
		}
		r.kills++
		open, err := left(killed.Log)
		if err != nil {
			return err
		}
		if processes[i], err = r.start(i, begin, open); err != nil {
			return err
		}
	}
}

func (r *run) start(i int, begin time.Time, inherited []Op) (*process, error) {
	name := fmt.Sprintf("p%d", len(r.logs))
	log := filepath.Join(r.Dir, name)
	r.logs = append(r.logs, log)
	return start(assignment{
		Name: name, URL: r.URL, Log: log, Seed: r.rand.Uint64(), Goroutines: r.Goroutines / r.Processes, Hot: r.Hot,
		Begin: begin, Generation: r.Generation, Inherited: inherited,
	})
}

// left are some of the reservations that a process made and did not try to end.
func left(log string) ([]Op, error) {
	ops, err := readLog(log)
	if err != nil {
		return nil, err
	}
	ended := map[memory.ID]bool{}
	for _, o := range ops {
		ended[o.Reservation] = true
	}
	var open []Op
	for _, o := range ops {
		if o.Answer.Outcome == Granted && !ended[o.Answer.Reservation] {
			open = append(open, o)
		}
	}
	return open[max(0, len(open)-100):], nil
}

// check gathers what was written down and holds it to everything.
func (r *run) check(ctx context.Context) (*Report, error) {
	began := time.Now()
	report := &Report{Calls: map[Kind]map[Outcome]int{}, Kills: r.kills}
	histories := map[memory.Scope]*History{}
	var errs []error
	for _, log := range r.logs {
		ops, err := readLog(log)
		if err != nil {
			return nil, err
		}
		for _, o := range ops {
			h := histories[o.Scope]
			if h == nil {
				h = &History{Scope: o.Scope, Limits: r.limits[o.Scope]}
				histories[o.Scope] = h
			}
			if report.Calls[o.Kind] == nil {
				report.Calls[o.Kind] = map[Outcome]int{}
			}
			report.Calls[o.Kind][o.Answer.Outcome]++
			if o.Answer.Outcome == Broken { // that is wrong; what it did is still to be explained
				errs = append(errs, fmt.Errorf("%s: %s", o.Scope, o))
				o.Answer.Outcome, o.Return = Unknown, Never
			}
			h.Ops = append(h.Ops, o)
		}
	}
	report.Scopes = len(histories)
	rows, err := Audit(ctx, r.URL, slices.Collect(maps.Values(histories)))
	if err != nil {
		errs = append(errs, err)
	}
	if rows == nil {
		return report, errors.Join(errs...)
	}
	all := slices.Collect(maps.Values(histories))
	var mu sync.Mutex
	errs = append(errs, inParallel(2, len(all), func(i int) error {
		h := all[i]
		h.Resolve(rows[h.Scope])
		hinted, quiet := h.Order, isQuiet(h.Scope)
		if quiet {
			h.Order = nil
		}
		way, err := h.Linearizable(r.Effort)
		if h.Order = hinted; err != nil && quiet {
			way, err = h.Linearizable(r.Effort)
		}
		second := porcupine.Unknown
		if quiet && len(h.Ops) <= porcupineCalls {
			if second = h.Porcupine(porcupineTime); second == porcupine.Illegal {
				err = errors.Join(err, fmt.Errorf("%s: porcupine finds no order of its %d calls", h.Scope, len(h.Ops)))
			}
		}
		mu.Lock()
		report.Longest = max(report.Longest, len(h.Ops))
		switch way {
		case Hinted:
			report.Hinted++
		case Searched:
			report.Searched++
		}
		if second == porcupine.Ok {
			report.Seconded++
		}
		mu.Unlock()
		return errors.Join(h.Bound(), err)
	}))
	report.Checking = time.Since(began)
	return report, firstOf(errors.Join(errs...))
}

// firstOf cuts an error short that has very much to say.
func firstOf(err error) error {
	const enough = 8 << 10
	if err == nil || len(err.Error()) <= enough {
		return err
	}
	return errors.New(err.Error()[:enough] + "\n… and so on")
}
