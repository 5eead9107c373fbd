package eventing_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// sending is a sender made of a function.
type sending func(ctx context.Context, e event.Event) error

func (f sending) Send(ctx context.Context, e event.Event) error { return f(ctx, e) }

// emit writes records into a store's outbox, in one transaction.
func emit(t *testing.T, db *inmem.DB, records ...outbox.Record) {
	t.Helper()
	err := db.Write(t.Context(), scope, func(tx memory.Tx) error {
		for _, r := range records {
			if err := tx.Emit(t.Context(), r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// some makes records of n subjects, each of them several times.
func some(subjects, each int) (records []outbox.Record) {
	for range each {
		for subject := range subjects {
			r := stored(memory.NewID())
			r.Subject = fmt.Sprint("m", subject)
			r.Time = time.Now().UTC()
			records = append(records, r)
		}
	}
	return records
}

func relay(t *testing.T, queue outbox.Queue, sender eventing.Sender, config eventing.RelayConfig) *eventing.Relay {
	t.Helper()
	config.Log = silent()
	return must[*eventing.Relay](t)(eventing.NewRelay(queue, sender, config))
}

func TestDrainSendsEverythingThatIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := inmem.New(inmem.Options{})
		records := some(7, 30)
		emit(t, db, records...)
		time.Sleep(3 * time.Second)
		var mu sync.Mutex
		bySubject := map[string][]string{}
		metrics := prometheus.NewRegistry()
		r := relay(t, db, sending(func(_ context.Context, e event.Event) error {
			mu.Lock()
			defer mu.Unlock()
			bySubject[e.Subject()] = append(bySubject[e.Subject()], e.ID())
			return nil
		}), eventing.RelayConfig{Parallel: 4, Metrics: metrics})
		equal(t, "sent", must[int](t)(r.Drain(t.Context())), len(records))
		want := map[string][]string{}
		for _, record := range records {
			want[record.Subject] = append(want[record.Subject], record.ID)
		}
		equal(t, "order by subject", bySubject, want)
		equal(t, "lag", must[outbox.Lag](t)(db.Lag(t.Context())), outbox.Lag{})
		equal(t, "sent again", must[int](t)(r.Drain(t.Context())), 0)
		equal(t, "metrics", gathered(t, metrics), map[string]float64{
			"rae_outbox_waiting": 0, "rae_outbox_oldest_seconds": 0, "rae_outbox_sent_total": 210, "rae_outbox_dead_total": 0,
		})
	})
}

func TestAFailureHoldsUpItsSubjectOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := inmem.New(inmem.Options{})
		records := some(2, 3) // m0 m1 m0 m1 m0 m1
		emit(t, db, records...)
		var got seen
		fails := 2
		metrics := prometheus.NewRegistry()
		r := relay(t, db, sending(func(_ context.Context, e event.Event) error {
			if e.Subject() == "m0" && fails > 0 {
				fails--
				return fault.New(fault.Unavailable, "the broker is away")
			}
			got.add(e.ID())
			return nil
		}), eventing.RelayConfig{Parallel: 1, Backoff: 10 * time.Second, Metrics: metrics})
		equal(t, "sent at first", must[int](t)(r.Drain(t.Context())), 3)
		equal(t, "what was sent at first", got.all(), []string{records[1].ID, records[3].ID, records[5].ID})
		equal(t, "waiting", gathered(t, metrics)["rae_outbox_waiting"], 3.0)

		time.Sleep(4 * time.Second) // less than half of the backoff
		equal(t, "sent too early", must[int](t)(r.Drain(t.Context())), 0)
		time.Sleep(6 * time.Second)
		equal(t, "sent at the second failure", must[int](t)(r.Drain(t.Context())), 0)
		time.Sleep(9 * time.Second) // less than half of the doubled backoff
		equal(t, "sent too early again", must[int](t)(r.Drain(t.Context())), 0)
		equal(t, "age of the oldest", gathered(t, metrics)["rae_outbox_oldest_seconds"], 19.0)
		time.Sleep(11 * time.Second)
		equal(t, "sent in the end", must[int](t)(r.Drain(t.Context())), 3)
		equal(t, "the order of the one that failed", got.all()[3:], []string{records[0].ID, records[2].ID, records[4].ID})
	})
}

