package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
)

// spending times what a paid call costs before and after it: a reservation and its settlement, each durable. The least a
// database can do is one guarded UPDATE of one row, which lets nobody overspend and remembers nobody.
func (r *productionRun) spending(ctx context.Context) error {
	if err := r.plain.guard(ctx); err != nil {
		return err
	}
	for _, one := range []func(context.Context) error{r.spendingAlone, r.spendingTogether, r.refusing, r.spendingOfTenants} {
		if err := one(ctx); err != nil {
			return err
		}
	}
	return settle(ctx, r.owner)
}

// guard makes the row that is updated.
func (p *plain) guard(ctx context.Context) error {
	_, err := p.Exec(ctx, `CREATE TABLE guarded (scope text PRIMARY KEY, most bigint NOT NULL, used bigint NOT NULL) WITH (fillfactor = 50);
		INSERT INTO guarded VALUES ('acme', 1000000000000000000, 0)`)
	return err
}

// spend takes a dollar, if it is there.
func (p *plain) spend(ctx context.Context) error {
	_, err := p.Exec(ctx, `UPDATE guarded SET used = used + $1 WHERE scope = 'acme' AND used + $1 <= most`, int64(budget.USD))
	return err
}

// ledgers opens so many that share the database and nothing else, as processes do. close closes them.
func (r *productionRun) ledgers(n int) (ledgers []*postgres.Ledger, close func(), err error) {
	var opened []*postgres.DB
	close = func() {
		for _, db := range opened {
			db.Close() //nolint:errcheck // what was booked is in the database
		}
	}
	limit := 1_000_000_000 * budget.USD
	for range n {
		db, err := postgres.Open(r.login, postgres.Options{Connections: 4})
		if err != nil {
			close()
			return nil, nil, err
		}
		opened = append(opened, db)
		ledgers = append(ledgers, postgres.NewLedger(db, budget.Policy{Defaults: budget.Limits{Monthly: &limit}}))
	}
	return ledgers, close, nil
}

// spend reserves and settles a dollar.
func spend(ctx context.Context, ledger *postgres.Ledger, scope memory.Scope) error {
	cost := budget.USD
	held, err := ledger.Reserve(ctx, scope, budget.Request{Operation: "chat", Provider: "openai", Model: "gpt-4o", MaxCost: &cost})
	if err == nil {
		_, err = ledger.Settle(ctx, scope, held.ID, budget.Settle{TokensIn: 1000, TokensOut: 100, Cost: &cost})
	}
	return err
}

// spendingAlone is one spender.
func (r *productionRun) spendingAlone(ctx context.Context) error {
	ledgers, close, err := r.ledgers(1)
	if err != nil {
		return err
	}
	defer close()
	scope := memory.Scope{Tenant: "alone", Project: "default"}
	subject, baseline := func(int) error { return spend(ctx, ledgers[0], scope) }, func(int) error { return r.plain.spend(ctx) }
	for _, do := range []func(int) error{subject, baseline} {
		if err := warm(do); err != nil {
			return err
		}
	}
	t, err := inTurns(ctx, r.blocks, p50s(r.calls, subject), p50s(r.calls, baseline))
	if err != nil {
		return err
	}
	r.part.add(compared("reserve + settle, 1 spender, two commits", 0, inMilliseconds, t, "one guarded UPDATE, one commit").atMost(2.5))
	return nil
}

