package inmem

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ budget.Ledger = (*Ledger)(nil)

// Ledger keeps the budgets of a DB.
type Ledger struct {
	db      *DB
	policy  budget.Policy
	books   map[memory.Scope]*book
	tenants map[string]*above
	prices  map[string][]budget.Price // by tenant
}

// entries is what is held and used in one account.
type entries struct {
	held  budget.Amount
	usage map[string]budget.Usage // by day and by month
}

// book is what is kept of one project.
type book struct {
	limits *budget.Limits // nil: never set
	entries
	reservations map[memory.ID]budget.Reservation
	live         map[memory.ID]struct{} // the held ones
	keys         map[string]keyed       // by idempotency key
	savings      map[memory.ID]budget.Line
}

// above is what is kept of one tenant above its projects.
type above struct {
	limits   *budget.Limits // nil: never set
	day      budget.Day     // last open on, in whatever project
	all, pot entries
}

// keyed is what an idempotency key stands for.
type keyed struct {
	fingerprint string
	id          memory.ID
}

// NewLedger returns an empty ledger whose records go to the outbox of db and which db's EraseTenant covers.
func NewLedger(db *DB, policy budget.Policy) *Ledger {
	l := &Ledger{
		db: db, policy: policy, books: map[memory.Scope]*book{}, tenants: map[string]*above{}, prices: map[string][]budget.Price{},
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.erasers = append(db.erasers, l.erase)
	return l
}

// opened are the books of a project, or of a tenant alone, with where they are kept.
type opened struct {
	budget.Books
	book  *book // nil where the tenant's alone are open
	above *above
}

// beginTenant opens the books above a tenant's projects at now. The caller holds the mutex.
func (l *Ledger) beginTenant(tenant string, now time.Time) *opened {
	t := l.tenants[tenant]
	if t == nil {
		t = &above{all: entries{usage: map[string]budget.Usage{}}, pot: entries{usage: map[string]budget.Usage{}}}
	}
	all, pot := l.policy.Tenant(tenant, t.limits, t.day, now)
	t.all.read(&all)
	t.pot.read(&pot)
	return &opened{Books: budget.Books{Tenant: &all, Pot: &pot}, above: t}
}

// begin opens the books of a scope at now. The caller holds the mutex.
func (l *Ledger) begin(scope memory.Scope, now time.Time) *opened {
	o := l.beginTenant(scope.Tenant, now)
	b := l.books[scope]
	if b == nil {
		b = &book{
			entries: entries{usage: map[string]budget.Usage{}}, reservations: map[memory.ID]budget.Reservation{},
			live: map[memory.ID]struct{}{}, keys: map[string]keyed{}, savings: map[memory.ID]budget.Line{},
		}
	}
	a := l.policy.Project(scope, b.limits, o.Tenant.Day)
	b.read(&a)
	o.Project, o.book = &a, b
	return o
}

func (e *entries) read(a *budget.Account) {
	a.Held, a.Today, a.Month = e.held, e.usage[string(a.Day)], e.usage[a.Day.Month()]
}

func (e *entries) write(u *undo, a *budget.Account) {
	held := e.held
	u.add(func() { e.held = held })
	e.held = a.Held
	set(u, e.usage, string(a.Day), a.Today)
	set(u, e.usage, a.Day.Month(), a.Month)
}

// lapse gives back up to limit holds of the tenant's whose lease has ended, in whatever project.
func (l *Ledger) lapse(u *undo, o *opened, now time.Time, limit int) (n int) {
	for scope, b := range l.books {
		if scope.Tenant != o.Tenant.Scope.Tenant {
			continue
		}
		books := budget.Books{Project: o.Project, Tenant: o.Tenant, Pot: o.Pot}
		if b != o.book {
			a := l.policy.Project(scope, b.limits, o.Tenant.Day)
			b.read(&a)
			books.Project = &a
		}
		before := n
		for id := range b.live {
			lapsed := books.Lapse(b.reservations[id], now)
			if lapsed.Status == budget.Held {
				continue
			}
			b.put(u, lapsed)
			if n++; n == limit {
				break
			}
		}
		if b != o.book && n > before {
			b.write(u, books.Project)
		}
		if n == limit {
			break
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

// end stores the accounts and tells what they have to tell.
func (l *Ledger) end(ctx context.Context, u *undo, o *opened) {
	t := o.above
	day := t.day
	u.add(func() { t.day = day })
	t.day = o.Tenant.Day
	t.all.write(u, o.Tenant)
	t.pot.write(u, o.Pot)
	set(u, l.tenants, o.Tenant.Scope.Tenant, t)
	if o.book != nil {
		o.book.write(u, o.Project)
		set(u, l.books, o.Project.Scope, o.book)
	}
	for _, r := range o.Records {
		l.db.emit(ctx, u, memory.Scope{Tenant: r.Tenant, Project: r.Project}, r)
	}
}

// all is more than any tenant holds.
const all = 1 << 62

// PutLimits implements budget.Ledger.
func (l *Ledger) PutLimits(ctx context.Context, scope memory.Scope, limits budget.Limits) (status budget.Status, err error) {
	limits, err = limits.Complete()
	if err = cmp.Or(err, budget.CheckScope(scope)); err != nil {
		return budget.Status{}, err
	}
	err = l.db.write(ctx, func(u *undo) error {
		now := l.db.now()
		o := l.begin(scope, now)
		l.lapse(u, o, now, all)
		old := o.book.limits
		u.add(func() { o.book.limits = old })
		o.book.limits = &limits
		o.Limit(limits, now)
		l.end(ctx, u, o)
		status = o.Project.Status(now)
		return nil
	})
	return status, err
}

// PutTenantLimits implements budget.Ledger.
func (l *Ledger) PutTenantLimits(ctx context.Context, tenant string, limits budget.Limits) (status budget.TenantStatus, err error) {
	limits, err = limits.Complete()
	if err != nil {
		return budget.TenantStatus{}, err
	}
	err = l.db.write(ctx, func(u *undo) error {
		now := l.db.now()
		o := l.beginTenant(tenant, now)
		l.lapse(u, o, now, all)
		old := o.above.limits
		u.add(func() { o.above.limits = old })
		o.above.limits = &limits
		o.LimitTenant(limits, now)
		l.end(ctx, u, o)
		status = o.TenantStatus(now)
		return nil
	})
	return status, err
}

// Current implements budget.Ledger.
func (l *Ledger) Current(ctx context.Context, scope memory.Scope) (budget.Status, error) {
	if err := cmp.Or(ctx.Err(), budget.CheckScope(scope)); err != nil {
		return budget.Status{}, err
	}
	l.db.mu.RLock()
	defer l.db.mu.RUnlock()
	now := l.db.now()
	o := l.begin(scope, now)
	for id := range o.book.live {
		o.Lapse(o.book.reservations[id], now) // in the answer only: a read changes nothing
	}
	return o.Project.Status(now), nil
}

// CurrentTenant implements budget.Ledger.
func (l *Ledger) CurrentTenant(ctx context.Context, tenant string) (budget.TenantStatus, error) {
	l.db.mu.RLock()
	defer l.db.mu.RUnlock()
	now := l.db.now()
	o := l.beginTenant(tenant, now)
	for scope, b := range l.books {
		for id := range b.live {
			if scope.Tenant == tenant {
				o.Lapse(b.reservations[id], now)
			}
		}
	}
	return o.TenantStatus(now), ctx.Err()
}

// Reserve implements budget.Ledger.
func (l *Ledger) Reserve(ctx context.Context, scope memory.Scope, r budget.Request) (reservation budget.Reservation, err error) {
	if err := budget.CheckScope(scope); err != nil {
		return budget.Reservation{}, err
	}
	var refused error
	err = l.db.write(ctx, func(u *undo) error {
		now := l.db.now()
		o := l.begin(scope, now)
		if made, found := o.book.keys[r.IdempotencyKey]; found && r.IdempotencyKey != "" {
			if made.fingerprint != r.Fingerprint() {
				return budget.OtherRequest()
			}
			reservation = o.book.reservations[made.id].AsMade()
			return nil
		}
		lapsed := l.lapse(u, o, now, all)
		reservation, refused = o.Reserve(r, budget.Prices(l.prices[scope.Tenant]), now)
		if refused != nil && lapsed == 0 && len(o.Records) == 0 {
			return nil // a refusal that changed nothing opens no books
		}
		if refused == nil {
			o.book.put(u, reservation)
			if r.IdempotencyKey != "" {
				set(u, o.book.keys, r.IdempotencyKey, keyed{fingerprint: r.Fingerprint(), id: reservation.ID})
			}
		}
		l.end(ctx, u, o)
		return nil
	})
	if err == nil {
		err = refused
	}
	return reservation, err
}

// Settle implements budget.Ledger.
func (l *Ledger) Settle(ctx context.Context, scope memory.Scope, id memory.ID, s budget.Settle) (budget.Reservation, error) {
	return l.change(ctx, scope, id, func(b *budget.Books, r budget.Reservation, now time.Time) (budget.Reservation, bool, error) {
		return b.Settle(r, s, budget.Prices(l.prices[scope.Tenant]), now)
	})
}

// Release implements budget.Ledger.
func (l *Ledger) Release(ctx context.Context, scope memory.Scope, id memory.ID) (budget.Reservation, error) {
	return l.change(ctx, scope, id, (*budget.Books).Release)
}

// change takes a reservation through do and stores what comes of it.
func (l *Ledger) change(
	ctx context.Context, scope memory.Scope, id memory.ID,
	do func(*budget.Books, budget.Reservation, time.Time) (budget.Reservation, bool, error),
) (reservation budget.Reservation, err error) {
	if err := budget.CheckScope(scope); err != nil {
		return budget.Reservation{}, err
	}
	err = l.db.write(ctx, func(u *undo) error {
		now := l.db.now()
		o := l.begin(scope, now)
		r, found := o.book.reservations[id]
		if !found {
			return budget.NoReservation()
		}
		r, changed, err := do(&o.Books, r, now)
		if err != nil {
			return err
		}
		if changed {
			o.book.put(u, r)
			l.end(ctx, u, o)
		}
		reservation = r
		return nil
	})
	return reservation, err
}

// Reservation implements budget.Ledger.
func (l *Ledger) Reservation(ctx context.Context, scope memory.Scope, id memory.ID) (budget.Reservation, error) {
	if err := budget.CheckScope(scope); err != nil {
		return budget.Reservation{}, err
	}
	l.db.mu.RLock()
	defer l.db.mu.RUnlock()
	now := l.db.now()
	r, found := l.begin(scope, now).book.reservations[id]
	if !found {
		return budget.Reservation{}, budget.NoReservation()
	}
	return r.At(now), ctx.Err()
}

// Expire implements budget.Ledger.
func (l *Ledger) Expire(ctx context.Context, limit int) (n int, err error) {
	err = l.db.write(ctx, func(u *undo) error {
		now := l.db.now()
		for tenant := range l.tenants {
			if n == limit {
				break
			}
			o := l.beginTenant(tenant, now)
			if lapsed := l.lapse(u, o, now, limit-n); lapsed > 0 {
				n += lapsed
				l.end(ctx, u, o)
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
	if l.tenants[tenant] != nil {
		n++
		delete(l.tenants, tenant)
	}
	for scope, b := range l.books {
		if scope.Tenant != tenant {
			continue
		}
		n += 1 + len(b.reservations) + len(b.savings)
		delete(l.books, scope)
	}
	return n
}
