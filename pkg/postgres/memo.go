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
// questions, so that it can be sent in one piece, and with a statement that fails where the books do not stand so any more
// (booksStand): because another process wrote them, a lease has ended, or the day. Then they are read.
type memo struct {
	read  time.Time // by this process's clock: when the books were last read
	now   time.Time // by the ledger's clock, when they were last read
	stamp int64     // of who wrote the books last
	all   budget.Account
	pot   budget.Account

	projects map[string]budget.Account // those that were open
	prices   []budget.Price            // the tenant's own
	priced   bool                      // prices have been read
}

// booksStand fails unless the tenant's ($1) books are as whoever stamped ($2) them left them, on the same day ($3), and no
// lease has ended since. What the caller takes for the time ($4) is the time of all that follows in the transaction.
const booksStand = `SELECT CASE WHEN abs(extract(epoch FROM t.now - $4::timestamptz)) < 1
		AND to_char($4::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD') = $3
		AND EXISTS (SELECT FROM tenant_accounts WHERE tenant = $1 AND stamp = $2)
		AND NOT EXISTS (SELECT FROM reservations WHERE tenant = $1 AND status = 'held' AND expires_at <= greatest(t.now, $4::timestamptz))
	THEN set_config('rae.now', to_json($4::timestamptz) #>> '{}', true) ELSE rae_outdated() END
	FROM (SELECT rae_now() AS now OFFSET 0) t`

// Bounds of what is remembered. What was changed by hand is seen after memoAge.
const (
	memoAge      = 10 * time.Second
	memoTenants  = 1000
	memoProjects = 100
	memoHeld     = 10_000
	doubtTime    = time.Second // after another process wrote the books, or a transaction failed: it may happen again
)

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
