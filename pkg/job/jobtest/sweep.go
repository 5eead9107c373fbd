package jobtest

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
)

const day = 24 * time.Hour

func sweeps(t *testing.T, w *world) {
	other := memory.Scope{Tenant: "other", Project: "default"}
	end := func(status job.Status) memory.ID {
		j := w.create(t, acme, order())
		c := w.claim(t, j.ID)
		if _, err := w.store.Finish(t.Context(), acme, j.ID, c.Fence, job.End{Status: status, Step: job.Step{Cursor: j.Cursor}}); err != nil {
			t.Fatal(err)
		}
		return j.ID
	}
	ended := []memory.ID{end(job.Succeeded), end(job.Failed)}
	parked := end(job.Parked)
	if _, err := w.store.Cancel(t.Context(), acme, end(job.Parked)); err != nil {
		t.Fatal(err)
	}
	queued := w.create(t, acme, order()).ID
	key := memory.Key{Route: "r", Key: "k", Fingerprint: "f"}
	keyed, _, err := w.store.Create(t.Context(), other, order(), key)
	if err == nil {
		_, err = w.store.Cancel(t.Context(), other, keyed.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.pass(20 * day)
	recent := end(job.Succeeded)
	w.pass(20 * day)
	sweep := func(limit, want int) {
		t.Helper()
		if n, err := w.store.Sweep(t.Context(), 30*day, limit); n != want || err != nil {
			t.Errorf("swept %d of at most %d, want %d, %v", n, limit, want, err)
		}
	}
	sweep(3, 3)
	sweep(3, 1)
	sweep(3, 0)
	for _, id := range ended {
		if _, err := w.store.Get(t.Context(), acme, id); fault.KindOf(err) != fault.NotFound {
			t.Errorf("what ended is still there: %v", err)
		}
	}
	for _, id := range []memory.ID{parked, queued, recent} {
		w.get(t, id)
	}
	if _, fresh, err := w.store.Create(t.Context(), other, order(), key); !fresh || err != nil {
		t.Errorf("a key outlives its job: fresh %v, %v", fresh, err)
	}
}
