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

	projects map[string]budget.Account         // those that were open
	held     map[memory.ID]standingReservation // those this process made
	prices   []budget.Price                    // the tenant's own
	priced   bool                              // prices have been read
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
	memoHeld     = 1000
	distrustTime = time.Second // after another process wrote the books: it may do so again
)

// memos are the memos of tenants. Whoever takes one has it alone, and puts back what it made of it.
type memos struct {
	mu       sync.Mutex
	left     map[string]*memo
	distrust map[string]time.Time // until when no memo of the tenant is left
}

// take returns the memo of the tenant, nil if there is none to go by.
func (m *memos) take(tenant string) *memo {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := m.left[tenant]
	delete(m.left, tenant)
	if taken == nil || time.Since(taken.read) > memoAge {
		return nil
	}
	return taken
}

// leave puts a memo of the tenant where the next transaction finds it.
func (m *memos) leave(tenant string, left *memo) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if until, distrusted := m.distrust[tenant]; distrusted {
		if time.Now().Before(until) {
			return
		}
		delete(m.distrust, tenant)
	}
	if m.left == nil {
		m.left = map[string]*memo{}
	}
	m.left[tenant] = left
	trim(m.left, memoTenants)
}

// doubt goes without memos of the tenant for a while.
func (m *memos) doubt(tenant string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.distrust == nil {
		m.distrust = map[string]time.Time{}
	}
	m.distrust[tenant] = time.Now().Add(distrustTime)
	trim(m.distrust, memoTenants)
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

// outdated reports whether a transaction failed because it began with a memo that no longer holds.
func outdated(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "RAE01"
}

// taken reports whether a row with the same key is there.
func taken(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "23505"
}
