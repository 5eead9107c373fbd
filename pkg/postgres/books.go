package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// books is the transaction of a group of those who spend from one scope's budget. The account is read once, changed by
// one after the other, and written once.
type books struct {
	turns
	now time.Time // of all that the transaction does

	next bookkeeper // with what this transaction did
	kept bookkeeper // next, as the turn under way found it
}

// bookkeeper is what a turn may change.
type bookkeeper struct {
	account budget.Account
	lapsed  bool // holds whose lease has ended by now have been given back
	changed bool // the account is to be written
}

const (
	// lockBooks is lockScope for the budget of a scope. An import of memories does not keep a reservation waiting.
	lockBooks = `SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 1)),
		pg_advisory_xact_lock(hashtextextended(length($1)::text || ':' || $1 || $2, 3))`
	// standStill makes rae_now() the same time for all statements of the transaction: who gives back a hold and who counts
	// it must agree whether its lease has ended, and on the day.
	standStill = `SELECT set_config('rae.now', to_json(rae_now()) #>> '{}', true)`
	// readBooks reads the account, one row for each period in which it may be open: today, or tomorrow where the clock
	// fell back over midnight (budget.OpenDay).
	readBooks = `SELECT t.now, b.monthly_limit, b.daily_limit, b.monthly_tokens, b.daily_tokens, b.warning_threshold, b.on_exhausted,
		coalesce(a.day, ''), coalesce(a.held_cost, 0), coalesce(a.held_tokens, 0),
		coalesce(u.period, ''), coalesce(u.cost, 0), coalesce(u.tokens, 0), coalesce(u.told, 0)
		FROM (SELECT n.now, n.now AT TIME ZONE 'UTC' AS today, n.now AT TIME ZONE 'UTC' + interval '1 day' AS tomorrow
			FROM (SELECT rae_now() AS now OFFSET 0) n) t
		LEFT JOIN budgets b ON b.tenant = $1 AND b.project = $2
		LEFT JOIN budget_accounts a ON a.tenant = $1 AND a.project = $2
		LEFT JOIN budget_usage u ON u.tenant = $1 AND u.project = $2 AND u.period IN (to_char(t.today, 'YYYY-MM-DD'),
			to_char(t.today, 'YYYY-MM'), to_char(t.tomorrow, 'YYYY-MM-DD'), to_char(t.tomorrow, 'YYYY-MM'))`
)

// beginBooks keeps back the opening of a transaction; its first question sends it.
func (l *Ledger) beginBooks(ctx context.Context, scope memory.Scope, alone func() bool) (*books, func(), error) {
	t, end, err := l.db.turns(ctx, scope, alone)
	if err != nil {
		return nil, end, err
	}
	b := &books{turns: t}
	b.exec(lockBooks, scope.Tenant, scope.Project)
	b.exec(standStill)
	b.ask(readBooks, []any{scope.Tenant, scope.Project}, func(rows pgx.Rows) error {
		now, err := l.scanBooks(rows, scope, &b.next.account)
		b.now, b.kept.account = now, b.next.account
		return err
	})
	return b, end, nil
}

// Savepoint implements groupcommit.Tx.
func (b *books) Savepoint() error {
	b.kept = b.next
	return b.turns.Savepoint()
}

// TakeBack implements groupcommit.Tx.
func (b *books) TakeBack() error {
	b.next = b.kept
	return b.turns.TakeBack()
}

// Commit implements groupcommit.Tx.
func (b *books) Commit() error {
	if b.next.changed {
		b.store(&b.next.account)
	}
	return b.turns.Commit()
}

// store keeps back the account as it is now.
func (b *books) store(a *budget.Account) {
	tenant, project := b.scope.Tenant, b.scope.Project
	b.exec(`INSERT INTO budget_accounts (tenant, project, day, held_cost, held_tokens) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant, project) DO UPDATE SET day = excluded.day, held_cost = excluded.held_cost,
		held_tokens = excluded.held_tokens`, tenant, project, string(a.Day), int64(a.Held.Cost), a.Held.Tokens)
	b.storeUsage(string(a.Day), a.Today)
	b.storeUsage(a.Day.Month(), a.Month)
}

// storeUsage keeps back what is booked in a period.
func (b *books) storeUsage(period string, u budget.Usage) {
	if u == (budget.Usage{}) {
		return // nothing was booked or told; there is no row either, or it is empty already
	}
	b.exec(`INSERT INTO budget_usage AS u (tenant, project, period, cost, tokens, told) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant, project, period) DO UPDATE SET cost = excluded.cost, tokens = excluded.tokens, told = excluded.told
		WHERE (u.cost, u.tokens, u.told) <> (excluded.cost, excluded.tokens, excluded.told)`,
		b.scope.Tenant, b.scope.Project, period, int64(u.Cost), u.Tokens, int32(u.Told))
}

// lapse keeps back that the holds whose lease has ended are given back; the first turn that needs it does so for all.
func (b *books) lapse() {
	if b.next.lapsed {
		return
	}
	b.next.lapsed = true
	var n int
	b.giveBack(&n, `UPDATE reservations SET status = 'expired' WHERE tenant = $1 AND project = $2 AND status = 'held'
		AND expires_at <= rae_now() RETURNING max_cost, max_tokens, expires_at`, b.scope.Tenant, b.scope.Project)
}

// giveBack keeps back a statement that ends holds; those it returns are counted and taken off the account.
func (b *books) giveBack(n *int, statement string, args ...any) {
	b.ask(statement, args, func(rows pgx.Rows) error {
		b.next.changed = true
		*n++
		return lapseRow(rows, &b.next.account, b.now)
	})
}

// lapseRow takes the hold of the row off the account.
func lapseRow(rows pgx.Rows, a *budget.Account, now time.Time) error {
	r := budget.Reservation{Status: budget.Held}
	err := rows.Scan(&r.MaxCost, &r.MaxTokens, &r.ExpiresAt)
	a.Lapse(r, now)
	return err
}

// tell keeps back what the account has to announce.
func (b *books) tell(caller context.Context) {
	a := &b.next.account
	b.next.changed = b.next.changed || len(a.Records) > 0
	b.db.emit(caller, b.session, b.scope, a.Records...)
	a.Records = nil
}

// scanBooks reads a row of readBooks into the account, which is opened by the first one.
func (l *Ledger) scanBooks(rows pgx.Rows, scope memory.Scope, a *budget.Account) (now time.Time, err error) {
	var (
		own         budget.Limits
		threshold   *float64
		onExhausted *string
		day         budget.Day
		held        budget.Amount
		period      string
		used        budget.Usage
		told        int32
	)
	err = rows.Scan(&now, &own.Monthly, &own.Daily, &own.MonthlyTokens, &own.DailyTokens, &threshold, &onExhausted,
		&day, &held.Cost, &held.Tokens, &period, &used.Cost, &used.Tokens, &told)
	if err != nil {
		return now, fmt.Errorf("open the books of %s: %w", scope, err)
	}
	now, used.Told = now.UTC(), budget.Told(told)
	if a.Day == "" {
		set := &own
		if threshold != nil {
			own.WarningThreshold, own.OnExhausted = *threshold, budget.Exhaustion(*onExhausted)
		} else {
			set = nil // no row: the scope never set limits
		}
		*a = l.policy.Account(scope, set, day, now)
		a.Held = held
	}
	switch period {
	case string(a.Day):
		a.Today = used
	case a.Day.Month():
		a.Month = used
	}
	return now, nil
}
