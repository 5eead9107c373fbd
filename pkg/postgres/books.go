package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// books is the transaction of a group of those who spend from one tenant's budgets, in whatever project: the sums above
// the projects let one after the other anyway. Each account is read once, changed by one after the other, and written once.
// The transaction sees all projects of the tenant; which one a turn is for, its statements say.
//
// Where the process remembers the books (memo), they are not read, and nothing has to be asked that is remembered as well.
type books struct {
	turns
	ledger *Ledger
	tenant string
	now    time.Time // of all that the transaction does

	stands tenantPage // as the database has it
	next   tenantPage // with what this transaction did
	kept   tenantPage // next, as the turn under way found it
	pages  map[string]*projectPage
	found  map[string]*projectPage // by project, those the turn under way may have changed, as it found them; nil: not there

	memo     *memo     // what the transaction began with; nil: it reads the books
	readAt   time.Time // by this process's clock: when they were read
	stamp    int64     // of who wrote the books last; 0: nobody did
	careful  bool      // what a turn does is sent at once, so that what is refused of it is its own failure
	deferred bool      // what some turn did was not

	made                []standingReservation // by this transaction
	ended               []reservationKey
	keptMade, keptEnded int // lengths, as the turn under way found them
	prices              []budget.Price
	priced              bool // prices have been read
	keptPriced          bool // priced, as the turn under way found it
}

// tenantPage is what a turn may change above the projects.
type tenantPage struct {
	all, pot budget.Account
	lapsed   bool // holds whose lease has ended by now have been given back
	changed  bool // it is to be written
}

// projectPage is one project's account.
type projectPage struct {
	stands  budget.Account // as the database has it
	account budget.Account
	changed bool // it is to be written
}

const (
	// lockBooks is lockScope for the budgets of a tenant. An import of memories does not keep a reservation waiting.
	// Plans are made once (steadyPlans says why).
	lockBooks = `SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
		set_config('jit', 'off', true), pg_advisory_xact_lock_shared(hashtextextended($1, 1)), pg_advisory_xact_lock(hashtextextended($1, 3))`
	// standStill makes rae_now() the same time for all statements of the transaction: who gives back a hold and who counts
	// it must agree whether its lease has ended, and on the day.
	standStill = `SELECT set_config('rae.now', to_json(rae_now()) #>> '{}', true)`
	// readBooks reads a project's account, one row for each period in which it may be open: today, or tomorrow where the
	// clock fell back over midnight (budget.OpenDay).
	readBooks = `SELECT t.now, coalesce(d.day, ''), b.monthly_limit, b.daily_limit, b.monthly_tokens, b.daily_tokens,
		b.warning_threshold, b.on_exhausted, coalesce(a.held_cost, 0), coalesce(a.held_tokens, 0),
		coalesce(u.period, ''), coalesce(u.cost, 0), coalesce(u.tokens, 0), coalesce(u.told, 0)` + fromToday + `
		LEFT JOIN tenant_accounts d ON d.tenant = $1
		LEFT JOIN budgets b ON b.tenant = $1 AND b.project = $2
		LEFT JOIN budget_accounts a ON a.tenant = $1 AND a.project = $2
		LEFT JOIN budget_usage u ON u.tenant = $1 AND u.project = $2 AND u.period ` + inPeriods
	// readTenantBooks is readBooks for the accounts above the projects.
	readTenantBooks = `SELECT t.now, coalesce(a.day, ''), b.monthly_limit, b.daily_limit, b.monthly_tokens, b.daily_tokens,
		b.warning_threshold, b.on_exhausted, coalesce(a.held_cost, 0), coalesce(a.held_tokens, 0),
		coalesce(u.period, ''), coalesce(u.cost, 0), coalesce(u.tokens, 0), coalesce(u.told, 0),
		coalesce(a.pot_cost, 0), coalesce(a.pot_tokens, 0), coalesce(a.stamp, 0), coalesce(u.pot, false)` + fromToday + `
		LEFT JOIN tenant_budgets b ON b.tenant = $1
		LEFT JOIN tenant_accounts a ON a.tenant = $1
		LEFT JOIN tenant_usage u ON u.tenant = $1 AND u.period ` + inPeriods

	fromToday = ` FROM (SELECT n.now, n.now AT TIME ZONE 'UTC' AS today, n.now AT TIME ZONE 'UTC' + interval '1 day' AS tomorrow
		FROM (SELECT rae_now() AS now OFFSET 0) n) t`
	inPeriods = `IN (to_char(t.today, 'YYYY-MM-DD'), to_char(t.today, 'YYYY-MM'), to_char(t.tomorrow, 'YYYY-MM-DD'), to_char(t.tomorrow, 'YYYY-MM'))`
)

