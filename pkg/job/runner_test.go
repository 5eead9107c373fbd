package job_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

var acme = memory.Scope{Tenant: "acme", Project: "support"}

// world is a runner of one kind, "count", over a fresh store. Within synctest its time is the bubble's.
type world struct {
	*testing.T
	db     *inmem.DB
	runner *job.Runner
}

func newWorld(t *testing.T, do job.Handler) *world {
	db := inmem.New(inmem.Options{})
	return &world{T: t, db: db, runner: &job.Runner{Store: inmem.NewJobs(db), Handlers: map[string]job.Handler{"count": do}}}
}

func (w *world) start() job.Job {
	w.Helper()
	j, fresh, err := w.runner.Start(w.Context(), acme, "count", map[string]int{"to": 3}, 3, memory.Key{})
	if err != nil || !fresh {
		w.Fatalf("start: %v, %v", fresh, err)
	}
	return j
}

func (w *world) run(id memory.ID) job.Job {
	w.Helper()
	j, err := w.runner.Run(w.Context(), acme, id)
	if err != nil {
		w.Fatal(err)
	}
	return j
}

// stands checks what matters of a job.
func (w *world) stands(j job.Job, status job.Status, done int64, attempts int, reason string) {
	w.Helper()
	if j.Status != status || j.Progress.Done != done || j.Attempts != attempts || j.Error != reason {
		w.Errorf("stands as %s, %d done, %d attempts, %q; want %s, %d, %d, %q",
			j.Status, j.Progress.Done, j.Attempts, j.Error, status, done, attempts, reason)
	}
}

// told takes everything out of the outbox and returns its types, in order.
func (w *world) told() []string {
	w.Helper()
	types := []string{}
	for {
		records, err := w.db.Claim(w.Context(), 100, time.Hour)
		if err != nil {
			w.Fatal(err)
		}
		if len(records) == 0 {
			return types
		}
		for _, r := range records {
			types = append(types, r.Type)
			if err := w.db.Done(w.Context(), []string{r.ID}); err != nil {
				w.Fatal(err)
			}
		}
	}
}

// taking is a handler of steps of the given length, three in all.
func taking(d time.Duration) job.Handler {
	return func(ctx context.Context, s *job.Slice) (bool, error) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return false, ctx.Err()
		}
		s.Progress.Done++
		s.Tell(outbox.Record{Type: outbox.MemoryDerived, Subject: "m", Data: []byte("{}")})
		return s.Progress.Done == 3, s.GoOn(s.Progress.Done)
	}
}

func TestAJobIsDoneInSlicesThatWakeEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, taking(15*time.Second)) // one to a slice of twenty: the second is cut, and nobody's fault
		j := w.start()
		began := time.Now()
		w.stands(w.run(j.ID), job.Queued, 1, 0, "")
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("a slice took %v", took)
		}
		w.stands(w.run(j.ID), job.Queued, 2, 0, "")
		w.stands(w.run(j.ID), job.Succeeded, 3, 0, "")
		want := []string{"job.due", "memory.derived", "job.due", "memory.derived", "job.due", "memory.derived"}
		got := w.told()
		count := map[string]int{}
		for _, kind := range got {
			count[kind]++
		}
		if len(got) != len(want) || count["job.due"] != 3 || count["memory.derived"] != 3 {
			t.Errorf("told %v", got)
		}
		w.stands(w.run(j.ID), job.Succeeded, 3, 0, "") // again: nothing to do
	})
}

func TestAJobIsDoneAtOnceWhenItFitsASlice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, taking(time.Second))
		j := w.start()
		w.told()
		w.stands(w.run(j.ID), job.Succeeded, 3, 0, "")
		if got := w.told(); !reflect.DeepEqual(got, []string{"memory.derived", "memory.derived", "memory.derived"}) {
			t.Errorf("told %v", got)
		}
	})
}

func TestAStepLongerThanASliceIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, taking(time.Minute))
		j := w.start()
		for attempt := 1; attempt < 5; attempt++ {
			j = w.run(j.ID)
			w.stands(j, job.Queued, 0, attempt, "the deadline passed before the work was done")
			time.Sleep(time.Until(*j.NotBefore))
		}
		w.stands(w.run(j.ID), job.Failed, 0, 5, "the deadline passed before the work was done")
	})
}

