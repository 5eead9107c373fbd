package eventing_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// unburied is a queue that cannot write dead letters for a while.
type unburied struct {
	outbox.Queue

	fails int
}

func (q *unburied) Bury(ctx context.Context, id, reason string) error {
	if q.fails > 0 {
		q.fails--
		return fault.New(fault.Unavailable, "the disk is full")
	}
	return q.Queue.Bury(ctx, id, reason)
}

func TestARefusedRecordStaysInTheOutboxUntilEverySubscriptionIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := inmem.New(inmem.Options{})
		letters := &eventing.DeadLetters{Queue: &unburied{db, 1}}
		free := make(chan struct{})
		var taken seen
		answering := func(name string, h http.HandlerFunc) eventing.Subscription {
			return eventing.Subscription{Name: name, Types: []string{eventing.MemoryStored}, Handler: h}
		}
		letters.Broker = open(t, eventing.BrokerConfig{OnDead: letters.Note},
			answering("picky", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnprocessableEntity) }),
			answering("slow", func(_ http.ResponseWriter, r *http.Request) {
				<-free
				taken.add(r.Header.Get("Ce-Id"))
			}),
			answering("picky too", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
		record := stored(memory.NewID())
		record.Time = time.Now().UTC()
		emit(t, db, record)
		r := relay(t, db, letters, eventing.RelayConfig{Backoff: time.Second})
		ended := make(chan error)
		go func() {
			_, err := r.Drain(t.Context())
			ended <- err
		}()
		synctest.Wait()
		lag := must[outbox.Lag](t)(db.Lag(t.Context()))
		equal(t, "waiting and dead while one is at work", []int{lag.Waiting, lag.Dead}, []int{1, 0})
		close(free)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		lag = must[outbox.Lag](t)(db.Lag(t.Context()))
		equal(t, "waiting and dead while letters cannot be written", []int{lag.Waiting, lag.Dead}, []int{1, 0})
		time.Sleep(2 * time.Second)
		must[int](t)(r.Drain(t.Context()))
		dead := must[[]outbox.Record](t)(db.Dead(t.Context(), 10))
		lag = must[outbox.Lag](t)(db.Lag(t.Context()))
		equal(t, "waiting and dead in the end", []int{lag.Waiting, lag.Dead}, []int{0, 1})
		if why := dead[0].Reason; !strings.Contains(why, "picky answered 422") || !strings.Contains(why, "picky too answered 410") {
			t.Errorf("the reason is %q", why)
		}
	})
}
