package reflection_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

func TestQueuedWorkAsksToBeWokenForAndIsRunAcrossScopes(t *testing.T) {
	t.Parallel()
	w := newWorld()
	scopes := []memory.Scope{acme, {Tenant: "rival", Project: "shop"}}
	for _, scope := range scopes {
		if _, err := w.service.Start(t.Context(), scope, reflection.Request{}, memory.Key{}); err != nil {
			t.Fatal(err)
		}
	}
	for i, record := range w.tell(t) {
		want := outbox.Record{Type: outbox.ReflectionDue, Tenant: scopes[i].Tenant, Project: scopes[i].Project,
			Data: fmt.Appendf(nil, `{"tenant_id":%q,"project_id":%q}`, scopes[i].Tenant, scopes[i].Project)}
		if record.Type != want.Type || record.Tenant != want.Tenant || record.Project != want.Project || string(record.Data) != string(want.Data) {
			t.Errorf("record %+v, want %+v", record, want)
		}
	}
	if n, err := w.service.RunQueued(t.Context(), 10); n != 2 || err != nil {
		t.Errorf("ran %d, %v", n, err)
	}
	if n, err := w.service.RunQueued(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("ran %d more, %v", n, err)
	}
}

func TestTheSameKeyStartsOneReflection(t *testing.T) {
	t.Parallel()
	w := newWorld()
	key := memory.Key{Route: "POST /v1/reflections", Key: "k", Fingerprint: "f"}
	first, err := w.service.Start(t.Context(), acme, reflection.Request{}, key)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := w.service.Start(t.Context(), acme, reflection.Request{}, key); err != nil || again.ID != first.ID {
		t.Errorf("again %s, %v; first %s", again.ID, err, first.ID)
	}
}

func TestWorkWhoseTimeRunsOutGoesBackIntoTheQueue(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.put(t, acme, turns(t)...)
	r, err := w.service.Start(t.Context(), acme, reflection.Request{}, memory.Key{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	hurried := w.reading(ending{w.db, cancel})
	if _, err := hurried.Run(ctx, acme, r.ID); fault.KindOf(err) != fault.Cancelled {
		t.Errorf("run: %v", err)
	}
	if got, err := w.service.Get(t.Context(), acme, r.ID); err != nil || got.Status != reflection.Queued || got.FinishedAt != nil {
		t.Errorf("stands as %+v, %v", got, err)
	}
	if done, err := w.service.Run(t.Context(), acme, r.ID); err != nil || done.Status != reflection.Succeeded || len(done.MemoryIDs) == 0 {
		t.Errorf("ended as %+v, %v", done, err)
	}
}

func TestAWorkerThatLostItsLeaseWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.put(t, acme, turns(t)...)
	r, err := w.service.Start(t.Context(), acme, reflection.Request{}, memory.Key{})
	if err != nil {
		t.Fatal(err)
	}
	w.tell(t)
	once := false
	slow := w.reading(ending{w.db, func() { // in the midst of it the lease ends and another worker does the work
		if once {
			return
		}
		once = true
		w.pass(time.Hour)
		if done, err := w.service.Run(t.Context(), acme, r.ID); err != nil || done.Status != reflection.Succeeded {
			t.Errorf("the other worker: %+v, %v", done, err)
		}
	}})
	got, err := slow.Run(t.Context(), acme, r.ID)
	if err != nil || got.Status != reflection.Succeeded {
		t.Errorf("the slow worker: %+v, %v", got, err)
	}
	told := map[string]int{}
	for _, record := range w.tell(t) {
		told[record.Subject]++
	}
	if told[string(r.ID)] != 1 || len(told) != len(got.MemoryIDs)+1 {
		t.Errorf("told %v of %d memories", told, len(got.MemoryIDs))
	}
}

func TestCancellingRunningWorkKeepsItFromWriting(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.put(t, acme, turns(t)...)
	r, err := w.service.Start(t.Context(), acme, reflection.Request{}, memory.Key{})
	if err != nil {
		t.Fatal(err)
	}
	w.tell(t)
	disturbed := w.reading(ending{w.db, func() {
		if _, err := w.service.Cancel(t.Context(), acme, r.ID); err != nil {
			t.Error(err)
		}
	}})
	got, err := disturbed.Run(t.Context(), acme, r.ID)
	if err != nil || got.Status != reflection.Cancelled {
		t.Errorf("ended as %+v, %v", got, err)
	}
	if told := w.tell(t); len(told) != 0 {
		t.Errorf("told %+v", told)
	}
}

func TestFailuresAreVisibleOrTriedAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		want reflection.Status
		text string
	}{
		{"a dependency that is away", fault.New(fault.Unavailable, "the store is busy"), reflection.Queued, ""},
		{"a deadline", context.DeadlineExceeded, reflection.Queued, ""},
		{"a refusal", fault.New(fault.Denied, "not yours"), reflection.Failed, "not yours"},
		{"an accident", fmt.Errorf("secret detail"), reflection.Failed, "internal error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			r, err := w.service.Start(t.Context(), acme, reflection.Request{}, memory.Key{})
			if err != nil {
				t.Fatal(err)
			}
			w.service.Memories = failing{w.db, tt.err}
			_, err = w.service.Run(t.Context(), acme, r.ID)
			if (err != nil) != (tt.want == reflection.Queued) {
				t.Errorf("run: %v", err)
			}
			if got, err := w.store.Get(t.Context(), acme, r.ID); err != nil || got.Status != tt.want || got.Error != tt.text {
				t.Errorf("stands as %+v, %v", got, err)
			}
		})
	}
}

func TestWorkThatNeverGetsAnywhereIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld()
	r, err := w.service.Start(t.Context(), acme, reflection.Request{}, memory.Key{})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // workers that die: they claim and are never heard of again
		if _, found, err := w.store.Next(t.Context(), time.Minute); !found || err != nil {
			t.Fatalf("next: %v, %v", found, err)
		}
		w.pass(time.Minute)
	}
	got, err := w.service.Run(t.Context(), acme, r.ID)
	if err != nil || got.Status != reflection.Failed || got.Error != "given up: 5 attempts ended before the work did" {
		t.Errorf("ended as %+v, %v", got, err)
	}
}

func TestTwentyWorthwhileMemoriesQueueOneInsight(t *testing.T) {
	t.Parallel()
	w := newWorld()
	consider := func(n int, m memory.Memory) bool {
		t.Helper()
		queued, err := w.service.Consider(t.Context(), acme, reflection.Event{Source: "/rae/store", ID: fmt.Sprint(n)}, m.ID)
		if err != nil {
			t.Fatal(err)
		}
		return queued
	}
	worthwhile := w.put(t, acme, turns(t)...)
	n, queued := 0, 0
	for i := range worthwhile {
		if reflection.Worth(&worthwhile[i]) < 0.25 {
			continue
		}
		n++
		for range 3 { // told three times, counted once
			if consider(n, worthwhile[i]) {
				queued++
				if n != 20 {
					t.Errorf("queued after %d", n)
				}
			}
		}
		if n == 25 {
			break
		}
	}
	page, err := w.service.List(t.Context(), acme, reflection.Query{Limit: 10})
	if queued != 1 || err != nil || len(page.Reflections) != 1 || page.Reflections[0].Kind != reflection.Insight {
		t.Errorf("queued %d: %+v, %v", queued, page, err)
	}

	var idle []memory.Memory
	for i := range 30 {
		idle = append(idle,
			memory.Memory{Content: fmt.Sprint("ok ", i), Importance: 0.5},
			memory.Memory{Content: fmt.Sprintf("Insight %d on the checkout service of Anna Kowalska and 20 others", i), Layer: memory.Reflective, Importance: 0.5},
			memory.Memory{Content: fmt.Sprintf("Fact %d on the checkout service of Anna Kowalska and 20 others", i), Layer: memory.Semantic, Importance: 0.5,
				DerivedFrom: []memory.Citation{{MemoryID: worthwhile[0].ID, Start: 0, End: 5}}})
	}
	for i, m := range w.put(t, acme, idle...) {
		if consider(1000+i, m) {
			t.Errorf("%q queued an insight", m.Content)
		}
	}
	if consider(5000, memory.Memory{ID: memory.NewID()}) {
		t.Error("a memory that is gone queued an insight")
	}
}

