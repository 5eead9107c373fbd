package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
// Where the process remembers the books (memo), they are not read, and nothing has to be asked that is remembered as well:
// see move.go.
type books struct {
	turns
	ledger *Ledger
	tenant string
	now    time.Time  // of all that the transaction does
	actual *time.Time // now by the database's clock, when it has been committed; until then a memo's may be a little off

	stands tenantBooks
	next   tenantPage  // with what this transaction did
	kept   tenantPage  // next, as the turn under way found it
	left   tenantBooks // as it is committed
	pages  map[string]*projectPage
	found  map[string]*projectPage // by project, those the turn under way may have changed, as it found them; nil: not there

	memo     *memo     // what the transaction began with; nil: it reads the books
	readAt   time.Time // by this process's clock: when they were read
	stamp    int64     // of the terms the books stand under: limits, prices, announcements, the day; 0: there are no books
	terms    bool      // they are others from now on
	due      bool      // as far as the books say, a lease may have ended
	exact    bool      // a turn depends on the very numbers that are remembered
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

// tenantBooks are the accounts above the projects.
type tenantBooks struct{ all, pot footing }

// projectPage is one project's account.
type projectPage struct {
	stands  footing
	account budget.Account // with what this transaction did
	left    footing        // as it is committed
	opened  bool           // by a turn
	changed bool           // it is to be written
}

const (
	// lockBooks is lockScope for the budgets of a tenant. An import of memories does not keep a reservation waiting. The time is
	// that at which the lock was given, so that it never goes back from one transaction to the next.
	// Plans are made once (steadyPlans says why).
	lockBooks = `, set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
		set_config('jit', 'off', true),
		pg_advisory_xact_lock_shared(hashtextextended($2, 1)), pg_advisory_xact_lock(hashtextextended($2, 3)),
		` + stillStanding  // after enter
	// stillStanding is standStill as part of another statement. It says what rae_now() is, which takes as long as a row's insertion.
	stillStanding = `set_config('rae.now', to_json(coalesce(nullif(current_setting('rae.now', true), '')::timestamptz, clock_timestamp())) #>> '{}', true)`
	fixedNow      = `current_setting('rae.now')::timestamptz` // once it stands still
	// standStill makes rae_now() the same time for all statements of the transaction: who gives back a hold and who counts
	// it must agree whether its lease has ended, and on the day.
	standStill = `SELECT ` + stillStanding
	// readBooks reads a project's account, one row for each period in which it may be open: today, or tomorrow where the
	// clock fell back over midnight (budget.OpenDay).
	readBooks = `SELECT t.now, coalesce(d.day, ''), b.monthly_limit, b.daily_limit, b.monthly_tokens, b.daily_tokens,
		b.warning_threshold, b.on_exhausted, coalesce(a.held_cost, 0), coalesce(a.held_tokens, 0),
		coalesce(u.period, ''), coalesce(u.cost, 0), coalesce(u.tokens, 0), coalesce(u.told, 0),
		coalesce(a.spent_cost, 0), coalesce(a.spent_tokens, 0)` + fromToday + `
		LEFT JOIN tenant_accounts d ON d.tenant = $1
		LEFT JOIN budgets b ON b.tenant = $1 AND b.project = $2
		LEFT JOIN budget_accounts a ON a.tenant = $1 AND a.project = $2
		LEFT JOIN budget_usage u ON u.tenant = $1 AND u.project = $2 AND u.period ` + inPeriods
	// readTenantBooks is readBooks for the accounts above the projects.
	readTenantBooks = `SELECT t.now, coalesce(a.day, ''), b.monthly_limit, b.daily_limit, b.monthly_tokens, b.daily_tokens,
		b.warning_threshold, b.on_exhausted, coalesce(a.held_cost, 0), coalesce(a.held_tokens, 0),
		coalesce(u.period, ''), coalesce(u.cost, 0), coalesce(u.tokens, 0), coalesce(u.told, 0),
		coalesce(a.spent_cost, 0), coalesce(a.spent_tokens, 0), coalesce(a.pot_cost, 0), coalesce(a.pot_tokens, 0),
		coalesce(a.pot_spent_cost, 0), coalesce(a.pot_spent_tokens, 0), coalesce(a.stamp, 0), coalesce(a.lapses_at <= t.now, false),
		coalesce(u.pot, false)` + fromToday + `
		LEFT JOIN tenant_budgets b ON b.tenant = $1
		LEFT JOIN tenant_accounts a ON a.tenant = $1
		LEFT JOIN tenant_usage u ON u.tenant = $1 AND u.period ` + inPeriods

	fromToday = ` FROM (SELECT n.now, n.now AT TIME ZONE 'UTC' AS today, n.now AT TIME ZONE 'UTC' + interval '1 day' AS tomorrow
		FROM (SELECT rae_now() AS now OFFSET 0) n) t`
	inPeriods = `IN (to_char(t.today, 'YYYY-MM-DD'), to_char(t.today, 'YYYY-MM'), to_char(t.tomorrow, 'YYYY-MM-DD'), to_char(t.tomorrow, 'YYYY-MM'))`
)

// beginBooks keeps back the opening of a transaction; its first question sends it. The scope is a tenant's, of no project.
func (l *Ledger) beginBooks(ctx context.Context, scope memory.Scope, alone func() bool) (*books, func(), error) {
	t, end, err := l.db.turns(ctx, memory.Scope{Tenant: scope.Tenant, Project: allProjects}, lockBooks, alone)
	if err != nil {
		return nil, end, err
	}
	b := &books{turns: t, actual: new(time.Time), ledger: l, tenant: scope.Tenant, pages: map[string]*projectPage{}}
	b.memo, b.careful = l.memos.take(b.tenant)
	if b.memo != nil && b.recall() {
		return b, end, nil
	}
	b.memo = nil
	b.ask(readTenantBooks, []any{b.tenant}, func(rows pgx.Rows) error {
		b.readAt = time.Now()
		var r tenantRow
		if err := l.scanTenantBooks(rows, b.tenant, &b.stands, &r); err != nil {
			return err
		}
		b.now, b.stamp, b.due = r.now, r.stamp, r.due
		b.terms = b.terms || r.day != b.stands.all.account.Day
		b.next = tenantPage{all: b.stands.all.account, pot: b.stands.pot.account}
		b.kept = b.next
		return nil
	})
	return b, end, nil
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
			p.account = p.stands.account
			p.account.Loosen()
			return err
		})
	}
	p.opened = true
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
	b.left = tenantBooks{b.stands.all.moved(&b.next.all), b.stands.pot.moved(&b.next.pot)}
	for _, p := range b.pages {
		p.left = p.stands.moved(&p.account)
	}
	changed := b.next.changed || b.due && b.next.lapsed // then nothing is due any more
	switch {
	case b.memo != nil && changed && !b.exact:
		b.move()
	case b.memo != nil && b.exact:
		b.stand()
		fallthrough
	default:
		if changed {
			b.store()
		}
	}
	err := b.turns.Commit()
	if err == nil {
		b.date()
		b.remember()
	}
	return err
}

