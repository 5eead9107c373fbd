// Package reflect is the reflect function: reflections over HTTP, and the work itself, woken by events. What
// reflecting is, package reflection decides.
package reflect

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/extract"
	"github.com/rae-memory/rae/pkg/inference"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/tokens"
)

var _ serve.Function = (*Function)(nil)

// Config is what the environment says to the function.
type Config struct {
	database.Config
	inference.Language
	inference.Budget

	Decay string `envconfig:"RAE_REFLECT_DECAY" default:"on" allowed:"on|off"`
	Model string `envconfig:"RAE_REFLECT_MODEL" default:"auto" allowed:"auto|off"` // auto: the language model, where there is one
}

// Check implements serve.Checker.
func (c *Config) Check() error {
	if err := c.Config.Check(); err != nil {
		return err
	}
	return c.Language.Check()
}

// Function is the reflect function with what it stands on.
type Function struct {
	serve.Backing

	service  *reflection.Service
	model    llm.Model
	endMeter func(context.Context) error // nil: whoever opened the meter ends it
	log      *slog.Logger
}

// New returns the function over a service whose stores somebody else opens, watches and closes.
func New(service *reflection.Service, model llm.Model, log *slog.Logger) *Function {
	return &Function{service: service, model: model, log: log}
}

// Service reflects over the stores of db, with the model unless the environment says to do without.
func (c *Config) Service(db *database.DB, model llm.Model, log *slog.Logger) *reflection.Service {
	s := &reflection.Service{
		Memories: db.Memories, Writer: db.Memories, Keeper: db.Memories, Store: db.Reflections, Scopes: db.Memories, Log: log,
		Suspicious: extract.Commands,
	}
	if c.Decay == "off" {
		s.Keeper = nil
	}
	if c.Model == "auto" {
		s.Model = model
	}
	return s
}

// Open reads the environment and opens the store it names.
func Open(_ context.Context, rt serve.Runtime) (serve.Function, error) {
	var cfg Config
	if err := serve.Load(&cfg); err != nil {
		return nil, err
	}
	meter, end, err := cfg.Meter(rt)
	if err != nil {
		return nil, err
	}
	own, err := cfg.Hosts()
	if err != nil {
		return nil, err
	}
	model, err := cfg.Open(inference.Deps{Meter: meter, Own: own, Count: new(tokens.Counter).Count, Log: rt.Log})
	if err != nil {
		return nil, err
	}
	db, err := database.Open(&cfg.Config, rt.Log, nil)
	if err != nil {
		return nil, err
	}
	f := New(cfg.Service(db, model, rt.Log), model, rt.Log)
	f.Backing, f.endMeter = db.Backing, end
	return f, nil
}

// Name implements serve.Function.
func (f *Function) Name() string { return "reflect" }

// Health tells of the store, and whether there is a language model. It asks none whether it is there: that would be paid for.
func (f *Function) Health(ctx context.Context) []serve.Component {
	_, without := f.model.(llm.None)
	return append(f.Backing.Health(ctx), serve.Component{Name: "ml_service", Unused: without})
}

// Close ends the meter before the store it may write to.
func (f *Function) Close(ctx context.Context) error {
	if f.endMeter == nil {
		return f.Backing.Close(ctx)
	}
	return errors.Join(f.endMeter(ctx), f.Backing.Close(ctx))
}

// Events implements serve.Function.
func (f *Function) Events() http.Handler {
	return eventing.Handler(f.Name(), f.Consumers(), f.log)
}
