package postgres_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/budget/budgettest"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/servicetest"
)

func TestLedgerKeepsTheContract(t *testing.T) {
	t.Parallel()
	budgettest.Run(t, "postgres", func(t *testing.T, s budgettest.Setup) budgettest.Opened {
		db := open(t, postgres.Options{Clock: s.Clock})
		return budgettest.Opened{Ledger: postgres.NewLedger(db, s.Policy), Outbox: db, Erase: db.EraseTenant}
	})
}

// Two processes share the database and nothing else.
func TestTwoProcessesShareABudget(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	scope := memory.Scope{Tenant: "acme", Project: "default"}
	limit, cost := 20*budget.USD, budget.USD
	ledgers := make([]*postgres.Ledger, 2)
	for i := range ledgers {
		ledgers[i] = postgres.NewLedger(openAt(t, url, postgres.Options{}), budget.Policy{Defaults: budget.Limits{Monthly: &limit}})
	}
	var granted atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			r, err := ledgers[i%2].Reserve(t.Context(), scope, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost})
			switch {
			case err == nil:
				granted.Add(1)
				if _, err := ledgers[(i+1)%2].Settle(t.Context(), scope, r.ID, budget.Settle{Cost: &cost}); err != nil {
					t.Errorf("settle in the other process: %v", err)
				}
			case fault.KindOf(err) != fault.OverBudget:
				t.Errorf("reserve: %v", err)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 20 {
		t.Errorf("granted %d, want 20", granted.Load())
	}
	status, err := ledgers[0].Current(t.Context(), scope)
	if err != nil || status.MonthlyUsage != limit || status.MonthlyReserved != 0 {
		t.Errorf("the books say %v used, %v held: %v", status.MonthlyUsage, status.MonthlyReserved, err)
	}
}

func TestADatabaseThatIsAwayGrantsNothing(t *testing.T) {
	t.Parallel()
	db := openAt(t, "postgres://nobody@127.0.0.1:1/none", postgres.Options{})
	cost := budget.Cost(0)
	_, err := postgres.NewLedger(db, budget.Policy{Disabled: true}).Reserve(t.Context(), memory.Scope{Tenant: "acme", Project: "default"},
		budget.Request{Operation: "chat", Model: "m", MaxCost: &cost})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
}

// One who leaves in the middle of a settlement takes back what it did to the books, and nothing of those who share its
// transaction.
func TestOneWhoLeavesTakesBackOnlyItsOwn(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	leaving, leave := context.WithCancel(t.Context())
	db := openAt(t, url, postgres.Options{TraceParent: func(ctx context.Context) string {
		if ctx == leaving { // its settlement has changed the books, and has a warning to write
			leave()
		}
		return ""
	}})
	limit, cost := 10*budget.USD, 9*budget.USD
	small := budget.USD / 2
	policy := budget.Policy{Defaults: budget.Limits{Monthly: &limit}}
	ledger := postgres.NewLedger(db, policy)
	r, err := postgres.NewLedger(db, policy).Reserve(t.Context(), acme, budget.Request{Operation: "chat", Model: "m", MaxCost: &cost})
	if err != nil {
		t.Fatal(err)
	}
	other, err := connect(t, url).Begin(t.Context()) // another process has its turn: both have to wait, and come together
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(t.Context(), `SELECT pg_advisory_xact_lock(hashtextextended($1, 3))`, acme.Tenant); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := ledger.Settle(leaving, acme, r.ID, budget.Settle{Cost: &cost}); !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}
	})
	until(t, func() (waits bool) {
		err := other.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waits)
		return waits || err != nil
	})
	wg.Go(func() {
		if _, err := ledger.Reserve(t.Context(), acme, budget.Request{Operation: "chat", Model: "m", MaxCost: &small}); err != nil {
			t.Errorf("who stayed got %v", err)
		}
	})
	until(t, func() bool { return ledger.Waiting(acme.Tenant) == 1 })
	if err := other.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	status, err := ledger.Current(t.Context(), acme)
	if err != nil || status.MonthlyUsage != 0 || status.MonthlyReserved != cost+small {
		t.Errorf("the books say %v used, %v held: %v", status.MonthlyUsage, status.MonthlyReserved, err)
	}
	if _, err := ledger.Settle(t.Context(), acme, r.ID, budget.Settle{Cost: &cost}); err != nil {
		t.Errorf("settled after all: %v", err)
	}
}

// until waits for what another goroutine is about to do.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