func TestARecordThatCanNeverBeSentIsBuriedAtOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(*outbox.Record)
		err   error
	}{
		"a type nobody knows":   {spoil: func(r *outbox.Record) { r.Type = "memory.sold" }},
		"data that is not JSON": {spoil: func(r *outbox.Record) { r.Data = []byte("{") }},
		"another tenant's data": {spoil: func(r *outbox.Record) { r.Data = []byte(strings.Replace(string(r.Data), "acme", "evil", 1)) }},
		"refused for ever":      {spoil: func(*outbox.Record) {}, err: fault.New(fault.TooLarge, "no")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				db := inmem.New(inmem.Options{})
				records := some(1, 2)
				tc.spoil(&records[0])
				emit(t, db, records...)
				var got seen
				metrics := prometheus.NewRegistry()
				r := relay(t, db, sending(func(_ context.Context, e event.Event) error {
					if e.ID() == records[0].ID && tc.err != nil {
						return tc.err
					}
					got.add(e.ID())
					return nil
				}), eventing.RelayConfig{Metrics: metrics})
				equal(t, "sent", must[int](t)(r.Drain(t.Context())), 1)
				equal(t, "what flowed", got.all(), []string{records[1].ID})
				dead := must[[]outbox.Record](t)(db.Dead(t.Context(), 10))
				if len(dead) != 1 || dead[0].ID != records[0].ID || dead[0].Reason == "" {
					t.Errorf("dead: %+v", dead)
				}
				equal(t, "rae_outbox_dead_total", gathered(t, metrics)["rae_outbox_dead_total"], 1.0)
			})
		})
	}
}

func TestARecordIsBuriedAfterSoManyAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := inmem.New(inmem.Options{})
		emit(t, db, some(1, 1)...)
		attempts := 0
		r := relay(t, db, sending(func(context.Context, event.Event) error {
			attempts++
			return errors.New("no")
		}), eventing.RelayConfig{Attempts: 5, MaxWait: time.Minute})
		for range 10 {
			must[int](t)(r.Drain(t.Context()))
			time.Sleep(time.Minute)
		}
		equal(t, "attempts", attempts, 5)
		equal(t, "lag", must[outbox.Lag](t)(db.Lag(t.Context())), outbox.Lag{Dead: 1})
	})
}

// forgetful is a queue whose relay dies after each send: nothing is marked as done.
type forgetful struct{ outbox.Queue }

func (forgetful) Done(context.Context, []string) error { return errors.New("killed") }

func TestACrashBetweenSendAndDoneSendsTheSameEventAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := inmem.New(inmem.Options{})
		records := some(1, 1)
		emit(t, db, records...)
		var got seen
		send := sending(func(_ context.Context, e event.Event) error { got.add(e.Source() + e.ID()); return nil })
		crashed := relay(t, forgetful{db}, send, eventing.RelayConfig{Lease: time.Minute})
		if sent, err := crashed.Drain(t.Context()); err == nil || sent != 0 {
			t.Errorf("sent %d, %v", sent, err)
		}
		next := relay(t, db, send, eventing.RelayConfig{})
		equal(t, "sent while the lease lasts", must[int](t)(next.Drain(t.Context())), 0)
		time.Sleep(time.Minute)
		equal(t, "sent after it", must[int](t)(next.Drain(t.Context())), 1)
		equal(t, "events", got.all(), []string{"/rae/store" + records[0].ID, "/rae/store" + records[0].ID})
		equal(t, "lag", must[outbox.Lag](t)(db.Lag(t.Context())), outbox.Lag{})
	})
}

