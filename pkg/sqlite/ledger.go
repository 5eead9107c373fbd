package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ budget.Ledger = (*Ledger)(nil)

// Ledger keeps the budgets of a DB. One connection writes, so a decision and what it changes are one step; callers that
// come together share a commit.
type Ledger struct {
	db     *DB
	policy budget.Policy
}

// NewLedger returns the ledger in db. It connects to nothing until it is used.
func NewLedger(db *DB, policy budget.Policy) *Ledger { return &Ledger{db: db, policy: policy} }

// change runs do on the books of a scope in one transaction. do says whether they are to be stored; its error takes
// everything back.
func (l *Ledger) change(
	ctx context.Context, scope memory.Scope, do func(tx *sql.Tx, b *budget.Books, now time.Time) (changed bool, err error),
) error {
	if err := budget.CheckScope(scope); err != nil {
		return err
	}
	return l.changeTenant(ctx, scope.Tenant, func(tx *sql.Tx, b *budget.Books, now time.Time) (bool, error) {
		if err := l.openProject(context.WithoutCancel(ctx), tx, scope, b); err != nil {
			return false, err
		}
		return do(tx, b, now)
	})
}

// changeTenant is change for the books above a tenant's projects.
func (l *Ledger) changeTenant(
	ctx context.Context, tenant string, do func(tx *sql.Tx, b *budget.Books, now time.Time) (changed bool, err error),
) error {
	return l.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx) // an interrupted statement would take the whole group's transaction with it
		now := l.db.now()
		b, err := l.open(ctx, tx, tenant, now)
		if err != nil {
			return err
		}
		changed, err := do(tx, &b, now)
		if err != nil || !changed {
			return err
		}
		return l.store(ctx, tx, &b)
	})
}

// view runs do in one consistent read.
func (l *Ledger) view(ctx context.Context, do func(tx *sql.Tx) error) error {
	db, err := l.db.read(ctx)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return classify(ctx, err)
	}
	defer tx.Rollback() //nolint:errcheck // there is nothing to take back
	return classify(ctx, do(tx))
}

// ownLimits are limits as they are stored, if anybody set any.
type ownLimits struct {
	budget.Limits
	threshold   sql.NullFloat64
	onExhausted sql.NullString
}

func (o *ownLimits) into() []any {
	return []any{&o.Monthly, &o.Daily, &o.MonthlyTokens, &o.DailyTokens, &o.threshold, &o.onExhausted}
}

// set returns the limits, nil where there is no row of them.
func (o *ownLimits) set() *budget.Limits {
	if !o.threshold.Valid {
		return nil
	}
	o.WarningThreshold, o.OnExhausted = o.threshold.Float64, budget.Exhaustion(o.onExhausted.String)
	return &o.Limits
}

// open reads the books above a tenant's projects at now.
func (l *Ledger) open(ctx context.Context, tx *sql.Tx, tenant string, now time.Time) (budget.Books, error) {
	const books = `SELECT b.monthly_limit, b.daily_limit, b.monthly_tokens, b.daily_tokens, b.warning_threshold, b.on_exhausted,
			coalesce(a.day, ''), coalesce(a.held_cost, 0), coalesce(a.held_tokens, 0), coalesce(a.pot_cost, 0), coalesce(a.pot_tokens, 0)
		FROM (SELECT ? AS tenant) s
		LEFT JOIN tenant_budgets b ON b.tenant = s.tenant LEFT JOIN tenant_accounts a ON a.tenant = s.tenant`
	var (
		own     ownLimits
		day     budget.Day
		held    budget.Amount
		heldPot budget.Amount
	)
	err := tx.QueryRowContext(ctx, books, tenant).
		Scan(append(own.into(), &day, &held.Cost, &held.Tokens, &heldPot.Cost, &heldPot.Tokens)...)
	if err != nil {
		return budget.Books{}, fmt.Errorf("open the books of %s: %w", tenant, err)
	}
	all, pot := l.policy.Tenant(tenant, own.set(), day, now)
	all.Held, pot.Held = held, heldPot
	for _, a := range []struct {
		*budget.Account
		pot bool
	}{{&all, false}, {&pot, true}} {
		const query = "SELECT cost, tokens, told FROM tenant_usage WHERE tenant = ? AND pot = ? AND period = ?"
		err := readUsage(ctx, tx, a.Account, func(period string) (string, []any) { return query, []any{tenant, a.pot, period} })
		if err != nil {
			return budget.Books{}, err
		}
	}
	return budget.Books{Tenant: &all, Pot: &pot}, nil
}

