package eventing

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/outbox"
)

// DeadLetters is the sender of a relay that feeds the broker of its own process. It moves a record to the dead letters
// of its queue when a subscription will never take the event, with who refused it and why, but not before every other
// subscription is done with it: until then the record stays where a crash would send it again. Both fields are required;
// [DeadLetters.Note] is the broker's OnDead.
type DeadLetters struct {
	Queue  outbox.Queue
	Broker *Broker

	mu      sync.Mutex
	refused map[string][]string // of each event being sent, by id
}

var _ Sender = (*DeadLetters)(nil)

// Note takes the refusal of an event. One that is not being sent by this sender has no record: a clock event, say,
// which comes again by itself.
func (l *DeadLetters) Note(letter []byte, subscriber string, status int, reason string) {
	var head struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(letter, &head) != nil {
		return // what the broker wrote is JSON
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if refusals, sending := l.refused[head.ID]; sending {
		l.refused[head.ID] = append(refusals, fmt.Sprintf("%s answered %d: %s", subscriber, status, reason))
	}
}

// Send publishes e, waits until every subscription is done with it and buries its record if one refused it. An error
// means that the record is to be sent again: either not all were done, or the refusal could not be written down.
func (l *DeadLetters) Send(ctx context.Context, e event.Event) error {
	p, err := pack(ctx, e)
	if err != nil {
		return err
	}
	return l.carry(ctx, p)
}

func (l *DeadLetters) carry(ctx context.Context, p parcel) error {
	id := p.event.ID()
	l.begin(id)
	err := l.Broker.carry(ctx, p)
	refusals := l.end(id)
	if err != nil || len(refusals) == 0 {
		return err
	}
	ctx, stop := parting(ctx)
	defer stop()
	if err := l.Queue.Bury(ctx, id, clip(strings.Join(refusals, "; "), maxAnswer)); err != nil {
		return fault.Wrap(fault.KindOf(err), err, "bury event %s", id)
	}
	return nil
}

func (l *DeadLetters) begin(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused == nil {
		l.refused = map[string][]string{}
	}
	l.refused[id] = nil
}

func (l *DeadLetters) end(id string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	refusals := l.refused[id]
	delete(l.refused, id)
	return refusals
}
