package budget

import (
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Usage is what was booked in one period, and what was announced of it.
type Usage struct {
	Amount
	Told Told
}

// Account is the state of one scope's books on the day they are open. An adapter fills it inside a transaction, calls
// one of its methods, and stores it again with the reservation and the records the method left: Held and Day with
// the account, Today under Day, Month under Day.Month().
type Account struct {
	Scope    memory.Scope
	Limits   Limits // in force: the scope's own or the policy's
	Enforced bool
	Day      Day
	Held     Amount // by live reservations, of whatever day
	Today    Usage
	Month    Usage
	Records  []outbox.Record // to be written in the same transaction
}

// used returns what is booked and held in the unit of the period.
func (a *Account) used(p Period) (used, held int64) {
	switch p {
	case Daily:
		return int64(a.Today.Cost), int64(a.Held.Cost)
	case Monthly:
		return int64(a.Month.Cost), int64(a.Held.Cost)
	case DailyTokens:
		return a.Today.Tokens, a.Held.Tokens
	default:
		return a.Month.Tokens, a.Held.Tokens
	}
}

// periods lists the limits in the order they are checked and announced.
func periods() [4]Period { return [...]Period{Daily, Monthly, DailyTokens, MonthlyTokens} }

// admit holds the amount, or says which limit stands against it.
func (a *Account) admit(asked Amount, now time.Time) error {
	for _, p := range periods() {
		limit, limited := a.Limits.of(p)
		if !limited || !a.Enforced {
			continue
		}
		requested := int64(asked.Cost)
		if p == DailyTokens || p == MonthlyTokens {
			requested = asked.Tokens
			if requested == 0 {
				return fault.BadField("body.tokens_in", "is required with max_tokens_out: this budget limits tokens")
			}
		}
		used, held := a.used(p)
		if total, fits := sum(used, held, requested); fits && total <= limit {
			continue
		}
		if requested <= limit && used > limit-requested {
			a.announceExceeded(p, now)
		}
		return &ExceededError{
			Scope: a.Scope, Period: p, Limit: limit, Usage: used, Reserved: held, Requested: requested,
			ResetsAt: a.Day.Resets().of(p), OnExhausted: a.Limits.OnExhausted,
		}
	}
	held, fits := a.Held.plus(asked)
	if _, all := held.plus(a.Month.Amount); !fits || !all {
		return fault.BadField("body.max_cost", "is more than the ledger can count")
	}
	a.Held = held
	return nil
}

// book turns a hold, which may be nothing, into spending.
func (a *Account) book(hold, spent Amount, now time.Time) error {
	held := a.Held.minus(hold)
	month, fits := a.Month.plus(spent)
	today, fitsToday := a.Today.plus(spent)
	if _, all := month.plus(held); !fits || !fitsToday || !all {
		return fault.BadField("body.cost", "is more than the ledger can count")
	}
	a.Held, a.Month.Amount, a.Today.Amount = held, month, today
	a.announce(now)
	return nil
}

// Lapse gives back the hold of a reservation whose lease has ended by now, and returns the reservation as it then is.
func (a *Account) Lapse(r Reservation, now time.Time) Reservation {
	lapsed := r.At(now)
	if r.Status == Held && lapsed.Status == Expired {
		a.Held = a.Held.minus(r.Hold())
	}
	return lapsed
}

// Limit puts other limits in force, which is announced where they differ from those before. Limits that usage is below
// again may be announced anew; limits that usage has already reached are announced at once.
func (a *Account) Limit(l Limits, now time.Time) {
	if !a.Limits.equal(&l) {
		a.changed(now)
	}
	a.Limits = l
	a.rearm()
	a.announce(now)
}

// Reserve decides about a request. When it fails nothing is held, but Records may still have something to tell.
func (a *Account) Reserve(r Request, prices Pricelist, now time.Time) (Reservation, error) {
	r, err := r.complete()
	if err != nil {
		return Reservation{}, err
	}
	asked, known, err := r.amount(prices)
	if err != nil {
		return Reservation{}, err
	}
	if err := a.admit(asked, now); err != nil {
		return Reservation{}, err
	}
	now = now.UTC()
	return Reservation{
		ID: memory.NewID(), TenantID: a.Scope.Tenant, ProjectID: a.Scope.Project,
		Operation: r.Operation, Provider: r.Provider, Model: r.Model,
		Status: Held, MaxCost: asked.Cost, MaxTokens: asked.Tokens, PriceKnown: known,
		CreatedAt: now, ExpiresAt: now.Add(r.TTL),
	}, nil
}

// Settle books what a reservation's call cost. The reservation returned is to be stored when changed is true.
func (a *Account) Settle(r Reservation, s Settle, prices Pricelist, now time.Time) (settled Reservation, changed bool, err error) {
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
	if err := a.book(hold, spent, now); err != nil {
		return Reservation{}, false, err
	}
	booked.Day, booked.SettledAt = a.Day, now.UTC()
	r.Status, r.Settlement = Settled, &booked
	return r, true, nil
}

// Release gives a hold back. The reservation returned is to be stored when changed is true.
func (a *Account) Release(r Reservation, now time.Time) (released Reservation, changed bool, err error) {
	switch lapsed := r.At(now); {
	case r.Status == Settled:
		return Reservation{}, false, fault.New(fault.Conflict, "the reservation was settled; it cannot be released")
	case r.Status != Held:
		return r, false, nil
	case lapsed.Status == Expired:
		return a.Lapse(r, now), true, nil
	}
	a.Held = a.Held.minus(r.Hold())
	r.Status = Released
	return r, true, nil
}