// openProject reads the books of a project on the day that those above it are open.
func (l *Ledger) openProject(ctx context.Context, tx *sql.Tx, scope memory.Scope, b *budget.Books) error {
	const books = `SELECT b.monthly_limit, b.daily_limit, b.monthly_tokens, b.daily_tokens, b.warning_threshold,
			b.on_exhausted, coalesce(a.held_cost, 0), coalesce(a.held_tokens, 0)
		FROM (SELECT ? AS tenant, ? AS project) s
		LEFT JOIN budgets b ON b.tenant = s.tenant AND b.project = s.project
		LEFT JOIN budget_accounts a ON a.tenant = s.tenant AND a.project = s.project`
	var (
		own  ownLimits
		held budget.Amount
	)
	err := tx.QueryRowContext(ctx, books, scope.Tenant, scope.Project).Scan(append(own.into(), &held.Cost, &held.Tokens)...)
	if err != nil {
		return fmt.Errorf("open the books of %s: %w", scope, err)
	}
	a := l.policy.Project(scope, own.set(), b.Tenant.Day)
	a.Held = held
	b.Project = &a
	return readUsage(ctx, tx, &a, func(period string) (string, []any) {
		return "SELECT cost, tokens, told FROM budget_usage WHERE tenant = ? AND project = ? AND period = ?",
			[]any{scope.Tenant, scope.Project, period}
	})
}

// readUsage reads what is booked on the account's day and in its month.
func readUsage(ctx context.Context, tx *sql.Tx, a *budget.Account, of func(period string) (query string, args []any)) error {
	for period, u := range map[string]*budget.Usage{string(a.Day): &a.Today, a.Day.Month(): &a.Month} {
		query, args := of(period)
		err := tx.QueryRowContext(ctx, query, args...).Scan(&u.Cost, &u.Tokens, &u.Told)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read the usage of %s in %s: %w", a.Scope, period, err)
		}
	}
	return nil
}

// store writes the books back, with what they have to tell.
func (l *Ledger) store(ctx context.Context, tx *sql.Tx, b *budget.Books) error {
	tenant := b.Tenant.Scope.Tenant
	const above = `INSERT INTO tenant_accounts (tenant, day, held_cost, held_tokens, pot_cost, pot_tokens) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET day = excluded.day, held_cost = excluded.held_cost, held_tokens = excluded.held_tokens,
			pot_cost = excluded.pot_cost, pot_tokens = excluded.pot_tokens`
	_, err := tx.ExecContext(ctx, above, tenant, string(b.Tenant.Day), int64(b.Tenant.Held.Cost), b.Tenant.Held.Tokens,
		int64(b.Pot.Held.Cost), b.Pot.Held.Tokens)
	if err != nil {
		return fmt.Errorf("store the account of %s: %w", tenant, err)
	}
	const usage = `INSERT INTO tenant_usage (tenant, pot, period, cost, tokens, told) VALUES (?, ?, ?, ?, ?, ?)` + booked
	if err := storeUsage(ctx, tx, b.Tenant, usage, tenant, false); err != nil {
		return err
	}
	if err := storeUsage(ctx, tx, b.Pot, usage, tenant, true); err != nil {
		return err
	}
	if a := b.Project; a != nil {
		const account = `INSERT INTO budget_accounts (tenant, project, day, held_cost, held_tokens) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET day = excluded.day, held_cost = excluded.held_cost, held_tokens = excluded.held_tokens`
		_, err := tx.ExecContext(ctx, account, tenant, a.Scope.Project, string(a.Day), int64(a.Held.Cost), a.Held.Tokens)
		if err != nil {
			return fmt.Errorf("store the account of %s: %w", a.Scope, err)
		}
		const usage = `INSERT INTO budget_usage (tenant, project, period, cost, tokens, told) VALUES (?, ?, ?, ?, ?, ?)` + booked
		if err := storeUsage(ctx, tx, a, usage, tenant, a.Scope.Project); err != nil {
			return err
		}
	}
	for _, r := range b.Records {
		if err := l.db.emit(ctx, tx, memory.Scope{Tenant: r.Tenant, Project: r.Project}, r); err != nil {
			return fmt.Errorf("announce %s: %w", r.Type, err)
		}
	}
	return nil
}

const booked = ` ON CONFLICT DO UPDATE SET cost = excluded.cost, tokens = excluded.tokens, told = excluded.told
	WHERE cost <> excluded.cost OR tokens <> excluded.tokens OR told <> excluded.told`

// storeUsage writes what is booked on the account's day and in its month, by a statement that takes whose it is first.
func storeUsage(ctx context.Context, tx *sql.Tx, a *budget.Account, statement string, whose ...any) error {
	for period, u := range map[string]budget.Usage{string(a.Day): a.Today, a.Day.Month(): a.Month} {
		if u == (budget.Usage{}) {
			continue // nothing was booked or told; there is no row either, or it is empty already
		}
		_, err := tx.ExecContext(ctx, statement, append(whose[:len(whose):len(whose)], period, int64(u.Cost), u.Tokens, int64(u.Told))...)
		if err != nil {
			return fmt.Errorf("store the usage of %s in %s: %w", a.Scope, period, err)
		}
	}
	return nil
}