func TestRelaysOfOneQueueSendEachRecordOnceAndInOrder(t *testing.T) {
	t.Parallel()
	db := inmem.New(inmem.Options{})
	records := some(11, 20)
	emit(t, db, records...)
	var got seen
	var mu sync.Mutex
	bySubject := map[string][]string{}
	var relays sync.WaitGroup
	for range 3 {
		r := relay(t, db, sending(func(_ context.Context, e event.Event) error {
			mu.Lock()
			defer mu.Unlock()
			got.add(e.ID())
			bySubject[e.Subject()] = append(bySubject[e.Subject()], e.ID())
			return nil
		}), eventing.RelayConfig{Parallel: 3})
		relays.Go(func() {
			if _, err := r.Drain(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	relays.Wait()
	// One that found nothing due may have left while another held the rest.
	must[int](t)(relay(t, db, sending(func(_ context.Context, e event.Event) error { got.add(e.ID()); return nil }), eventing.RelayConfig{}).Drain(t.Context()))
	ids := got.all()
	slices.Sort(ids)
	equal(t, "records sent", ids, idsOf(records))
	for subject, sent := range bySubject {
		if !slices.IsSorted(sent) {
			t.Errorf("%s came out of order: %v", subject, sent)
		}
	}
}

// idsOf are the ids of records, which were made in their order.
func idsOf(records []outbox.Record) (ids []string) {
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestDrainsOfOneRelayTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := inmem.New(inmem.Options{})
		emit(t, db, some(1, 1)...)
		gate := make(chan struct{})
		r := relay(t, db, sending(func(context.Context, event.Event) error { <-gate; return nil }), eventing.RelayConfig{})
		first := make(chan int)
		go func() { first <- must[int](t)(r.Drain(t.Context())) }()
		synctest.Wait()
		emit(t, db, some(5, 1)[4:]...)
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err := r.Drain(ctx)
		equal(t, "kind of one that did not get its turn", fault.KindOf(err), fault.Timeout)
		close(gate)
		equal(t, "sent by the first", <-first, 2)
	})
}

func TestDrainStopsWithItsContextAndCountsNoAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := inmem.New(inmem.Options{})
		records := some(3, 1)
		emit(t, db, records...)
		r := relay(t, db, sending(func(ctx context.Context, e event.Event) error {
			<-ctx.Done()
			if e.ID() == records[0].ID {
				return nil // sent just in time: it must be marked as done all the same
			}
			return ctx.Err()
		}), eventing.RelayConfig{Lease: time.Hour})
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		sent, err := r.Drain(ctx)
		equal(t, "kind", fault.KindOf(err), fault.Timeout)
		equal(t, "sent", sent, 1)
		time.Sleep(time.Hour)
		again := must[[]outbox.Record](t)(db.Claim(t.Context(), 10, time.Minute))
		equal(t, "records left", idsOf(again), idsOf(records[1:]))
		equal(t, "attempts", again[0].Attempts+again[1].Attempts, 0)
	})
}

func TestARecordDueAgainIsSentByTheDrainThatPutItBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := inmem.New(inmem.Options{})
		emit(t, db, some(3, 1)...)
		var failed seen
		r := relay(t, db, sending(func(_ context.Context, e event.Event) error {
			switch e.Subject() {
			case "m1":
				time.Sleep(5 * time.Second)
			case "m2":
				time.Sleep(10 * time.Second)
			default:
				if failed.add(e.ID()) == 1 {
					return errors.New("once")
				}
			}
			return nil
		}), eventing.RelayConfig{Backoff: time.Second})
		equal(t, "sent", must[int](t)(r.Drain(t.Context())), 3)
	})
}

func TestARecordWhoseLeaseEndsWhileItIsSentIsNotSentBesides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := inmem.New(inmem.Options{})
		emit(t, db, some(2, 1)...)
		var got seen
		r := relay(t, db, sending(func(_ context.Context, e event.Event) error {
			got.add(e.ID())
			time.Sleep(map[string]time.Duration{"m0": 5 * time.Minute, "m1": 2 * time.Minute}[e.Subject()]) // deaf to its context
			return nil
		}), eventing.RelayConfig{Lease: time.Minute})
		equal(t, "sent", must[int](t)(r.Drain(t.Context())), 2)
		equal(t, "sends", len(got.all()), 2)
	})
}

