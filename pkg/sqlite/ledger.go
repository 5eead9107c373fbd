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
	ctx context.Context, scope memory.Scope, do func(tx *sql.Tx, a *budget.Account, now time.Time) (changed bool, err error),
) error {
	return l.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx) // an interrupted statement would take the whole group's transaction with it
		now := l.db.now()
		a, err := l.open(ctx, tx, scope, now)
		if err != nil {
			return err
		}
		changed, err := do(tx, &a, now)
		if err != nil || !changed {
			return err
		}
		return l.store(ctx, tx, &a)
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

// open reads the books of a scope at now.
func (l *Ledger) open(ctx context.Context, tx *sql.Tx, scope memory.Scope, now time.Time) (budget.Account, error) {
	const books = `SELECT b.monthly_limit, b.daily_limit, b.monthly_tokens, b.daily_tokens, b.warning_threshold,
			b.on_exhausted, coalesce(a.day, ''), coalesce(a.held_cost, 0), coalesce(a.held_tokens, 0)
		FROM (SELECT ? AS tenant, ? AS project) s
		LEFT JOIN budgets b ON b.tenant = s.tenant AND b.project = s.project
		LEFT JOIN budget_accounts a ON a.tenant = s.tenant AND a.project = s.project`
	var (
		own         budget.Limits
		threshold   sql.NullFloat64
		onExhausted sql.NullString
		day         budget.Day
		held        budget.Amount
	)
	err := tx.QueryRowContext(ctx, books, scope.Tenant, scope.Project).Scan(&own.Monthly, &own.Daily, &own.MonthlyTokens,
		&own.DailyTokens, &threshold, &onExhausted, &day, &held.Cost, &held.Tokens)
	if err != nil {
		return budget.Account{}, fmt.Errorf("open the books of %s: %w", scope, err)
	}
	set := &own
	if threshold.Valid {
		own.WarningThreshold, own.OnExhausted = threshold.Float64, budget.Exhaustion(onExhausted.String)
	} else {
		set = nil // no row: the scope never set limits
	}
	a := l.policy.Account(scope, set, day, now)
	a.Held = held
	a.Today, err = usage(ctx, tx, scope, string(a.Day))
	if err == nil {
		a.Month, err = usage(ctx, tx, scope, a.Day.Month())
	}
	return a, err
}

// usage reads what is booked in a period.
func usage(ctx context.Context, tx *sql.Tx, scope memory.Scope, period string) (budget.Usage, error) {
	const query = "SELECT cost, tokens, told FROM budget_usage WHERE tenant = ? AND project = ? AND period = ?"
	var u budget.Usage
	err := tx.QueryRowContext(ctx, query, scope.Tenant, scope.Project, period).Scan(&u.Cost, &u.Tokens, &u.Told)
	if errors.Is(err, sql.ErrNoRows) {
		return budget.Usage{}, nil
	}
	if err != nil {
		return budget.Usage{}, fmt.Errorf("read the usage of %s in %s: %w", scope, period, err)
	}
	return u, nil
}

