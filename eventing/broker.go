package eventing

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/pkg/fault"
)

// BrokerConfig is how a Broker delivers. The zero value of every field works.
type BrokerConfig struct {
	Queue         int           // events waiting or under way per subscription; 0 means 1024
	Concurrency   int           // deliveries at a time per subscription; 0 means 8
	Retry         int           // deliveries after the first; 0 means 5, less than 0 none
	Backoff       time.Duration // before the first of them, doubled before each next; 0 means 200 ms
	RetryAfterMax time.Duration // how much of a consumer's Retry-After is minded; 0 means none, as in Knative
	Timeout       time.Duration // of one delivery; 0 means 5 minutes

	// OnDead is told of each event a subscription will never get: the event in structured mode with the extensions
	// knativeerrordest, knativeerrorcode and knativeerrordata, the subscription, the last status (0: no answer) and
	// the beginning of the answer. It must not keep the delivery waiting.
	OnDead func(event []byte, subscriber string, status int, reason string)

	Metrics prometheus.Registerer // nil means none
	Log     *slog.Logger          // nil means slog.Default()
}

// Subscription is one consumer and the types it takes, like a Knative Trigger. Name is unique in the broker.
type Subscription struct {
	Name    string
	Types   []string
	Handler http.Handler
}

// Broker delivers events inside one process the way Knative does between processes: as CloudEvents bytes over HTTP
// handlers, each subscription for itself, at least once, retrying what Knative retries, with a dead letter for what
// fails in the end. A function's own [Handler] is handed the event as it has been read already, and answers as it would
// over HTTP. A publisher never learns what a consumer thinks of an event. Events of one subject reach a
// subscription in the order in which they were published.
//
// What waits here is gone with the process. [Broker.Send] therefore returns only when nothing waits for the event any
// more, so that an outbox keeps it until then; [Broker.Publish] returns as soon as there is room for it.
type Broker struct {
	config  BrokerConfig
	metrics *brokerMetrics

	life context.Context // of all deliveries; ends when Close stops waiting for them
	kill context.CancelFunc

	workers sync.WaitGroup

	mu            sync.Mutex
	subscriptions []*subscriber
	closed        bool
	publishers    int           // that were let in before closed
	open          int           // deliveries not finished
	idle          chan struct{} // closed when closed and nothing is left
	ended         bool          // idle is closed
}

var _ Sender = (*Broker)(nil)

// NewBroker returns a broker without subscriptions. Close ends it.
func NewBroker(config BrokerConfig) (*Broker, error) {
	if config.Queue <= 0 {
		config.Queue = 1024
	}
	if config.Concurrency <= 0 {
		config.Concurrency = 8
	}
	if config.Retry == 0 {
		config.Retry = 5
	}
	if config.Backoff <= 0 {
		config.Backoff = 200 * time.Millisecond
	}
	if config.Timeout <= 0 {
		config.Timeout = 5 * time.Minute
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	metrics, err := newBrokerMetrics(config.Metrics)
	if err != nil {
		return nil, err
	}
	life, kill := context.WithCancel(context.Background())
	return &Broker{config: config, metrics: metrics, life: life, kill: kill, idle: make(chan struct{})}, nil
}

// Subscribe adds a subscription. It gets what is published from now on.
func (b *Broker) Subscribe(s Subscription) error {
	if s.Name == "" || s.Handler == nil || len(s.Types) == 0 {
		return fault.New(fault.Invalid, "a subscription needs a name, types and a handler")
	}
	for _, eventType := range s.Types {
		if _, ok := entryOf(eventType); !ok {
			return fault.New(fault.Invalid, "subscription %q takes %q, which is not one of the catalogue", s.Name, eventType)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fault.New(fault.Unavailable, "the broker is closed")
	}
	for _, other := range b.subscriptions {
		if other.Name == s.Name {
			return fault.New(fault.Conflict, "there is a subscription %q", s.Name)
		}
	}
	s.Types = slices.Clone(s.Types)
	added := newSubscriber(b, s)
	b.subscriptions = append(b.subscriptions, added)
	for range b.config.Concurrency {
		b.workers.Go(added.work)
	}
	return nil
}

// Publish accepts an event for every subscription that takes its type, or for none of them. It waits while one of
// their queues is full. What the catalogue does not allow is Malformed or Invalid; a closed broker is Unavailable.
func (b *Broker) Publish(ctx context.Context, e event.Event) error {
	p, err := pack(ctx, e)
	if err != nil {
		return err
	}
	_, err = b.publish(ctx, p)
	return err
}

// Send publishes an event and returns when every subscription is done with it, well or badly: which of the two, the
// sender is not told. When ctx or the broker ends first, the event may or may not have been delivered.
func (b *Broker) Send(ctx context.Context, e event.Event) error {
	p, err := pack(ctx, e)
	if err != nil {
		return err
	}
	return b.carry(ctx, p)
}

func (b *Broker) carry(ctx context.Context, p parcel) error {
	settled, err := b.publish(ctx, p)
	if err != nil {
		return err
	}
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-b.life.Done():
		select {
		case <-settled:
			return nil
		default:
			return fault.New(fault.Unavailable, "the broker closed before the event was delivered")
		}
	}
}

// publish returns a channel that is closed when every subscription is done with the event.
func (b *Broker) publish(ctx context.Context, p parcel) (<-chan struct{}, error) {
	takers, err := b.enter(p.event.Type())
	if err != nil {
		return nil, err
	}
	defer b.leave()
	for i, s := range takers {
		if err := s.admit(ctx); err != nil {
			for _, admitted := range takers[:i] {
				admitted.dismiss()
			}
			return nil, err
		}
	}
	b.metrics.published.WithLabelValues(p.event.Type()).Inc()
	settled := make(chan struct{})
	if len(takers) == 0 {
		close(settled)
		return settled, nil
	}
	var waiting atomic.Int64
	waiting.Store(int64(len(takers)))
	b.began(len(takers))
	for _, s := range takers {
		s.enqueue(&delivery{parcel: p, order: order(p.event), done: func() {
			if waiting.Add(-1) == 0 {
				close(settled)
			}
			b.finished()
		}})
	}
	return settled, nil
}

// enter lets a publisher in and returns who takes the type. Close waits until everybody who entered has left.
func (b *Broker) enter(eventType string) ([]*subscriber, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, fault.New(fault.Unavailable, "the broker is closed")
	}
	b.publishers++
	var takers []*subscriber
	for _, s := range b.subscriptions {
		if slices.Contains(s.Types, eventType) {
			takers = append(takers, s)
		}
	}
	return takers, nil
}

func (b *Broker) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.publishers--
	b.endIfIdle()
}

// began counts deliveries that somebody must finish.
func (b *Broker) began(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open += n
}

func (b *Broker) finished() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
	b.endIfIdle()
}

// endIfIdle tells Close that nothing is left; the caller holds mu.
func (b *Broker) endIfIdle() {
	if b.closed && b.publishers == 0 && b.open == 0 && !b.ended {
		b.ended = true
		close(b.idle)
	}
}

// Close stops taking events and waits until those taken are delivered or dead. When ctx ends first, deliveries under
// way are cancelled and Timeout says how many were left. Closing twice is safe.
func (b *Broker) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.endIfIdle()
	b.mu.Unlock()
	select {
	case <-b.idle:
		b.kill()
		b.workers.Wait()
		return nil
	case <-ctx.Done():
	}
	b.kill() // a handler that ignores its context must not hold up whoever ends the process
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return nil
	}
	return fault.Wrap(fault.Timeout, ctx.Err(), "the broker closed with %d deliveries left", b.open)
}