// beginBooks keeps back the opening of a transaction; its first question sends it. The scope is a tenant's, of no project.
func (l *Ledger) beginBooks(ctx context.Context, scope memory.Scope, alone func() bool) (*books, func(), error) {
	t, end, err := l.db.turns(ctx, memory.Scope{Tenant: scope.Tenant, Project: allProjects}, alone)
	if err != nil {
		return nil, end, err
	}
	b := &books{turns: t, ledger: l, tenant: scope.Tenant, pages: map[string]*projectPage{}}
	b.memo, b.careful = l.memos.take(b.tenant)
	b.exec(lockBooks, b.tenant)
	if b.memo != nil {
		b.recall()
		return b, end, nil
	}
	b.exec(standStill)
	b.ask(readTenantBooks, []any{b.tenant}, func(rows pgx.Rows) (err error) {
		b.readAt = time.Now()
		b.now, err = l.scanTenantBooks(rows, b.tenant, &b.stands.all, &b.stands.pot, &b.stamp)
		b.next, b.kept = b.stands, b.stands
		return err
	})
	return b, end, nil
}

// recall opens the books as the memo has them.
func (b *books) recall() {
	m := b.memo
	b.stamp, b.readAt, b.prices, b.priced = m.stamp, m.read, m.prices, m.priced
	b.now = m.now.Add(time.Since(m.read)).Truncate(time.Microsecond)
	if clock := b.db.options.Clock; clock != nil {
		b.now = clock().UTC().Truncate(time.Microsecond)
	}
	b.stands = tenantPage{all: m.all, pot: m.pot, lapsed: true}
	b.next, b.kept = b.stands, b.stands
	for project, a := range m.projects {
		b.pages[project] = &projectPage{stands: a, account: a}
	}
	b.exec(booksStand, b.tenant, b.stamp, string(m.all.Day), b.now)
}

// remember leaves what the transaction, which has been committed, knows of the books.
func (b *books) remember() {
	var left *memo
	if b.stamp != 0 {
		left = &memo{
			read: b.readAt, now: b.now, stamp: b.stamp, all: b.next.all, pot: b.next.pot, prices: b.prices, priced: b.priced,
			projects: make(map[string]budget.Account, len(b.pages)),
		}
		if b.memo != nil {
			left.now = b.memo.now
		}
		for project, p := range b.pages {
			left.projects[project] = p.account
		}
		trim(left.projects, memoProjects)
	}
	b.ledger.memos.leave(b.tenant, left, b.made, b.ended)
}

// fleeting reports also what failed because something remembered did not hold, and what may have been another turn's fault.
func (b *books) fleeting(err error) bool {
	var e *pgconn.PgError
	switch {
	case outdated(err):
		b.ledger.memos.doubt(b.tenant)
		return true
	case b.deferred && errors.As(err, &e):
		b.ledger.memos.care(b.tenant)
		return true
	}
	return b.session.fleeting(err)
}

// recalled returns a reservation that this process made and that, as far as it knows, still holds.
func (b *books) recalled(key reservationKey) *standingReservation {
	r, known := b.ledger.memos.made(key)
	if !known || slices.Contains(b.ended, key) {
		return nil
	}
	return &r
}