// PutLimits implements budget.Ledger.
func (l *Ledger) PutLimits(ctx context.Context, scope memory.Scope, limits budget.Limits) (status budget.Status, err error) {
	limits, err = limits.Complete()
	if err != nil {
		return budget.Status{}, err
	}
	err = l.change(ctx, scope, func(tx *sql.Tx, b *budget.Books, now time.Time) (bool, error) {
		const put = `INSERT INTO budgets (tenant, project, monthly_limit, daily_limit, monthly_tokens, daily_tokens,
				warning_threshold, on_exhausted, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)` + limited
		ctx := context.WithoutCancel(ctx)
		if _, err := tx.ExecContext(ctx, put, append([]any{scope.Tenant, scope.Project}, limitsRow(&limits, now)...)...); err != nil {
			return false, fmt.Errorf("store the limits of %s: %w", scope, err)
		}
		if _, err := lapse(ctx, tx, b, now); err != nil {
			return false, err
		}
		b.Limit(limits, now)
		status = b.Project.Status(now)
		return true, nil
	})
	return status, err
}

// PutTenantLimits implements budget.Ledger.
func (l *Ledger) PutTenantLimits(ctx context.Context, tenant string, limits budget.Limits) (status budget.TenantStatus, err error) {
	limits, err = limits.Complete()
	if err != nil {
		return budget.TenantStatus{}, err
	}
	err = l.changeTenant(ctx, tenant, func(tx *sql.Tx, b *budget.Books, now time.Time) (bool, error) {
		const put = `INSERT INTO tenant_budgets (tenant, monthly_limit, daily_limit, monthly_tokens, daily_tokens,
				warning_threshold, on_exhausted, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)` + limited
		ctx := context.WithoutCancel(ctx)
		if _, err := tx.ExecContext(ctx, put, append([]any{tenant}, limitsRow(&limits, now)...)...); err != nil {
			return false, fmt.Errorf("store the limits of %s: %w", tenant, err)
		}
		if _, err := lapse(ctx, tx, b, now); err != nil {
			return false, err
		}
		b.LimitTenant(limits, now)
		status = b.TenantStatus(now)
		return true, nil
	})
	return status, err
}

const limited = ` ON CONFLICT DO UPDATE SET monthly_limit = excluded.monthly_limit, daily_limit = excluded.daily_limit,
	monthly_tokens = excluded.monthly_tokens, daily_tokens = excluded.daily_tokens,
	warning_threshold = excluded.warning_threshold, on_exhausted = excluded.on_exhausted, updated_at = excluded.updated_at`

// limitsRow are the columns of limits, from monthly_limit on.
func limitsRow(l *budget.Limits, now time.Time) []any {
	return []any{nanos(l.Monthly), nanos(l.Daily), l.MonthlyTokens, l.DailyTokens, l.WarningThreshold, string(l.OnExhausted), micros(now)}
}

// nanos is a limit as the store writes it.
func nanos(c *budget.Cost) any {
	if c == nil {
		return nil
	}
	return int64(*c)
}

// Current implements budget.Ledger. It changes nothing: holds whose lease has ended are left out of the sum.
func (l *Ledger) Current(ctx context.Context, scope memory.Scope) (status budget.Status, err error) {
	if err := budget.CheckScope(scope); err != nil {
		return budget.Status{}, err
	}
	now := l.db.now()
	err = l.view(ctx, func(tx *sql.Tx) error {
		b, err := l.open(ctx, tx, scope.Tenant, now)
		if err != nil {
			return err
		}
		if err := l.openProject(ctx, tx, scope, &b); err != nil {
			return err
		}
		const ended = `SELECT project, pot, max_cost, max_tokens, expires_at FROM reservations
			WHERE tenant = ? AND project = ? AND status = 'held' AND expires_at <= ?`
		if _, err := lapseRows(ctx, tx, &b, now, ended, scope.Tenant, scope.Project, micros(now)); err != nil {
			return err
		}
		status = b.Project.Status(now)
		return nil
	})
	return status, err
}

// CurrentTenant implements budget.Ledger. It changes nothing, as Current.
func (l *Ledger) CurrentTenant(ctx context.Context, tenant string) (status budget.TenantStatus, err error) {
	now := l.db.now()
	err = l.view(ctx, func(tx *sql.Tx) error {
		b, err := l.open(ctx, tx, tenant, now)
		if err != nil {
			return err
		}
		const ended = `SELECT project, pot, max_cost, max_tokens, expires_at FROM reservations
			WHERE tenant = ? AND status = 'held' AND expires_at <= ?`
		if _, err := lapseRows(ctx, tx, &b, now, ended, tenant, micros(now)); err != nil {
			return err
		}
		status = b.TenantStatus(now)
		return nil
	})
	return status, err
}

