package outboxtest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/outbox"
)

func handedOutAsWritten(t *testing.T, w *world) {
	want := w.record(1, "m1")
	w.fill(t, want)
	same(t, "the record", w.claim(t, 10), []outbox.Record{want})
}

func oldestFirst(t *testing.T, w *world) {
	a, b, c := w.record(3, "m1"), w.record(1, "m2"), w.record(2, "m3")
	w.fill(t, a)
	w.fill(t, b, c)
	same(t, "the first two", w.claimIDs(t, 2), []string{a.ID, b.ID})
	same(t, "the rest", w.claimIDs(t, 2), []string{c.ID})
}

func emptyQueue(t *testing.T, w *world) {
	same(t, "claimed", w.claimIDs(t, 10), []string{})
	dead, err := w.queue.Dead(t.Context(), 10)
	do(t, err)
	same(t, "dead", ids(dead), []string{})
	lag, err := w.queue.Lag(t.Context())
	do(t, err)
	same(t, "lag", lag, outbox.Lag{})
}

func leaseHolds(t *testing.T, w *world) {
	w.fill(t, w.record(1, "m1"))
	w.claim(t, 10)
	w.advance(lease - time.Microsecond)
	same(t, "claimed within the lease", w.claimIDs(t, 10), []string{})
}

func leaseEnds(t *testing.T, w *world) {
	r := w.record(1, "m1")
	w.fill(t, r)
	w.claim(t, 10)
	w.advance(lease)
	same(t, "claimed after the lease", w.claim(t, 10), []outbox.Record{r})
}

func doneRemoves(t *testing.T, w *world) {
	a, b := w.record(1, "m1"), w.record(2, "m2")
	w.fill(t, a, b)
	w.claim(t, 10)
	do(t, w.queue.Done(t.Context(), []string{a.ID, "0190a000-0000-7000-8000-00000000ffff"}))
	do(t, w.queue.Done(t.Context(), nil))
	w.advance(lease)
	same(t, "what is left", w.claimIDs(t, 10), []string{b.ID})
}

func retryWaits(t *testing.T, w *world) {
	r := w.record(1, "m1")
	w.fill(t, r)
	w.claim(t, 10)
	do(t, w.queue.Retry(t.Context(), r.ID, 3*time.Second, "the broker answered 503"))
	w.advance(3*time.Second - time.Microsecond)
	same(t, "claimed during the wait", w.claimIDs(t, 10), []string{})
	w.advance(time.Microsecond)
	r.Attempts, r.Reason = 1, "the broker answered 503"
	same(t, "claimed after the wait", w.claim(t, 10), []outbox.Record{r})
	do(t, w.queue.Retry(t.Context(), r.ID, 0, "again"))
	r.Attempts, r.Reason = 2, "again"
	same(t, "claimed without a wait", w.claim(t, 10), []outbox.Record{r})
}

func dueAgainComesFirst(t *testing.T, w *world) {
	a, b, c := w.record(1, "m1"), w.record(2, "m2"), w.record(3, "m3")
	w.fill(t, a, b)
	w.claim(t, 2)
	do(t, w.queue.Retry(t.Context(), a.ID, 2*time.Second, "the broker answered 503"))
	do(t, w.queue.Retry(t.Context(), b.ID, time.Second, "the broker answered 503"))
	w.fill(t, c)
	w.advance(2 * time.Second)
	same(t, "claimed", w.claimIDs(t, 3), []string{a.ID, b.ID, c.ID})
}

func buryMoves(t *testing.T, w *world) {
	r := w.record(1, "m1")
	w.fill(t, r)
	w.claim(t, 10)
	do(t, w.queue.Bury(t.Context(), r.ID, "the broker answered 400"))
	w.advance(time.Hour)
	same(t, "claimed", w.claimIDs(t, 10), []string{})
	dead, err := w.queue.Dead(t.Context(), 10)
	do(t, err)
	r.Attempts, r.Reason = 1, "the broker answered 400"
	same(t, "dead", dead, []outbox.Record{r})
}