func TestDrainEndsWithItsSlice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := inmem.New(inmem.Options{})
		emit(t, db, some(1, 100)...)
		r := relay(t, db, sending(func(context.Context, event.Event) error { time.Sleep(time.Second); return nil }), eventing.RelayConfig{Slice: 10 * time.Second})
		equal(t, "sent", must[int](t)(r.Drain(t.Context())), 10)
	})
}

func TestASendThatHangsEndsBeforeItsLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := inmem.New(inmem.Options{})
		emit(t, db, some(1, 1)...)
		r := relay(t, db, sending(func(ctx context.Context, _ event.Event) error { <-ctx.Done(); return ctx.Err() }), eventing.RelayConfig{Lease: time.Minute})
		start := time.Now()
		equal(t, "sent", must[int](t)(r.Drain(t.Context())), 0)
		equal(t, "time", time.Since(start), 54*time.Second)
	})
}

func TestRunIsWokenByWritesByRetriesAndByTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got seen
		fail := true
		var r *eventing.Relay
		db := inmem.New(inmem.Options{OnCommit: func() { r.Wake() }})
		r = relay(t, db, sending(func(_ context.Context, e event.Event) error {
			if fail {
				fail = false
				return errors.New("once")
			}
			got.add(e.ID())
			return nil
		}), eventing.RelayConfig{Tick: time.Hour, Backoff: time.Second})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); r.Run(ctx) }()
		synctest.Wait()

		records := some(1, 3)
		emit(t, db, records[0])
		synctest.Wait()
		equal(t, "after the failure", got.all(), []string{})
		time.Sleep(2 * time.Second)
		equal(t, "after the retry", got.all(), idsOf(records[:1]))
		emit(t, db, records[1])
		synctest.Wait()
		equal(t, "after a write", got.all(), idsOf(records[:2]))
		quiet := inmem.New(inmem.Options{})
		slow := relay(t, quiet, sending(func(_ context.Context, e event.Event) error { got.add(e.ID()); return nil }), eventing.RelayConfig{Tick: time.Minute})
		endedToo := make(chan struct{})
		go func() { defer close(endedToo); slow.Run(ctx) }()
		synctest.Wait()
		emit(t, quiet, records[2]) // nobody says so
		time.Sleep(61 * time.Second)
		equal(t, "after a tick", got.all(), idsOf(records))
		stop()
		<-ended
		<-endedToo
	})
}

