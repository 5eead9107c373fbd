package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// healthTimeout bounds all questions of one health request together.
const healthTimeout = 2 * time.Second

// Status is the health of a server or of one component of it.
type Status string

const (
	Healthy   Status = "healthy"
	Degraded  Status = "degraded"  // works, with something missing
	Unhealthy Status = "unhealthy" // cannot do its own job
	Disabled  Status = "disabled"  // not used by this deployment
)

// Health is the body of /health. It names what is down and never why: the reason may hold addresses, and is in the
// log.
type Health struct {
	Status     Status            `json:"status"`
	Version    string            `json:"version"`
	Components map[string]Status `json:"components"`
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) { writeHealth(w, s.check(r.Context())) }

// ready is health, and no longer true once the server drains: new requests belong elsewhere.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		writeHealth(w, Health{Status: Unhealthy, Version: s.rt.Version, Components: map[string]Status{"draining": Unhealthy}})
		return
	}
	s.health(w, r)
}

// live touches nothing: a process that can answer is alive, and a restart mends no dependency.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) {
	writeHealth(w, Health{Status: Healthy, Version: s.rt.Version, Components: map[string]Status{}})
}

func writeHealth(w http.ResponseWriter, h Health) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if h.Status == Unhealthy {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(h) // the caller may be gone; nobody else would hear of it
}

// check asks all functions at once and merges what they say. Where two speak of one component, the worse word holds.
func (s *Server) check(ctx context.Context) Health {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	answers := make([]chan []Component, len(s.functions))
	for i, f := range s.functions {
		answers[i] = make(chan []Component, 1) // buffered: a late answer is dropped, its sender not held
		go func() { answers[i] <- askHealth(ctx, f) }()
	}
	h := Health{Status: Healthy, Version: s.rt.Version, Components: map[string]Status{}}
	for i, f := range s.functions {
		for _, c := range await(ctx, f.Name(), answers[i]) {
			s.merge(ctx, &h, f.Name(), c)
		}
	}
	return h
}

// await returns what a function answered in time. One that did not is itself the component that is down.
func await(ctx context.Context, function string, answer <-chan []Component) []Component {
	select {
	case components := <-answer:
		return components
	case <-ctx.Done():
	}
	select { // it may have answered while another was waited for
	case components := <-answer:
		return components
	default:
		return []Component{{Name: function, Critical: true, Err: ctx.Err()}}
	}
}

func (s *Server) merge(ctx context.Context, h *Health, function string, c Component) {
	if c.Unused {
		if _, said := h.Components[c.Name]; !said {
			h.Components[c.Name] = Disabled
		}
		return
	}
	if c.Err == nil {
		if _, said := h.Components[c.Name]; !said {
			h.Components[c.Name] = Healthy
		}
		return
	}
	s.rt.Log.WarnContext(ctx, "component down", "function", function, "component", c.Name, "critical", c.Critical, "err", c.Err)
	h.Components[c.Name] = Unhealthy
	switch {
	case c.Critical:
		h.Status = Unhealthy
	case h.Status == Healthy:
		h.Status = Degraded
	}
}

// askHealth keeps a function's panic from taking the process with it, for no handler stands above this goroutine.
func askHealth(ctx context.Context, f Function) (components []Component) {
	defer func() {
		if v := recover(); v != nil {
			components = []Component{{Name: f.Name(), Critical: true, Err: errors.New("panic in health: " + panicCause(v))}}
		}
	}()
	return f.Health(ctx)
}
