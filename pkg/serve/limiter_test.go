package serve_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/serve/limittest"
)

func TestLocalLimiterKeepsTheContract(t *testing.T) {
	t.Parallel()
	limittest.Run(t, "memory", func(*testing.T) serve.Limiter { return serve.NewLocalLimiter(1000) })
}

// shared is a limiter of all instances that answers what it was told to.
type shared struct {
	wait  time.Duration
	err   error
	asked atomic.Int64
}

func (s *shared) Take(context.Context, string, int, int) (time.Duration, error) {
	s.asked.Add(1)
	return s.wait, s.err
}

// limited is a server that lets each tenant ask twice and then hardly ever again.
func limited(t *testing.T, limiter serve.Limiter) func(method, path, tenant string) *httptest.ResponseRecorder {
	t.Helper()
	cfg := local()
	cfg.RateLimit, cfg.RateBurst = 1, 2
	server, _, _ := newServer(t, cfg, things(func(context.Context, *thing) (*said, error) { return say("done"), nil }))
	server.Limiter = limiter
	return func(method, path, tenant string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
		r.RemoteAddr, r.Host = "127.0.0.1:4711", "127.0.0.1"
		if tenant != "" {
			r.Header.Set("X-Tenant-ID", tenant)
		}
		answer := httptest.NewRecorder()
		server.Handler().ServeHTTP(answer, r)
		return answer
	}
}

func TestATenantThatAsksTooOftenIsToldWhenToAskAgain(t *testing.T) {
	t.Parallel()
	call := limited(t, nil)
	for range 2 {
		if answer := call("GET", "/v1/things/1", "acme"); answer.Code != http.StatusOK {
			t.Fatalf("within the burst: %d %s", answer.Code, answer.Body)
		}
	}
	answer := call("GET", "/v1/things/1", "acme")
	if got := answer.Header().Get("Retry-After"); answer.Code != http.StatusTooManyRequests || got != "1" || answer.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d, retry after %q: %s", answer.Code, got, answer.Body)
	}
	if answer := call("GET", "/v1/things/1", "other"); answer.Code != http.StatusOK {
		t.Errorf("another tenant: %d", answer.Code)
	}
	for range 5 {
		for _, path := range []string{"/health", "/health/live", "/health/ready", "/metrics"} {
			if answer := call("GET", path, "acme"); answer.Code != http.StatusOK {
				t.Errorf("%s: %d", path, answer.Code)
			}
		}
	}
}

func TestInstancesCountTogetherWhereTheyCan(t *testing.T) {
	t.Parallel()
	t.Run("the shared count refuses", func(t *testing.T) {
		t.Parallel()
		if answer := limited(t, &shared{wait: 3500 * time.Millisecond})("GET", "/v1/things/1", "acme"); answer.Code != http.StatusTooManyRequests || answer.Header().Get("Retry-After") != "4" {
			t.Errorf("%d, retry after %q", answer.Code, answer.Header().Get("Retry-After"))
		}
	})
	for name, limiter := range map[string]*shared{"there": {}, "away": {err: errors.New("away")}} {
		t.Run("its own count holds while the shared one is "+name, func(t *testing.T) {
			t.Parallel()
			call := limited(t, limiter)
			var codes [4]int
			for i := range codes {
				codes[i] = call("GET", "/v1/things/1", "acme").Code
			}
			if codes != [4]int{200, 200, 429, 429} {
				t.Errorf("answered %v", codes)
			}
			if n := limiter.asked.Load(); n != 2 {
				t.Errorf("the shared limiter was asked %d times: a flood must end here", n)
			}
		})
	}
}
