// Package serve hosts functions: environment, logging, metrics, health, limits and draining, the same for one
// function on Knative and for all six in one process.
package serve

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// Function is one of the six, wired and ready to be hosted.
type Function interface {
	// Name is the function's name: store, search, embed, rerank, reflect or budget.
	Name() string
	// Register adds the function's routes to the API.
	Register(api huma.API)
	// Events takes CloudEvents posted to "/"; nil when the function takes none.
	Events() http.Handler
	// Health asks each dependency. It must answer within ctx and never fail.
	Health(ctx context.Context) []Component
	// Close releases what Open acquired, after the last request has ended.
	Close(ctx context.Context) error
}

// Component is the health of one dependency. Critical ones make a function unhealthy, the others degraded.
type Component struct {
	Name     string // "database", "redis", "qdrant", "ml_service", …
	Critical bool
	Unused   bool  // this deployment does without it; nothing is missing
	Err      error // nil: healthy
}

// Runtime is what the host gives to a function's Open.
type Runtime struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Version string
}

// Open acquires what a function needs. It must not connect to anything: connections are made when first used, so
// that a cold start costs nothing.
type Open func(ctx context.Context, rt Runtime) (Function, error)
