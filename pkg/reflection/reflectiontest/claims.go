package reflectiontest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

func claims(t *testing.T, w *world) {
	r := w.create(t, acme, w.queued(reflection.Insight))
	first := w.claim(t, r.ID)
	want := r
	want.Status, want.Attempts = reflection.Running, 1
	same(t, first.Reflection, want)

	_, err := w.store.Claim(t.Context(), acme, r.ID, lease)
	wantKind(t, err, fault.Conflict)
	_, found, err := w.store.Next(t.Context(), lease)
	if found || err != nil {
		t.Errorf("a running reflection came next: %v, %v", found, err)
	}
	w.pass(lease)
	second := w.claim(t, r.ID)
	if second.Attempts != 2 || second.Fence <= first.Fence {
		t.Errorf("second claim: attempts %d, fence %d after %d", second.Attempts, second.Fence, first.Fence)
	}
	_, err = w.store.Claim(t.Context(), acme, memory.NewID(), lease)
	wantKind(t, err, fault.NotFound)
}

func claimsNext(t *testing.T, w *world) {
	if _, found, err := w.store.Next(t.Context(), lease); found || err != nil {
		t.Fatalf("an empty store has a next: %v, %v", found, err)
	}
	var want []memory.ID
	for i := range 3 {
		r := w.create(t, memory.Scope{Tenant: fmt.Sprintf("t%d", 3-i), Project: "p"}, w.queued(reflection.Insight))
		want = append(want, r.ID)
		w.pass(time.Second)
	}
	for _, status := range []reflection.Status{reflection.Succeeded, reflection.Failed, reflection.Parked, reflection.Cancelled} {
		r := w.queued(reflection.Insight)
		r.Status, r.CreatedAt = status, w.clock().Add(-time.Hour)
		w.create(t, acme, r)
	}
	var got []memory.ID
	for range 3 {
		c, found, err := w.store.Next(t.Context(), lease)
		if err != nil || !found {
			t.Fatalf("next: %v, %v", found, err)
		}
		got = append(got, c.ID)
	}
	same(t, got, want)
	if _, found, _ := w.store.Next(t.Context(), lease); found {
		t.Error("a fourth came next")
	}
	w.pass(lease)
	if c, found, err := w.store.Next(t.Context(), lease); err != nil || !found || c.ID != want[0] || c.Attempts != 2 {
		t.Errorf("an abandoned one did not come next: %+v, %v, %v", c, found, err)
	}
}

func fences(t *testing.T, w *world) {
	r := w.create(t, acme, w.queued(reflection.Insight))
	first := w.claim(t, r.ID)
	w.pass(lease)
	second := w.claim(t, r.ID)

	late := first.Reflection
	late.Status, late.Error = reflection.Failed, "too late"
	wantKind(t, w.store.Finish(t.Context(), acme, late, first.Fence, derived()), fault.Conflict)
	got, err := w.store.Get(t.Context(), acme, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, second.Reflection)
	same(t, w.told(t), []string{})

	done := second.Reflection
	done.Status = reflection.Succeeded
	if err := w.store.Finish(t.Context(), acme, done, second.Fence, derived()); err != nil {
		t.Fatal(err)
	}
	wantKind(t, w.store.Finish(t.Context(), acme, done, second.Fence, derived()), fault.Conflict)
	same(t, w.told(t), []string{"acme/support memory.derived m"})
}

func finishesLate(t *testing.T, w *world) {
	r := w.create(t, acme, w.queued(reflection.Insight))
	c := w.claim(t, r.ID)
	w.pass(2 * lease)
	c.Status = reflection.Succeeded
	if err := w.store.Finish(t.Context(), acme, c.Reflection, c.Fence); err != nil {
		t.Error(err)
	}
}

