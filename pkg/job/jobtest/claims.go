package jobtest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
)

func claims(t *testing.T, w *world) {
	j := w.create(t, acme, order())
	w.pass(time.Second)
	first := w.claim(t, j.ID)
	want := j
	want.Status, want.Attempts, want.UpdatedAt = job.Running, 1, w.clock()
	same(t, first.Job, want)
	same(t, w.get(t, j.ID), want)

	_, err := w.store.Claim(t.Context(), acme, j.ID, lease)
	wantKind(t, err, fault.Conflict)
	w.pass(lease - time.Microsecond)
	w.idle(t, "while leased")
	w.pass(time.Microsecond)
	second := w.claim(t, j.ID)
	if second.Attempts != 2 || second.Fence <= first.Fence {
		t.Errorf("second claim: attempts %d, fence %d after %d", second.Attempts, second.Fence, first.Fence)
	}
	_, err = w.store.Claim(t.Context(), acme, memory.NewID(), lease)
	wantKind(t, err, fault.NotFound)
}

func claimsNext(t *testing.T, w *world) {
	w.idle(t, "an empty store")
	var want []memory.ID
	for i := range 3 {
		j := w.create(t, memory.Scope{Tenant: fmt.Sprintf("t%d", 3-i), Project: "p"}, order())
		want = append(want, j.ID)
		w.pass(time.Second)
	}
	foreign := order()
	foreign.Kind = "sum"
	w.create(t, acme, foreign)
	var got []memory.ID
	for range 3 {
		c, found, err := w.store.Next(t.Context(), kinds, lease)
		if err != nil || !found {
			t.Fatalf("next: %v, %v", found, err)
		}
		got = append(got, c.ID)
	}
	same(t, got, want)
	w.idle(t, "a fourth")
	if c, found, err := w.store.Next(t.Context(), []string{"other", "sum"}, lease); err != nil || !found || c.ID != foreign.ID {
		t.Errorf("another kind did not come: %+v, %v, %v", c, found, err)
	}
	w.pass(lease)
	fresh := w.create(t, acme, order())
	for i, id := range append(want, fresh.ID) {
		if c, found, err := w.store.Next(t.Context(), kinds, lease); err != nil || !found || c.ID != id {
			t.Errorf("next %d: %+v, %v, %v; want %s, due since longest", i, c, found, err, id)
		}
	}
	if _, found, err := w.store.Next(t.Context(), nil, lease); found || err != nil {
		t.Errorf("no kind has a next: %v, %v", found, err)
	}
}

func saves(t *testing.T, w *world) {
	c := w.claim(t, w.create(t, acme, order()).ID)
	w.pass(lease - time.Second)
	w.save(t, c, step(1), derived("m1"), derived("m2"))
	want := c.Job
	want.Cursor, want.Progress, want.Attempts, want.UpdatedAt = step(1).Cursor, step(1).Progress, 0, w.clock()
	same(t, w.get(t, c.ID), want)
	same(t, w.told(t), []string{"acme/support memory.derived m1", "acme/support memory.derived m2"})
	w.pass(lease - time.Second)
	w.idle(t, "within the new lease")
	w.save(t, c, step(2))
	w.pass(lease)
	again := w.claim(t, c.ID)
	same(t, string(again.Cursor), `{"at":2}`)
	same(t, again.Progress, job.Progress{Done: 2, Total: 3})

	err := w.store.Save(t.Context(), acme, c.ID, again.Fence, job.Step{Cursor: json.RawMessage(`{`)}, lease, derived("broken"))
	wantKind(t, err, fault.Invalid)
	same(t, w.get(t, c.ID), again.Job)
	same(t, w.told(t), []string{})
}

