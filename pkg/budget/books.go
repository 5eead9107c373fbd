package budget

import (
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Books are the accounts that one project's reservations count in. They are open on one day, the tenant's. An adapter fills
// them inside a transaction, calls one of their methods, and stores them again with the reservation and the records the
// method left: of each account Held and Day, Today under Day, Month under Day.Month().
type Books struct {
	Project *Account // nil where only the tenant's limits are meant
	Tenant  *Account // all its projects together; limited where the tenant has limits
	// Pot is what those projects spend together that have no limits of their own, against the policy's defaults: a
	// tenant that names ever more projects gets no more by it. It is limited as long as the tenant has no limits.
	Pot     *Account
	Records []outbox.Record // to be written in the same transaction
}

// DrawsOnPot reports whether a reservation that is made now counts in the pot.
func (b *Books) DrawsOnPot() bool { return !b.Project.Own && !b.Tenant.Own }

// counting lists the accounts that a reservation of the project counts in, in the order their limits are checked.
func (b *Books) counting(project string, pot bool) []*Account {
	accounts := make([]*Account, 0, 3)
	if b.Project != nil && b.Project.Scope.Project == project {
		accounts = append(accounts, b.Project)
	}
	accounts = append(accounts, b.Tenant)
	if pot {
		accounts = append(accounts, b.Pot)
	}
	return accounts
}

// admit holds the amount in all accounts, or says which limit stands against it.
func (b *Books) admit(asked Amount, pot bool, now time.Time) error {
	accounts := b.counting(b.Project.Scope.Project, pot)
	for _, a := range accounts {
		refusal, tell, err := a.admit(asked)
		if err != nil {
			return err
		}
		if refusal == nil {
			continue
		}
		if tell {
			b.Records = append(b.Records, a.announceExceeded(refusal.Period, now)...)
		}
		refusal.Scope = b.Project.Scope
		return refusal
	}
	var next [3]Account
	for i, a := range accounts {
		var fits bool
		if next[i], fits = a.holding(asked); !fits {
			return fault.BadField("body.max_cost", "is more than the ledger can count")
		}
	}
	for i, a := range accounts {
		*a = next[i]
	}
	return nil
}

// book turns a hold, which may be nothing, into spending, in all accounts the reservation counts in.
func (b *Books) book(r *Reservation, hold, spent Amount, now time.Time) error {
	accounts := b.counting(r.ProjectID, r.Pot)
	var next [3]Account
	for i, a := range accounts {
		var fits bool
		if next[i], fits = a.booked(hold, spent); !fits {
			return fault.BadField("body.cost", "is more than the ledger can count")
		}
	}
	for i, a := range accounts {
		*a = next[i]
		b.Records = append(b.Records, a.announce(now)...)
		a.announced()
	}
	return nil
}

// giveBack takes a hold off all accounts the reservation counts in.
func (b *Books) giveBack(r *Reservation) {
	for _, a := range b.counting(r.ProjectID, r.Pot) {
		a.letGo(r.Hold())
	}
}

// Lapse gives back the hold of a reservation whose lease has ended by now, and returns the reservation as it then is.
// It may be another project's of the tenant: then that project's account is the caller's to mend.
func (b *Books) Lapse(r Reservation, now time.Time) Reservation {
	lapsed := r.At(now)
	if r.Status == Held && lapsed.Status == Expired {
		b.giveBack(&r)
	}
	return lapsed
}

// Limit puts other limits of the project in force. What it drew on the pot before stays there.
func (b *Books) Limit(l Limits, now time.Time) {
	b.Records = append(b.Records, b.Project.limit(l, now)...)
}

// LimitTenant puts other limits of the tenant in force, which end those of the pot.
func (b *Books) LimitTenant(l Limits, now time.Time) {
	b.Records = append(b.Records, b.Tenant.limit(l, now)...)
	b.Pot.Enforced = false
}

// Reserve decides about a request. When it fails nothing is held, but Records may still have something to tell.
func (b *Books) Reserve(r Request, prices Pricelist, now time.Time) (Reservation, error) {
	r, err := r.complete()
	if err != nil {
		return Reservation{}, err
	}
	asked, known, err := r.amount(prices)
	if err != nil {
		return Reservation{}, err
	}
	pot := b.DrawsOnPot()
	if err := b.admit(asked, pot, now); err != nil {
		return Reservation{}, err
	}
	now = now.UTC()
	return Reservation{
		ID: memory.NewID(), TenantID: b.Project.Scope.Tenant, ProjectID: b.Project.Scope.Project,
		Operation: r.Operation, Provider: r.Provider, Model: r.Model,
		Status: Held, MaxCost: asked.Cost, MaxTokens: asked.Tokens, PriceKnown: known, Pot: pot,
		CreatedAt: now, ExpiresAt: now.Add(r.TTL),
	}, nil
}

// Settle books what a reservation's call cost. The reservation returned is to be stored when changed is true.
func (b *Books) Settle(r Reservation, s Settle, prices Pricelist, now time.Time) (settled Reservation, changed bool, err error) {
	switch r.Status {
	case Released:
		return Reservation{}, false, fault.New(fault.Conflict, "the reservation was released; it cannot be settled")
	case Settled:
		if !s.equal(r.Settlement) {
			return Reservation{}, false, fault.New(fault.Conflict, "the reservation was settled with other numbers")
		}
		return r, false, nil
	}
	spent, booked, err := s.price(r, prices)
	if err != nil {
		return Reservation{}, false, err
	}
	lapsed := r.At(now)
	hold := Amount{}
	if r.Status == Held {
		hold = r.Hold()
	}
	booked.Late = lapsed.Status == Expired
	booked.Overrun = booked.Cost
	if !booked.Late {
		booked.Overrun = max(booked.Cost-r.MaxCost, 0)
	}
	if err := b.book(&r, hold, spent, now); err != nil {
		return Reservation{}, false, err
	}
	booked.Day, booked.SettledAt = b.Project.Day, now.UTC()
	r.Status, r.Settlement = Settled, &booked
	return r, true, nil
}

// Release gives a hold back. The reservation returned is to be stored when changed is true.
func (b *Books) Release(r Reservation, now time.Time) (released Reservation, changed bool, err error) {
	switch lapsed := r.At(now); {
	case r.Status == Settled:
		return Reservation{}, false, fault.New(fault.Conflict, "the reservation was settled; it cannot be released")
	case r.Status != Held:
		return r, false, nil
	case lapsed.Status == Expired:
		return b.Lapse(r, now), true, nil
	}
	b.giveBack(&r)
	r.Status = Released
	return r, true, nil
}