func TestASlowSendKeepsNothingWaitingThatIsWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got seen
		var r *eventing.Relay
		db := inmem.New(inmem.Options{OnCommit: func() { r.Wake() }})
		records := some(3, 1)
		r = relay(t, db, sending(func(_ context.Context, e event.Event) error {
			if e.ID() == records[0].ID {
				time.Sleep(20 * time.Second)
			}
			got.add(e.ID())
			return nil
		}), eventing.RelayConfig{Tick: time.Hour})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); r.Run(ctx) }()
		for i := range records {
			emit(t, db, records[i])
			synctest.Wait()
		}
		equal(t, "while the first is being sent", got.all(), idsOf(records[1:]))
		lag, err := db.Lag(t.Context())
		equal(t, "left of them", lag.Waiting, 1)
		time.Sleep(time.Minute)
		equal(t, "in the end", got.all(), append(idsOf(records[1:]), records[0].ID))
		stop()
		<-ended
		if err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsWrittenWithinAPaceIsClaimedAndMarkedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r *eventing.Relay
		db := &counting{DB: inmem.New(inmem.Options{OnCommit: func() { r.Wake() }})}
		var late []time.Duration // from the time of the record to its arrival
		var busy time.Duration
		mu := make(chan struct{}, 1)
		r = relay(t, db, sending(func(_ context.Context, e event.Event) error {
			mu <- struct{}{}
			defer func() { <-mu }()
			time.Sleep(busy)
			late = append(late, time.Since(e.Time()))
			return nil
		}), eventing.RelayConfig{Tick: time.Hour, Parallel: 50, Pace: 20 * time.Millisecond})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); r.Run(ctx) }()
		time.Sleep(time.Second)
		synctest.Wait()
		db.claims, db.marks = 0, nil
		for i, record := range some(100, 1) { // for 200 ms, and never when a pace ends
			record.Time = time.Now()
			emit(t, db.DB, record)
			time.Sleep(min(time.Duration(i+1), 2) * time.Millisecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		equal(t, "marked at a time", db.marks, []int{1, 10, 10, 10, 10, 10, 10, 10, 10, 10, 9})
		equal(t, "claims", db.claims, 12) // the last finds nothing
		equal(t, "the first waited", late[0], 0)
		equal(t, "the longest wait", slices.Max(late), 19*time.Millisecond)

		db.claims, db.marks = 0, nil
		emit(t, db.DB, some(120, 1)...)
		began := time.Now()
		synctest.Wait()
		equal(t, "sent of more than can be claimed at once", len(late)-100, 120)
		equal(t, "in", time.Since(began), 0)
		time.Sleep(time.Second)
		synctest.Wait()

		late, db.claims, db.marks = nil, 0, nil
		busy = 7 * time.Millisecond // and one after the other: a claim for each would be as many transactions
		emit(t, db.DB, some(120, 1)...)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		equal(t, "sent one after the other", len(late), 120)
		if db.claims > 120/2 {
			t.Errorf("%d claims for 120 records", db.claims)
		}
		stop()
		<-ended
	})
}

// counting counts claims, and what was marked at a time.
type counting struct {
	*inmem.DB
	claims int
	marks  []int
}

func (c *counting) Claim(ctx context.Context, limit int, lease time.Duration) ([]outbox.Record, error) {
	c.claims++
	return c.DB.Claim(ctx, limit, lease)
}

func (c *counting) Done(ctx context.Context, ids []string) error {
	c.marks = append(c.marks, len(ids))
	return c.DB.Done(ctx, ids)
}

func TestTwoRelaysOfOneProcessShareTheirMetrics(t *testing.T) {
	t.Parallel()
	metrics := prometheus.NewRegistry()
	for range 2 {
		relay(t, inmem.New(inmem.Options{}), nil, eventing.RelayConfig{Metrics: metrics})
	}
}

func TestAnAcceptedEventSurvivesTheBrokersDeath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := inmem.New(inmem.Options{})
		var records []outbox.Record
		for range 5 {
			records = append(records, some(1, 1)...)
		}
		emit(t, db, records...)
		subscribed := func(consume eventing.Consumer) *eventing.Broker {
			b := must[*eventing.Broker](t)(eventing.NewBroker(eventing.BrokerConfig{Log: silent()}))
			if err := b.Subscribe(eventing.Subscription{Name: "s", Types: []string{eventing.MemoryStored}, Handler: taking(consume)}); err != nil {
				t.Fatal(err)
			}
			return b
		}
		dying := subscribed(func(ctx context.Context, _ eventing.Event) error { <-ctx.Done(); return ctx.Err() })
		drained := make(chan int)
		go func() { drained <- must[int](t)(relay(t, db, dying, eventing.RelayConfig{}).Drain(t.Context())) }()
		synctest.Wait()
		gone, stop := context.WithCancel(t.Context())
		stop()
		if err := dying.Close(gone); err == nil {
			t.Error("nothing was left")
		}
		equal(t, "sent through the dying broker", <-drained, 0)

		time.Sleep(2 * time.Minute)
		var got seen
		living := subscribed(func(_ context.Context, e eventing.Event) error { got.add(e.ID); return nil })
		equal(t, "sent through the next", must[int](t)(relay(t, db, living, eventing.RelayConfig{}).Drain(t.Context())), 5)
		equal(t, "events", got.all(), idsOf(records))
		if err := living.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
