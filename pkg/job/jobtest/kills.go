package jobtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

const (
	killJobs    = 1000
	kills       = 100 // workers that end without a word, somewhere
	stalls      = 40  // workers that stop, lose their claim, and go on
	workers     = 8   // at a time
	cancelEvery = 50  // one job in so many is called off while work goes on
)

// Kills runs 1,000 jobs of one to four steps on workers of which a hundred are killed and forty stall, at every point
// between claiming, working, saving and finishing, before the call of the store and after it. A worker that stalled goes
// on in the middle of its successor's work on the same job, or when all is over. Every job must end, and every step must
// have told its record exactly once, in order, whoever did the work.
func Kills(t *testing.T, open Open) {
	w := newWorld()
	w.store, w.outbox = open(t, w.clock)
	f := newFate()
	ids := w.createMany(t, killJobs)
	for round := 0; !w.ended(t, ids); round++ {
		if round > 1000 {
			t.Fatal("the work does not end")
		}
		w.round(t, f)
		if round == 3 {
			w.cancelSome(t, ids)
		}
		w.pass(2 * time.Minute) // leases of the dead and of those that stalled end
	}
	told := w.steps(t)
	w.judge(t, ids, told)
	f.judge(t)

	before := w.all(t, ids)
	close(f.over) // those that stalled go on, and find that it is no longer theirs
	f.stalled.Wait()
	if late := w.steps(t); len(late) != 0 {
		t.Errorf("workers that lost their claims told of %v", late)
	}
	if !reflect.DeepEqual(w.all(t, ids), before) {
		t.Error("workers that lost their claims changed jobs")
	}
}

// createMany makes the jobs, job i of 1+i%4 steps, and returns their ids in order.
func (w *world) createMany(t *testing.T, n int) []memory.ID {
	ids := make([]memory.ID, n)
	var creating sync.WaitGroup
	for c := range 16 {
		creating.Go(func() {
			for i := c; i < n; i += 16 {
				j := order()
				j.Arguments = json.RawMessage(fmt.Sprintf(`{"to":%d}`, stepsOf(i)))
				if _, _, err := w.store.Create(t.Context(), acme, j, memory.Key{}); err != nil {
					t.Error(err)
				}
				ids[i] = j.ID
			}
		})
	}
	creating.Wait()
	return ids
}

func stepsOf(i int) int { return 1 + i%4 }

// round runs some workers until nothing is due or they are dead. Those that stall are not waited for.
func (w *world) round(t *testing.T, f *fate) {
	var alive sync.WaitGroup
	for i := range workers {
		alive.Add(1)
		l := &life{fate: f, leave: sync.OnceFunc(alive.Done)}
		f.stalled.Go(func() {
			defer l.leave()
			runner := &job.Runner{Store: &mortal{w.store, l}, Handlers: map[string]job.Handler{
				"count": func(_ context.Context, s *job.Slice) (bool, error) {
					return count(s, func() { l.meet("working", s.ID) })
				},
			}}
			if i%2 == 0 {
				runner.Slice = time.Nanosecond // every step is a slice of its own
			}
			for {
				n, err := runner.RunDue(context.Background(), 10)
				if err != nil {
					t.Errorf("run: %v", err)
				}
				if n == 0 || err != nil {
					return
				}
			}
		})
	}
	alive.Wait()
}

// count does a step: it tells its number.
func count(s *job.Slice, midway func()) (bool, error) {
	var arguments, cursor struct{ To, At int }
	if err := s.Read(&arguments); err != nil {
		return false, err
	}
	if err := s.At(&cursor); err != nil {
		return false, err
	}
	record := derived(string(s.ID))
	record.Data = []byte(fmt.Sprintf(`{"at":%d}`, cursor.At))
	s.Tell(record)
	midway()
	cursor.At++
	s.Progress.Done++
	return cursor.At == arguments.To, s.GoOn(cursor)
}

