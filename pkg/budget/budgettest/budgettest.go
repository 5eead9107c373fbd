// Package budgettest is the contract suite of budget.Ledger. An adapter calls Run with a function that opens a fresh,
// empty ledger; every clause builds its own.
package budgettest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Setup is what a clause asks of a ledger.
type Setup struct {
	Clock  func() time.Time // the ledger's only clock
	Policy budget.Policy
}

// Opened is a fresh ledger with what belongs to it in its store. A nil Outbox or Erase leaves out the clauses about
// records or erasure.
type Opened struct {
	Ledger budget.Ledger
	Outbox outbox.Queue                                          // where the ledger's records go
	Erase  func(context.Context, string) (memory.Receipt, error) // removes a tenant from the store
	// DefaultProject says that a scope without a project means a certain one, as over HTTP. Other ledgers refuse it.
	DefaultProject bool
}

// Opener opens a fresh, empty ledger and sees to its end.
type Opener func(t *testing.T, s Setup) Opened

// Run holds the ledger named by on to its contract.
func Run(t *testing.T, on string, open Opener) {
	t.Helper()
	run := contract.Begin(t, "budgettest", on)
	abilities := open(t, Setup{Clock: time.Now})
	groups := []struct {
		name    string
		clauses []clause
		policy  budget.Policy
		lacks   string // what the adapter declares missing; the clauses are then left out
	}{
		{name: "limits", clauses: limitClauses()},
		{name: "reserve", clauses: reserveClauses()},
		{name: "settle", clauses: settleClauses()},
		{name: "release and expiry", clauses: leaseClauses()},
		{name: "periods", clauses: periodClauses()},
		{name: "isolation", clauses: isolationClauses()},
		{name: "defaults shared by projects", clauses: potClauses(), policy: budget.Policy{Defaults: defaults()}},
		{name: "limits of a tenant", clauses: tenantClauses(), policy: budget.Policy{Defaults: defaults()}},
		{name: "prices and costs", clauses: costClauses()},
		{name: "log of costs", clauses: logClauses()},
		{name: "no project", clauses: nowhereClauses(), lacks: lacking(abilities.DefaultProject, "refusal of no project")},
		{name: "concurrency", clauses: concurrencyClauses()},
		{name: "records", clauses: recordClauses(), lacks: lacking(abilities.Outbox == nil, "outbox")},
		{name: "records of a tenant", clauses: tenantRecordClauses(), policy: budget.Policy{Defaults: defaults()}, lacks: lacking(abilities.Outbox == nil, "outbox")},
		{name: "erasure", clauses: append(erasureClauses(), logErasureClauses()...), lacks: lacking(abilities.Erase == nil, "erasure")},
	}
	for _, group := range groups {
		if group.lacks != "" {
			run.Without(group.lacks, len(group.clauses))
			continue
		}
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range group.clauses {
				run.Clause(t, c.fact, func(t *testing.T) { c.prove(newFixture(t, open, group.policy)) })
			}
		})
	}
	t.Run("defaults of the policy", func(t *testing.T) { t.Parallel(); runPolicy(t, run, open) })
	run.Clause(t, "the books balance after any history", func(t *testing.T) { runModel(t, open) })
}

func lacking(lacks bool, what string) string {
	if lacks {
		return what
	}
	return ""
}

// clause is one fact of the contract and its proof against a ledger without default limits, or with those of its group.
type clause struct {
	fact  string
	prove func(f *fixture)
}

// fixture is one ledger in one clause's hands.
type fixture struct {
	*testing.T
	ctx    context.Context
	clock  *clock
	ledger budget.Ledger
	outbox outbox.Queue
	erase  func(context.Context, string) (memory.Receipt, error)
	scope  memory.Scope
}

func newFixture(t *testing.T, open Opener, policy budget.Policy) *fixture {
	t.Helper()
	c := &clock{now: at("2026-11-23T12:00:00Z")}
	opened := open(t, Setup{Clock: c.Now, Policy: policy})
	return &fixture{
		T: t, ctx: t.Context(), clock: c, ledger: opened.Ledger, outbox: opened.Outbox, erase: opened.Erase,
		scope: memory.Scope{Tenant: "acme", Project: "default"},
	}
}

// in returns the fixture in another scope.
func (f *fixture) in(tenant, project string) *fixture {
	other := *f
	other.scope = memory.Scope{Tenant: tenant, Project: project}
	return &other
}

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the time the clock was set to.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

