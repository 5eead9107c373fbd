package eventing

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

// maxAnswer is how many bytes of a consumer's answer are kept for the dead letter, as in Knative.
const maxAnswer = 1024

// delivery is one event on its way to one subscription. Deliveries of an event share its parcel; a consumer gets copies.
type delivery struct {
	parcel
	order    string
	attempts int // made so far
	done     func()
}

// subscriber delivers to one subscription. Every admitted delivery holds a slot until it is finished, and every
// order that has deliveries has exactly one of: a place in ready, a worker, or a timer that will put it into ready.
type subscriber struct {
	Subscription
	broker *Broker
	slots  chan struct{}
	ready  chan string // orders whose first delivery is due; as roomy as slots, so that putting never blocks

	mu    sync.Mutex
	lines map[string][]*delivery // by order, first come first
}

func newSubscriber(b *Broker, s Subscription) *subscriber {
	return &subscriber{
		Subscription: s, broker: b,
		slots: make(chan struct{}, b.config.Queue),
		ready: make(chan string, b.config.Queue),
		lines: make(map[string][]*delivery),
	}
}

// admit takes a slot, waiting for one as long as ctx lasts.
func (s *subscriber) admit(ctx context.Context) error {
	select {
	case s.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for room in subscription %s: %w", s.Name, ctx.Err())
	case <-s.broker.life.Done():
		return fault.New(fault.Unavailable, "the broker is closed")
	}
}

// dismiss gives back a slot that was not used.
func (s *subscriber) dismiss() { <-s.slots }

// enqueue puts an admitted delivery behind those of the same order.
func (s *subscriber) enqueue(d *delivery) {
	s.mu.Lock()
	line := s.lines[d.order]
	s.lines[d.order] = append(line, d)
	s.mu.Unlock()
	if len(line) == 0 {
		s.ready <- d.order
	}
}

// work delivers what is due until the broker's life ends.
func (s *subscriber) work() {
	for {
		select {
		case <-s.broker.life.Done():
			return
		case order := <-s.ready:
			s.mu.Lock()
			d := s.lines[order][0]
			s.mu.Unlock()
			s.deliver(d)
		}
	}
}

// deliver makes one attempt and decides what becomes of the delivery. A wait for the next attempt holds no worker.
func (s *subscriber) deliver(d *delivery) {
	status, wait, reason := s.attempt(d)
	config, metrics := &s.broker.config, s.broker.metrics
	d.attempts++
	switch {
	case accepted(status):
		metrics.delivered.WithLabelValues(d.event.Type(), s.Name).Inc()
		s.finish(d)
	case s.broker.life.Err() != nil: // cancelled by Close, which reports it as left
	case Retried(status) && d.attempts <= config.Retry:
		metrics.retried.WithLabelValues(d.event.Type(), s.Name).Inc()
		backoff := config.Backoff << min(d.attempts-1, 20)
		time.AfterFunc(max(backoff, min(wait, config.RetryAfterMax)), func() { s.ready <- d.order })
	default:
		metrics.dead.WithLabelValues(d.event.Type(), s.Name).Inc()
		s.bury(d, status, reason)
		s.finish(d)
	}
}

// finish lets the next delivery of the order go on and frees the slot.
func (s *subscriber) finish(d *delivery) {
	s.mu.Lock()
	line := s.lines[d.order][1:]
	if len(line) > 0 {
		s.lines[d.order] = line
	} else {
		delete(s.lines, d.order)
	}
	s.mu.Unlock()
	if len(line) > 0 {
		s.ready <- d.order
	}
	<-s.slots
	d.done()
}

// attempt posts the event to the handler and returns its answer. Status 0 is none: the handler panicked.
func (s *subscriber) attempt(d *delivery) (status int, retryAfter time.Duration, reason string) {
	ctx, stop := context.WithTimeout(s.broker.life, s.broker.config.Timeout)
	defer stop()
	if own, ok := s.Handler.(*handler); ok {
		return own.take(ctx, d.read)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(bytes.Clone(d.body)))
	if err != nil {
		return 0, 0, err.Error()
	}
	request.Header, request.Host, request.RequestURI = d.header.Clone(), s.Name, "/"
	answer := answer{header: http.Header{}}
	if cause := serve(s.Handler, &answer, request); cause != nil {
		s.broker.config.Log.ErrorContext(ctx, "consumer panicked", "subscriber", s.Name, "type", d.event.Type(), "id", d.event.ID(), "panic", cause)
		return 0, 0, "the consumer panicked"
	}
	if answer.status == 0 {
		answer.status = http.StatusOK
	}
	if seconds, err := strconv.Atoi(answer.header.Get("Retry-After")); err == nil && seconds > 0 {
		retryAfter = time.Duration(min(seconds, 86400)) * time.Second
	}
	return answer.status, retryAfter, answer.body.String()
}

// serve calls the handler and returns what it panicked with, as the server of a real connection would.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (cause any) {
	defer func() { cause = recover() }()
	h.ServeHTTP(w, r)
	return nil
}

// bury tells OnDead of a delivery that will never be made.
func (s *subscriber) bury(d *delivery, status int, reason string) {
	config := &s.broker.config
	reason = legible(reason)
	config.Log.Warn("event is dead", "subscriber", s.Name, "type", d.event.Type(), "id", d.event.ID(), "status", status, "attempts", d.attempts)
	if config.OnDead == nil {
		return
	}
	letter := d.event.Clone()
	letter.SetExtension("knativeerrordest", "urn:rae:subscription:"+s.Name)
	letter.SetExtension("knativeerrorcode", status)
	if reason != "" {
		letter.SetExtension("knativeerrordata", reason)
	}
	b, err := structured(letter)
	if err != nil { // it was encoded when it was published
		config.Log.Error("dead event cannot be written", "subscriber", s.Name, "id", d.event.ID(), "err", err)
		return
	}
	config.OnDead(b, s.Name, status, reason)
}

// legible makes an answer fit to stand in a header.
func legible(text string) string {
	return clip(strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return ' '
		}
		return r
	}, text), maxAnswer)
}

// answer keeps the status and the beginning of the body a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

var _ io.Writer = (*answer)(nil)

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body.Write(b[:min(len(b), maxAnswer-min(maxAnswer, a.body.Len()))])
	return len(b), nil
}
