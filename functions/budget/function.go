// Package budget is the budget function: limits, reservations, costs and prices over HTTP, and the return of expired
// reservations by event. What it decides, package pkg/budget decides.
package budget

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/serve"
)

var _ serve.Function = (*Function)(nil)

// Config is what the environment says to the function.
type Config struct {
	database.Config

	CostTracking     bool    `envconfig:"ENABLE_COST_TRACKING" default:"true"`
	DailyLimit       string  `envconfig:"DEFAULT_DAILY_LIMIT" default:"10.00"`
	MonthlyLimit     string  `envconfig:"DEFAULT_MONTHLY_LIMIT" default:"100.00"`
	WarningThreshold float64 `envconfig:"BUDGET_WARNING_THRESHOLD" default:"0.8"`
}

const dollars = "a number of US dollars such as 10.00, with at most 9 decimals and not negative"

// Check implements serve.Checker.
func (c *Config) Check() error {
	if err := c.Config.Check(); err != nil {
		return err
	}
	_, err := c.Policy()
	return err
}

// Policy is what holds for a scope that never set limits. Its error is a *serve.ConfigError.
func (c *Config) Policy() (budget.Policy, error) {
	daily, err := budget.ParseUSD(c.DailyLimit)
	if err != nil {
		return budget.Policy{}, &serve.ConfigError{Name: "DEFAULT_DAILY_LIMIT", Value: c.DailyLimit, Allowed: dollars}
	}
	monthly, err := budget.ParseUSD(c.MonthlyLimit)
	if err != nil {
		return budget.Policy{}, &serve.ConfigError{Name: "DEFAULT_MONTHLY_LIMIT", Value: c.MonthlyLimit, Allowed: dollars}
	}
	if daily > monthly {
		return budget.Policy{}, &serve.ConfigError{
			Name: "DEFAULT_DAILY_LIMIT", Value: c.DailyLimit, Allowed: "at most DEFAULT_MONTHLY_LIMIT (" + c.MonthlyLimit + ")",
		}
	}
	if t := c.WarningThreshold; math.IsNaN(t) || t <= 0 || t > 1 {
		return budget.Policy{}, &serve.ConfigError{
			Name: "BUDGET_WARNING_THRESHOLD", Value: strconv.FormatFloat(t, 'g', -1, 64), Allowed: "above 0 and at most 1",
		}
	}
	limits := budget.Limits{Daily: &daily, Monthly: &monthly, WarningThreshold: c.WarningThreshold, OnExhausted: budget.Reject}
	return budget.Policy{Defaults: limits, Disabled: !c.CostTracking}, nil
}

// Function is the budget function with what it stands on.
type Function struct {
	serve.Backing

	ledger       budget.Ledger
	requireAdmin func(context.Context) error
	log          *slog.Logger
}

// New returns the function over a ledger somebody else opens, watches and closes. requireAdmin fails unless the
// caller is an administrator.
func New(ledger budget.Ledger, requireAdmin func(context.Context) error, log *slog.Logger) *Function {
	return &Function{ledger: ledger, requireAdmin: requireAdmin, log: log}
}

// Open reads the environment and opens the store it names.
func Open(_ context.Context, rt serve.Runtime) (serve.Function, error) {
	var cfg Config
	if err := serve.Load(&cfg); err != nil {
		return nil, err
	}
	policy, err := cfg.Policy()
	if err != nil {
		return nil, err
	}
	db, err := database.Open(&cfg.Config, rt.Log, nil)
	if err != nil {
		return nil, err
	}
	f := New(db.Ledger(policy), auth.RequireAdmin, rt.Log)
	f.Backing = db.Backing
	if err := f.Gauge(rt.Metrics); err != nil {
		return nil, err
	}
	return f, nil
}

// Name implements serve.Function.
func (f *Function) Name() string { return "budget" }

// Events implements serve.Function.
func (f *Function) Events() http.Handler {
	return eventing.Handler(f.Name(), f.Consumers(), f.log)
}

// Consumers are the events the function takes, by type: drain.due.
func (f *Function) Consumers() map[string]eventing.Consumer {
	return map[string]eventing.Consumer{eventing.DrainDue: f.drain}
}

const (
	expireSlice = 500             // reservations per step
	expireTime  = 5 * time.Second // per event; the next one goes on where this one stopped
)

// drain returns the holds whose lease has ended. Nobody waits for it: every reservation looks after its own scope.
// It only keeps scopes tidy that nobody spends in.
func (f *Function) drain(ctx context.Context, _ eventing.Event) error {
	ctx, stop := context.WithTimeout(ctx, expireTime)
	defer stop()
	for ctx.Err() == nil {
		n, err := f.ledger.Expire(ctx, expireSlice)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if n < expireSlice {
			return nil
		}
	}
	return nil
}
