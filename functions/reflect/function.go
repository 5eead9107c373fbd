// Package reflect is the reflect function: reflections over HTTP, and the work itself, woken by events. What
// reflecting is, package reflection decides.
package reflect

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/extract"
	"github.com/rae-memory/rae/pkg/inference"
	"github.com/rae-memory/rae/pkg/learn"
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

	Extract string        `envconfig:"RAE_REFLECT_EXTRACT" default:"on" allowed:"on|off"`
	Turns   int           `envconfig:"RAE_REFLECT_TURNS" default:"25" min:"1" max:"100"`   // read by one call of the model
	Wait    time.Duration `envconfig:"RAE_REFLECT_WAIT" default:"24h" min:"1s" max:"720h"` // after which the model reads fewer
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

	// Learner keeps what memories come to; nil: the function does not tell of it.
	Learner  *learn.Learner
	service  *reflection.Service
	model    llm.Model
	endMeter func(context.Context) error // nil: whoever opened the meter ends it
	log      *slog.Logger
}

// New returns the function over a service whose stores somebody else opens, watches and closes.
func New(service *reflection.Service, model llm.Model, log *slog.Logger) *Function {
	return &Function{service: service, model: model, log: log}
}

// Service reflects over the stores of db, with the model unless the environment says to do without, and has what memories say
// learned.
func (c *Config) Service(db *database.DB, model llm.Model, learner *learn.Learner, log *slog.Logger) *reflection.Service {
	s := &reflection.Service{
		Memories: db.Memories, Writer: db.Memories, Keeper: db.Memories, Uses: db.Memories, Store: db.Reflections, Scopes: db.Memories, Log: log,
		Suspicious: extract.Commands,
	}
	if c.Decay == "off" {
		s.Keeper = nil
	}
	plain := extract.Rules{}
	learning := &learning{facts: learner, names: db.Names, memories: db.Memories}
	reading := &reflection.Extraction{By: plain, Plain: plain, Learn: learning.learn, Turns: max(c.Turns, ruleTurns), Wait: min(c.Wait, ruleWait)}
	if _, none := model.(llm.None); !none && c.Model == "auto" {
		s.Model = model
		reading.By = &extract.Language{Model: model, Fallback: plain, Turns: c.Turns, Log: log}
		reading.Turns, reading.Wait = c.Turns, c.Wait
	}
	if c.Extract == "on" {
		s.Extraction = reading
	}
	return s
}

// What rules read costs no call: memories wait for others a moment, and are read by the hundred, so that whoever imports many
// is not kept busy with reflections of a few.
const (
	ruleWait  = 10 * time.Second
	ruleTurns = 200
)

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
	learner := &learn.Learner{Store: db.Facts}
	f := New(cfg.Service(db, model, learner, rt.Log), model, rt.Log)
	f.Backing, f.endMeter = db.Backing, end
	f.Learner = learner
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