func (c *clock) advance(d time.Duration) { c.set(c.Now().Add(d)) }

// at reads an RFC 3339 time.
func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

// usd is a whole or broken number of dollars.
func usd(s string) *budget.Cost {
	c, err := budget.ParseUSD(s)
	if err != nil {
		panic(err)
	}
	return &c
}

func tokens(n int64) *int64 { return &n }

// limit sets limits that must stand.
func (f *fixture) limit(l budget.Limits) budget.Status {
	f.Helper()
	s, err := f.ledger.PutLimits(f.ctx, f.scope, l)
	if err != nil {
		f.Fatalf("put limits: %v", err)
	}
	return s
}

// monthly sets only a monthly limit.
func (f *fixture) monthly(limit string) { f.Helper(); f.limit(budget.Limits{Monthly: usd(limit)}) }

func (f *fixture) current() budget.Status {
	f.Helper()
	s, err := f.ledger.Current(f.ctx, f.scope)
	if err != nil {
		f.Fatalf("current: %v", err)
	}
	return s
}

// ask is a request for an amount of dollars.
func ask(cost string) budget.Request {
	return budget.Request{Operation: "chat", Provider: "openai", Model: "gpt-4o", MaxCost: usd(cost)}
}

// reserve reserves what must be granted.
func (f *fixture) reserve(r budget.Request) budget.Reservation {
	f.Helper()
	reservation, err := f.ledger.Reserve(f.ctx, f.scope, r)
	if err != nil {
		f.Fatalf("reserve: %v", err)
	}
	return reservation
}

// refused reserves what must be refused.
func (f *fixture) refused(r budget.Request) *budget.ExceededError {
	f.Helper()
	_, err := f.ledger.Reserve(f.ctx, f.scope, r)
	var exceeded *budget.ExceededError
	if !errors.As(err, &exceeded) || fault.KindOf(err) != fault.OverBudget {
		f.Fatalf("reserve: got %v, want an ExceededError", err)
	}
	return exceeded
}

// settle settles what must be booked.
func (f *fixture) settle(id memory.ID, s budget.Settle) budget.Reservation {
	f.Helper()
	reservation, err := f.ledger.Settle(f.ctx, f.scope, id, s)
	if err != nil {
		f.Fatalf("settle: %v", err)
	}
	return reservation
}

// spend reserves and settles the same amount.
func (f *fixture) spend(cost string) {
	f.Helper()
	f.settle(f.reserve(ask(cost)).ID, budget.Settle{Cost: usd(cost)})
}

// is compares whole values.
func is[T any](f *fixture, what string, got, want T) {
	f.Helper()
	if !reflect.DeepEqual(got, want) {
		f.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// fails wants an error of a kind, and of a field where one is named.
func (f *fixture) fails(err error, kind fault.Kind, location string) {
	f.Helper()
	if err == nil || fault.KindOf(err) != kind {
		f.Fatalf("got error %v (%v), want kind %v", err, fault.KindOf(err), kind)
	}
	if location == "" {
		return
	}
	fields := fault.FieldsOf(err)
	if len(fields) != 1 || fields[0].Location != location {
		f.Errorf("got fields %+v, want %s", fields, location)
	}
}

// books is the part of a status that must balance.
type books struct {
	Month, Day, Held budget.Cost
}

func (f *fixture) books() books {
	f.Helper()
	s := f.current()
	return books{Month: s.MonthlyUsage, Day: s.DailyUsage, Held: s.MonthlyReserved}
}

// wantBooks compares the books, given in dollars.
func (f *fixture) wantBooks(month, day, held string) {
	f.Helper()
	is(f, "books", f.books(), books{Month: *usd(month), Day: *usd(day), Held: *usd(held)})
}

// records takes everything out of the outbox, in order.
func (f *fixture) records() []outbox.Record {
	f.Helper()
	var records []outbox.Record
	for {
		claimed, err := f.outbox.Claim(f.ctx, 100, time.Minute)
		if err != nil {
			f.Fatalf("claim: %v", err)
		}
		if len(claimed) == 0 {
			return records
		}
		ids := make([]string, len(claimed))
		for i, r := range claimed {
			ids[i] = r.ID
		}
		if err := f.outbox.Done(f.ctx, ids); err != nil {
			f.Fatalf("done: %v", err)
		}
		records = append(records, claimed...)
	}
}
