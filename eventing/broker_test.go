package eventing_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// open returns a broker that is closed, and found empty, when the test ends.
func open(t *testing.T, config eventing.BrokerConfig, subscriptions ...eventing.Subscription) *eventing.Broker {
	t.Helper()
	config.Log = silent()
	b := must[*eventing.Broker](t)(eventing.NewBroker(config))
	for _, s := range subscriptions {
		if err := b.Subscribe(s); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.WithoutCancel(t.Context()), time.Hour)
		defer stop()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// anEvent is a sound event of a subject.
func anEvent(t *testing.T, subject string) event.Event {
	t.Helper()
	r := stored(memory.NewID())
	r.Subject = subject
	e, err := eventing.FromRecord(r, "")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// seen collects ids in the order in which they came.
type seen struct {
	mu  sync.Mutex
	ids []string
}

func (s *seen) add(id string) (times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = append(s.ids, id)
	for _, other := range s.ids {
		if other == id {
			times++
		}
	}
	return times
}

func (s *seen) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.ids...)
}

// taking is a handler that answers by what it returns.
func taking(consume eventing.Consumer) http.Handler {
	consumers := map[string]eventing.Consumer{}
	for _, entry := range eventing.Catalogue() {
		consumers[entry.Type] = consume
	}
	return eventing.Handler("test", consumers, silent())
}

// gathered is what a scrape would show, by name and labels.
func gathered(t *testing.T, from prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			key := family.GetName()
			for _, label := range metric.GetLabel() {
				key += " " + label.GetName() + "=" + label.GetValue()
			}
			all[key] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return all
}

func TestEachSubscriptionGetsEachEventOfItsTypes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var search, embed, reflect seen
		to := func(s *seen) http.Handler {
			return taking(func(_ context.Context, e eventing.Event) error { s.add(e.ID); return nil })
		}
		metrics := prometheus.NewRegistry()
		b := open(t, eventing.BrokerConfig{Metrics: metrics},
			eventing.Subscription{Name: "search", Types: []string{eventing.MemoryStored, eventing.MemoryDeleted}, Handler: to(&search)},
			eventing.Subscription{Name: "embed", Types: []string{eventing.MemoryStored}, Handler: to(&embed)},
			eventing.Subscription{Name: "reflect", Types: []string{eventing.ReflectionDue}, Handler: to(&reflect)},
		)
		e := anEvent(t, "m1")
		if err := b.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		equal(t, "search", search.all(), []string{e.ID()})
		equal(t, "embed", embed.all(), []string{e.ID()})
		equal(t, "reflect", reflect.all(), []string{})
		equal(t, "metrics", gathered(t, metrics), map[string]float64{
			"rae_events_published_total type=dev.rae.memory.stored.v1":                   1,
			"rae_events_delivered_total subscriber=search type=dev.rae.memory.stored.v1": 1,
			"rae_events_delivered_total subscriber=embed type=dev.rae.memory.stored.v1":  1,
		})
	})
}

func TestConsumersShareNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got seen
		attempts := 0
		spoil := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			attempts++
			var k keeper
			_, _ = io.Copy(&k, r.Body) // bytes.Reader hands its own bytes to the writer
			got.add(r.Header.Get("Ce-Id") + " " + string(k.kept))
			copy(k.kept, "spoiled")
			r.Header.Set("Ce-Id", "spoiled")
			if attempts < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		b := open(t, eventing.BrokerConfig{}, eventing.Subscription{Name: "spoils", Types: []string{eventing.MemoryStored}, Handler: spoil})
		e := anEvent(t, "m1")
		if err := b.Send(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		sound := e.ID() + " " + string(e.Data())
		equal(t, "what each delivery held", got.all(), []string{sound, sound, sound})
	})
}

// keeper keeps what it is given, which io.Writer forbids.
type keeper struct{ kept []byte }

func (k *keeper) Write(b []byte) (int, error) {
	k.kept = b
	return len(b), nil
}

func TestAPublisherIsDeafToItsConsumers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := open(t, eventing.BrokerConfig{}, eventing.Subscription{
			Name: "refuses", Types: []string{eventing.MemoryStored},
			Handler: taking(func(context.Context, eventing.Event) error { return fault.New(fault.Denied, "no") }),
		})
		if err := b.Publish(t.Context(), anEvent(t, "m1")); err != nil {
			t.Errorf("publish: %v", err)
		}
		if err := b.Send(t.Context(), anEvent(t, "m1")); err != nil {
			t.Errorf("send: %v", err)
		}
	})
}

func TestAFullQueueMakesThePublisherWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var other seen
		b := open(t, eventing.BrokerConfig{Queue: 2, Concurrency: 1},
			eventing.Subscription{
				Name: "other", Types: []string{eventing.MemoryStored},
				Handler: taking(func(_ context.Context, e eventing.Event) error { other.add(e.ID); return nil }),
			},
			eventing.Subscription{
				Name: "blocked", Types: []string{eventing.MemoryStored},
				Handler: taking(func(context.Context, eventing.Event) error { <-gate; return nil }),
			})
		for range 2 {
			if err := b.Publish(t.Context(), anEvent(t, "m")); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			err := b.Publish(ctx, anEvent(t, "m"))
			stop()
			equal(t, "kind", fault.KindOf(err), fault.Timeout)
		}
		synctest.Wait()
		equal(t, "what was accepted for nobody", len(other.all()), 2)
		close(gate)
		if err := b.Publish(t.Context(), anEvent(t, "m")); err != nil {
			t.Errorf("with room again: %v", err)
		}
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		b := open(t, eventing.BrokerConfig{Concurrency: 3}, eventing.Subscription{
			Name: "s", Types: []string{eventing.MemoryStored},
			Handler: taking(func(context.Context, eventing.Event) error {
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				now--
				mu.Unlock()
				return nil
			}),
		})
		for i := range 30 {
			if err := b.Publish(t.Context(), anEvent(t, fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		equal(t, "most at a time", most, 3)
	})
}

func TestADeliveryEndsWithItsTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		b := open(t, eventing.BrokerConfig{Timeout: time.Minute, Retry: -1}, eventing.Subscription{
			Name: "s", Types: []string{eventing.MemoryStored},
			Handler: taking(func(ctx context.Context, _ eventing.Event) error { attempts++; <-ctx.Done(); return ctx.Err() }),
		})
		start := time.Now()
		if err := b.Send(t.Context(), anEvent(t, "m")); err != nil {
			t.Fatal(err)
		}
		equal(t, "time", time.Since(start), time.Minute)
		equal(t, "attempts", attempts, 1)
	})
}

func TestCloseDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got seen
		b := open(t, eventing.BrokerConfig{Concurrency: 1}, eventing.Subscription{
			Name: "s", Types: []string{eventing.MemoryStored},
			Handler: taking(func(_ context.Context, e eventing.Event) error {
				time.Sleep(time.Second)
				if got.add(e.ID) == 1 {
					return fault.New(fault.Unavailable, "once more")
				}
				return nil
			}),
		})
		for range 5 {
			if err := b.Publish(t.Context(), anEvent(t, "m")); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
		equal(t, "deliveries", len(got.all()), 10)
		err := b.Publish(t.Context(), anEvent(t, "m"))
		equal(t, "kind of a late publish", fault.KindOf(err), fault.Unavailable)
		err = b.Subscribe(eventing.Subscription{Name: "late", Types: []string{eventing.MemoryStored}, Handler: http.NotFoundHandler()})
		equal(t, "kind of a late subscription", fault.KindOf(err), fault.Unavailable)
	})
}

func TestCloseThatCannotWaitSaysWhatIsLeftAndNothingIsCalledDead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := must[*eventing.Broker](t)(eventing.NewBroker(eventing.BrokerConfig{
			Log: silent(), Concurrency: 1, Retry: -1,
			OnDead: func([]byte, string, int, string) { t.Error("an event was called dead that was only not delivered") },
		}))
		if err := b.Subscribe(eventing.Subscription{
			Name: "s", Types: []string{eventing.MemoryStored},
			Handler: taking(func(ctx context.Context, _ eventing.Event) error { <-ctx.Done(); return ctx.Err() }),
		}); err != nil {
			t.Fatal(err)
		}
		sent := make(chan error)
		for range 3 {
			go func() { sent <- b.Send(context.WithoutCancel(t.Context()), anEvent(t, "m")) }()
		}
		synctest.Wait()
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		err := b.Close(ctx)
		equal(t, "kind", fault.KindOf(err), fault.Timeout)
		if !strings.Contains(err.Error(), "3 deliveries") {
			t.Error(err)
		}
		for range 3 {
			equal(t, "kind of what was not delivered", fault.KindOf(<-sent), fault.Unavailable)
		}
	})
}

func TestSubscriptionsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	b := open(t, eventing.BrokerConfig{}, eventing.Subscription{Name: "s", Types: []string{eventing.DrainDue}, Handler: http.NotFoundHandler()})
	for _, tc := range []struct {
		name string
		s    eventing.Subscription
		kind fault.Kind
	}{
		{"no handler", eventing.Subscription{Name: "a", Types: []string{eventing.DrainDue}}, fault.Invalid},
		{"no types", eventing.Subscription{Name: "a", Handler: http.NotFoundHandler()}, fault.Invalid},
		{"an unknown type", eventing.Subscription{Name: "a", Types: []string{"x"}, Handler: http.NotFoundHandler()}, fault.Invalid},
		{"a name twice", eventing.Subscription{Name: "s", Types: []string{eventing.DrainDue}, Handler: http.NotFoundHandler()}, fault.Conflict},
	} {
		equal(t, tc.name, fault.KindOf(b.Subscribe(tc.s)), tc.kind)
	}
	unheard := event.New()
	unheard.SetID("1")
	unheard.SetSource("/s")
	unheard.SetType("x")
	equal(t, "an event of an unknown type", fault.KindOf(b.Publish(t.Context(), unheard)), fault.Malformed)
}

func TestOneEventDeliveredManyTimesAtOnceKeepsItsIdentity(t *testing.T) {
	t.Parallel()
	var effects sync.Map
	count := make(chan struct{}, 1000)
	b := open(t, eventing.BrokerConfig{Concurrency: 16}, eventing.Subscription{
		Name: "s", Types: []string{eventing.MemoryStored},
		Handler: taking(func(_ context.Context, e eventing.Event) error {
			count <- struct{}{}
			if _, before := effects.LoadOrStore(e.Source+" "+e.ID, true); before {
				return fault.New(fault.Conflict, "done before")
			}
			return nil
		}),
	})
	e := anEvent(t, "")
	var publishers sync.WaitGroup
	for range 50 {
		publishers.Go(func() {
			again := e.Clone()
			again.SetTime(time.Now()) // other attributes may change between attempts
			if err := b.Send(t.Context(), again); err != nil {
				t.Error(err)
			}
		})
	}
	publishers.Wait()
	equal(t, "deliveries", len(count), 50)
	n := 0
	effects.Range(func(_, _ any) bool { n++; return true })
	equal(t, "effects", n, 1)
}