func deadNewestFirst(t *testing.T, w *world) {
	var want []string
	for n := 1; n <= 5; n++ {
		r := w.record(n, fmt.Sprint("m", n))
		w.fill(t, r)
		do(t, w.queue.Bury(t.Context(), r.ID, "poison"))
		want = append([]string{r.ID}, want...)
	}
	dead, err := w.queue.Dead(t.Context(), 3)
	do(t, err)
	same(t, "dead", ids(dead), want[:3])
}

func interOnce(t *testing.T, w *world) {
	sent, other := w.record(1, "m1"), w.record(2, "m2")
	do(t, w.queue.Inter(t.Context(), other, "first"))
	do(t, w.queue.Inter(t.Context(), sent, "search answered 400"))
	do(t, w.queue.Inter(t.Context(), sent, "embed answered 422"))
	do(t, w.queue.Inter(t.Context(), sent, "search answered 400"))
	dead, err := w.queue.Dead(t.Context(), 10)
	do(t, err)
	sent.Attempts, sent.Reason = 1, "search answered 400; embed answered 422"
	other.Attempts, other.Reason = 1, "first"
	same(t, "dead", dead, []outbox.Record{sent, other})
	same(t, "claimed", w.claimIDs(t, 10), []string{})
}

func interStranger(t *testing.T, w *world) {
	r := w.record(1, "m1")
	r.ID = "ping-1"
	if kind := fault.KindOf(w.queue.Inter(t.Context(), r, "x")); kind != fault.Invalid {
		t.Errorf("a record without an id of ours: %v, want Invalid", kind)
	}
	dead, err := w.queue.Dead(t.Context(), 10)
	do(t, err)
	same(t, "dead", ids(dead), []string{})
}

func reviveAsNew(t *testing.T, w *world) {
	r := w.record(1, "m1")
	w.fill(t, r)
	w.claim(t, 10)
	do(t, w.queue.Bury(t.Context(), r.ID, "poison"))
	for _, want := range []bool{true, false} {
		found, err := w.queue.Revive(t.Context(), r.ID)
		do(t, err)
		same(t, "found", found, want)
	}
	same(t, "claimed", w.claim(t, 10), []outbox.Record{r})
	lag, err := w.queue.Lag(t.Context())
	do(t, err)
	same(t, "dead", lag.Dead, 0)
	for _, unknown := range []string{"0190a000-0000-7000-8000-00000000ffff", "ping-1"} {
		found, err := w.queue.Revive(t.Context(), unknown)
		do(t, err)
		same(t, "found "+unknown, found, false)
	}
}

func unknownIDs(t *testing.T, w *world) {
	r := w.record(1, "m1")
	w.fill(t, r)
	do(t, w.queue.Retry(t.Context(), "0190a000-0000-7000-8000-00000000ffff", time.Hour, "x"))
	do(t, w.queue.Bury(t.Context(), "0190a000-0000-7000-8000-00000000ffff", "x"))
	same(t, "claimed", w.claim(t, 10), []outbox.Record{r})
	lag, err := w.queue.Lag(t.Context())
	do(t, err)
	same(t, "lag", lag, outbox.Lag{Waiting: 1})
}

func subjectOrder(t *testing.T, w *world) {
	first, second, other := w.record(1, "m1"), w.record(2, "m1"), w.record(3, "m2")
	w.fill(t, first, second, other)
	same(t, "the first claim", w.claimIDs(t, 10), []string{first.ID, other.ID})
	same(t, "while the first is claimed", w.claimIDs(t, 10), []string{})
	do(t, w.queue.Done(t.Context(), []string{first.ID}))
	same(t, "after the first was sent", w.claimIDs(t, 10), []string{second.ID})
}

func subjectHeldByRetry(t *testing.T, w *world) {
	first, second := w.record(1, "m1"), w.record(2, "m1")
	w.fill(t, first, second)
	w.claim(t, 10)
	do(t, w.queue.Retry(t.Context(), first.ID, time.Hour, "x"))
	w.advance(time.Minute)
	same(t, "during the wait", w.claimIDs(t, 10), []string{})
	w.advance(time.Hour)
	same(t, "after the wait", w.claimIDs(t, 10), []string{first.ID})
}