// What projects used before there were budgets above them counts in these.
func TestBooksFromBeforeAreRolledUp(t *testing.T) {
	t.Parallel()
	url := servicetest.Postgres(t).Database(t, "")
	if err := postgres.MigrateTo(t.Context(), url, 13); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, url).Exec(t.Context(), `INSERT INTO budgets (tenant, project, warning_threshold, on_exhausted, updated_at, monthly_limit) VALUES ('acme', 'own', 0.8, 'reject', '2026-11-23T12:00:00Z', 100000000000);
	INSERT INTO budget_accounts (tenant, project, day, held_cost, held_tokens) VALUES ('acme', 'own', '2026-11-23', 1000000000, 10), ('acme', 'a', '2026-11-23', 2000000000, 20), ('acme', 'b', '2026-11-23', 0, 0);
	INSERT INTO budget_usage (tenant, project, period, cost, tokens, told) VALUES ('acme', 'own', '2026-11', 30000000000, 300, 0), ('acme', 'a', '2026-11', 4000000000, 40, 0),
		('acme', 'a', '2026-11-23', 3000000000, 30, 1), ('acme', 'b', '2026-11', 500000000, 5, 0), ('acme', 'b', '2026-11-23', 500000000, 5, 0), ('other', 'a', '2026-11', 1, 1, 0);
	INSERT INTO reservations (tenant, project, id, operation, provider, model, status, max_cost, max_tokens, price_known, created_at, expires_at, idempotency_key, fingerprint) VALUES
		('acme', 'a', '01968f3e-0000-7000-8000-000000000001', 'chat', '', 'm', 'held', 2000000000, 20, true, '2026-11-23T12:00:00Z', '2026-11-23T13:00:00Z', '', ''),
		('acme', 'own', '01968f3e-0000-7000-8000-000000000002', 'chat', '', 'm', 'held', 1000000000, 10, true, '2026-11-23T12:00:00Z', '2026-11-23T13:00:00Z', '', '');`); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Migrate(t.Context(), owned(t, url)); err != nil {
		t.Fatal(err)
	}
	db := openAt(t, url, postgres.Options{Clock: func() time.Time { return time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC) }})
	limits := budget.Limits{Daily: new(10 * budget.USD), Monthly: new(100 * budget.USD)}
	ledger := postgres.NewLedger(db, budget.Policy{Defaults: limits})
	budgettest.RolledUp(t, ledger)
}

// owned gives everything in the database to a role that row-level security binds, and returns its URL.
func owned(t *testing.T, superuser string) string {
	t.Helper()
	role, asRole := login(t, superuser)
	conn := connect(t, superuser)
	_, err := conn.Exec(t.Context(), `DO $$ DECLARE it record; BEGIN
		GRANT CREATE, USAGE ON SCHEMA public TO `+role+`;
		FOR it IN SELECT oid::regclass AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
			EXECUTE format('ALTER TABLE %s OWNER TO `+role+`', it.name);
		END LOOP;
	END $$`)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := conn.Exec(ctx, `REASSIGN OWNED BY `+role+` TO CURRENT_USER; DROP OWNED BY `+role); err != nil {
			t.Error(err)
		}
	})
	return asRole
}

// A process goes by what it remembers of the books only as long as nobody else has written them.
func TestWhatAnotherProcessDidIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	limit := 10 * budget.USD
	policy := budget.Policy{Defaults: budget.Limits{Monthly: &limit}}
	first := postgres.NewLedger(openAt(t, url, postgres.Options{}), policy)
	ctx := t.Context()
	ask := func(l *postgres.Ledger, scope memory.Scope, key string, dollars int) (budget.Reservation, error) {
		return l.Reserve(ctx, scope, budget.Request{
			Operation: "chat", Model: "gpt-4o", MaxCost: new(budget.Cost(dollars) * budget.USD), IdempotencyKey: key, TTL: time.Hour,
		})
	}
	for name, meanwhile := range map[string]func(t *testing.T, second *postgres.Ledger, scope memory.Scope, held budget.Reservation) error{
		"nothing": func(*testing.T, *postgres.Ledger, memory.Scope, budget.Reservation) error { return nil },
		"a reservation in another project": func(_ *testing.T, second *postgres.Ledger, scope memory.Scope, _ budget.Reservation) error {
			scope.Project = "another"
			_, err := ask(second, scope, "", 1)
			return err
		},
		"limits of the project": func(_ *testing.T, second *postgres.Ledger, scope memory.Scope, _ budget.Reservation) error {
			_, err := second.PutLimits(ctx, scope, budget.Limits{Monthly: new(9 * budget.USD)})
			return err
		},
		"limits of the tenant": func(_ *testing.T, second *postgres.Ledger, scope memory.Scope, _ budget.Reservation) error {
			_, err := second.PutTenantLimits(ctx, scope.Tenant, budget.Limits{Monthly: new(9 * budget.USD)})
			return err
		},
		"a settlement beyond the hold": func(_ *testing.T, second *postgres.Ledger, scope memory.Scope, held budget.Reservation) error {
			_, err := second.Settle(ctx, scope, held.ID, budget.Settle{Cost: new(5 * budget.USD)})
			return err
		},
		"the same key": func(t *testing.T, second *postgres.Ledger, scope memory.Scope, _ budget.Reservation) error {
			made, err := ask(second, scope, "key", 2)
			again, failed := ask(first, scope, "key", 2)
			if failed != nil || !reflect.DeepEqual(again, made) {
				t.Errorf("the same request under a key of another process: got %+v, %v, want %+v", again, failed, made)
			}
			if _, failed := ask(first, scope, "key", 3); fault.KindOf(failed) != fault.Conflict {
				t.Errorf("another request under it: %v", failed)
			}
			return err
		},
		"the end of a lease": func(_ *testing.T, second *postgres.Ledger, scope memory.Scope, _ budget.Reservation) error {
			_, err := connect(t, url).Exec(ctx, `WITH ended AS (UPDATE reservations SET expires_at = now() WHERE tenant = $1 RETURNING 1)
				UPDATE tenant_accounts SET lapses_at = now() WHERE tenant = $1`, scope.Tenant)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			second := postgres.NewLedger(openAt(t, url, postgres.Options{}), policy)
			scope := memory.Scope{Tenant: strings.ReplaceAll(name, " ", "-"), Project: "default"}
			held, err := ask(first, scope, "", 4)
			if err == nil {
				err = meanwhile(t, second, scope, held)
			}
			if err != nil {
				t.Fatal(err)
			}
			most := map[string]int{"nothing": 6, "the same key": 4, "the end of a lease": 10}[name]
			if most == 0 {
				most = 5
			}
			if _, err := ask(first, scope, "", most+1); fault.KindOf(err) != fault.OverBudget {
				t.Errorf("%d dollars: %v, want a refusal", most+1, err)
			}
			if _, err := ask(first, scope, "", most); err != nil {
				t.Errorf("%d dollars: %v", most, err)
			}
		})
	}
}

