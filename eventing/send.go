package eventing

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/rae-memory/rae/pkg/fault"
)

// Sender hands an event to somebody who keeps it. It must return nil only when the event no longer depends on the
// caller. A Malformed, Invalid, TooLarge or Unsupported event can never be sent; after every other error it may be.
type Sender interface {
	Send(ctx context.Context, e event.Event) error
}

var _ Sender = (*HTTPSender)(nil)

// HTTPSender posts events in binary mode to a broker.
type HTTPSender struct {
	URL     string        // of the broker's ingress; Knative injects it as K_SINK
	Client  *http.Client  // nil means a plain one
	Timeout time.Duration // of one post; 0 means 10 s
}

// Send posts e and takes any 2xx for an acceptance.
func (s *HTTPSender) Send(ctx context.Context, e event.Event) error {
	p, err := pack(ctx, e)
	if err != nil {
		return err
	}
	return s.carry(ctx, p)
}

func (s *HTTPSender) carry(ctx context.Context, p parcel) error {
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	ctx, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(p.body))
	if err != nil {
		return fault.Wrap(fault.Internal, err, "post event to the broker")
	}
	request.Header = p.header
	client := s.Client
	if client == nil {
		client = new(http.Client)
	}
	response, err := client.Do(request)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "post event to the broker")
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer) // so that the connection can be used again
	if accepted(response.StatusCode) {
		return nil
	}
	return refusal(response)
}

// refusal classifies a broker's answer by whether the same event may fare better another time.
func refusal(response *http.Response) error {
	kind := fault.Unavailable
	switch response.StatusCode {
	case http.StatusBadRequest:
		kind = fault.Malformed
	case http.StatusUnprocessableEntity:
		kind = fault.Invalid
	case http.StatusRequestEntityTooLarge:
		kind = fault.TooLarge
	case http.StatusUnsupportedMediaType:
		kind = fault.Unsupported
	case http.StatusTooManyRequests:
		kind = fault.RateLimited
	case http.StatusUnauthorized, http.StatusForbidden:
		kind = fault.Denied
	}
	e := fault.New(kind, "the broker answered %d", response.StatusCode)
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 && seconds < 3600 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}
