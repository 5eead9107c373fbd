package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"

	"github.com/rae-memory/rae/pkg/fault"
)

const (
	// tripAfter failures in a row the circuit opens.
	tripAfter = 5
	// restFor is how long nobody asks after one that Redis did not answer, so that a request with several questions
	// waits for the first of them only.
	restFor = 250 * time.Millisecond
)

// errAway is what is said of Redis while it is not asked.
var errAway = fault.New(fault.Unavailable, "redis is away")

// guard stands before every operation: it bounds its time, stops asking a Redis that does not answer, and counts.
type guard struct {
	breaker *gobreaker.CircuitBreaker[struct{}]
	most    time.Duration // of one operation, connecting included
	rested  atomic.Int64  // Unix nanoseconds
	last    atomic.Value  // failure, the latest
	log     *slog.Logger
	counted *prometheus.CounterVec
	state   prometheus.Gauge
}

// failure boxes an error, because an atomic.Value takes one concrete type only.
type failure struct{ err error }

func newGuard(o Options) (*guard, error) {
	g := &guard{
		most: max(o.DialTimeout, o.Timeout), log: o.Log,
		counted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rae_redis_operations_total",
			Help: "Operations by result: hit and miss of reads, ok of the rest, lie of values that were not what was put, error, and skipped while Redis was not asked.",
		}, []string{"operation", "result"}),
		state: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "rae_redis_circuit_state", Help: "0 closed: Redis is asked; 1 half-open: one asks; 2 open: nobody does.",
		}),
	}
	if o.Metrics != nil {
		for _, c := range []prometheus.Collector{g.counted, g.state} {
			if err := o.Metrics.Register(c); err != nil {
				return nil, fmt.Errorf("register metrics of redis: %w", err)
			}
		}
	}
	g.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: "redis", MaxRequests: 1, Timeout: o.OpenFor,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		OnStateChange: g.changed,
		IsExcluded:    func(err error) bool { return errors.As(err, new(abandoned)) },
	})
	return g, nil
}

// abandoned is the error of a caller that went away: it says nothing of Redis.
type abandoned struct{ error }

func (a abandoned) Unwrap() error { return a.error }

// do asks Redis within its time, or nothing at all while it is left alone. The error is for a caller that must know;
// caches ignore it.
func (g *guard) do(ctx context.Context, operation string, ask func(context.Context) error) error {
	if time.Now().UnixNano() < g.rested.Load() {
		g.count(operation, "skipped", 1)
		return errAway
	}
	_, err := g.breaker.Execute(func() (struct{}, error) { return struct{}{}, g.ask(ctx, ask) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		g.count(operation, "skipped", 1)
		return errAway
	}
	g.count(operation, "error", 1)
	return err
}

// ask runs one operation. An error Redis itself answered with (full, read-only) is a failure like any other, but who
// answers at once need not be rested from.
func (g *guard) ask(ctx context.Context, ask func(context.Context) error) (err error) {
	bounded, cancel := context.WithTimeout(ctx, g.most)
	defer cancel()
	defer func() {
		if p := recover(); p != nil { // a library that trusted the type of an answer
			err = fmt.Errorf("redis answered with something else: %T", p)
		}
		if err == nil {
			return
		}
		if left(ctx) {
			err = abandoned{err}
			return
		}
		g.last.Store(failure{err})
		if !errors.As(err, new(goredis.Error)) {
			g.rested.Store(time.Now().Add(restFor).UnixNano())
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	return ask(bounded)
}

// left tells whether the caller went away or ran out of time. A connection keeps a deadline on a clock of its own and
// may notice before the context does.
func left(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	return ctx.Err() != nil || bounded && time.Until(deadline) <= 0
}

// changed tells once that Redis went away and once that it is back. Probes that fail in between are not told.
func (g *guard) changed(_ string, from, to gobreaker.State) {
	g.state.Set(map[gobreaker.State]float64{gobreaker.StateHalfOpen: 1, gobreaker.StateOpen: 2}[to])
	switch {
	case from == gobreaker.StateClosed && to == gobreaker.StateOpen:
		last, _ := g.last.Load().(failure)
		g.log.Warn("redis is away: answers stay right and take longer", "err", last.err)
	case to == gobreaker.StateClosed:
		g.log.Info("redis is back")
	}
}

func (g *guard) count(operation, result string, n int) {
	g.counted.WithLabelValues(operation, result).Add(float64(n))
}
