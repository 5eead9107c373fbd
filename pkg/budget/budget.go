// Package budget is the ledger of what RAE spends on paid calls: an amount is reserved before a call and what the
// call really cost is settled after it, so that no budget is overspent, whatever the concurrency.
//
// The rules live here as functions of values ([Books], [Request], [Settle]); an adapter of the [Ledger] port lends
// them one transaction at a time and stores what they say. Package budgettest holds the contract suite of the port.
//
// Money is an integer of nano-dollars ([Cost]); prices are per million tokens, and a price that does not come out
// even is rounded up. Periods are UTC days and months named by their date ([Day]), so nothing is ever reset and no
// job can miss a midnight. What is held by live reservations belongs to no period: it counts against whichever day
// and month the ledger is in, because that is where its settlement will be booked. A settlement is booked at the
// time it is made. Spend that crosses midnight is therefore neither lost nor counted twice.
package budget

import (
	"context"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Spender is what a paid call needs of the ledger. All three methods may be repeated.
type Spender interface {
	// Reserve holds an amount until it is settled, released or its lease ends. It must fail with *ExceededError,
	// holding nothing, exactly when used + reserved + asked is over a limit, where reservations whose lease has
	// ended no longer count. Limits are checked in the order daily USD, monthly USD, daily tokens, monthly tokens, the
	// project's before the tenant's. A tenant's limits bound what all its projects use together. A tenant that has none
	// is bound all the same in its projects that have none either: they share the policy's defaults.
	// The same IdempotencyKey with an equal request returns the reservation as it was made; with another request it
	// fails with Conflict. A refusal is not remembered under the key.
	Reserve(ctx context.Context, scope memory.Scope, r Request) (Reservation, error)
	// Settle books what the call really cost, in full, even if that is more than was reserved or the lease has
	// ended: what exceeds the hold is recorded as overrun. Equal numbers give the same answer again, other numbers
	// and a released reservation are a Conflict, an unknown or foreign id is NotFound.
	Settle(ctx context.Context, scope memory.Scope, id memory.ID, s Settle) (Reservation, error)
	// Release gives the hold back. Releasing twice, or after the lease ended, is no error and changes nothing;
	// after a settlement it is a Conflict; an unknown or foreign id is NotFound.
	Release(ctx context.Context, scope memory.Scope, id memory.ID) (Reservation, error)
}

// Ledger is the port of everything that keeps budgets. Implementations must be durable when a method that changes
// something returns nil, must keep scopes apart in every method, must read the time from one clock of their own, and
// must write outbox records (budget.warning, budget.exceeded) in the transaction that caused them. A store that is
// away is Unavailable: nothing is ever granted on a guess.
type Ledger interface {
	Spender
	Log
	Overseer
	// PutLimits replaces the limits of a scope. Invalid names the field that cannot stand.
	PutLimits(ctx context.Context, scope memory.Scope, l Limits) (Status, error)
	// Current tells how the budget of a scope stands. A scope that never set limits has the policy's defaults. Nothing in
	// it is another project's: what the tenant's limits leave may be less.
	Current(ctx context.Context, scope memory.Scope) (Status, error)
	// PutTenantLimits replaces the limits of a tenant, which hold above those of its projects. Invalid names the field
	// that cannot stand.
	PutTenantLimits(ctx context.Context, tenant string, l Limits) (TenantStatus, error)
	// CurrentTenant tells how the budget of a tenant stands: what all its projects use together.
	CurrentTenant(ctx context.Context, tenant string) (TenantStatus, error)
	// Reservation reads one reservation; one whose lease has ended reads as expired, swept or not.
	Reservation(ctx context.Context, scope memory.Scope, id memory.ID) (Reservation, error)
	// Expire gives back up to limit holds of any scope whose lease has ended and returns how many. Reserve and
	// Current do not wait for it.
	Expire(ctx context.Context, limit int) (int, error)
	// Costs sums what was booked. Grouping by project looks across the projects of the scope's tenant, every other
	// grouping stays in the scope.
	Costs(ctx context.Context, scope memory.Scope, q CostQuery) (CostReport, error)
	// Prices lists the catalogue with the tenant's own prices in it, sorted by model.
	Prices(ctx context.Context, tenant string) ([]Price, error)
	// PutPrice sets the tenant's own price for every model whose name starts with p.Model.
	PutPrice(ctx context.Context, tenant string, p Price) (Price, error)
}

// CheckScope reports a scope for which no budget can be kept: one that is none, or names no project. A tenant's own budget
// has methods of its own.
func CheckScope(scope memory.Scope) error {
	if scope.Project == "" {
		return fault.BadField("project_id", "is required")
	}
	return scope.Check()
}

// Policy is what holds for a scope that said nothing.
type Policy struct {
	Defaults Limits // of a scope that never set limits
	Disabled bool   // no limit is enforced; spending is booked all the same
}

// Project opens the account of a project on the day of its tenant. own are the limits it set, nil if it never did. The
// caller fills in what is held and used.
func (p Policy) Project(scope memory.Scope, own *Limits, day Day) Account {
	limits := p.Defaults
	if own != nil {
		limits = *own
	}
	return Account{Scope: scope, Limits: limits.withDefaults(), Own: own != nil, Enforced: !p.Disabled, Day: day}
}

// Tenant opens the accounts above a tenant's projects at now. own are the limits the tenant set, nil if it never did; last
// is the day its books were last open on, "" if they never were. The caller fills in what is held and used.
func (p Policy) Tenant(tenant string, own *Limits, last Day, now time.Time) (all, pot Account) {
	day := OpenDay(last, now)
	all = Account{Scope: memory.Scope{Tenant: tenant}, Own: own != nil, Enforced: !p.Disabled, Day: day}
	pot = all
	pot.Limits, pot.Own, pot.Enforced = p.Defaults.withDefaults(), false, !p.Disabled && own == nil
	if own != nil {
		all.Limits = *own
	}
	all.Limits = all.Limits.withDefaults()
	return all, pot
}