func TestWhatMayGoBetterIsTriedAgainLaterEachTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := fault.New(fault.Unavailable, "the embedder is away")
		w := newWorld(t, func(context.Context, *job.Slice) (bool, error) { return false, fmt.Errorf("secret: %w", away) })
		j := w.start()
		w.told()
		var waits []time.Duration
		for attempt := 1; attempt < 5; attempt++ {
			j = w.run(j.ID)
			w.stands(j, job.Queued, 0, attempt, "the embedder is away")
			w.stands(w.run(j.ID), job.Queued, 0, attempt, "the embedder is away") // not before its time
			waits = append(waits, time.Until(*j.NotBefore))
			time.Sleep(time.Until(*j.NotBefore))
			if attempt == 2 {
				away.RetryAfter = 10 * time.Minute
			}
		}
		w.stands(w.run(j.ID), job.Failed, 0, 5, "the embedder is away")
		if want := []time.Duration{15 * time.Second, 30 * time.Second, 10 * time.Minute, 10 * time.Minute}; !reflect.DeepEqual(waits, want) {
			t.Errorf("waited %v, want %v", waits, want)
		}
		if got := w.told(); len(got) != 0 {
			t.Errorf("told %v: what waits is the clock's to wake", got)
		}
	})
}

func TestOnlyWhatMayHelpIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		w := newWorld(t, func(_ context.Context, s *job.Slice) (bool, error) {
			s.Progress.Done = 9
			s.Tell(outbox.Record{Type: outbox.MemoryDerived, Data: []byte("{}")})
			return false, fault.New(kind, "why")
		})
		j := w.start()
		w.told()
		want := job.Failed
		switch kind {
		case fault.Internal, fault.RateLimited, fault.Unavailable, fault.Timeout, fault.Cancelled:
			want = job.Queued
		case fault.OverBudget:
			want = job.Parked
		}
		got := w.run(j.ID)
		if got.Status != want || got.Progress.Done != 0 || want != job.Failed && got.NotBefore == nil {
			t.Errorf("%s: %+v", kind, got)
		}
		if told := w.told(); len(told) != 0 {
			t.Errorf("%s: a step that failed told %v", kind, told)
		}
	}
}

// short is the refusal of a budget that begins anew.
type short struct{ at time.Time }

func (short) Error() string           { return "no money" }
func (short) FaultKind() fault.Kind   { return fault.OverBudget }
func (short) PublicMessage() string   { return "no money" }
func (s short) RefilledAt() time.Time { return s.at }

func TestAJobTheBudgetRefusedWaitsForTheRefillAndAnHourAtMost(t *testing.T) {
	t.Parallel()
	for refill, want := range map[time.Duration]time.Duration{
		20 * time.Minute: 20 * time.Minute, 5 * time.Hour: time.Hour, -time.Hour: 15 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			now := time.Now()
			w := newWorld(t, func(context.Context, *job.Slice) (bool, error) { return false, short{now.Add(refill)} })
			got := w.run(w.start().ID)
			if got.Status != job.Parked || got.Error != "no money" || got.NotBefore == nil || got.NotBefore.Sub(now) != want {
				t.Errorf("refilled in %v: %+v", refill, got)
			}
		})
	}
}

func TestResumingWakesEveryParkedJobOfTheScopeAndNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over := true
		w := newWorld(t, func(_ context.Context, s *job.Slice) (bool, error) {
			if over {
				return false, fault.New(fault.OverBudget, "no money")
			}
			return true, nil
		})
		var parked []memory.ID
		for range 205 { // more than are looked at together
			parked = append(parked, w.run(w.start().ID).ID)
		}
		over = false
		done := w.run(w.start().ID)
		w.told()
		if n, err := w.runner.Resume(t.Context(), memory.Scope{Tenant: "another", Project: "p"}); n != 0 || err != nil {
			t.Errorf("resumed %d jobs of another's, %v", n, err)
		}
		if n, err := w.runner.Resume(t.Context(), done.Scope()); n != len(parked) || err != nil {
			t.Errorf("resumed %d jobs of %d, %v", n, len(parked), err)
		}
		if told := w.told(); len(told) != len(parked) {
			t.Errorf("%d jobs were woken", len(told))
		}
		for _, id := range parked {
			if got := w.run(id); got.Status != job.Succeeded {
				t.Fatalf("%+v", got)
			}
		}
	})
}

func TestAJobThatParksGoesOnWhenItsTimeComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refill := time.Now().Add(time.Hour)
		w := newWorld(t, func(_ context.Context, s *job.Slice) (bool, error) {
			if time.Now().Before(refill) {
				return false, job.Park(refill, "the budget is used up")
			}
			return true, nil
		})
		j := w.start()
		for range 7 { // as often as it likes: it is nobody's fault
			j = w.run(j.ID)
			w.stands(j, job.Parked, 0, 0, "the budget is used up")
		}
		time.Sleep(time.Until(*j.NotBefore))
		if n, err := w.runner.RunDue(t.Context(), 10); n != 1 || err != nil {
			t.Errorf("worked on %d, %v", n, err)
		}
		w.stands(w.run(j.ID), job.Succeeded, 0, 1, "")
	})
}