func TestAPriceThatAnotherProcessSetHoldsAtOnce(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	var ledgers [2]*postgres.Ledger
	for i := range ledgers {
		ledgers[i] = postgres.NewLedger(openAt(t, url, postgres.Options{}), budget.Policy{})
	}
	price := func() budget.Cost {
		r, err := ledgers[0].Reserve(t.Context(), acme, budget.Request{Operation: "chat", Model: "own-1", TokensIn: 1_000_000})
		if err != nil {
			t.Fatal(err)
		}
		return r.MaxCost
	}
	for _, dollars := range []budget.Cost{3, 5, 7} {
		if _, err := ledgers[1].PutPrice(t.Context(), acme.Tenant, budget.Price{Model: "own-1", Input: dollars * budget.USD}); err != nil {
			t.Fatal(err)
		}
		if got := price(); got != dollars*budget.USD {
			t.Errorf("a million tokens at %d dollars are held with %v", dollars, got)
		}
	}
}

// Whoever leaves when the books turn out to have changed is told that it has left: nothing was wrong with the store.
func TestBooksThatHaveChangedAreNoFailureOfWhoeverLeaves(t *testing.T) {
	t.Parallel()
	ledger := postgres.NewLedger(open(t, postgres.Options{}), budget.Policy{})
	ctx, leave := context.WithCancel(t.Context())
	if err := ledger.Outdated(ctx, acme.Tenant, leave); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the end of the context", err)
	}
}

// Those who spend in several processes leave the terms of the books alone, and so nobody has to read them again; what changes
// the terms does not.
func TestWhoSpendsLeavesTheTermsAlone(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	limit := 100 * budget.USD
	policy := budget.Policy{Defaults: budget.Limits{Monthly: &limit}}
	var ledgers [2]*postgres.Ledger
	for i := range ledgers {
		ledgers[i] = postgres.NewLedger(openAt(t, url, postgres.Options{}), policy)
	}
	spend := func(i int) {
		t.Helper()
		r, err := ledgers[i%2].Reserve(t.Context(), acme, budget.Request{Operation: "chat", Model: "m", MaxCost: new(budget.USD)})
		if err == nil {
			_, err = ledgers[i/2%2].Settle(t.Context(), acme, r.ID, budget.Settle{Cost: new(budget.USD)})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	conn := connect(t, url)
	stamp := func() (stamp int64) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), `SELECT stamp FROM tenant_accounts WHERE tenant = $1`, acme.Tenant).Scan(&stamp); err != nil {
			t.Fatal(err)
		}
		return stamp
	}
	spend(0)
	before := stamp()
	for i := range 30 {
		spend(i)
	}
	if after := stamp(); after != before {
		t.Errorf("the terms changed from %d to %d", before, after)
	}
	status, err := ledgers[0].Current(t.Context(), acme)
	if err != nil || status.MonthlyUsage != 31*budget.USD || status.MonthlyReserved != 0 {
		t.Errorf("the books say %v used, %v held: %v", status.MonthlyUsage, status.MonthlyReserved, err)
	}
	if _, err := ledgers[1].PutLimits(t.Context(), acme, budget.Limits{Monthly: &limit}); err != nil {
		t.Fatal(err)
	}
	if stamp() == before {
		t.Error("other limits left the terms as they were")
	}
}
