package inmem

import (
	"context"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ budget.Ledger = (*Ledger)(nil)

// Ledger keeps the budgets of a DB.
type Ledger struct {
	db     *DB
	policy budget.Policy
	books  map[memory.Scope]*book
	prices map[string][]budget.Price // by tenant
}

// book is what is kept of one scope.
type book struct {
	limits       *budget.Limits // nil: never set
	day          budget.Day     // last open on
	held         budget.Amount
	usage        map[string]budget.Usage // by day and by month
	reservations map[memory.ID]budget.Reservation
	live         map[memory.ID]struct{} // the held ones
	keys         map[string]keyed       // by idempotency key
	savings      map[memory.ID]budget.Line
}

// keyed is what an idempotency key stands for.
type keyed struct {
	fingerprint string
	id          memory.ID
}

// NewLedger returns an empty ledger whose records go to the outbox of db and which db's EraseTenant covers.
func NewLedger(db *DB, policy budget.Policy) *Ledger {
	l := &Ledger{db: db, policy: policy, books: map[memory.Scope]*book{}, prices: map[string][]budget.Price{}}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.erasers = append(db.erasers, l.erase)
	return l
}

// begin opens the books of a scope at now. The caller holds the mutex.
func (l *Ledger) begin(scope memory.Scope, now time.Time) (*book, budget.Account) {
	b := l.books[scope]
	if b == nil {
		b = &book{
			usage: map[string]budget.Usage{}, reservations: map[memory.ID]budget.Reservation{},
			live: map[memory.ID]struct{}{}, keys: map[string]keyed{}, savings: map[memory.ID]budget.Line{},
		}
	}
	a := l.policy.Account(scope, b.limits, b.day, now)
	a.Held, a.Today, a.Month = b.held, b.usage[string(a.Day)], b.usage[a.Day.Month()]
	return b, a
}

// lapse gives back up to limit holds whose lease has ended.
func (b *book) lapse(u *undo, a *budget.Account, now time.Time, limit int) int {
	n := 0
	for id := range b.live {
		if n >= limit {
			break
		}
		if r := a.Lapse(b.reservations[id], now); r.Status != budget.Held {
			b.put(u, r)
			n++
		}
	}
	return n
}

func (b *book) put(u *undo, r budget.Reservation) {
	set(u, b.reservations, r.ID, r)
	if r.Status == budget.Held {
		set(u, b.live, r.ID, struct{}{})
	} else {
		unset(u, b.live, r.ID)
	}
}

// end stores the account and tells what it has to tell.
func (l *Ledger) end(ctx context.Context, u *undo, b *book, a *budget.Account) {
	day, held := b.day, b.held
	u.add(func() { b.day, b.held = day, held })
	b.day, b.held = a.Day, a.Held
	set(u, b.usage, string(a.Day), a.Today)
	set(u, b.usage, a.Day.Month(), a.Month)
	set(u, l.books, a.Scope, b)
	for _, r := range a.Records {
		l.db.emit(ctx, u, a.Scope, r)
	}
}

// all is more than any scope holds.
const all = 1 << 62

// PutLimits implements budget.Ledger.
func (l *Ledger) PutLimits(ctx context.Context, scope memory.Scope, limits budget.Limits) (status budget.Status, err error) {
	limits, err = limits.Complete()
	if err != nil {
		return budget.Status{}, err
	}
	err = l.db.write(ctx, func(u *undo) error {
		now := l.db.now()
		b, a := l.begin(scope, now)
		b.lapse(u, &a, now, all)
		old := b.limits
		u.add(func() { b.limits = old })
		b.limits = &limits
		a.Limit(limits, now)
		l.end(ctx, u, b, &a)
		status = a.Status(now)
		return nil
	})
	return status, err
}

// Current implements budget.Ledger.
func (l *Ledger) Current(ctx context.Context, scope memory.Scope) (budget.Status, error) {
	l.db.mu.RLock()
	defer l.db.mu.RUnlock()
	now := l.db.now()
	b, a := l.begin(scope, now)
	for id := range b.live {
		a.Lapse(b.reservations[id], now) // in the answer only: a read changes nothing
	}
	return a.Status(now), ctx.Err()
}

// Reserve implements budget.Ledger.
func (l *Ledger) Reserve(ctx context.Context, scope memory.Scope, r budget.Request) (reservation budget.Reservation, err error) {
	var refused error
	err = l.db.write(ctx, func(u *undo) error {
		now := l.db.now()
		b, a := l.begin(scope, now)
		if made, found := b.keys[r.IdempotencyKey]; found && r.IdempotencyKey != "" {
			if made.fingerprint != r.Fingerprint() {
				return budget.OtherRequest()
			}
			reservation = b.reservations[made.id].AsMade()
			return nil
		}
		b.lapse(u, &a, now, all)
		reservation, refused = a.Reserve(r, budget.Prices(l.prices[scope.Tenant]), now)
		if refused != nil && a.Held == b.held && len(a.Records) == 0 {
			return nil // a refusal that changed nothing opens no books
		}
		if refused == nil {
			b.put(u, reservation)
			if r.IdempotencyKey != "" {
				set(u, b.keys, r.IdempotencyKey, keyed{fingerprint: r.Fingerprint(), id: reservation.ID})
			}
		}
		l.end(ctx, u, b, &a)
		return nil
	})
	if err == nil {
		err = refused
	}
	return reservation, err
}

// Settle implements budget.Ledger.
func (l *Ledger) Settle(ctx context.Context, scope memory.Scope, id memory.ID, s budget.Settle) (budget.Reservation, error) {
	return l.change(ctx, scope, id, func(a *budget.Account, r budget.Reservation, now time.Time) (budget.Reservation, bool, error) {
		return a.Settle(r, s, budget.Prices(l.prices[scope.Tenant]), now)
	})
}

// Release implements budget.Ledger.
func (l *Ledger) Release(ctx context.Context, scope memory.Scope, id memory.ID) (budget.Reservation, error) {
	return l.change(ctx, scope, id, (*budget.Account).Release)
}

// change takes a reservation through do and stores what comes of it.
func (l *Ledger) change(
	ctx context.Context, scope memory.Scope, id memory.ID,
	do func(*budget.Account, budget.Reservation, time.Time) (budget.Reservation, bool, error),
) (reservation budget.Reservation, err error) {
	err = l.db.write(ctx, func(u *undo) error {
		now := l.db.now()
		b, a := l.begin(scope, now)
		r, found := b.reservations[id]
		if !found {
			return budget.NoReservation()
		}
		r, changed, err := do(&a, r, now)
		if err != nil {
			return err
		}
		if changed {
			b.put(u, r)
			l.end(ctx, u, b, &a)
		}
		reservation = r
		return nil
	})
	return reservation, err
}

// Reservation implements budget.Ledger.
func (l *Ledger) Reservation(ctx context.Context, scope memory.Scope, id memory.ID) (budget.Reservation, error) {
	l.db.mu.RLock()
	defer l.db.mu.RUnlock()
	now := l.db.now()
	b, _ := l.begin(scope, now)
	r, found := b.reservations[id]
	if !found {
		return budget.Reservation{}, budget.NoReservation()
	}
	return r.At(now), ctx.Err()
}

// Expire implements budget.Ledger.
func (l *Ledger) Expire(ctx context.Context, limit int) (n int, err error) {
	err = l.db.write(ctx, func(u *undo) error {
		now := l.db.now()
		for scope := range l.books {
			if n >= limit {
				return nil
			}
			b, a := l.begin(scope, now)
			if lapsed := b.lapse(u, &a, now, limit-n); lapsed > 0 {
				n += lapsed
				l.end(ctx, u, b, &a)
			}
		}
		return nil
	})
	return n, err
}

// Prices implements budget.Ledger.
func (l *Ledger) Prices(ctx context.Context, tenant string) ([]budget.Price, error) {
	l.db.mu.RLock()
	defer l.db.mu.RUnlock()
	return slices.Clone(budget.Prices(l.prices[tenant])), ctx.Err()
}

// PutPrice implements budget.Ledger.
func (l *Ledger) PutPrice(ctx context.Context, tenant string, p budget.Price) (budget.Price, error) {
	p, err := p.Complete(budget.DayOf(l.db.now()))
	if err != nil {
		return budget.Price{}, err
	}
	err = l.db.write(ctx, func(u *undo) error {
		others := slices.DeleteFunc(slices.Clone(l.prices[tenant]), func(o budget.Price) bool { return o.Model == p.Model })
		set(u, l.prices, tenant, append(others, p))
		return nil
	})
	return p, err
}

// erase removes what the ledger holds of the tenant and counts it. The caller holds the mutex.
func (l *Ledger) erase(tenant string) int {
	n := len(l.prices[tenant])
	delete(l.prices, tenant)
	for scope, b := range l.books {
		if scope.Tenant != tenant {
			continue
		}
		n += 1 + len(b.reservations) + len(b.savings)
		delete(l.books, scope)
	}
	return n
}
