package postgres

import (
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// memo is a tenant's books as this process left them. Its next transaction of them begins with the memo in place of
// questions, so that it can be sent in one piece, and ends with a statement that fails where the books have moved too far
// since (move.go), or stand under other terms: limits, prices or the day are others, something was announced, a lease has
// ended. Then they are read.
type memo struct {
	read  time.Time // by this process's clock: when the books were last read
	now   time.Time // by the ledger's clock, when they were last read
	stamp int64     // of the terms
	above tenantBooks

	projects map[string]footing // those that were open
	prices   []budget.Price     // the tenant's own
	priced   bool               // prices have been read
}

// Bounds of what is remembered. What was changed by hand is seen after memoAge.
const (
	memoAge      = 10 * time.Second
	memoTenants  = 1000
	memoProjects = 100
	memoHeld     = 10_000
	doubtTime    = time.Second // after a memo did not hold, or a transaction failed: it may happen again
)

// recall opens the books as the memo has them, unless they are another day's.
func (b *books) recall() bool {
	m := b.memo
	b.now = m.now.Add(time.Since(m.read)).Truncate(time.Microsecond)
	if clock := b.db.options.Clock; clock != nil {
		b.now = clock().UTC().Truncate(time.Microsecond)
	}
	if budget.DayOf(b.now) != m.above.all.account.Day {
		return false
	}
	b.stamp, b.readAt, b.prices, b.priced = m.stamp, m.read, m.prices, m.priced
	b.stands = m.above
	b.next = tenantPage{all: m.above.all.account, pot: m.above.pot.account, lapsed: true}
	b.next.all.Loosen()
	b.next.pot.Loosen()
	b.kept = b.next
	for project, stands := range m.projects {
		p := &projectPage{stands: stands, account: stands.account}
		p.account.Loosen()
		b.pages[project] = p
	}
	return true
}

// remember leaves what the transaction, which has been committed, knows of the books.
func (b *books) remember() {
	var left *memo
	if b.stamp != 0 {
		left = &memo{
			read: b.readAt, now: b.now, stamp: b.stamp, above: b.left, prices: b.prices, priced: b.priced,
			projects: make(map[string]footing, len(b.pages)),
		}
		if b.memo != nil {
			left.now = b.memo.now
		}
		for project, p := range b.pages {
			left.projects[project] = p.left
		}
		trim(left.projects, memoProjects)
	}
	b.ledger.memos.leave(b.tenant, left, b.made, b.ended)
}

// memos are what a process remembers of tenants' books. Whoever takes a memo has it alone, and leaves what it made of it.
type memos struct {
	mu      sync.Mutex
	left    map[string]*memo
	doubted map[string]time.Time // until when no memo of the tenant is left
	careful map[string]time.Time // until when what a turn does is sent at once (books.Release)
	// held are reservations this process made, which may have ended elsewhere since. Nothing else of them ever changes.
	held map[reservationKey]standingReservation
}

type reservationKey struct {
	scope memory.Scope
	id    memory.ID
}

// take returns the memo of the tenant, nil if there is none to go by, and whether a transaction has to be careful.
func (m *memos) take(tenant string) (taken *memo, careful bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken = m.left[tenant]
	delete(m.left, tenant)
	if taken != nil && time.Since(taken.read) > memoAge {
		taken = nil
	}
	return taken, lasts(m.careful, tenant)
}

// leave puts a memo of the tenant where the next transaction finds it, with the reservations that were made and have ended.
func (m *memos) leave(tenant string, left *memo, made []standingReservation, ended []reservationKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left == nil {
		m.left, m.held = map[string]*memo{}, map[reservationKey]standingReservation{}
	}
	for i := range made {
		r := &made[i]
		m.held[reservationKey{memory.Scope{Tenant: r.TenantID, Project: r.ProjectID}, r.ID}] = *r
	}
	for _, key := range ended {
		delete(m.held, key)
	}
	trim(m.held, memoHeld)
	if left != nil && !lasts(m.doubted, tenant) {
		m.left[tenant] = left
		trim(m.left, memoTenants)
	}
}

// made returns a reservation that this process made and did not end.
func (m *memos) made(key reservationKey) (standingReservation, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, known := m.held[key]
	return r, known
}

// doubt goes without memos of the tenant for a while.
func (m *memos) doubt(tenant string) { m.from(&m.doubted, tenant) }

// care sends what a turn of the tenant does at once for a while.
func (m *memos) care(tenant string) { m.from(&m.careful, tenant) }

func (m *memos) from(times *map[string]time.Time, tenant string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if *times == nil {
		*times = map[string]time.Time{}
	}
	(*times)[tenant] = time.Now().Add(doubtTime)
	trim(*times, memoTenants)
}

// lasts reports whether the tenant's time has not come.
func lasts(times map[string]time.Time, tenant string) bool {
	until, there := times[tenant]
	if there && !time.Now().Before(until) {
		delete(times, tenant)
		return false
	}
	return there
}

// trim takes any entries out of the map until no more than most are left.
func trim[K comparable, V any](m map[K]V, most int) {
	for key := range m {
		if len(m) <= most {
			return
		}
		delete(m, key)
	}
}

// outdated reports whether a transaction failed because what it went by no longer holds.
func outdated(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "RAE01"
}
