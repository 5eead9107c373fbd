package serve

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
)

const (
	hostOwner      = "host"      // the function label of what the host itself answers
	eventsOwner    = "events"    // and of events a dispatcher takes for several functions
	unmatchedRoute = "unmatched" // the route label of paths nobody registered
	eventsRoute    = "POST /{$}"
)

// Server hosts any number of functions behind one port: their routes, their events, health, metrics, limits and
// draining.
type Server struct {
	// Events takes CloudEvents posted to "/". New sets it for a single function; a host of several sets its own
	// dispatcher before the first request. With nil there is nobody to take them, and they get a 404.
	Events http.Handler
	// Limiter counts requests for all instances together. New takes it from a single function that has one; a host of
	// several sets its own before the first request. With nil each instance counts for itself.
	Limiter Limiter

	cfg       Config
	rt        Runtime
	functions []Function
	mux       *http.ServeMux
	api       huma.API
	owners    map[string]string // route pattern to function name
	metrics   *metrics
	handler   http.Handler
	listener  net.Listener
	draining  atomic.Bool
}

// New mounts the functions. It opens no port and starts nothing; Run does. rt.Metrics must be a registry that can
// also be gathered, for /metrics. Two functions that claim the same route are an error.
func New(cfg Config, rt Runtime, functions ...Function) (*Server, error) {
	gatherer, ok := rt.Metrics.(prometheus.Gatherer)
	if !ok {
		return nil, errors.New("serve: Runtime.Metrics must be a *prometheus.Registry, for /metrics")
	}
	if rt.Log == nil {
		rt.Log = slog.New(slog.DiscardHandler)
	}
	if rt.Version == "" {
		rt.Version = Version()
	}
	red, err := newMetrics(rt.Metrics)
	if err != nil {
		return nil, fmt.Errorf("serve: register metrics: %w", err)
	}
	mux := http.NewServeMux()
	s := &Server{
		cfg: cfg, rt: rt, functions: functions, mux: mux, metrics: red,
		api: httpapi.New(mux, rt.Version), owners: map[string]string{eventsRoute: eventsOwner},
	}
	for _, f := range functions {
		if err := s.mount(f); err != nil {
			return nil, err
		}
	}
	if len(functions) == 1 {
		s.Events, s.owners[eventsRoute] = functions[0].Events(), functions[0].Name()
		if f, ok := functions[0].(interface{ Limiter() Limiter }); ok {
			s.Limiter = f.Limiter()
		}
	}
	s.mountHost(gatherer)
	s.handler = s.middleware()
	return s, nil
}

// mount registers a function's routes and remembers whose they are, for the metrics.
func (s *Server) mount(f Function) (err error) {
	defer func() {
		if v := recover(); v != nil { // the mux panics when a pattern is taken
			err = fmt.Errorf("serve: mount %s: %v", f.Name(), v)
		}
	}()
	group := huma.NewGroup(s.api)
	group.UseSimpleModifier(func(op *huma.Operation) { s.owners[op.Method+" "+op.Path] = f.Name() })
	f.Register(group)
	return nil
}

func (s *Server) mountHost(gatherer prometheus.Gatherer) {
	s.mux.Handle("GET /{$}", http.RedirectHandler("/docs", http.StatusFound)) // who opens the address in a browser wants to read
	s.mux.HandleFunc("GET /health", s.health)
	s.mux.HandleFunc("GET /health/live", s.live)
	s.mux.HandleFunc("GET /health/ready", s.ready)
	s.mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(s.rt.Log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
	}))
	s.mux.Handle(eventsRoute, httpapi.NoDryRun(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Events == nil {
			httpapi.WriteProblem(w, r, fault.New(fault.NotFound, "this server takes no events"))
			return
		}
		s.Events.ServeHTTP(w, r)
	})))
}

// API is the mounted API, for its OpenAPI document.
func (s *Server) API() huma.API { return s.api }

// Handler is everything the server answers, without a port: for tests and for hosts that bring their own.
func (s *Server) Handler() http.Handler { return s.handler }

// middleware lists what a request passes, outermost first. Recovery stands inside the access log and the metrics, so
// that a panic is counted and logged as the 500 its caller saw.
func (s *Server) middleware() http.Handler {
	handler := httpapi.Fallback(s.mux)
	for _, wrap := range []func(http.Handler) http.Handler{
		s.throttle,
		auth.Middleware(auth.Config{
			Mode: s.cfg.Auth, EventsMode: s.cfg.EventsAuth,
			JWTSecret: s.cfg.JWTSecret, MasterKey: s.cfg.MasterKey, Log: s.rt.Log,
		}),
		s.ownName,
		s.limit,
		s.recover,
		s.observe,
		identify,
	} {
		handler = wrap(handler)
	}
	return handler
}

// route returns the pattern that will answer r and the function it belongs to. Both come from closed sets, never from
// what the caller wrote.
func (s *Server) route(r *http.Request) (function, route string) {
	_, pattern := s.mux.Handler(r)
	if pattern == "" {
		return hostOwner, unmatchedRoute
	}
	if owner, ok := s.owners[pattern]; ok {
		return owner, pattern
	}
	return hostOwner, pattern
}
