package eventing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// Consumer takes one event. It must have the effect of an event once, however often it is called with it, and must
// return nil only when the effect is durable or parked. The kind of its error decides whether the event comes back.
type Consumer func(ctx context.Context, e Event) error

// DeadLetter is the key of the consumer that takes a broker's dead letters (Event.Refused), whatever their type. A function
// without one tells the broker that it took them.
const DeadLetter = "dead letter"

// Handler takes events posted to a function as "/" and dispatches them by type. It answers by the verdict table: 204
// when the consumer is done, 202 for a type of the catalogue nobody here consumes, 400 for an unknown one. Answers
// that refuse have a problem document; those that accept have no body, which a broker would take for a reply.
// Internal errors are logged here, everything else is the broker's to count. name is the function's.
func Handler(name string, consumers map[string]Consumer, log *slog.Logger) http.Handler {
	return &handler{name: name, consumers: consumers, log: log}
}

type handler struct {
	name      string
	consumers map[string]Consumer
	log       *slog.Logger
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		h.refuse(w, http.StatusGone, fault.New(fault.NotFound, "events are posted to /"))
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		h.refuse(w, http.StatusMethodNotAllowed, fault.New(fault.Unsupported, "events are posted"))
		return
	}
	e, err := Decode(r.Header, r.Body)
	if err != nil {
		h.answer(w, r, e, err)
		return
	}
	key := e.Type
	if e.Refused != "" {
		key = DeadLetter
	}
	consume, ok := h.consumers[key]
	if !ok {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	h.answer(w, r, e, guarded(r.Context(), consume, e))
}

// take is what ServeHTTP does with an event that has been read before: it returns the answer instead of writing it.
func (h *handler) take(ctx context.Context, e Event) (status int, retryAfter time.Duration, reason string) {
	consume, ok := h.consumers[e.Type]
	if !ok {
		return http.StatusAccepted, 0, ""
	}
	e.Data = bytes.Clone(e.Data) // consumers share nothing
	err := guarded(ctx, consume, e)
	status, retryAfter = h.verdict(ctx, e, err)
	if !accepted(status) {
		b := document(status, err)
		reason = string(b[:min(len(b), maxAnswer)])
	}
	return status, retryAfter, reason
}

// Join makes one consumer of several, which all get the event, whatever becomes of it with the others. Its error is the
// one a broker must hear first: one that asks for the event again before one that refuses it for ever, and either
// before one that tells it was done. Who was done knows the event when it comes again.
func Join(consumers ...Consumer) Consumer {
	return func(ctx context.Context, e Event) (worst error) {
		for _, consume := range consumers {
			if err := guarded(ctx, consume, e); gravity(err) > gravity(worst) {
				worst = err
			}
		}
		return worst
	}
}

// gravity orders the ends of an event by how much is lost if a broker does not hear of them.
func gravity(err error) int {
	switch status, _ := Verdict(err); {
	case err == nil:
		return 0
	case accepted(status):
		return 1
	case Retried(status):
		return 3
	}
	return 2
}

// guarded turns a panic into an error, so that the event that causes it has an answer and ends in the dead letters
// with a reason, like any other the function cannot bear.
func guarded(ctx context.Context, consume Consumer, e Event) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fault.Wrap(fault.Internal, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()), "consume %s", e.Type)
		}
	}()
	// The trace goes on in what the consumer writes, and its log lines name whose event it was.
	ctx = telemetry.WithScope(telemetry.WithTraceparent(ctx, e.TraceParent), e.Scope.Tenant, e.Scope.Project)
	return consume(ctx, e)
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, e Event, err error) {
	status, wait := h.verdict(r.Context(), e, err)
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	}
	if accepted(status) {
		w.WriteHeader(status)
		return
	}
	h.refuse(w, status, err)
}

// verdict is Verdict, and logs what the broker is not told.
func (h *handler) verdict(ctx context.Context, e Event, err error) (status int, retryAfter time.Duration) {
	status, retryAfter = Verdict(err)
	switch {
	case err != nil && accepted(status): // swallowed here: the broker only hears that the event is done
		h.log.InfoContext(ctx, "event was done before", "function", h.name, "type", e.Type, "id", e.ID, "detail", fault.Public(err))
	case !accepted(status) && fault.KindOf(err) == fault.Internal:
		h.log.ErrorContext(ctx, "event failed", "function", h.name, "type", e.Type, "id", e.ID, "source", e.Source, "err", err)
	}
	return status, retryAfter
}

// problem is the problem document of a refused event; a broker keeps the beginning of it with the dead letter.
type problem struct {
	Type   string        `json:"type"`
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Detail string        `json:"detail"`
	Errors []fault.Field `json:"errors,omitempty"`
}

func (h *handler) refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(document(status, err)) // the sender is gone: it will send again
}

func document(status int, err error) []byte {
	body, errJSON := json.Marshal(problem{
		Type:   "urn:rae:problem:" + fault.KindOf(err).String(),
		Title:  http.StatusText(status),
		Status: status,
		Detail: fault.Public(err),
		Errors: fault.FieldsOf(err),
	})
	if errJSON != nil { // strings and a number
		return []byte(`{}`)
	}
	return body
}