// which are the pages that a turn has opened or changed, in order.
func (b *books) which(wanted func(*projectPage) bool) iter.Seq2[string, *projectPage] {
	return func(yield func(string, *projectPage) bool) {
		for _, name := range slices.Sorted(maps.Keys(b.pages)) {
			if p := b.pages[name]; wanted(p) && !yield(name, p) {
				return
			}
		}
	}
}

func (b *books) opened() iter.Seq2[string, *projectPage] {
	return b.which(func(p *projectPage) bool { return p.opened })
}

func (b *books) changed() iter.Seq2[string, *projectPage] {
	return b.which(func(p *projectPage) bool { return p.changed })
}

// muchSpent is where counting begins anew, under another stamp.
const muchSpent = 1 << 61

// store keeps back the accounts as they are now.
func (b *books) store() {
	accounts := []*footing{&b.left.all, &b.left.pot}
	for _, p := range b.changed() {
		accounts = append(accounts, &p.left)
	}
	for _, s := range accounts {
		if s.spent.Cost > muchSpent || s.spent.Cost < 0 || s.spent.Tokens > muchSpent || s.spent.Tokens < 0 {
			s.spent, b.terms = budget.Amount{}, true
		}
	}
	for b.terms = b.terms || b.stamp == 0; b.terms; b.terms = b.stamp == 0 {
		b.stamp = rand.Int64()
	}
	args := []any{b.tenant, string(b.next.all.Day), b.stamp, b.shortest()}
	for _, s := range accounts[:2] {
		args = append(args, int64(s.account.Held.Cost), s.account.Held.Tokens, int64(s.spent.Cost), s.spent.Tokens)
	}
	var names []string
	var columns [4][]int64
	for name, p := range b.changed() {
		names = append(names, name)
		for i, n := range []int64{int64(p.account.Held.Cost), p.account.Held.Tokens, int64(p.left.spent.Cost), p.left.spent.Tokens} {
			columns[i] = append(columns[i], n)
		}
	}
	b.exec(storeBooks, append(args, names, columns[0], columns[1], columns[2], columns[3])...)
	b.book()
}