func countsAttempts(t *testing.T, w *world) {
	id := w.create(t, acme, order()).ID
	for n := 1; n <= 3; n++ {
		if c := w.claim(t, id); c.Attempts != n {
			t.Errorf("claim %d counts %d attempts", n, c.Attempts)
		}
		w.pass(lease)
	}
	c := w.claim(t, id)
	w.save(t, c, job.Step{}) // it came nowhere
	same(t, w.get(t, id).Attempts, 4)
	w.save(t, c, step(1))
	same(t, w.get(t, id).Attempts, 0)
	same(t, w.finish(t, c, job.End{Step: step(1), Status: job.Queued}).Attempts, 0)
	c = w.claim(t, id)
	same(t, w.finish(t, c, job.End{Step: step(1), Status: job.Queued}).Attempts, 1)
	c = w.claim(t, id)
	same(t, c.Attempts, 2)
	same(t, w.finish(t, c, job.End{Step: step(1), Status: job.Queued, Forgiven: true}).Attempts, 1)
}

func fences(t *testing.T, w *world) {
	j := w.create(t, acme, order())
	first := w.claim(t, j.ID)
	w.pass(lease)
	second := w.claim(t, j.ID)

	wantKind(t, w.store.Save(t.Context(), acme, j.ID, first.Fence, step(9), lease, derived("late")), fault.Conflict)
	_, err := w.store.Finish(t.Context(), acme, j.ID, first.Fence, job.End{Status: job.Failed, Error: "too late"}, derived("late"))
	wantKind(t, err, fault.Conflict)
	same(t, w.get(t, j.ID), second.Job)
	same(t, w.told(t), []string{})

	w.finish(t, second, job.End{Step: step(3), Status: job.Succeeded}, derived("m"))
	wantKind(t, w.store.Save(t.Context(), acme, j.ID, second.Fence, step(9), lease, derived("late")), fault.Conflict)
	_, err = w.store.Finish(t.Context(), acme, j.ID, second.Fence, job.End{Status: job.Succeeded}, derived("late"))
	wantKind(t, err, fault.Conflict)
	same(t, w.told(t), []string{"acme/support memory.derived m"})

	back := w.claim(t, w.create(t, acme, order()).ID) // given back and claimed again
	w.finish(t, back, job.End{Step: step(1), Status: job.Queued})
	wantKind(t, w.store.Save(t.Context(), acme, back.ID, back.Fence, step(9), lease), fault.Conflict)
	w.claim(t, back.ID)
	wantKind(t, w.store.Save(t.Context(), acme, back.ID, back.Fence, step(9), lease), fault.Conflict)
}

func finishesLate(t *testing.T, w *world) {
	c := w.claim(t, w.create(t, acme, order()).ID)
	w.pass(2 * lease)
	w.save(t, c, step(1))
	w.pass(2 * lease)
	same(t, w.finish(t, c, job.End{Step: step(3), Status: job.Succeeded}).Status, job.Succeeded)
}

func finishes(t *testing.T, w *world) {
	for _, status := range []job.Status{job.Succeeded, job.Failed} {
		c := w.claim(t, w.create(t, acme, order()).ID)
		w.pass(time.Second)
		got := w.finish(t, c, job.End{Step: step(3), Status: status, Error: "why", Wait: time.Hour}, derived(string(status)))
		at := w.clock()
		want := c.Job
		want.Status, want.Error, want.Attempts = status, "why", 0
		want.Cursor, want.Progress, want.UpdatedAt, want.FinishedAt = step(3).Cursor, step(3).Progress, at, &at
		same(t, got, want)
		same(t, w.get(t, c.ID), want)
		same(t, w.told(t), []string{"acme/support memory.derived " + string(status)})
		w.pass(2 * lease)
		_, err := w.store.Claim(t.Context(), acme, c.ID, lease)
		wantKind(t, err, fault.Conflict)
		w.idle(t, "after the end")
	}
}