func TestMemoriesToldMeanwhileAreConsideredTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var told []memory.Memory
		for i := range 50 {
			told = append(told, memory.Memory{Content: fmt.Sprintf("Anna Kowalska told Marek Nowak of the checkout service and %d other things", i), Importance: 0.5})
		}
		told = w.put(t, acme, told...)
		slow := &looks{Reader: w.db, poison: told[7].ID}
		w.service.Memories = slow
		failed := make([]error, len(told))
		for i, m := range told {
			go func() {
				_, failed[i] = w.service.Consider(t.Context(), acme, reflection.Event{Source: "/rae/store", ID: fmt.Sprint(i)}, m.ID)
			}()
			if i == 0 {
				synctest.Wait() // it is being looked at
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		for i, err := range failed {
			if (err != nil) != (i == 7) {
				t.Errorf("memory %d: %v", i, err)
			}
		}
		// The first alone, the others together, and then each of them alone, since one of them cannot be read.
		want := []int{1, 49}
		for range 49 {
			want = append(want, 1)
		}
		if !slices.Equal(slow.asked, want) {
			t.Errorf("looked at %v", slow.asked)
		}
		slow.asked, slow.poison = nil, ""
		for i, m := range told { // told again, after a crash: 49 have been counted, 2*20 of them for reflections
			go func() {
				_, failed[i] = w.service.Consider(t.Context(), acme, reflection.Event{Source: "/rae/store", ID: fmt.Sprint(i)}, m.ID)
			}()
			if i == 0 {
				synctest.Wait()
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if err := errors.Join(failed...); err != nil || !slices.Equal(slow.asked, []int{1, 49}) {
			t.Errorf("looked at %v, %v", slow.asked, err)
		}
		page, err := w.service.List(t.Context(), acme, reflection.Query{Limit: 10})
		if err != nil || len(page.Reflections) != 1 { // the second waited behind the first
			t.Errorf("%d reflections, %v", len(page.Reflections), err)
		}
		one := reflection.Gathered{Every: 20}
		for i := range 10 {
			one.Events = append(one.Events, reflection.Event{Source: "s", ID: fmt.Sprint(i)})
		}
		queued, err := w.store.Gather(t.Context(), acme, one, reflection.Reflection{ID: memory.NewID(), Kind: reflection.Decay, Status: reflection.Queued})
		if err != nil || !queued {
			t.Errorf("fifty were not counted once each: %v, %v", queued, err)
		}
	})
}

// looks is a reader that takes a second to look, and cannot read one memory.
type looks struct {
	reflection.Reader
	poison memory.ID
	mu     sync.Mutex
	asked  []int // how many were asked for each time
}

func (l *looks) Find(ctx context.Context, scope memory.Scope, ids []memory.ID, at memory.View) ([]memory.Memory, error) {
	l.mu.Lock()
	l.asked = append(l.asked, len(ids))
	l.mu.Unlock()
	time.Sleep(time.Second)
	if slices.Contains(ids, l.poison) {
		return nil, fault.New(fault.Internal, "it cannot be read")
	}
	return l.Reader.Find(ctx, scope, ids, at)
}

func TestEveryScopeDecaysOnceADay(t *testing.T) {
	t.Parallel()
	w := newWorld()
	scopes := []memory.Scope{acme, {Tenant: "acme", Project: "other"}, {Tenant: "rival", Project: "shop"}}
	for _, scope := range scopes {
		m := w.put(t, scope, turns(t)[1])[0]
		if _, err := w.service.Consider(t.Context(), scope, reflection.Event{Source: "s", ID: "1"}, m.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		within memory.Scope
		pass   time.Duration
		want   int
	}{
		{within: memory.Scope{Tenant: "acme"}, want: 2},
		{want: 1},
		{want: 0},
		{pass: 24 * time.Hour, within: acme, want: 1},
		{want: 2},
	} {
		w.pass(step.pass)
		if n, err := w.service.DecayScopes(t.Context(), step.within); err != nil || n != step.want {
			t.Errorf("within %s: %d, %v; want %d", step.within, n, err, step.want)
		}
	}
}

func TestWhatReflectionsDerivedIsNeverConsidered(t *testing.T) {
	t.Parallel()
	w := newWorld()
	source := w.put(t, acme, said("The boiler of house 7 was serviced by Nordic Heating in October.")...)[0]
	for n := range 25 {
		derived := source
		derived.ID, derived.Layer = "", memory.Semantic
		derived.Content += fmt.Sprint(" Note ", n)
		derived.DerivedFrom = []memory.Citation{{MemoryID: source.ID, Start: 0, End: 10}}
		m := w.put(t, acme, derived)[0]
		if reflection.Worth(&m) < 0.25 {
			t.Fatal("it must be worthwhile but for where it came from")
		}
		if queued, err := w.service.Consider(t.Context(), acme, reflection.Event{Source: "/rae/store", ID: fmt.Sprint(n)}, m.ID); queued || err != nil {
			t.Fatalf("queued %v, %v", queued, err)
		}
	}
}