func finishes(t *testing.T, w *world) {
	key := memory.Key{Route: "r", Key: "k", Fingerprint: "f"}
	r, _, err := w.store.Create(t.Context(), acme, w.queued(reflection.Insight), key)
	if err != nil {
		t.Fatal(err)
	}
	c := w.claim(t, r.ID)
	w.pass(time.Second)
	at := w.clock()
	done := c.Reflection
	done.TenantID, done.ProjectID, done.CreatedAt = "other", "elsewhere", at // not the caller's to say
	done.Status, done.FinishedAt, done.Attempts = reflection.Succeeded, &at, 0
	done.MemoryIDs = []memory.ID{memory.NewID()}
	if err := w.store.Finish(t.Context(), acme, done, c.Fence, derived(), outbox.Record{Type: outbox.ReflectionCreated, Subject: "r", Data: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	want := done
	want.TenantID, want.ProjectID, want.CreatedAt = acme.Tenant, acme.Project, r.CreatedAt
	got, err := w.store.Get(t.Context(), acme, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
	same(t, w.told(t), []string{"acme/support memory.derived m", "acme/support reflection.created r"})
	again, fresh, err := w.store.Create(t.Context(), acme, w.queued(reflection.Insight), key)
	if err != nil || fresh {
		t.Fatalf("the key was forgotten: fresh %v, %v", fresh, err)
	}
	same(t, again, want)
	_, err = w.store.Claim(t.Context(), acme, r.ID, lease)
	wantKind(t, err, fault.Conflict)
}

func givesBack(t *testing.T, w *world) {
	r := w.create(t, acme, w.queued(reflection.Decay))
	c := w.claim(t, r.ID)
	c.Status, c.Cursor, c.Attempts = reflection.Queued, "half", 0
	if err := w.store.Finish(t.Context(), acme, c.Reflection, c.Fence); err != nil {
		t.Fatal(err)
	}
	again := w.claim(t, r.ID)
	if again.Cursor != "half" || again.Attempts != 1 || again.Fence <= c.Fence {
		t.Errorf("claimed again: %+v", again)
	}
}

func cancels(t *testing.T, w *world) {
	waiting := w.create(t, acme, w.queued(reflection.Insight))
	got, err := w.store.Cancel(t.Context(), acme, waiting.ID)
	if err != nil {
		t.Fatal(err)
	}
	at := w.clock()
	want := waiting
	want.Status, want.FinishedAt = reflection.Cancelled, &at
	same(t, got, want)
	w.pass(time.Second)
	again, err := w.store.Cancel(t.Context(), acme, waiting.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, again, want)
	_, err = w.store.Claim(t.Context(), acme, waiting.ID, lease)
	wantKind(t, err, fault.Conflict)
	if _, found, _ := w.store.Next(t.Context(), lease); found {
		t.Error("a cancelled reflection came next")
	}

	running := w.create(t, acme, w.queued(reflection.Insight))
	c := w.claim(t, running.ID)
	if _, err := w.store.Cancel(t.Context(), acme, running.ID); err != nil {
		t.Fatal(err)
	}
	c.Status = reflection.Succeeded
	wantKind(t, w.store.Finish(t.Context(), acme, c.Reflection, c.Fence, derived()), fault.Conflict)
	same(t, w.told(t), []string{})

	done := w.queued(reflection.Insight)
	done.Status = reflection.Succeeded
	w.create(t, acme, done)
	_, err = w.store.Cancel(t.Context(), acme, done.ID)
	wantKind(t, err, fault.Conflict)
	_, err = w.store.Cancel(t.Context(), acme, memory.NewID())
	wantKind(t, err, fault.NotFound)
}

func gathers(t *testing.T, w *world) {
	gather := func(id string) bool {
		t.Helper()
		queued, err := w.store.Gather(t.Context(), acme, reflection.Gathered{Events: []reflection.Event{{Source: "/rae/store", ID: id}}, Every: 3},
			w.queued(reflection.Insight), outbox.Record{Type: outbox.ReflectionDue, Data: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		return queued
	}
	for _, step := range []struct {
		event string
		want  bool
	}{
		{"1", false}, {"1", false}, {"2", false}, {"2", false}, {"3", true}, {"3", false}, {"1", false},
	} {
		if got := gather(step.event); got != step.want {
			t.Errorf("event %s: queued %v", step.event, got)
		}
	}
	same(t, len(w.told(t)), 1)
	c, found, err := w.store.Next(t.Context(), lease) // it runs: what gathers from here on is for another
	if err != nil || !found || c.Scope() != acme || c.Kind != reflection.Insight {
		t.Fatalf("next: %+v, %v, %v", c, found, err)
	}
	for id, want := range map[string]bool{"4": false, "5": false} {
		if gather(id) != want {
			t.Errorf("event %s queued one too early", id)
		}
	}
	if !gather("6") {
		t.Error("the next three queued nothing")
	}
	if queued, err := w.store.Gather(t.Context(), memory.Scope{Tenant: "other", Project: "p"},
		reflection.Gathered{Events: []reflection.Event{{Source: "/rae/store", ID: "1"}}, Every: 1}, w.queued(reflection.Insight)); err != nil || !queued {
		t.Errorf("another scope's event of the same id: %v, %v", queued, err)
	}
}

func gathersTogether(t *testing.T, w *world) {
	for _, step := range []struct {
		events string
		want   bool
	}{
		{"12", false}, {"3345", true}, {"5", false}, {"62", true}, {"", false}, {"2134", false}, {"789abcd", true}, {"e", false}, {"f", true},
	} {
		told := reflection.Gathered{Every: 3}
		for _, id := range strings.Split(step.events, "") {
			told.Events = append(told.Events, reflection.Event{Source: "/rae/store", ID: id})
		}
		queued, err := w.store.Gather(t.Context(), acme, told, w.queued(reflection.Insight))
		if err != nil || queued != step.want {
			t.Errorf("events %q: queued %v, %v", step.events, queued, err)
		}
		if _, found, err := w.store.Next(t.Context(), lease); err != nil || found != step.want {
			t.Errorf("events %q: something to do %v, %v", step.events, found, err)
		}
	}
}

func gathersBehindQueued(t *testing.T, w *world) {
	w.create(t, acme, w.queued(reflection.Insight))
	queued, err := w.store.Gather(t.Context(), acme, reflection.Gathered{Events: []reflection.Event{{Source: "s", ID: "1"}}, Every: 1}, w.queued(reflection.Insight))
	if err != nil || queued {
		t.Errorf("queued %v, %v", queued, err)
	}
	page, err := w.store.List(t.Context(), acme, reflection.Query{Limit: 10})
	if err != nil || len(page.Reflections) != 1 {
		t.Errorf("%d reflections, %v", len(page.Reflections), err)
	}
	queued, err = w.store.Gather(t.Context(), acme, reflection.Gathered{Events: []reflection.Event{{Source: "s", ID: "2"}}, Every: 1}, w.queued(reflection.Consolidate))
	if err != nil || !queued {
		t.Errorf("another kind: queued %v, %v", queued, err)
	}
}

func gathersInRest(t *testing.T, w *world) {
	gather := func(id string) {
		t.Helper()
		queued, err := w.store.Gather(t.Context(), acme, reflection.Gathered{Events: []reflection.Event{{Source: "s", ID: id}}, Every: 1, Rest: time.Minute},
			w.queued(reflection.Insight), outbox.Record{Type: outbox.ReflectionDue, Data: []byte("{}")})
		if err != nil || !queued {
			t.Fatalf("event %s: queued %v, %v", id, queued, err)
		}
		if c, found, err := w.store.Next(t.Context(), lease); err != nil || !found || c.Kind != reflection.Insight {
			t.Fatalf("event %s: next %+v, %v, %v", id, c, found, err)
		}
	}
	gather("1")
	same(t, len(w.told(t)), 1)
	w.pass(30 * time.Second)
	gather("2") // it waits for whoever looks next: nobody is told
	same(t, len(w.told(t)), 0)
	w.pass(61 * time.Second)
	gather("3")
	same(t, len(w.told(t)), 1)
}

func listsScopes(t *testing.T, w *world) {
	want := []memory.Scope{{Tenant: "a", Project: "x"}, {Tenant: "a", Project: "y"}, {Tenant: "b", Project: "a"}}
	for i := range want {
		scope := want[len(want)-1-i]
		if _, err := w.store.Gather(t.Context(), scope, reflection.Gathered{Events: []reflection.Event{{Source: "s", ID: "1"}}, Every: 9}, w.queued(reflection.Insight)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.store.Scopes(t.Context(), memory.Scope{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want[:2])
	rest, err := w.store.Scopes(t.Context(), got[1], 2)
	if err != nil {
		t.Fatal(err)
	}
	same(t, rest, want[2:])
}

// derived is a record of work that must be told only if its claim holds.
func derived() outbox.Record {
	return outbox.Record{Type: outbox.MemoryDerived, Subject: "m", Data: []byte("{}")}
}

func waits(t *testing.T, w *world) {
	later, r := w.clock().Add(10*time.Second), w.queued(reflection.Insight)
	r.NotBefore = &later
	r = w.create(t, acme, r)
	early := func() {
		t.Helper()
		_, err := w.store.Claim(t.Context(), acme, r.ID, lease)
		wantKind(t, err, fault.Conflict)
		if _, found, err := w.store.Next(t.Context(), lease); found || err != nil {
			t.Errorf("it came next: %v, %v", found, err)
		}
		got, err := w.store.Get(t.Context(), acme, r.ID)
		if err != nil || got.NotBefore == nil || !got.NotBefore.Equal(later) {
			t.Errorf("waits until %v, %v", got.NotBefore, err)
		}
	}
	early()
	w.pass(10 * time.Second)
	c := w.claim(t, r.ID)
	if c.NotBefore != nil {
		t.Errorf("claimed, it waits until %v", c.NotBefore)
	}
	later = w.clock().Add(time.Hour) // longer than the lease, and shorter
	for _, wait := range []time.Duration{time.Hour, time.Second} {
		later = w.clock().Add(wait)
		r = c.Reflection
		r.Status, r.NotBefore, r.Error = reflection.Queued, &later, "away"
		if err := w.store.Finish(t.Context(), acme, r, c.Fence); err != nil {
			t.Fatal(err)
		}
		early()
		w.pass(wait)
		var found bool
		var err error
		if c, found, err = w.store.Next(t.Context(), lease); !found || err != nil || c.ID != r.ID || c.Error != "away" {
			t.Fatalf("next is %+v: %v, %v", c, found, err)
		}
	}
	r = c.Reflection
	r.Status = reflection.Queued // as it was before the next attempt could be put off: at once
	if err := w.store.Finish(t.Context(), acme, r, c.Fence); err != nil {
		t.Fatal(err)
	}
	w.claim(t, r.ID)
}

func parks(t *testing.T, w *world) {
	rival := memory.Scope{Tenant: "rival", Project: acme.Project}
	due := outbox.Record{Type: outbox.ReflectionDue, Data: []byte("{}")}
	later := w.clock().Add(time.Hour)
	park := func(scope memory.Scope, until *time.Time) memory.ID {
		r := w.create(t, scope, w.queued(reflection.Extract))
		c, err := w.store.Claim(t.Context(), scope, r.ID, lease)
		if err != nil {
			t.Fatal(err)
		}
		r = c.Reflection
		r.Status, r.NotBefore = reflection.Parked, until
		if err := w.store.Finish(t.Context(), scope, r, c.Fence); err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	called, timed, foreign := park(acme, nil), park(acme, &later), park(rival, nil)
	none := func() {
		t.Helper()
		if c, found, err := w.store.Next(t.Context(), lease); found || err != nil {
			t.Errorf("%s came next: %v, %v", c.ID, found, err)
		}
	}
	none()
	w.pass(time.Hour)
	if c, found, err := w.store.Next(t.Context(), lease); !found || err != nil || c.ID != timed || c.Status != reflection.Running || c.NotBefore != nil {
		t.Errorf("next is %+v: %v, %v", c, found, err)
	}
	none()
	if n, err := w.store.Resume(t.Context(), acme, due); n != 1 || err != nil {
		t.Errorf("resumed %d, %v", n, err)
	}
	if n, err := w.store.Resume(t.Context(), acme, due); n != 0 || err != nil {
		t.Errorf("resumed %d again, %v", n, err)
	}
	same(t, w.told(t), []string{"acme/support reflection.due "})
	if got, err := w.store.Get(t.Context(), acme, called); err != nil || got.Status != reflection.Parked || got.NotBefore != nil {
		t.Errorf("stands as %+v, %v", got, err)
	}
	if c, found, err := w.store.Next(t.Context(), lease); !found || err != nil || c.ID != called {
		t.Errorf("next is %+v: %v, %v", c, found, err)
	}
	if got, err := w.store.Get(t.Context(), rival, foreign); err != nil || got.Status != reflection.Parked {
		t.Errorf("another tenant's stands as %+v, %v", got, err)
	}
	none()
}
