package eventing_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/telemetry"
)

func TestEveryKindHasAVerdict(t *testing.T) {
	t.Parallel()
	want := map[fault.Kind]int{
		fault.Internal: 500, fault.Malformed: 400, fault.Invalid: 422, fault.Unauthenticated: 403, fault.Denied: 403,
		fault.NotFound: 410, fault.Conflict: 200, fault.TooLarge: 413, fault.Unsupported: 415, fault.OverBudget: 503,
		fault.RateLimited: 429, fault.Unavailable: 503, fault.Timeout: 504, fault.Cancelled: 503,
	}
	mayWorkLater := map[fault.Kind]bool{
		fault.Internal: true, fault.OverBudget: true, fault.RateLimited: true, fault.Unavailable: true,
		fault.Timeout: true, fault.Cancelled: true,
	}
	for _, kind := range fault.Kinds() {
		status, _ := eventing.Verdict(fault.New(kind, "x"))
		equal(t, "status of "+kind.String(), status, want[kind])
		equal(t, "retry of "+kind.String(), eventing.Retried(status), mayWorkLater[kind])
		if status == http.StatusPaymentRequired {
			t.Errorf("%s is answered 402, which a broker takes for the last word", kind)
		}
	}
	for _, tc := range []struct {
		name   string
		err    error
		status int
		wait   time.Duration
	}{
		{"none", nil, 204, 0},
		{"unclassified", errors.New("x"), 500, 0},
		{"a deadline", context.DeadlineExceeded, 504, 0},
		{"over budget without a time", fault.New(fault.OverBudget, "x"), 503, time.Minute},
		{"over budget until", &fault.Error{Kind: fault.OverBudget, RetryAfter: time.Hour}, 503, time.Hour},
		{"a rate limit", &fault.Error{Kind: fault.RateLimited, RetryAfter: time.Second}, 429, time.Second},
		{"a final answer has nothing to wait for", &fault.Error{Kind: fault.Invalid, RetryAfter: time.Second}, 422, 0},
	} {
		status, wait := eventing.Verdict(tc.err)
		equal(t, "status of "+tc.name, status, tc.status)
		equal(t, "wait of "+tc.name, wait, tc.wait)
	}
}

func TestOnlyKnativesStatusesAreRetried(t *testing.T) {
	t.Parallel()
	for status := range 600 {
		want := status == 0 || status == 404 || status == 408 || status == 409 || status == 429 || status >= 500
		equal(t, "retry of "+http.StatusText(status), eventing.Retried(status), want)
	}
}

// post sends a sound event, changed by change, and returns the answer.
func post(t *testing.T, h http.Handler, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(storedData))
	r.Header = binary()
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// quiet is a log that keeps what was written.
func quiet() (*slog.Logger, *strings.Builder) {
	var b strings.Builder
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}

func TestTheHandlerGivesAnEventToItsConsumer(t *testing.T) {
	t.Parallel()
	var got []eventing.Event
	log, _ := quiet()
	h := eventing.Handler("search", map[string]eventing.Consumer{
		eventing.MemoryStored: func(_ context.Context, e eventing.Event) error {
			got = append(got, e)
			return nil
		},
	}, log)
	w := post(t, h, nil)
	equal(t, "status", w.Code, 204)
	equal(t, "body", w.Body.String(), "")
	equal(t, "events", got, []eventing.Event{{
		ID: "e1", Source: "/rae/store", Type: eventing.MemoryStored, Subject: "m1", Scope: scope, Time: noon,
		Data: json.RawMessage(storedData),
	}})
	w = post(t, h, func(r *http.Request) { r.Header.Set("Ce-Type", eventing.MemoryUpdated) })
	equal(t, "status of a type nobody here takes", w.Code, 202)
	equal(t, "body of a type nobody here takes", w.Body.String(), "")
}

func TestAConsumersWorkGoesOnInTheTraceOfItsEvent(t *testing.T) {
	t.Parallel()
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	var logged strings.Builder
	log := telemetry.NewLogger(&logged, slog.LevelInfo)
	var carried string
	h := eventing.Handler("search", map[string]eventing.Consumer{
		eventing.MemoryStored: func(ctx context.Context, _ eventing.Event) error {
			carried = telemetry.Traceparent(ctx)
			log.InfoContext(ctx, "at work")
			return nil
		},
	}, log)
	post(t, h, func(r *http.Request) { r.Header.Set("Ce-Traceparent", trace) })
	equal(t, "traceparent", carried, trace)
	var line map[string]any
	if err := json.Unmarshal([]byte(logged.String()), &line); err != nil {
		t.Fatal(err)
	}
	equal(t, "tenant in the log", line["tenant"], any(scope.Tenant))
	equal(t, "trace in the log", line["trace_id"], any("4bf92f3577b34da6a3ce929d0e0e4736"))
}

