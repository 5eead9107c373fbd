// Package providertest is what every adapter to a provider of models must stand, whatever it asks for: a server that
// speaks the provider's wire format, and fails in the ways servers fail.
package providertest

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

// Key is the credential that subjects are given, and that must never be told.
const Key = "sk-never-to-be-told-0123456789"

// Words are part of what is asked: an error must not repeat them.
const Words = "the contents of a memory"

// Subject is an adapter under test.
type Subject struct {
	Name string // of the provider, in errors
	// Ask makes the adapter, for a server at the address and with Key, and asks it something with Words in it.
	Ask func(ctx context.Context, address string) error
	// Answer is the right answer to a request, in the provider's wire format. It may check the request, and runs on
	// another goroutine than the test's.
	Answer func(r *http.Request, body []byte) string
	Media  string // of answers; "" = application/json
	// Wrong are JSON answers that are none to what Ask asks, by what is wrong with them.
	Wrong map[string]string
}

// Meter is an llm.Meter that lets calls through, unless it is told otherwise, and keeps what it was told. The zero value is
// ready.
type Meter struct {
	Refuse func(call int) error // of the calls from 1 on; nil = of none

	mu    sync.Mutex
	calls []llm.Call
	used  []llm.Usage
}

// Spend implements llm.Meter.
func (m *Meter) Spend(ctx context.Context, c llm.Call, do func(context.Context) (llm.Usage, error)) error {
	m.mu.Lock()
	m.calls = append(m.calls, c)
	n := len(m.calls)
	m.mu.Unlock()
	if m.Refuse != nil {
		if err := m.Refuse(n); err != nil {
			return err
		}
	}
	used, err := do(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used = append(m.used, used)
	return err
}

// Calls are those that were announced, refused ones among them.
func (m *Meter) Calls() []llm.Call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// Used is what the calls that were made consumed.
func (m *Meter) Used() []llm.Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.used)
}

// Run holds the adapter, named by on, to what package provider promises of it.
func Run(t *testing.T, on string, s Subject) {
	run := contract.Begin(t, "providertest", on)
	run.Clause(t, "the documented answer is taken", func(t *testing.T) {
		if err := s.ask(t, s.right); err != nil {
			t.Errorf("got %v", err)
		}
	})
	run.Clause(t, "the key goes into a header, never into the address", func(t *testing.T) {
		seen := atomic.Bool{}
		err := s.ask(t, func(w http.ResponseWriter, r *http.Request) {
			for _, values := range r.Header {
				seen.Store(seen.Load() || strings.HasSuffix(values[0], Key))
			}
			if strings.Contains(r.URL.String(), Key) {
				t.Errorf("asked %s", r.URL)
			}
			s.right(w, r)
		})
		if err != nil || !seen.Load() {
			t.Errorf("got %v, key seen %t", err, seen.Load())
		}
	})
	for name, first := range map[string]http.HandlerFunc{
		"too many requests are tried again":                       answers(429, "application/json", `{"message":"slow down"}`, "Retry-After", "0"),
		"a server error is tried again":                           answers(500, "text/plain", "oops"),
		"an overloaded server is tried again":                     answers(503, "text/html", "<html>"),
		"a connection that ends before the answer is tried again": cutOff("", ""),
	} {
		run.Clause(t, name, func(t *testing.T) {
			var count atomic.Int32
			err := s.ask(t, func(w http.ResponseWriter, r *http.Request) {
				if count.Add(1) == 1 {
					first(w, r)
				} else {
					s.right(w, r)
				}
			})
			if err != nil || count.Load() != 2 {
				t.Errorf("got %v after %d requests", err, count.Load())
			}
		})
	}
	run.Clause(t, "a refusal has the kind of what is wrong", func(t *testing.T) {
		for status, want := range map[int]fault.Kind{401: fault.Internal, 403: fault.Internal, 404: fault.Internal, 400: fault.Invalid} {
			s.wantFault(t, s.ask(t, answers(status, "application/json", `{"error":{"message":"`+Key+" "+Words+`"},"message":"`+Key+`"}`)), want, false)
		}
	})
	run.Clause(t, "a wait longer than the deadline is told, not waited", func(t *testing.T) {
		err := s.ask(t, answers(429, "application/json", "{}", "Retry-After", "3600"))
		s.wantFault(t, err, fault.RateLimited, false)
		if got := fault.RetryAfterOf(err); got != time.Hour {
			t.Errorf("told to come back after %v", got)
		}
	})
	for name, wrong := range map[string]http.HandlerFunc{
		"an answer that was cut off is none": cutOff(s.media(), `{"data":[{"ind`),
		"a web page is no answer":            answers(200, "text/html; charset=utf-8", "<html>"+Words),
		"what is no JSON is no answer":       answers(200, "application/json", "<html>"+Words),
		"an empty answer is none":            answers(200, s.media(), ""),
	} {
		run.Clause(t, name, func(t *testing.T) { s.wantFault(t, s.ask(t, wrong), fault.Unavailable, true) })
	}
	run.Clause(t, "an answer to something else is none", func(t *testing.T) {
		for name, body := range s.Wrong {
			t.Run(name, func(t *testing.T) {
				s.wantFault(t, s.ask(t, answers(200, s.media(), body)), fault.Unavailable, true)
			})
		}
	})
	run.Clause(t, "a body that never ends costs no more than the deadline", func(t *testing.T) {
		ended := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", s.media())
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			<-ended
		}))
		defer server.Close()
		defer close(ended)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		s.wantFault(t, s.Ask(ctx, server.URL), fault.Timeout, true)
	})
}

func (s *Subject) right(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(400)
		return
	}
	answers(200, s.media(), s.Answer(r, body))(w, r)
}

func (s *Subject) media() string { return cmp.Or(s.Media, "application/json") }

// ask asks a server that answers by handle. The time it has is more than any clause needs.
func (s *Subject) ask(t *testing.T, handle http.HandlerFunc) error {
	t.Helper()
	server := httptest.NewServer(handle)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return s.Ask(ctx, server.URL)
}

func (s *Subject) wantFault(t *testing.T, err error, kind fault.Kind, spent bool) {
	t.Helper()
	wantFault(t, s.Name, err, kind, spent)
}

// wantFault wants an error of the kind that names the provider, and neither the key nor what was asked.
func wantFault(t *testing.T, name string, err error, kind fault.Kind, spent bool) {
	t.Helper()
	if fault.KindOf(err) != kind || err == nil || llm.WasSpent(err) != spent {
		t.Errorf("got %v (%v), spent %t; want %v, spent %t", err, fault.KindOf(err), llm.WasSpent(err), kind, spent)
		return
	}
	if text := err.Error(); !strings.Contains(text, name) || strings.Contains(text, Key) || strings.Contains(text, Words) {
		t.Errorf("%q does not name %s, or tells a secret", text, name)
	}
}

// answers answers every request alike.
func answers(status int, media, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// cutOff announces a long answer, sends its beginning and closes the connection; "" closes it before any answer.
func cutOff(media, beginning string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if beginning != "" {
			w.Header().Set("Content-Type", media)
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(w, beginning)
			_ = http.NewResponseController(w).Flush()
		}
		if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = connection.Close()
		}
	}
}