// open keeps back the question for the account of a project, and returns the books that a turn of it changes. They are
// blank until the next question is answered.
func (b *books) open(project string) *budget.Books {
	b.keep(project)
	p := b.pages[project]
	if p == nil {
		p = &projectPage{}
		b.pages[project] = p
		scope := memory.Scope{Tenant: b.tenant, Project: project}
		b.ask(readBooks, []any{b.tenant, project}, func(rows pgx.Rows) error {
			_, err := b.ledger.scanBooks(rows, scope, &p.stands)
			p.account = p.stands
			return err
		})
	}
	return &budget.Books{Project: &p.account, Tenant: &b.next.all, Pot: &b.next.pot}
}

// keep remembers the account of a project as the turn under way found it.
func (b *books) keep(project string) {
	if _, kept := b.found[project]; kept {
		return
	}
	b.found[project] = nil
	if p := b.pages[project]; p != nil {
		b.found[project] = new(*p)
	}
}

// change notes that the accounts are to be written.
func (b *books) change(project string) {
	b.next.changed = true
	if p := b.pages[project]; p != nil {
		p.changed = true
	}
}

// Savepoint implements groupcommit.Tx.
func (b *books) Savepoint() error {
	b.kept, b.found = b.next, map[string]*projectPage{}
	b.keptMade, b.keptEnded, b.keptPriced = len(b.made), len(b.ended), b.priced
	return b.turns.Savepoint()
}

// Release implements groupcommit.Tx. What the turn kept back is sent with what others do after it, or with the commit: most
// turns ask nothing, and a round trip takes longer than what they do. Where something is refused of it, nobody knows whose
// it was, and all try again, carefully.
func (b *books) Release() error {
	if b.careful {
		return b.turns.Release()
	}
	b.full = b.taken == 1 && b.alone()
	b.deferred = true
	b.leave()
	return nil
}

// TakeBack implements groupcommit.Tx.
func (b *books) TakeBack() error {
	b.next = b.kept
	b.made, b.ended, b.priced = b.made[:b.keptMade], b.ended[:b.keptEnded], b.priced && b.keptPriced
	for project, p := range b.found {
		if p == nil {
			delete(b.pages, project)
		} else {
			b.pages[project] = p
		}
	}
	return b.turns.TakeBack()
}

// Commit implements groupcommit.Tx.
func (b *books) Commit() error {
	if b.next.changed {
		b.store()
	}
	err := b.turns.Commit()
	if err == nil {
		b.remember()
	}
	return err
}

// store keeps back the accounts as they are now.
func (b *books) store() {
	for b.stamp = rand.Int64(); b.stamp == 0; b.stamp = rand.Int64() {
	}
	all, pot := &b.next.all, &b.next.pot
	var above usages[bool]
	above.add(false, &b.stands.all, all)
	above.add(true, &b.stands.pot, pot)
	var names []string
	var costs, tokens []int64
	var used usages[string]
	for _, name := range slices.Sorted(maps.Keys(b.pages)) {
		p := b.pages[name]
		if !p.changed {
			continue
		}
		names = append(names, name)
		costs, tokens = append(costs, int64(p.account.Held.Cost)), append(tokens, p.account.Held.Tokens)
		used.add(name, &p.stands, &p.account)
	}
	b.exec(storeBooks, b.tenant, string(all.Day), int64(all.Held.Cost), all.Held.Tokens, int64(pot.Held.Cost), pot.Held.Tokens, b.stamp,
		names, costs, tokens)
	if len(above.periods)+len(used.periods) > 0 {
		b.exec(storeUsage, b.tenant, above.whose, above.periods, above.costs, above.tokens, above.told,
			used.whose, used.periods, used.costs, used.tokens, used.told)
	}
}

