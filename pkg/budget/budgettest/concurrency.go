package budgettest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// inParallel starts n calls at once and waits for all.
func inParallel(n int, call func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			call(i)
		})
	}
	close(start)
	wg.Wait()
}

func concurrencyClauses() []clause {
	return []clause{
		{"of 200 concurrent reservations against a budget for 20 exactly 20 succeed, 50 times", func(f *fixture) {
			for run := range 50 {
				f := f.in("acme", fmt.Sprintf("run-%d", run))
				f.monthly("20")
				var granted, refused atomic.Int64
				inParallel(200, func(int) {
					_, err := f.ledger.Reserve(context.WithoutCancel(f.ctx), f.scope, ask("1"))
					var exceeded *budget.ExceededError
					switch {
					case err == nil:
						granted.Add(1)
					case errors.As(err, &exceeded):
						refused.Add(1)
					default:
						f.Errorf("reserve: %v", err)
					}
				})
				is(f, "granted and refused", []int64{granted.Load(), refused.Load()}, []int64{20, 180})
				f.wantBooks("0", "0", "20")
			}
		}},
		{"concurrent spenders never exceed the limit and never lose a nano-dollar", func(f *fixture) {
			f.limit(budget.Limits{Monthly: usd("50"), Daily: usd("50")})
			var spent, broken atomic.Int64
			inParallel(64, func(i int) {
				for n := range 10 {
					cost := budget.Cost(int64(i*n+1) * 7_654_321)
					request := budget.Request{Operation: "chat", Model: "m", MaxCost: &cost}
					r, err := f.ledger.Reserve(f.ctx, f.scope, request)
					if err != nil {
						continue
					}
					if (i+n)%3 == 0 {
						_, err = f.ledger.Release(f.ctx, f.scope, r.ID)
					} else {
						actual := cost * 2 / 3
						_, err = f.ledger.Settle(f.ctx, f.scope, r.ID, budget.Settle{Cost: &actual})
						spent.Add(int64(actual))
					}
					if err != nil {
						f.Errorf("end a reservation: %v", err)
					}
					if s, err := f.ledger.Current(f.ctx, f.scope); err != nil || s.MonthlyUsage+s.MonthlyReserved > *usd("50") {
						broken.Add(1)
					}
				}
			})
			is(f, "moments over the limit", broken.Load(), 0)
			is(f, "books", f.books(), books{Month: budget.Cost(spent.Load()), Day: budget.Cost(spent.Load())})
		}},
		{"concurrent requests under one key are one reservation", func(f *fixture) {
			request := ask("1")
			request.IdempotencyKey = "one"
			var mu sync.Mutex
			seen := map[memory.ID]bool{}
			inParallel(32, func(int) {
				r, err := f.ledger.Reserve(f.ctx, f.scope, request)
				if err != nil {
					f.Errorf("reserve: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				seen[r.ID] = true
			})
			is(f, "reservations", len(seen), 1)
			f.wantBooks("0", "0", "1")
		}},
		{"of concurrent settlements and releases of one reservation one happens", func(f *fixture) {
			r := f.reserve(ask("4"))
			var settled, released atomic.Int64
			inParallel(32, func(i int) {
				if i%2 == 0 {
					if _, err := f.ledger.Settle(f.ctx, f.scope, r.ID, budget.Settle{Cost: usd("3")}); err == nil {
						settled.Add(1)
					}
				} else if _, err := f.ledger.Release(f.ctx, f.scope, r.ID); err == nil {
					released.Add(1)
				}
			})
			if settled.Load() > 0 {
				is(f, "settled and released", []int64{settled.Load(), released.Load()}, []int64{16, 0})
				f.wantBooks("3", "3", "0")
			} else {
				is(f, "released", released.Load(), 16)
				f.wantBooks("0", "0", "0")
			}
		}},
	}
}