func waits(t *testing.T, w *world) {
	c := w.claim(t, w.create(t, acme, order()).ID)
	until := w.clock().Add(time.Minute)
	got := w.finish(t, c, job.End{Step: step(1), Status: job.Queued, Error: "busy", Wait: time.Minute})
	if got.Status != job.Queued || got.Error != "busy" || got.NotBefore == nil || !got.NotBefore.Equal(until) || got.FinishedAt != nil {
		t.Errorf("given back as %+v", got)
	}
	w.pass(time.Minute - time.Microsecond)
	w.idle(t, "while it waits")
	_, err := w.store.Claim(t.Context(), acme, c.ID, lease)
	wantKind(t, err, fault.Conflict)
	w.pass(time.Microsecond)
	again := w.claim(t, c.ID)
	if again.NotBefore != nil || string(again.Cursor) != `{"at":1}` || again.Fence <= c.Fence {
		t.Errorf("claimed again as %+v", again)
	}
	if now := w.finish(t, again, job.End{Step: step(2), Status: job.Queued}); now.NotBefore != nil || now.Error != "" {
		t.Errorf("given back without a wait as %+v", now)
	}
	w.claim(t, c.ID)
}

func parks(t *testing.T, w *world) {
	until := w.clock().Add(time.Hour)
	timed := w.claim(t, w.create(t, acme, order()).ID)
	got := w.finish(t, timed, job.End{Step: step(1), Status: job.Parked, Error: "the budget", Until: until})
	if got.Status != job.Parked || got.Error != "the budget" || got.NotBefore == nil || !got.NotBefore.Equal(until) {
		t.Errorf("parked as %+v", got)
	}
	forever := w.claim(t, w.create(t, acme, order()).ID)
	if got := w.finish(t, forever, job.End{Step: step(1), Status: job.Parked}); got.NotBefore != nil {
		t.Errorf("parked as %+v", got)
	}
	w.pass(time.Hour - time.Microsecond)
	w.idle(t, "while parked")
	w.pass(time.Microsecond)
	if c, found, err := w.store.Next(t.Context(), kinds, lease); err != nil || !found || c.ID != timed.ID || c.Status != job.Running {
		t.Errorf("its time came: %+v, %v, %v", c, found, err)
	}
	w.pass(1000 * 24 * time.Hour)
	_, err := w.store.Claim(t.Context(), acme, forever.ID, lease)
	wantKind(t, err, fault.Conflict)
	got, err = w.store.Unpark(t.Context(), acme, forever.ID, derived("woken"))
	if err != nil || got.Status != job.Queued || got.NotBefore != nil {
		t.Fatalf("unparked: %+v, %v", got, err)
	}
	same(t, w.told(t), []string{"acme/support memory.derived woken"})
	c := w.claim(t, forever.ID)
	_, err = w.store.Unpark(t.Context(), acme, forever.ID, derived("never"))
	wantKind(t, err, fault.Conflict)
	w.finish(t, c, job.End{Status: job.Queued, Wait: time.Hour})
	if _, err := w.store.Unpark(t.Context(), acme, forever.ID); err != nil {
		t.Error(err)
	}
	w.finish(t, w.claim(t, forever.ID), job.End{Status: job.Succeeded})
	_, err = w.store.Unpark(t.Context(), acme, forever.ID, derived("never"))
	wantKind(t, err, fault.Conflict)
	same(t, w.told(t), []string{})
}

func cancels(t *testing.T, w *world) {
	waiting := w.create(t, acme, order())
	w.pass(time.Second)
	got, err := w.store.Cancel(t.Context(), acme, waiting.ID)
	if err != nil {
		t.Fatal(err)
	}
	at := w.clock()
	want := waiting
	want.Status, want.UpdatedAt, want.FinishedAt = job.Cancelled, at, &at
	same(t, got, want)
	w.pass(time.Second)
	again, err := w.store.Cancel(t.Context(), acme, waiting.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, again, want)
	_, err = w.store.Claim(t.Context(), acme, waiting.ID, lease)
	wantKind(t, err, fault.Conflict)
	w.idle(t, "after the cancellation")

	running := w.claim(t, w.create(t, acme, order()).ID)
	if _, err := w.store.Cancel(t.Context(), acme, running.ID); err != nil {
		t.Fatal(err)
	}
	wantKind(t, w.store.Save(t.Context(), acme, running.ID, running.Fence, step(1), lease, derived("m")), fault.Conflict)
	_, err = w.store.Finish(t.Context(), acme, running.ID, running.Fence, job.End{Status: job.Succeeded}, derived("m"))
	wantKind(t, err, fault.Conflict)
	same(t, w.told(t), []string{})

	done := w.claim(t, w.create(t, acme, order()).ID)
	w.finish(t, done, job.End{Status: job.Failed})
	_, err = w.store.Cancel(t.Context(), acme, done.ID)
	wantKind(t, err, fault.Conflict)
	_, err = w.store.Cancel(t.Context(), acme, memory.NewID())
	wantKind(t, err, fault.NotFound)
}