// Statements of store.
const (
	storeBooks = `WITH above AS (
			INSERT INTO tenant_accounts (tenant, day, held_cost, held_tokens, pot_cost, pot_tokens, stamp) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (tenant) DO UPDATE SET day = excluded.day, held_cost = excluded.held_cost, held_tokens = excluded.held_tokens,
			pot_cost = excluded.pot_cost, pot_tokens = excluded.pot_tokens, stamp = excluded.stamp)
		INSERT INTO budget_accounts (tenant, day, project, held_cost, held_tokens)
		SELECT $1, $2, * FROM unnest($8::text[], $9::bigint[], $10::bigint[])
		ON CONFLICT (tenant, project) DO UPDATE SET day = excluded.day, held_cost = excluded.held_cost, held_tokens = excluded.held_tokens`
	storeUsage = `WITH above AS (
			INSERT INTO tenant_usage (tenant, pot, period, cost, tokens, told)
			SELECT $1, * FROM unnest($2::boolean[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[])
			ON CONFLICT (tenant, period, pot) DO UPDATE SET cost = excluded.cost, tokens = excluded.tokens, told = excluded.told)
		INSERT INTO budget_usage (tenant, project, period, cost, tokens, told)
		SELECT $1, * FROM unnest($7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::integer[])
		ON CONFLICT (tenant, project, period) DO UPDATE SET cost = excluded.cost, tokens = excluded.tokens, told = excluded.told`
)

// usages are the columns of what is booked anew in periods.
type usages[T any] struct {
	whose         []T
	periods       []string
	costs, tokens []int64
	told          []int32
}

// add adds what differs from what stands.
func (u *usages[T]) add(whose T, stands, next *budget.Account) {
	for _, p := range []struct {
		period       string
		stands, next budget.Usage
	}{{string(next.Day), stands.Today, next.Today}, {next.Day.Month(), stands.Month, next.Month}} {
		if p.stands == p.next {
			continue
		}
		u.whose, u.periods = append(u.whose, whose), append(u.periods, p.period)
		u.costs, u.tokens = append(u.costs, int64(p.next.Cost)), append(u.tokens, p.next.Tokens)
		u.told = append(u.told, int32(p.next.Told))
	}
}

// ended are the columns by which holds are given back.
const ended = `project, pot, max_cost, max_tokens, expires_at`

// lapse keeps back that the tenant's holds whose lease has ended are given back, in whatever project; the first turn that
// needs it does so for all.
func (b *books) lapse() {
	if b.next.lapsed {
		return
	}
	b.next.lapsed = true
	var n int
	b.giveBack(&n, `UPDATE reservations SET status = 'expired' WHERE tenant = $1 AND status = 'held' AND expires_at <= rae_now()
		RETURNING `+ended, b.tenant)
}

// giveBack keeps back a statement that ends holds; those it returns are counted and taken off the accounts.
func (b *books) giveBack(n *int, statement string, args ...any) {
	b.asked++
	b.pending.Queue(statement, args...).Query(func(rows pgx.Rows) error {
		elsewhere := map[string]budget.Amount{} // in projects whose account is not open
		for rows.Next() {
			r, err := scanEnded(rows)
			if err != nil {
				return err
			}
			*n++
			books := budget.Books{Tenant: &b.next.all, Pot: &b.next.pot}
			if p := b.pages[r.ProjectID]; p != nil {
				b.keep(r.ProjectID)
				books.Project = &p.account
			} else {
				sum := elsewhere[r.ProjectID]
				elsewhere[r.ProjectID] = budget.Amount{Cost: sum.Cost + r.MaxCost, Tokens: sum.Tokens + r.MaxTokens}
			}
			books.Lapse(r, b.now)
			b.change(r.ProjectID)
		}
		var costs, tokens []int64
		projects := slices.Sorted(maps.Keys(elsewhere))
		for _, project := range projects {
			costs, tokens = append(costs, int64(elsewhere[project].Cost)), append(tokens, elsewhere[project].Tokens)
		}
		if len(projects) > 0 {
			b.exec(`UPDATE budget_accounts a SET held_cost = greatest(a.held_cost - e.cost, 0), held_tokens = greatest(a.held_tokens - e.tokens, 0)
				FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS e (project, cost, tokens)
				WHERE a.tenant = $1 AND a.project = e.project`, b.tenant, projects, costs, tokens)
		}
		return rows.Err()
	})
}

