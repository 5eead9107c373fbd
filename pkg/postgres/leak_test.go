package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/reflection"
)

// Whose a transaction was ends with it, however it ended: the pool has one connection, and it is looked at after every
// call. A pooler that lends connections transaction by transaction relies on it, too.
func TestNothingOfACallStaysWithItsConnection(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Microsecond)
	db := open(t, postgres.Options{Connections: 1, Clock: func() time.Time { return now }})
	ledger, reflections, jobs := postgres.NewLedger(db, budget.Policy{}), postgres.NewReflections(db), postgres.NewJobs(db)
	for _, call := range calls(db, ledger, reflections, jobs) {
		if err := call.do(t.Context()); (err != nil) != call.fails {
			t.Errorf("%s: %v", call.name, err)
		}
		clean(t, db, call.name)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	err := db.Write(cancelled, acme, func(tx memory.Tx) error {
		_, _, err := tx.Put(t.Context(), memory.Memory{Content: "nobody waits"}, memory.Why{})
		cancel()
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left: %v", err)
	}
	clean(t, db, "a caller that left")
	func() {
		defer func() { _ = recover() }()
		_ = db.Write(t.Context(), acme, func(memory.Tx) error { panic("a mistake") })
	}()
	clean(t, db, "a panic")
}

// clean looks at what the connection remembers.
func clean(t *testing.T, db *postgres.DB, after string) {
	t.Helper()
	var tenant, project, now, timeout string
	var login bool
	err := db.Ask(t.Context(), `SELECT coalesce(current_setting('rae.tenant', true), ''), coalesce(current_setting('rae.project', true), ''),
		coalesce(current_setting('rae.now', true), ''), current_setting('statement_timeout'), current_user = session_user`,
		&tenant, &project, &now, &timeout, &login)
	if err != nil || tenant != "" || project != "" || now != "" || timeout != "0" || !login {
		t.Errorf("after %s: tenant %q, project %q, now %q, statement_timeout %s, current_user is the login: %v; %v",
			after, tenant, project, now, timeout, login, err)
	}
}

type call struct {
	name  string
	do    func(context.Context) error
	fails bool
}

// calls are methods of every kind of transaction there is: reading and writing, of a scope, of a tenant and of none, in a
// group and alone, with and without success.
func calls(db *postgres.DB, ledger *postgres.Ledger, reflections *postgres.Reflections, jobs *postgres.Jobs) []call {
	cost, limit := budget.USD, 3*budget.USD
	ask := budget.Request{Operation: "chat", Model: "m", MaxCost: &cost, TTL: time.Second}
	put := func(ctx context.Context) error {
		return db.Write(ctx, acme, func(tx memory.Tx) error {
			_, _, err := tx.Put(ctx, memory.Memory{Content: "tea at four"}, memory.Why{Actor: "test"})
			return err
		})
	}
	var held, lost budget.Reservation
	id := memory.NewID()
	return []call{
		{"ping", db.Ping, false},
		{"write", put, false},
		{"list", func(ctx context.Context) error { _, err := db.List(ctx, acme, memory.Query{Limit: 10}); return err }, false},
		{"a write that fails", func(ctx context.Context) error {
			return db.Write(ctx, acme, func(memory.Tx) error { return errors.New("no") })
		}, true},
		{"claim records", func(ctx context.Context) error { _, err := db.Claim(ctx, 10, time.Minute); return err }, false},
		{"put limits", func(ctx context.Context) error {
			_, err := ledger.PutLimits(ctx, acme, budget.Limits{Monthly: &limit})
			return err
		}, false},
		{"reserve", func(ctx context.Context) (err error) { held, err = ledger.Reserve(ctx, acme, ask); return err }, false},
		{"reserve again", func(ctx context.Context) (err error) { lost, err = ledger.Reserve(ctx, acme, ask); return err }, false},
		{"reserve too much", func(ctx context.Context) error {
			_, err := ledger.Reserve(ctx, acme, budget.Request{Operation: "chat", Model: "m", MaxCost: &limit})
			return err
		}, true},
		{"settle", func(ctx context.Context) error {
			_, err := ledger.Settle(ctx, acme, held.ID, budget.Settle{Cost: &cost})
			return err
		}, false},
		{"release", func(ctx context.Context) error { _, err := ledger.Release(ctx, acme, lost.ID); return err }, false},
		{"settle what is not there", func(ctx context.Context) error {
			_, err := ledger.Settle(ctx, acme, memory.NewID(), budget.Settle{Cost: &cost})
			return err
		}, true},
		{"current", func(ctx context.Context) error { _, err := ledger.Current(ctx, acme); return err }, false},
		{"expire", func(ctx context.Context) error { _, err := ledger.Expire(ctx, 10); return err }, false},
		{"costs of all projects", func(ctx context.Context) error {
			_, err := ledger.Costs(ctx, acme, budget.CostQuery{GroupBy: budget.ByProject, Limit: 10})
			return err
		}, false},
		{"put a price", func(ctx context.Context) error {
			_, err := ledger.PutPrice(ctx, acme.Tenant, budget.Price{Model: "m", Input: 1, Output: 1, Source: "test"})
			return err
		}, false},
		{"prices", func(ctx context.Context) error { _, err := ledger.Prices(ctx, acme.Tenant); return err }, false},
		{"create a reflection", func(ctx context.Context) error {
			r := reflection.Reflection{ID: id, Kind: reflection.Insight, Status: reflection.Queued, CreatedAt: time.Now()}
			_, _, err := reflections.Create(ctx, acme, r, memory.Key{}, outbox.Record{Type: outbox.ReflectionDue, Data: []byte("{}")})
			return err
		}, false},
		{"next reflection", func(ctx context.Context) error { _, _, err := reflections.Next(ctx, time.Minute); return err }, false},
		{"a claimed reflection", func(ctx context.Context) error { _, err := reflections.Claim(ctx, acme, id, time.Minute); return err }, true},
		{"create a job", func(ctx context.Context) error {
			_, _, err := jobs.Create(ctx, acme, job.Job{ID: id, Kind: "count"}, memory.Key{})
			return err
		}, false},
		{"next job", func(ctx context.Context) error {
			_, _, err := jobs.Next(ctx, []string{"count"}, time.Minute)
			return err
		}, false},
		{"project", func(ctx context.Context) error {
			_, err := db.Project(ctx, acme, "index", func(seq memory.Seq) (memory.Seq, error) { return seq + 1, nil })
			return err
		}, false},
		{"scopes", func(ctx context.Context) error { _, err := db.Scopes(ctx, memory.Scope{}, 10); return err }, false},
		{"sweep", func(ctx context.Context) error { _, err := db.Sweep(ctx, 10); return err }, false},
		{"erase", func(ctx context.Context) error { _, err := db.EraseTenant(ctx, acme.Tenant); return err }, false},
	}
}
