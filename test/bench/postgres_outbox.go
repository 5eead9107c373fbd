package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// drains is how often a backlog is drained.
const drains = 3

// draining drains backlogs of events that nobody has relayed: by a relay whose receiver takes everything at once, and by
// the server, whose functions do what the events ask for.
func (r *productionRun) draining(ctx context.Context, n int) error {
	stored := r.part.find(storeRate, n)
	for _, one := range []struct {
		what, project string
		drain         func(context.Context) (time.Duration, error)
	}{
		{"outbox drained by one relay", "relayed", r.relay},
		{"outbox drained by rae serve, events consumed", "consumed", r.consume},
	} {
		var rates []float64
		for i := range drains {
			events, err := r.backlogOf(ctx, n, fmt.Sprintf("%s-%d-%d", one.project, n, i))
			if err != nil {
				return err
			}
			took, err := one.drain(ctx)
			if err != nil {
				return err
			}
			rates = append(rates, float64(events)/took.Seconds())
		}
		r.part.add(figure{What: one.what, Memories: n, Value: quantile(rates, .5), Unit: perSecond}.against("stores of 32 clients", stored).atLeast(5))
	}
	return nil
}

// backlogOf imports memories into a project of their own while nobody relays, and returns how many events wait.
func (r *productionRun) backlogOf(ctx context.Context, n int, project string) (events int, err error) {
	engine, err := open(func(cfg *rae.Config) {
		cfg.Store.Store, cfg.Store.PostgresURL = database.Postgres, telemetry.Secret(r.login)
	})
	if err != nil {
		return 0, err
	}
	defer engine.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what was written is in the database
	stream := newSpeaker(r.seed, uint64(8000+n)).lines(min(n, r.backlog))
	defer stream.Close() //nolint:errcheck // never fails
	if _, err = engine.Memories.Import(ctx, memory.Scope{Tenant: tenant, Project: project}, stream, memory.Why{}, nil); err != nil {
		return 0, err
	}
	return events, r.owner.QueryRow(ctx, `SELECT count(*) FROM outbox`).Scan(&events)
}

// relay takes the events as the server does, to nobody.
func (r *productionRun) relay(ctx context.Context) (time.Duration, error) {
	db, err := postgres.Open(r.login, postgres.Options{})
	if err != nil {
		return 0, err
	}
	defer db.Close() //nolint:errcheck // what was written is in the database
	relay, err := eventing.NewRelay(db, nobody{}, eventing.RelayConfig{Parallel: 128, Lease: 30 * time.Second, Metrics: prometheus.NewRegistry()})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	_, err = relay.Drain(ctx)
	return time.Since(began), err
}

// nobody takes every event.
type nobody struct{}

func (nobody) Send(context.Context, event.Event) error { return nil }

// consume starts the server and times it until nothing is left.
func (r *productionRun) consume(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	server, err := r.serve(ctx, r.environment()...)
	if err != nil {
		return 0, err
	}
	defer server.Kill()
	if err := drained(ctx, r.owner); err != nil {
		return 0, err
	}
	took := time.Since(began)
	return took, settle(ctx, r.owner)
}