// scanEnded reads a hold that has ended.
func scanEnded(rows pgx.Rows) (budget.Reservation, error) {
	r := budget.Reservation{Status: budget.Held}
	err := rows.Scan(&r.ProjectID, &r.Pot, &r.MaxCost, &r.MaxTokens, &r.ExpiresAt)
	return r, err
}

// tell keeps back what the books of a turn have to announce.
func (b *books) tell(caller context.Context, turn *budget.Books) {
	for _, r := range turn.Records {
		b.next.changed = true
		if turn.Project != nil {
			b.change(turn.Project.Scope.Project)
		}
		b.db.emit(caller, b.session, memory.Scope{Tenant: r.Tenant, Project: r.Project}, r)
	}
	turn.Records = nil
}

// bookRow is a row of readBooks or, without its last columns, of readTenantBooks.
type bookRow struct {
	now         time.Time
	day         budget.Day
	own         budget.Limits
	threshold   *float64
	onExhausted *string
	held        budget.Amount
	period      string
	used        budget.Usage
	told        int32
}

func (r *bookRow) scan(rows pgx.Rows, whose string, more ...any) error {
	own := &r.own
	err := rows.Scan(append([]any{&r.now, &r.day, &own.Monthly, &own.Daily, &own.MonthlyTokens, &own.DailyTokens, &r.threshold,
		&r.onExhausted, &r.held.Cost, &r.held.Tokens, &r.period, &r.used.Cost, &r.used.Tokens, &r.told}, more...)...)
	if err != nil {
		return fmt.Errorf("open the books of %s: %w", whose, err)
	}
	r.now, r.used.Told = r.now.UTC(), budget.Told(r.told)
	return nil
}

// limits are those that were set, nil where there is no row of them.
func (r *bookRow) limits() *budget.Limits {
	if r.threshold == nil {
		return nil
	}
	r.own.WarningThreshold, r.own.OnExhausted = *r.threshold, budget.Exhaustion(*r.onExhausted)
	return &r.own
}

// enter notes what is used in the row's period.
func (r *bookRow) enter(a *budget.Account) {
	switch r.period {
	case string(a.Day):
		a.Today = r.used
	case a.Day.Month():
		a.Month = r.used
	}
}

// scanBooks reads a row of readBooks into the account, which is opened by the first one.
func (l *Ledger) scanBooks(rows pgx.Rows, scope memory.Scope, a *budget.Account) (now time.Time, err error) {
	var r bookRow
	if err := r.scan(rows, scope.String()); err != nil {
		return now, err
	}
	if a.Day == "" {
		*a = l.policy.Project(scope, r.limits(), budget.OpenDay(r.day, r.now))
		a.Held = r.held
	}
	r.enter(a)
	return r.now, nil
}

// scanTenantBooks reads a row of readTenantBooks into the accounts, which are opened by the first one.
func (l *Ledger) scanTenantBooks(rows pgx.Rows, tenant string, all, pot *budget.Account, stamp *int64) (now time.Time, err error) {
	var r bookRow
	var held budget.Amount
	var ofPot bool
	if err := r.scan(rows, tenant, &held.Cost, &held.Tokens, stamp, &ofPot); err != nil {
		return now, err
	}
	if all.Day == "" {
		*all, *pot = l.policy.Tenant(tenant, r.limits(), r.day, r.now)
		all.Held, pot.Held = r.held, held
	}
	if ofPot {
		r.enter(pot)
	} else {
		r.enter(all)
	}
	return r.now, nil
}
