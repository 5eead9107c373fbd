// Package limittest is the contract suite of serve.Limiter: every limiter runs it.
package limittest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/serve"
)

// Limiter is the port, under the name by which adapters, which know no edge, can say it in their tests.
type Limiter = serve.Limiter

// Run holds a limiter to its contract. on names it; open returns one that has counted nothing.
func Run(t *testing.T, on string, open func(*testing.T) Limiter) {
	run := contract.Begin(t, "limittest", on)
	run.Clause(t, "a burst passes and then nothing", func(t *testing.T) {
		limiter := open(t)
		for i := range 5 {
			if wait := take(t, limiter, "acme", 1, 5); wait != 0 {
				t.Fatalf("request %d of a burst of 5 waits %s", i+1, wait)
			}
		}
		for range 3 { // to be sent away costs nothing
			if wait := take(t, limiter, "acme", 1, 5); wait <= 0 || wait > time.Second {
				t.Errorf("request 6 waits %s, want up to a second", wait)
			}
		}
	})
	run.Clause(t, "who waits as told passes", func(t *testing.T) {
		limiter := open(t)
		for i := range 6 {
			if wait := take(t, limiter, "acme", 20, 1); wait > 0 {
				if wait > 50*time.Millisecond {
					t.Errorf("waits %s for the next of 20 a second", wait)
				}
				<-time.After(wait + 5*time.Millisecond)
				if again := take(t, limiter, "acme", 20, 1); again != 0 {
					t.Errorf("request %d waited %s and is sent away for %s more", i, wait, again)
				}
			}
		}
	})
	run.Clause(t, "tenants are counted apart, however they are called", func(t *testing.T) {
		limiter := open(t)
		for _, tenant := range []string{"acme", "acme2", "acm", "", "a:b", "*", "{acme}", "acme "} {
			if wait := take(t, limiter, tenant, 1, 1); wait != 0 {
				t.Errorf("the first request of %q waits %s", tenant, wait)
			}
			if wait := take(t, limiter, tenant, 1, 1); wait == 0 {
				t.Errorf("the second request of %q passes", tenant)
			}
		}
	})
	run.Clause(t, "many at once get no more than the burst and what time brings", func(t *testing.T) {
		limiter, began := open(t), time.Now()
		const perSecond, burst = 10, 30
		var passed atomic.Int64
		var running sync.WaitGroup
		for range 8 {
			running.Go(func() {
				for range 50 {
					wait, err := limiter.Take(t.Context(), "acme", perSecond, burst)
					if err != nil {
						t.Error(err)
						return
					}
					if wait == 0 {
						passed.Add(1)
					}
				}
			})
		}
		running.Wait()
		most := burst + int64(perSecond*time.Since(began).Seconds()) + 1
		if n := passed.Load(); n < burst || n > most {
			t.Errorf("%d passed, want %d to %d", n, burst, most)
		}
	})
	run.Clause(t, "any number of tenants", func(t *testing.T) {
		limiter := open(t)
		for i := range 500 {
			if wait := take(t, limiter, fmt.Sprint(i), 1_000_000, 1_000_000); wait != 0 {
				t.Fatalf("tenant %d waits %s", i, wait)
			}
		}
	})
}

func take(t *testing.T, limiter Limiter, tenant string, perSecond, burst int) time.Duration {
	t.Helper()
	wait, err := limiter.Take(t.Context(), tenant, perSecond, burst)
	if err != nil {
		t.Fatal(err)
	}
	return wait
}