func TestACancelledJobStopsAtTheNextStep(t *testing.T) {
	t.Parallel()
	steps := 0
	var w *world
	w = newWorld(t, func(ctx context.Context, s *job.Slice) (bool, error) {
		if steps++; steps == 2 {
			if _, err := w.runner.Store.Cancel(ctx, acme, s.ID); err != nil {
				return false, err
			}
		}
		s.Progress.Done++
		s.Tell(outbox.Record{Type: outbox.MemoryDerived, Subject: "m", Data: []byte("{}")})
		return steps == 5, s.GoOn(steps)
	})
	j := w.start()
	w.told()
	got := w.run(j.ID)
	if got.Status != job.Cancelled || got.Progress.Done != 1 || steps != 2 {
		t.Errorf("after %d steps: %+v", steps, got)
	}
	if told := w.told(); len(told) != 1 {
		t.Errorf("told %v", told)
	}
}

func TestAProgramThatEndsTakesNoAttempt(t *testing.T) {
	t.Parallel()
	ending, end := context.WithCancel(t.Context())
	w := newWorld(t, func(ctx context.Context, _ *job.Slice) (bool, error) {
		end()
		<-ctx.Done()
		return false, ctx.Err()
	})
	j := w.start()
	w.told()
	got, err := w.runner.Run(ending, acme, j.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.stands(got, job.Queued, 0, 0, "")
	if got.NotBefore != nil {
		t.Errorf("it waits until %v", got.NotBefore)
	}
	if told := w.told(); len(told) != 1 || told[0] != outbox.JobDue {
		t.Errorf("told %v: the next worker is to be woken", told)
	}
}

func TestAJobWhoseWorkersDieIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(context.Context, *job.Slice) (bool, error) { panic("the worker dies") })
		j := w.start()
		for range 5 {
			func() {
				defer func() { _ = recover() }()
				w.run(j.ID)
			}()
			time.Sleep(time.Minute)
		}
		got := w.run(j.ID)
		if got.Status != job.Failed || !strings.HasPrefix(got.Error, "given up") {
			t.Errorf("stands as %+v", got)
		}
	})
}

func TestAStepThatLeadsNowhereFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(context.Context, *job.Slice) (bool, error) { return false, nil })
	w.stands(w.run(w.start().ID), job.Failed, 0, 1, "a step of count led nowhere")
}

func TestAKindNobodyKnowsHereIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, taking(0))
	j, _, err := w.runner.Start(t.Context(), acme, "sum", struct{}{}, 0, memory.Key{})
	if err != nil {
		t.Fatal(err)
	}
	w.stands(w.run(j.ID), job.Queued, 0, 0, "")
	if n, err := w.runner.RunDue(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("worked on %d, %v", n, err)
	}
}

// losing is a store whose connection breaks when a step is saved.
type losing struct{ job.Store }

func (losing) Save(context.Context, memory.Scope, memory.ID, int64, job.Step, time.Duration, ...outbox.Record) error {
	return fault.New(fault.Unavailable, "the store is away")
}

func TestAStoreThatIsAwayIsTheCallersToKnow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, taking(time.Second))
		j := w.start()
		store := w.runner.Store
		w.runner.Store = losing{store}
		if _, err := w.runner.Run(t.Context(), acme, j.ID); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("got %v", err)
		}
		w.runner.Store = store
		if n, err := w.runner.RunDue(t.Context(), 10); n != 0 || err != nil {
			t.Errorf("worked on %d, %v, within its lease", n, err)
		}
		time.Sleep(time.Minute)
		if n, err := w.runner.RunDue(t.Context(), 10); n != 1 || err != nil {
			t.Errorf("worked on %d, %v", n, err)
		}
		w.stands(w.run(j.ID), job.Succeeded, 3, 0, "")
	})
}

func TestTheOperatorsJobsAreTheClocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(context.Context, *job.Slice) (bool, error) { return true, nil })
	if _, _, err := w.runner.Start(t.Context(), job.Operator, "count", struct{}{}, 0, memory.Key{}); err != nil {
		t.Fatal(err)
	}
	if n, err := w.runner.RunDue(t.Context(), 10); n != 1 || err != nil {
		t.Errorf("worked on %d, %v", n, err)
	}
	if told := w.told(); len(told) != 0 {
		t.Errorf("told %v", told)
	}
}

func TestRunOfWhatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, taking(0))
	if _, err := w.runner.Run(t.Context(), acme, memory.NewID()); fault.KindOf(err) != fault.NotFound || errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