func claimsAtOnce(t *testing.T, w *world) {
	const n = 20
	for range n {
		w.create(t, acme, order())
	}
	claimed := make(chan memory.ID, 2*n)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for {
				c, found, err := w.store.Next(t.Context(), kinds, lease)
				if err != nil {
					t.Error(err)
				}
				if err != nil || !found {
					return
				}
				claimed <- c.ID
			}
		})
	}
	workers.Wait()
	close(claimed)
	seen := map[memory.ID]int{}
	for id := range claimed {
		seen[id]++
	}
	if len(seen) != n {
		t.Errorf("%d of %d were claimed", len(seen), n)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s was claimed %d times", id, times)
		}
	}
}

func claimsOneAtOnce(t *testing.T, w *world) {
	id := w.create(t, acme, order()).ID
	var won atomic.Int32
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			_, err := w.store.Claim(t.Context(), acme, id, lease)
			switch {
			case err == nil:
				won.Add(1)
			case fault.KindOf(err) != fault.Conflict:
				t.Error(err)
			}
		})
	}
	workers.Wait()
	same(t, won.Load(), int32(1))
}

// Eraser erases tenants.
type Eraser interface {
	EraseTenant(ctx context.Context, tenant string) (memory.Receipt, error)
}

// Erase makes sure that erasing a tenant removes its jobs, with the keys that made them, counts them and leaves those
// of others. Both are of one fresh store.
func Erase(t *testing.T, store job.Store, eraser Eraser) {
	t.Helper()
	key := memory.Key{Route: "r", Key: "k", Fingerprint: "f"}
	scopes := []memory.Scope{{Tenant: "gone", Project: "a"}, {Tenant: "gone", Project: "b"}, {Tenant: "stays", Project: "a"}}
	for _, scope := range scopes {
		if _, _, err := store.Create(t.Context(), scope, order(), key); err != nil {
			t.Fatal(err)
		}
	}
	c, err := claimOf(t, store, scopes[0])
	if err != nil {
		t.Fatal(err)
	}
	if receipt, err := eraser.EraseTenant(t.Context(), "gone"); err != nil || receipt.Other != 2 {
		t.Errorf("receipt %+v, %v", receipt, err)
	}
	wantKind(t, store.Save(t.Context(), scopes[0], c.ID, c.Fence, step(1), lease), fault.NotFound)
	for i, want := range []int{0, 0, 1} {
		page, err := store.List(t.Context(), scopes[i], job.Query{Limit: 10})
		if err != nil || len(page.Jobs) != want {
			t.Errorf("%s keeps %d jobs, %v", scopes[i], len(page.Jobs), err)
		}
		if _, fresh, err := store.Create(t.Context(), scopes[i], order(), key); err != nil || fresh != (want == 0) {
			t.Errorf("%s: key is fresh: %v, %v", scopes[i], fresh, err)
		}
	}
}

func claimOf(t *testing.T, store job.Store, scope memory.Scope) (job.Claim, error) {
	t.Helper()
	page, err := store.List(t.Context(), scope, job.Query{Limit: 1})
	if err != nil {
		return job.Claim{}, err
	}
	return store.Claim(t.Context(), scope, page.Jobs[0].ID, lease)
}