func buryReleases(t *testing.T, w *world) {
	first, second := w.record(1, "m1"), w.record(2, "m1")
	w.fill(t, first, second)
	w.claim(t, 10)
	do(t, w.queue.Bury(t.Context(), first.ID, "poison"))
	same(t, "after the burial", w.claimIDs(t, 10), []string{second.ID})
}

func subjectsAreScoped(t *testing.T, w *world) {
	a, b, c := w.record(1, "m1"), w.record(2, "m1"), w.record(3, "m1")
	b.Tenant, c.Project = "other", "side"
	w.fill(t, a)
	w.fill(t, b)
	w.fill(t, c)
	same(t, "claimed", w.claim(t, 10), []outbox.Record{a, b, c})
}

func noSubject(t *testing.T, w *world) {
	a, b := w.record(1, ""), w.record(2, "")
	w.fill(t, a, b)
	same(t, "claimed", w.claimIDs(t, 10), []string{a.ID, b.ID})
}

func lagCounts(t *testing.T, w *world) {
	a, b := w.record(1, "m1"), w.record(2, "m2")
	w.fill(t, a)
	w.advance(10 * time.Second)
	c := w.record(3, "m3")
	w.fill(t, b, c)
	w.claim(t, 1)
	do(t, w.queue.Bury(t.Context(), c.ID, "poison"))
	w.advance(5 * time.Second)
	lag, err := w.queue.Lag(t.Context())
	do(t, err)
	same(t, "lag", lag, outbox.Lag{Waiting: 2, Dead: 1, Oldest: 15 * time.Second})
}

func concurrentClaims(t *testing.T, w *world) {
	const count = 200
	var all []outbox.Record
	for n := range count {
		all = append(all, w.record(n, fmt.Sprint("m", n)))
	}
	w.fill(t, all...)
	var mu sync.Mutex
	times := make(map[string]int)
	var relays sync.WaitGroup
	for range 8 {
		relays.Go(func() {
			for {
				records, err := w.queue.Claim(t.Context(), 7, lease)
				if err != nil {
					t.Error(err)
					return
				}
				if len(records) == 0 {
					return
				}
				mu.Lock()
				for _, r := range records {
					times[r.ID]++
				}
				mu.Unlock()
			}
		})
	}
	relays.Wait()
	for _, r := range all {
		if times[r.ID] != 1 {
			t.Errorf("record %s was handed out %d times", r.ID, times[r.ID])
		}
	}
}

func orderUnderRelays(t *testing.T, w *world) {
	const subjects, each = 5, 20
	var all []outbox.Record
	for n := range subjects * each {
		all = append(all, w.record(n, fmt.Sprint("m", n%subjects)))
	}
	w.fill(t, all...)
	var mu sync.Mutex
	delivered := make(map[string][]string)
	left := len(all)
	var relays sync.WaitGroup
	for relay := range 4 {
		relays.Go(func() {
			for round := 0; ; round++ {
				records, err := w.queue.Claim(t.Context(), 3, lease)
				if err != nil {
					t.Error(err)
					return
				}
				for i, r := range records {
					if (relay+round+i)%5 == 0 && r.Attempts < 3 {
						if err := w.queue.Retry(t.Context(), r.ID, 0, "not now"); err != nil {
							t.Error(err)
						}
						continue
					}
					mu.Lock()
					delivered[r.Subject] = append(delivered[r.Subject], r.ID)
					left--
					mu.Unlock()
					if err := w.queue.Done(t.Context(), []string{r.ID}); err != nil {
						t.Error(err)
					}
				}
				mu.Lock()
				ended := left <= 0 || t.Failed()
				mu.Unlock()
				if ended {
					return
				}
			}
		})
	}
	relays.Wait()
	want := make(map[string][]string)
	for _, r := range all {
		want[r.Subject] = append(want[r.Subject], r.ID)
	}
	same(t, "delivered", delivered, want)
}