// freed is what ended holds of projects held.
type freed map[string]budget.Amount

// lapse gives back the tenant's holds whose lease has ended, in whatever project, and reports whether there were any.
func lapse(ctx context.Context, tx *sql.Tx, b *budget.Books, now time.Time) (bool, error) {
	const end = `UPDATE reservations SET status = 'expired'
		WHERE tenant = ? AND status = 'held' AND expires_at <= ?
		RETURNING project, pot, max_cost, max_tokens, expires_at`
	return lapseBy(ctx, tx, b, now, end, b.Tenant.Scope.Tenant, micros(now))
}

// lapseBy gives back the holds that the statement ends and returns.
func lapseBy(ctx context.Context, tx *sql.Tx, b *budget.Books, now time.Time, statement string, args ...any) (bool, error) {
	ended, err := lapseRows(ctx, tx, b, now, statement, args...)
	if err != nil {
		return false, err
	}
	for project, amount := range ended {
		if b.Project != nil && b.Project.Scope.Project == project {
			continue // its account is open, and stored with the others
		}
		const giveBack = `UPDATE budget_accounts SET held_cost = max(held_cost - ?, 0), held_tokens = max(held_tokens - ?, 0)
			WHERE tenant = ? AND project = ?`
		_, err := tx.ExecContext(ctx, giveBack, int64(amount.Cost), amount.Tokens, b.Tenant.Scope.Tenant, project)
		if err != nil {
			return false, fmt.Errorf("give back what expired in %s: %w", project, err)
		}
	}
	return len(ended) > 0, nil
}

// lapseRows takes the holds the query names out of the books, and returns what they held in each project.
func lapseRows(ctx context.Context, tx *sql.Tx, b *budget.Books, now time.Time, query string, args ...any) (ended freed, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("expire reservations of %s: %w", b.Tenant.Scope.Tenant, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	ended = freed{}
	for rows.Next() {
		r := budget.Reservation{Status: budget.Held}
		var expires int64
		if err := rows.Scan(&r.ProjectID, &r.Pot, &r.MaxCost, &r.MaxTokens, &expires); err != nil {
			return nil, fmt.Errorf("expire reservations of %s: %w", b.Tenant.Scope.Tenant, err)
		}
		r.ExpiresAt = instant(expires)
		b.Lapse(r, now)
		sum := ended[r.ProjectID]
		ended[r.ProjectID] = budget.Amount{Cost: sum.Cost + r.MaxCost, Tokens: sum.Tokens + r.MaxTokens}
	}
	return ended, rows.Err()
}

// Expire implements budget.Ledger.
func (l *Ledger) Expire(ctx context.Context, limit int) (int, error) {
	const slice = 200 // per transaction: other writers wait for it
	total := 0
	for total < limit {
		n, err := l.expire(ctx, min(slice, limit-total))
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
	return total, nil
}

// expire gives back up to limit holds in one transaction, those that ended first.
func (l *Ledger) expire(ctx context.Context, limit int) (n int, err error) {
	err = l.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		now := l.db.now()
		ended, err := endedByTenant(ctx, tx, now, limit)
		if err != nil {
			return fmt.Errorf("expire reservations: %w", err)
		}
		n = 0
		for tenant, most := range ended {
			b, err := l.open(ctx, tx, tenant, now)
			if err != nil {
				return err
			}
			const end = `UPDATE reservations SET status = 'expired' WHERE (tenant, project, id) IN (
					SELECT tenant, project, id FROM reservations WHERE tenant = ? AND status = 'held' AND expires_at <= ?
					ORDER BY expires_at LIMIT ?)
				RETURNING project, pot, max_cost, max_tokens, expires_at`
			if _, err := lapseBy(ctx, tx, &b, now, end, tenant, micros(now), most); err != nil {
				return err
			}
			if err := l.store(ctx, tx, &b); err != nil {
				return err
			}
			n += most
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// endedByTenant counts whose the holds are that ended first, up to limit.
func endedByTenant(ctx context.Context, tx *sql.Tx, now time.Time, limit int) (ended map[string]int, err error) {
	const query = `SELECT tenant FROM reservations WHERE status = 'held' AND expires_at <= ? ORDER BY expires_at LIMIT ?`
	rows, err := tx.QueryContext(ctx, query, micros(now), limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	ended = map[string]int{}
	for rows.Next() {
		var tenant string
		if err := rows.Scan(&tenant); err != nil {
			return nil, err
		}
		ended[tenant]++
	}
	return ended, rows.Err()
}