func (w *world) all(t *testing.T, ids []memory.ID) []job.Job {
	t.Helper()
	var all []job.Job
	for q := (job.Query{Limit: 1000}); ; {
		page, err := w.store.List(t.Context(), acme, q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Jobs...)
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if len(all) != len(ids) {
		t.Fatalf("%d of %d jobs are there", len(all), len(ids))
	}
	return all
}

func (w *world) ended(t *testing.T, ids []memory.ID) bool {
	for _, j := range w.all(t, ids) {
		if !j.Status.Final() {
			return false
		}
	}
	return true
}

// cancelSome calls off some jobs, those that have ended excepted.
func (w *world) cancelSome(t *testing.T, ids []memory.ID) {
	for i := 0; i < len(ids); i += cancelEvery {
		if _, err := w.store.Cancel(t.Context(), acme, ids[i]); err != nil && fault.KindOf(err) != fault.Conflict {
			t.Error(err)
		}
	}
}

// steps takes everything out of the outbox and returns which steps each job told of, in order.
func (w *world) steps(t *testing.T) map[string][]int {
	t.Helper()
	told := map[string][]int{}
	for {
		records, err := w.outbox.Claim(t.Context(), 1000, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			return told
		}
		done := make([]string, len(records))
		for i, r := range records {
			done[i] = r.ID
			if r.Type != outbox.MemoryDerived {
				continue
			}
			var step struct{ At int }
			if err := json.Unmarshal(r.Data, &step); err != nil {
				t.Fatal(err)
			}
			told[r.Subject] = append(told[r.Subject], step.At)
		}
		if err := w.outbox.Done(t.Context(), done); err != nil {
			t.Fatal(err)
		}
	}
}

// judge holds what was told against what the jobs say of themselves.
func (w *world) judge(t *testing.T, ids []memory.ID, told map[string][]int) {
	t.Helper()
	stands := map[memory.ID]job.Job{}
	for _, j := range w.all(t, ids) {
		stands[j.ID] = j
	}
	count := map[job.Status]int{}
	for i, id := range ids {
		j := stands[id]
		count[j.Status]++
		if want := int64(stepsOf(i)); j.Status == job.Succeeded && j.Progress.Done != want {
			t.Errorf("job %d succeeded after %d of %d steps", i, j.Progress.Done, want)
		}
		if j.Status == job.Failed {
			t.Errorf("job %d failed: %s", i, j.Error)
		}
		var want []int
		for at := range int(j.Progress.Done) {
			want = append(want, at)
		}
		if !reflect.DeepEqual(told[string(id)], want) {
			t.Errorf("job %d (%s) told of steps %v, want %v", i, j.Status, told[string(id)], want)
		}
	}
	t.Logf("%d jobs: %v", len(ids), count)
}

// fate decides who dies and who stalls, and where.
type fate struct {
	over    chan struct{}
	stalled sync.WaitGroup // every worker, so that those that stalled are waited for at the end

	mu       sync.Mutex
	random   *rand.Rand
	visits   map[string]int
	kills    map[string]int
	stalls   map[string]int
	sleepers map[memory.ID]*life // by the job they stalled on
	woken    int                 // sleepers that went on while their successor worked
	left     struct{ kills, stalls int }
}

func newFate() *fate {
	f := &fate{
		over: make(chan struct{}), random: rand.New(rand.NewPCG(1, 2)),
		visits: map[string]int{}, kills: map[string]int{}, stalls: map[string]int{}, sleepers: map[memory.ID]*life{},
	}
	f.left.kills, f.left.stalls = kills, stalls
	return f
}

// life is that of one worker.
type life struct {
	fate  *fate
	leave func() // it need not be waited for any longer

	wake, gone chan struct{} // of one that stalled on a job: closed to let it go on, and by it when it has tried to write
	late       bool          // it went on after it had stalled; fate leaves it alone from then on
}

// meet may end the worker that comes by, or hold it; id is the job it is at, "" for none. A worker in the middle of a
// job first lets one go on that stalled on it, and waits until that has done its worst.
func (l *life) meet(place string, id memory.ID) {
	if l.late {
		return
	}
	f := l.fate
	f.mu.Lock()
	f.visits[place]++
	if sleeper := f.sleepers[id]; place == "working" && sleeper != nil {
		delete(f.sleepers, id)
		f.woken++
		f.mu.Unlock()
		close(sleeper.wake)
		<-sleeper.gone
		return
	}
	dies := f.left.kills > 0 && (f.visits[place] == 20 || f.random.IntN(50) == 0) // once at every place, whatever chance says
	stalls := !dies && f.left.stalls > 0 && f.random.IntN(100) == 0 && f.sleepers[id] == nil
	switch {
	case dies:
		f.left.kills--
		f.kills[place]++
	case stalls:
		f.left.stalls--
		f.stalls[place]++
		l.wake, l.gone = make(chan struct{}), make(chan struct{})
		if id != "" {
			f.sleepers[id] = l
		}
	}
	f.mu.Unlock()
	switch {
	case dies:
		runtime.Goexit()
	case stalls:
		l.leave()
		select {
		case <-l.wake:
		case <-f.over:
		}
		l.late = true
	}
}

// wrote tells who waits for it that a late worker has tried to write; it does nothing more.
func (l *life) wrote() {
	if l.late {
		close(l.gone)
		runtime.Goexit()
	}
}

func (f *fate) judge(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, place := range []string{"claiming", "claimed", "working", "saving", "saved", "finishing", "finished"} {
		if f.kills[place] == 0 {
			t.Errorf("nobody was killed %s", place)
		}
	}
	if f.left.kills > 0 || f.left.stalls > 0 || f.woken == 0 {
		t.Errorf("%d kills and %d stalls were left over, %d came late", f.left.kills, f.left.stalls, f.woken)
	}
	t.Logf("killed %v, stalled %v, %d of them went on in their successor's work", f.kills, f.stalls, f.woken)
}

// mortal is the store in the hands of a worker that may die around every call.
type mortal struct {
	job.Store
	life *life
}

func (m *mortal) Next(ctx context.Context, kinds []string, lease time.Duration) (job.Claim, bool, error) {
	m.life.meet("claiming", "")
	c, found, err := m.Store.Next(ctx, kinds, lease)
	m.life.meet("claimed", c.ID)
	return c, found, err
}

func (m *mortal) Save(
	ctx context.Context, scope memory.Scope, id memory.ID, fence int64, step job.Step, lease time.Duration, records ...outbox.Record,
) error {
	m.life.meet("saving", id)
	err := m.Store.Save(ctx, scope, id, fence, step, lease, records...)
	m.life.wrote()
	m.life.meet("saved", "")
	return err
}

func (m *mortal) Finish(
	ctx context.Context, scope memory.Scope, id memory.ID, fence int64, end job.End, records ...outbox.Record,
) (job.Job, error) {
	m.life.meet("finishing", id)
	j, err := m.Store.Finish(ctx, scope, id, fence, end, records...)
	m.life.wrote()
	m.life.meet("finished", "")
	return j, err
}