func TestTheHandlerAnswersByTheVerdict(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			log, text := quiet()
			h := eventing.Handler("search", map[string]eventing.Consumer{
				eventing.MemoryStored: func(context.Context, eventing.Event) error {
					return &fault.Error{
						Kind: kind, Message: "told", Err: errors.New("untold"), RetryAfter: 1500 * time.Millisecond,
						Fields: []fault.Field{{Location: "event.data.x", Message: "wrong"}},
					}
				},
			}, log)
			w := post(t, h, nil)
			status, _ := eventing.Verdict(fault.New(kind, ""))
			equal(t, "status", w.Code, status)
			if strings.Contains(w.Body.String(), "untold") {
				t.Error("the answer tells the cause")
			}
			equal(t, "logged as an error", strings.Contains(text.String(), "level=ERROR"), kind == fault.Internal)
			retryAfter := ""
			if eventing.Retried(status) {
				retryAfter = "2"
			}
			equal(t, "Retry-After", w.Header().Get("Retry-After"), retryAfter)
			if status == 200 {
				equal(t, "body", w.Body.String(), "")
				return
			}
			equal(t, "content type", w.Header().Get("Content-Type"), "application/problem+json")
			var problem struct {
				Type, Title, Detail string
				Status              int
				Errors              []fault.Field
			}
			if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
				t.Fatal(err)
			}
			equal(t, "type", problem.Type, "urn:rae:problem:"+kind.String())
			equal(t, "status in the body", problem.Status, status)
			if kind != fault.Internal {
				equal(t, "detail", problem.Detail, "told")
			}
		})
	}
}

func TestTheHandlerRefusesWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	log, _ := quiet()
	h := eventing.Handler("search", map[string]eventing.Consumer{
		eventing.MemoryStored: func(context.Context, eventing.Event) error {
			t.Error("the consumer was called")
			return nil
		},
	}, log)
	for _, tc := range []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"an unknown type", func(r *http.Request) { r.Header.Set("Ce-Type", "x") }, 400},
		{"no id", func(r *http.Request) { r.Header.Del("Ce-Id") }, 400},
		{"a scope that is not the data's", func(r *http.Request) { r.Header.Set("Ce-Tenantid", "evil") }, 422},
		{"GET", func(r *http.Request) { r.Method = http.MethodGet }, 405},
		{"another path", func(r *http.Request) { r.URL.Path = "/events" }, 410},
		{"a coding", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 415},
	} {
		w := post(t, h, tc.change)
		equal(t, tc.name, w.Code, tc.status)
		equal(t, tc.name+" is final", eventing.Retried(w.Code), false)
	}
}

func TestAConsumerThatPanicsIsAnInternalFault(t *testing.T) {
	t.Parallel()
	log, text := quiet()
	h := eventing.Handler("search", map[string]eventing.Consumer{
		eventing.MemoryStored: func(context.Context, eventing.Event) error { panic("boom") },
	}, log)
	w := post(t, h, nil)
	equal(t, "status", w.Code, 500)
	if strings.Contains(w.Body.String(), "boom") || !strings.Contains(text.String(), "boom") {
		t.Errorf("the panic belongs into the log only: answer %s, log %s", w.Body, text)
	}
}

func TestOfSeveralConsumersTheOneWhoNeedsTheEventAgainIsHeard(t *testing.T) {
	t.Parallel()
	done := func(context.Context, eventing.Event) error { return nil }
	ends := func(kind fault.Kind) eventing.Consumer {
		return func(context.Context, eventing.Event) error { return fault.New(kind, "so it ends") }
	}
	for _, tc := range []struct {
		name      string
		consumers []eventing.Consumer
		status    int
	}{
		{"both are done", []eventing.Consumer{done, done}, http.StatusNoContent},
		{"done before", []eventing.Consumer{done, ends(fault.Conflict)}, http.StatusOK},
		{"done before, and away", []eventing.Consumer{ends(fault.Conflict), ends(fault.Unavailable)}, http.StatusServiceUnavailable},
		{"refused, and away", []eventing.Consumer{ends(fault.Invalid), ends(fault.Unavailable), done}, http.StatusServiceUnavailable},
		{"done before, and refused", []eventing.Consumer{ends(fault.Conflict), ends(fault.NotFound)}, http.StatusGone},
		{"refused, and failed without a kind", []eventing.Consumer{
			ends(fault.Invalid), func(context.Context, eventing.Event) error { return errors.New("x") },
		}, http.StatusInternalServerError},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			status, _ := eventing.Verdict(eventing.Join(tc.consumers...)(t.Context(), eventing.Event{}))
			equal(t, "status", status, tc.status)
		})
	}
	t.Run("one that panics keeps nobody from the event", func(t *testing.T) {
		t.Parallel()
		called := false
		joined := eventing.Join(
			func(context.Context, eventing.Event) error { panic("boom") },
			func(context.Context, eventing.Event) error { called = true; return nil })
		status, _ := eventing.Verdict(joined(t.Context(), eventing.Event{}))
		equal(t, "status", status, http.StatusInternalServerError)
		equal(t, "the other was called", called, true)
	})
}