// book keeps back that the periods have what was booked in them.
func (b *books) book() {
	var above usages[bool]
	above.add(false, &b.stands.all.account, &b.next.all)
	above.add(true, &b.stands.pot.account, &b.next.pot)
	var used usages[string]
	for name, p := range b.changed() {
		used.add(name, &p.stands.account, &p.account)
	}
	if len(above.periods)+len(used.periods) > 0 {
		b.exec(bookUsage, b.tenant, above.whose, above.periods, above.costs, above.tokens, above.told,
			used.whose, used.periods, used.costs, used.tokens, used.told)
	}
}

// shortest is the shortest lease that the transaction has granted, in microseconds.
func (b *books) shortest() (lease *int64) {
	for i := range b.made {
		if l := b.made[i].lease(); lease == nil || l < *lease {
			lease = &l
		}
	}
	return lease
}

// Statements of store and book.
const (
	storeBooks = `WITH above AS (
			INSERT INTO tenant_accounts (tenant, day, stamp, held_cost, held_tokens, spent_cost, spent_tokens,
				pot_cost, pot_tokens, pot_spent_cost, pot_spent_tokens, lapses_at)
			VALUES ($1, $2, $3, $5, $6, $7, $8, $9, $10, $11, $12, coalesce(least(` + fixedNow + ` + $4::bigint * interval '1 microsecond',
				(SELECT min(expires_at) FROM reservations WHERE tenant = $1 AND status = 'held')), 'infinity'))
			ON CONFLICT (tenant) DO UPDATE SET day = excluded.day, stamp = excluded.stamp, held_cost = excluded.held_cost,
			held_tokens = excluded.held_tokens, spent_cost = excluded.spent_cost, spent_tokens = excluded.spent_tokens,
			pot_cost = excluded.pot_cost, pot_tokens = excluded.pot_tokens, pot_spent_cost = excluded.pot_spent_cost,
			pot_spent_tokens = excluded.pot_spent_tokens, lapses_at = CASE WHEN tenant_accounts.lapses_at > ` + fixedNow + `
			THEN least(tenant_accounts.lapses_at, ` + fixedNow + ` + $4::bigint * interval '1 microsecond') ELSE excluded.lapses_at END)
		INSERT INTO budget_accounts (tenant, day, project, held_cost, held_tokens, spent_cost, spent_tokens)
		SELECT $1, $2, * FROM unnest($13::text[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[])
		ON CONFLICT (tenant, project) DO UPDATE SET day = excluded.day, held_cost = excluded.held_cost,
		held_tokens = excluded.held_tokens, spent_cost = excluded.spent_cost, spent_tokens = excluded.spent_tokens`
	bookUsage = `WITH above AS (
			INSERT INTO tenant_usage AS u (tenant, pot, period, cost, tokens, told)
			SELECT $1, * FROM unnest($2::boolean[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[])
			ON CONFLICT (tenant, period, pot) DO UPDATE SET cost = u.cost + excluded.cost, tokens = u.tokens + excluded.tokens,
			told = excluded.told)
		INSERT INTO budget_usage AS u (tenant, project, period, cost, tokens, told)
		SELECT $1, * FROM unnest($7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::integer[])
		ON CONFLICT (tenant, project, period) DO UPDATE SET cost = u.cost + excluded.cost, tokens = u.tokens + excluded.tokens,
		told = excluded.told`
)