// spendingTogether is many spenders of one tenant, in one process and in several.
func (r *productionRun) spendingTogether(ctx context.Context) error {
	for _, processes := range []int{1, 4} {
		ledgers, close, err := r.ledgers(processes)
		if err != nil {
			return err
		}
		defer close()
		scope := memory.Scope{Tenant: fmt.Sprint("hot-", processes), Project: "default"}
		subject := func(client, _ int) error { return spend(ctx, ledgers[client%processes], scope) }
		baseline := func(int, int) error { return r.plain.spend(ctx) }
		for _, do := range []func(int, int) error{subject, baseline} {
			if _, _, err := crowd(manyClients, 2, do); err != nil {
				return err
			}
		}
		t, err := inTurns(ctx, r.blocks, crowds(manyClients, r.crowd, subject), crowds(manyClients, r.crowd, baseline))
		if err != nil {
			return err
		}
		what := fmt.Sprintf("reserve + settle, %d spenders of one tenant, processes: %d", manyClients, processes)
		r.part.add(compared(what, 0, perSecond, t, "as many guarded UPDATEs of one row").atLeast(2))
		if err := r.balanced(ctx, ledgers[0], scope, int64(manyClients*(2+r.crowd*r.blocks))); err != nil {
			return err
		}
	}
	return nil
}

// balanced fails unless exactly so many dollars are booked and none is held.
func (r *productionRun) balanced(ctx context.Context, ledger *postgres.Ledger, scope memory.Scope, dollars int64) error {
	s, err := ledger.CurrentTenant(ctx, scope.Tenant)
	if err == nil && (s.MonthlyUsage != budget.Cost(dollars)*budget.USD || s.MonthlyReserved != 0) {
		err = fmt.Errorf("the books of %s say %v used and %v held, and %d dollars were spent", scope.Tenant, s.MonthlyUsage, s.MonthlyReserved, dollars)
	}
	return err
}

// refusing asks for what no budget covers, in turns with searches of the smallest scope, both through HTTP.
func (r *productionRun) refusing(ctx context.Context) error {
	n := r.scopes[0]
	server, err := r.serve(ctx, r.environment()...)
	if err != nil {
		return err
	}
	defer server.Kill()
	caller := newCaller(server.URL)
	defer caller.close()
	ask := newSpeaker(r.seed, 9500)
	search := func(i int) error { _, err := find(ctx, caller, n, "hybrid", ask.query(i)); return err }
	refuse := func(int) error {
		_, err := caller.do(ctx, "POST", "/v1/reservations", map[string]any{"operation": "chat", "model": "gpt-4o", "max_cost": 10.01}, "X-Tenant-ID", "poor")
		if err == nil {
			return fmt.Errorf("more was granted than the defaults cover")
		}
		return refusal(err)
	}
	for _, do := range []func(int) error{refuse, search} {
		if err := warm(do); err != nil {
			return err
		}
	}
	t, err := inTurns(ctx, r.blocks, p50s(r.calls, refuse), p50s(r.calls, search))
	if err != nil {
		return err
	}
	r.part.add(compared("402 refusal, HTTP", n, inMilliseconds, t, "search, hybrid, HTTP").atMost(.5))
	return nil
}

// spendingOfTenants asks for the slowest hundredth, with more and more clients, all of one tenant or each call of another.
func (r *productionRun) spendingOfTenants(ctx context.Context) error {
	ledgers, close, err := r.ledgers(1)
	if err != nil {
		return err
	}
	defer close()
	const many = 1000
	for _, tenants := range []int{1, many} {
		for _, clients := range []int{1, 8, 64} {
			var next atomic.Int64
			call := func(int, int) error {
				tenant := fmt.Sprintf("of-%d-%d", tenants, next.Add(1)%int64(tenants))
				return spend(ctx, ledgers[0], memory.Scope{Tenant: tenant, Project: "default"})
			}
			if _, _, err := crowd(8, max(2*tenants/8, 4), call); err != nil { // each has its books
				return err
			}
			each := max(r.blocks*r.crowd*8/clients, 8)
			s, took, err := crowd(clients, each, call)
			if err != nil {
				return err
			}
			r.part.add(spendingFigure(tenants, clients, s, took))
		}
	}
	return nil
}

func spendingFigure(tenants, clients int, s sample, took time.Duration) figure {
	return figure{
		What:  fmt.Sprintf("p99 of reserve + settle, clients: %d, tenants: %d (%.0f /s)", clients, tenants, float64(len(s))/took.Seconds()),
		Value: milliseconds(s.at(.99)), Unit: inMilliseconds,
	}
}
