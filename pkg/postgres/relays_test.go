package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/postgres"
)

func emitted(ctx context.Context, db *postgres.DB, scope memory.Scope, subject, data string) error {
	return db.Write(ctx, scope, func(tx memory.Tx) error {
		return tx.Emit(ctx, outbox.Record{Type: outbox.JobDue, Subject: subject, Data: []byte(data)})
	})
}

// Three relays of two processes over one outbox, each of which now and then forgets what it has claimed.
func TestRelaysSideBySideSkipNothingAndKeepTheOrder(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	one, two := openAt(t, url, postgres.Options{}), openAt(t, url, postgres.Options{})
	const subjects, each = 8, 12
	var sides sync.WaitGroup
	for n := range subjects {
		sides.Go(func() {
			for i := range each {
				if err := emitted(t.Context(), one, memory.Scope{Tenant: "acme", Project: fmt.Sprint("p", n%3)}, fmt.Sprint(n), fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var mu sync.Mutex
	delivered := map[string][]string{}
	total := 0
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for n, db := range []*postgres.DB{one, two, two} {
		sides.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(n)))
			for ctx.Err() == nil {
				mu.Lock()
				all := total == subjects*each
				mu.Unlock()
				if all {
					return
				}
				records, err := db.Claim(ctx, 5, 2*time.Second)
				if err != nil {
					t.Error(err)
					return
				}
				for _, r := range records {
					if random.IntN(40) == 0 {
						continue // it died: the lease ends, and another takes it
					}
					mu.Lock()
					before := delivered[r.Subject]
					if len(before) == 0 || before[len(before)-1] != string(r.Data) { // a repetition is allowed
						delivered[r.Subject] = append(before, string(r.Data))
						total++
					}
					mu.Unlock()
					if err := db.Done(ctx, []string{r.ID}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	sides.Wait()
	for n := range subjects {
		got := delivered[fmt.Sprint(n)]
		for i := range each {
			if i >= len(got) || got[i] != fmt.Sprint(i) {
				t.Errorf("subject %d was delivered as %v", n, got)
				break
			}
		}
	}
	if lag, err := one.Lag(t.Context()); err != nil || lag.Waiting != 0 {
		t.Errorf("%d still wait, %v", lag.Waiting, err)
	}
}

// Positions are given before commits: who polls for those above the last one it saw, as is often done, never sees the
// record of a transaction that was opened first and committed last. Claim does.
func TestARecordThatIsCommittedLateIsNotSkipped(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	db := openAt(t, url, postgres.Options{})
	poll := connect(t, url)
	last := int64(0)
	naive := func() (seen []string) {
		rows, err := poll.Query(t.Context(), `SELECT position, convert_from(data, 'UTF8') FROM outbox WHERE position > $1 ORDER BY position`, last)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var data string
			if err := rows.Scan(&last, &data); err != nil {
				t.Fatal(err)
			}
			seen = append(seen, data)
		}
		return seen
	}
	claimed := func() (seen []string) {
		records, err := db.Claim(t.Context(), 10, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			seen = append(seen, string(r.Data))
		}
		return seen
	}

	begun, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- db.Write(t.Context(), acme, func(tx memory.Tx) error {
			if err := tx.Emit(t.Context(), outbox.Record{Type: outbox.JobDue, Data: []byte("slow")}); err != nil {
				return err
			}
			_, _ = tx.Get(t.Context(), memory.NewID()) // what was kept back is sent: the record has its position
			close(begun)
			<-goOn
			return nil
		})
	}()
	<-begun
	if err := emitted(t.Context(), db, memory.Scope{Tenant: "acme", Project: "other"}, "", "fast"); err != nil {
		t.Error(err)
	}
	polled, relayed := naive(), claimed()
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	polled, relayed = append(polled, naive()...), append(relayed, claimed()...)
	if got := fmt.Sprint(polled); got != "[fast]" {
		t.Errorf("the naive poll saw %s: the gap that this test is about is not there", got)
	}
	if got := fmt.Sprint(relayed); got != "[fast slow]" {
		t.Errorf("Claim saw %s", got)
	}
}

func TestDuplicateAndReorderedDeliveriesHaveOneEffect(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	one, two := openAt(t, url, postgres.Options{}), openAt(t, url, postgres.Options{})
	var deliveries []int
	for event := range 10 {
		for range 1 + rand.IntN(12) {
			deliveries = append(deliveries, event)
		}
	}
	rand.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
	take := func(ctx context.Context, db *postgres.DB, event int) error {
		return db.Write(ctx, acme, func(tx memory.Tx) error {
			first, err := tx.Once(ctx, "consumer", "source", fmt.Sprint("event ", event))
			if err != nil || !first {
				return err
			}
			return tx.Emit(ctx, outbox.Record{Type: outbox.JobDue, Data: []byte(fmt.Sprint("effect ", event))})
		})
	}
	var consumers sync.WaitGroup
	for i, event := range deliveries {
		db := one
		if i%2 == 0 {
			db = two
		}
		consumers.Go(func() {
			if err := take(t.Context(), db, event); err != nil {
				t.Error(err)
			}
		})
	}
	consumers.Wait()
	times := written(t, url)
	for event := range 10 {
		if n := times[fmt.Sprint("effect ", event)]; n != 1 {
			t.Errorf("event %d of %v had %d effects", event, deliveries, n)
		}
	}
}
