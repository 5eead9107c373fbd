package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

func TestTwentyOfTwoHundredReservationsFitABudgetForTwenty(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	for run := range 50 {
		project := fmt.Sprintf("run-%d", run)
		w.want(http.StatusOK, "PUT", "/v1/budgets", object{"monthly_limit": 20, "daily_limit": nil}, "X-Project-ID", project)
		var mu sync.Mutex
		statuses := map[int]int{}
		var refusal *answer
		begin := make(chan struct{})
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				<-begin
				a, err := w.try("POST", "/v1/reservations", object{"operation": "chat", "model": "gpt-4o", "max_cost": 1}, "X-Project-ID", project)
				if err != nil {
					w.Errorf("reserve: %v", err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if statuses[a.status]++; a.status == http.StatusPaymentRequired {
					refusal = a
				}
			})
		}
		close(begin)
		all.Wait()
		if len(statuses) != 2 || statuses[http.StatusCreated] != 20 || statuses[http.StatusPaymentRequired] != 180 {
			t.Fatalf("run %d: %v, want 20 of 201 and 180 of 402", run, statuses)
		}
		for _, member := range []string{"type", "title", "status", "detail", "period", "limit", "usage", "reserved", "requested", "resets_at"} {
			if refusal.body[member] == nil {
				t.Errorf("the refusal has no %s: %v", member, refusal)
			}
		}
		if refusal.number("reserved") != 20 || refusal.number("limit") != 20 || refusal.number("requested") != 1 || text(refusal.body, "period") != "monthly" {
			t.Errorf("refusal %v", refusal)
		}
		if media := refusal.header.Get("Content-Type"); media != "application/problem+json" {
			t.Errorf("the refusal is %s", media)
		}
	}
}

func TestADeadSpendersReservationComesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := serve(t, dir)
	w.want(http.StatusOK, "PUT", "/v1/budgets", object{"monthly_limit": 1})
	ask := object{"operation": "chat", "model": "gpt-4o", "max_cost": 1, "ttl_seconds": 1}
	w.want(http.StatusCreated, "POST", "/v1/reservations", ask)
	w.want(http.StatusPaymentRequired, "POST", "/v1/reservations", ask)
	w.process.Kill()
	w = serve(t, dir)
	w.soon(5*time.Second, "the hold comes back by itself", func() bool {
		return w.do("POST", "/v1/reservations", ask).status == http.StatusCreated
	})
}