// store writes the books back, with what they have to tell.
func (l *Ledger) store(ctx context.Context, tx *sql.Tx, a *budget.Account) error {
	const account = `INSERT INTO budget_accounts (tenant, project, day, held_cost, held_tokens) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET day = excluded.day, held_cost = excluded.held_cost, held_tokens = excluded.held_tokens`
	_, err := tx.ExecContext(ctx, account, a.Scope.Tenant, a.Scope.Project, string(a.Day), int64(a.Held.Cost), a.Held.Tokens)
	if err != nil {
		return fmt.Errorf("store the account of %s: %w", a.Scope, err)
	}
	for period, u := range map[string]budget.Usage{string(a.Day): a.Today, a.Day.Month(): a.Month} {
		if u == (budget.Usage{}) {
			continue // nothing was booked or told; there is no row either, or it is empty already
		}
		const booked = `INSERT INTO budget_usage (tenant, project, period, cost, tokens, told) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET cost = excluded.cost, tokens = excluded.tokens, told = excluded.told
			WHERE cost <> excluded.cost OR tokens <> excluded.tokens OR told <> excluded.told`
		_, err := tx.ExecContext(ctx, booked, a.Scope.Tenant, a.Scope.Project, period, int64(u.Cost), u.Tokens, int64(u.Told))
		if err != nil {
			return fmt.Errorf("store the usage of %s in %s: %w", a.Scope, period, err)
		}
	}
	for _, r := range a.Records {
		if err := l.db.emit(ctx, tx, a.Scope, r); err != nil {
			return fmt.Errorf("announce %s: %w", r.Type, err)
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
	err = l.change(ctx, scope, func(tx *sql.Tx, a *budget.Account, now time.Time) (bool, error) {
		const put = `INSERT INTO budgets (tenant, project, monthly_limit, daily_limit, monthly_tokens, daily_tokens,
				warning_threshold, on_exhausted, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET monthly_limit = excluded.monthly_limit, daily_limit = excluded.daily_limit,
				monthly_tokens = excluded.monthly_tokens, daily_tokens = excluded.daily_tokens,
				warning_threshold = excluded.warning_threshold, on_exhausted = excluded.on_exhausted,
				updated_at = excluded.updated_at`
		ctx := context.WithoutCancel(ctx)
		_, err := tx.ExecContext(ctx, put, scope.Tenant, scope.Project, nanos(limits.Monthly), nanos(limits.Daily),
			limits.MonthlyTokens, limits.DailyTokens, limits.WarningThreshold, string(limits.OnExhausted), micros(now))
		if err != nil {
			return false, fmt.Errorf("store the limits of %s: %w", scope, err)
		}
		if err := lapse(ctx, tx, a, now); err != nil {
			return false, err
		}
		a.Limit(limits, now)
		status = a.Status(now)
		return true, nil
	})
	return status, err
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
	now := l.db.now()
	err = l.view(ctx, func(tx *sql.Tx) error {
		a, err := l.open(ctx, tx, scope, now)
		if err != nil {
			return err
		}
		const ended = `SELECT max_cost, max_tokens, expires_at FROM reservations
			WHERE tenant = ? AND project = ? AND status = 'held' AND expires_at <= ?`
		if err := lapseRows(ctx, tx, &a, now, ended); err != nil {
			return err
		}
		status = a.Status(now)
		return nil
	})
	return status, err
}

// lapse gives back the scope's holds whose lease has ended.
func lapse(ctx context.Context, tx *sql.Tx, a *budget.Account, now time.Time) error {
	const end = `UPDATE reservations SET status = 'expired'
		WHERE tenant = ? AND project = ? AND status = 'held' AND expires_at <= ?
		RETURNING max_cost, max_tokens, expires_at`
	return lapseRows(ctx, tx, a, now, end)
}

// lapseRows takes the holds the query names out of the account.
func lapseRows(ctx context.Context, tx *sql.Tx, a *budget.Account, now time.Time, query string) (err error) {
	rows, err := tx.QueryContext(ctx, query, a.Scope.Tenant, a.Scope.Project, micros(now))
	if err != nil {
		return fmt.Errorf("expire reservations of %s: %w", a.Scope, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		r := budget.Reservation{Status: budget.Held}
		var expires int64
		if err := rows.Scan(&r.MaxCost, &r.MaxTokens, &expires); err != nil {
			return fmt.Errorf("expire reservations of %s: %w", a.Scope, err)
		}
		r.ExpiresAt = instant(expires)
		a.Lapse(r, now)
	}
	return rows.Err()
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

// expire gives back up to limit holds in one transaction.
func (l *Ledger) expire(ctx context.Context, limit int) (n int, err error) {
	err = l.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		freed := map[memory.Scope]budget.Amount{}
		n, err = takeEnded(ctx, tx, l.db.now(), limit, freed)
		if err != nil {
			return fmt.Errorf("expire reservations: %w", err)
		}
		for scope, amount := range freed {
			const giveBack = `UPDATE budget_accounts SET held_cost = max(held_cost - ?, 0),
				held_tokens = max(held_tokens - ?, 0) WHERE tenant = ? AND project = ?`
			_, err := tx.ExecContext(ctx, giveBack, int64(amount.Cost), amount.Tokens, scope.Tenant, scope.Project)
			if err != nil {
				return fmt.Errorf("give back what expired in %s: %w", scope, err)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// takeEnded marks up to limit reservations expired, oldest first, and sums what they held.
func takeEnded(ctx context.Context, tx *sql.Tx, now time.Time, limit int, freed map[memory.Scope]budget.Amount) (n int, err error) {
	const end = `UPDATE reservations SET status = 'expired' WHERE (tenant, project, id) IN (
			SELECT tenant, project, id FROM reservations WHERE status = 'held' AND expires_at <= ?
			ORDER BY expires_at LIMIT ?)
		RETURNING tenant, project, max_cost, max_tokens`
	rows, err := tx.QueryContext(ctx, end, micros(now), limit)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var scope memory.Scope
		var amount budget.Amount
		if err := rows.Scan(&scope.Tenant, &scope.Project, &amount.Cost, &amount.Tokens); err != nil {
			return 0, err
		}
		sum := freed[scope]
		freed[scope] = budget.Amount{Cost: sum.Cost + amount.Cost, Tokens: sum.Tokens + amount.Tokens}
		n++
	}
	return n, rows.Err()
}
