// Package reflect is the reflect function: reflections over HTTP, and the work itself, woken by events. What
// reflecting is, package reflection decides.
package reflect

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/serve"
)

var _ serve.Function = (*Function)(nil)

// Config is what the environment says to the function.
type Config struct {
	database.Config

	LLMProvider string `envconfig:"RAE_LLM_PROVIDER" default:"none" allowed:"none"` // reflections quote; none needs a model
	Decay       string `envconfig:"RAE_REFLECT_DECAY" default:"on" allowed:"on|off"`
}

// Function is the reflect function with what it stands on.
type Function struct {
	serve.Backing

	service *reflection.Service
	log     *slog.Logger
}

// New returns the function over a service whose stores somebody else opens, watches and closes.
func New(service *reflection.Service, log *slog.Logger) *Function {
	return &Function{service: service, log: log}
}

// Open reads the environment and opens the store it names.
func Open(_ context.Context, rt serve.Runtime) (serve.Function, error) {
	var cfg Config
	if err := serve.Load(&cfg); err != nil {
		return nil, err
	}
	db, err := database.Open(&cfg.Config, rt.Log, nil)
	if err != nil {
		return nil, err
	}
	service := &reflection.Service{
		Memories: db.Memories, Writer: db.Memories, Keeper: db.Memories, Store: db.Reflections, Log: rt.Log,
	}
	f := New(service, rt.Log)
	f.Backing = db.Backing
	if cfg.Decay == "off" {
		service.Keeper = nil
	}
	return f, nil
}

// Name implements serve.Function.
func (f *Function) Name() string { return "reflect" }

// Events implements serve.Function.
func (f *Function) Events() http.Handler {
	return eventing.Handler(f.Name(), f.Consumers(), f.log)
}
