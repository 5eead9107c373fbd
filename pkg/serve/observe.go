package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/telemetry"
)

const requestIDHeader = "X-Request-ID"

// identify opens the request's Call: its id, taken over from the caller when it is sane, and its trace.
func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(requestIDHeader)
		if !telemetry.ValidRequestID(id) {
			id = uuid.Must(uuid.NewV7()).String()
		}
		trace := r.Header.Get("Traceparent")
		if !telemetry.ValidTraceparent(trace) {
			trace = ""
		}
		ctx, call := telemetry.NewCall(r.Context())
		call.Identify(id, trace)
		w.Header().Set(requestIDHeader, id)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// routeKey carries the route of the request being served, so that it is looked up once.
type routeKey struct{}

func routeOf(ctx context.Context) string {
	route, _ := ctx.Value(routeKey{}).(string)
	return route
}

// observe measures the request and writes its one line to the log. Neither knows its body, its query or its path:
// the route stands for them.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		function, route := s.route(r)
		ctx := context.WithValue(r.Context(), routeKey{}, route)
		ctx = httpapi.Observe(ctx, telemetry.CallOf(ctx).Fail)
		answer := &answer{ResponseWriter: w}
		s.metrics.inFlight.Inc()
		defer func() { // deferred, because an aborted answer leaves by panic
			s.metrics.inFlight.Dec()
			took, status := time.Since(start), answer.code()
			s.metrics.requests.WithLabelValues(function, route, strconv.Itoa(status)).Inc()
			s.metrics.seconds.WithLabelValues(function, route).Observe(took.Seconds())
			s.logAccess(ctx, r.Method, function, route, status, took, answer.bytes)
		}()
		next.ServeHTTP(answer, r.WithContext(ctx))
	})
}

func (s *Server) logAccess(ctx context.Context, method, function, route string, status int, took time.Duration, bytes int64) {
	level := slog.LevelInfo
	switch {
	case status >= 500 && !isProbe(route):
		level = slog.LevelError
	case isProbe(route):
		level = slog.LevelDebug
	}
	if !s.rt.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("function", function),
		slog.String("method", knownMethod(method)),
		slog.String("route", route),
		slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.Int64("bytes", bytes),
	}
	if err := telemetry.CallOf(ctx).Err(); err != nil {
		attrs = append(attrs, slog.String("kind", fault.KindOf(err).String()))
		if status >= 500 {
			attrs = append(attrs, slog.String("err", err.Error()))
		}
	}
	s.rt.Log.LogAttrs(ctx, level, "request", attrs...)
}

func isProbe(route string) bool {
	return strings.HasPrefix(route, "GET /health") || route == "GET /metrics"
}

// knownMethod keeps a caller's inventions out of the log.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "other"
}

// recover turns a panic into a 500 problem that names the request. The stack goes to the log; the panic's own text
// does only when the runtime wrote it, for any other may quote what was being processed.
func (s *Server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v) // net/http's own way to cut a connection
			}
			s.rt.Log.ErrorContext(r.Context(), "panic", "cause", panicCause(v), "route", routeOf(r.Context()), "stack", string(debug.Stack()))
			if a, ok := w.(*answer); ok && a.status != 0 {
				panic(http.ErrAbortHandler) // half an answer must not look whole
			}
			for _, name := range []string{"Content-Length", "Content-Encoding", "ETag", "Cache-Control"} {
				w.Header().Del(name) // they described the answer that will not come
			}
			httpapi.WriteProblem(w, r, panicked{requestID: telemetry.RequestID(r.Context())})
		}()
		next.ServeHTTP(w, r)
	})
}

// panicked is the error a caller hears of after a panic.
type panicked struct{ requestID string }

func (p panicked) Error() string                  { return "panic; the log has the stack under this request_id" }
func (p panicked) FaultKind() fault.Kind          { return fault.Internal }
func (p panicked) PublicMessage() string          { return "internal error" }
func (p panicked) ProblemMembers() map[string]any { return map[string]any{"request_id": p.requestID} }

// answer remembers what was written.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 { // 1xx come before the answer
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// Flush is for handlers that ask for http.Flusher directly.
func (a *answer) Flush() {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	_ = http.NewResponseController(a.ResponseWriter).Flush()
}

func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK // net/http sends it for a handler that wrote nothing
	}
	return a.status
}

// metrics are rate, errors and duration per route. A tenant is never a label: tenants have no bound.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rae_api_requests_total",
			Help: "Requests answered, by function, route template and status code.",
		}, []string{"function", "route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "rae_api_request_duration_seconds",
			Help:    "Time from the end of a request's header to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"function", "route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "rae_api_requests_in_flight",
			Help: "Requests being served now.",
		}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.inFlight} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// panicCause is what may be logged of a panic's value.
func panicCause(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", v)
}