// usages are the columns of what is booked anew in periods.
type usages[T any] struct {
	whose         []T
	periods       []string
	costs, tokens []int64
	told          []int32
}

// add adds what is more than stands, and what else differs.
func (u *usages[T]) add(whose T, stands, next *budget.Account) {
	for _, p := range []struct {
		period       string
		stands, next budget.Usage
	}{{string(next.Day), stands.Today, next.Today}, {next.Day.Month(), stands.Month, next.Month}} {
		if p.stands == p.next {
			continue
		}
		u.whose, u.periods = append(u.whose, whose), append(u.periods, p.period)
		u.costs, u.tokens = append(u.costs, int64(p.next.Cost-p.stands.Cost)), append(u.tokens, p.next.Tokens-p.stands.Tokens)
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
		b.exact = b.exact || *n > 0
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
		b.next.changed, b.terms, b.exact = true, true, true
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
	spent       budget.Amount
}

// tenantRow is a row of readTenantBooks.
type tenantRow struct {
	bookRow
	potHeld, potSpent budget.Amount
	stamp             int64
	due               bool
	ofPot             bool
}

func (r *bookRow) scan(rows pgx.Rows, whose string, more ...any) error {
	own := &r.own
	err := rows.Scan(append([]any{&r.now, &r.day, &own.Monthly, &own.Daily, &own.MonthlyTokens, &own.DailyTokens, &r.threshold,
		&r.onExhausted, &r.held.Cost, &r.held.Tokens, &r.period, &r.used.Cost, &r.used.Tokens, &r.told, &r.spent.Cost, &r.spent.Tokens}, more...)...)
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
func (l *Ledger) scanBooks(rows pgx.Rows, scope memory.Scope, s *footing) (now time.Time, err error) {
	var r bookRow
	if err := r.scan(rows, scope.String()); err != nil {
		return now, err
	}
	a := &s.account
	if a.Day == "" {
		*a = l.policy.Project(scope, r.limits(), budget.OpenDay(r.day, r.now))
		a.Held, s.spent = r.held, r.spent
	}
	r.enter(a)
	return r.now, nil
}

// scanTenantBooks reads a row of readTenantBooks into the accounts, which are opened by the first one.
func (l *Ledger) scanTenantBooks(rows pgx.Rows, tenant string, above *tenantBooks, r *tenantRow) error {
	err := r.scan(rows, tenant, &r.potHeld.Cost, &r.potHeld.Tokens, &r.potSpent.Cost, &r.potSpent.Tokens, &r.stamp, &r.due, &r.ofPot)
	if err != nil {
		return err
	}
	all, pot := &above.all, &above.pot
	if all.account.Day == "" {
		all.account, pot.account = l.policy.Tenant(tenant, r.limits(), r.day, r.now)
		all.account.Held, pot.account.Held = r.held, r.potHeld
		all.spent, pot.spent = r.spent, r.potSpent
	}
	if r.ofPot {
		r.enter(&pot.account)
	} else {
		r.enter(&all.account)
	}
	return nil
}
