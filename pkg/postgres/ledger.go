package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ budget.Ledger = (*Ledger)(nil)

// Ledger keeps the budgets of a DB. Those who spend from one scope's budget take turns, in whatever process, and share a
// commit where they come together; a scope's memories are written meanwhile.
type Ledger struct {
	db     *DB
	policy budget.Policy
	lines  lines[*books]
}

// NewLedger returns the ledger in db. It connects to nothing until it is used.
func NewLedger(db *DB, policy budget.Policy) *Ledger { return &Ledger{db: db, policy: policy} }

// change runs do on the books of a scope, alone with them. Its error takes back what it did.
func (l *Ledger) change(ctx context.Context, scope memory.Scope, do func(*books) error) error {
	return l.lines.write(ctx, scope, l.beginBooks, func(b *books) error {
		if err := do(b); err != nil {
			return err
		}
		return ctx.Err() // nobody waits for the answer: then better nothing was done
	})
}

// PutLimits implements budget.Ledger.
func (l *Ledger) PutLimits(ctx context.Context, scope memory.Scope, limits budget.Limits) (status budget.Status, err error) {
	limits, err = limits.Complete()
	if err != nil {
		return budget.Status{}, err
	}
	err = l.change(ctx, scope, func(b *books) error {
		b.exec(`INSERT INTO budgets (tenant, project, monthly_limit, daily_limit, monthly_tokens, daily_tokens,
				warning_threshold, on_exhausted, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, rae_now())
			ON CONFLICT (tenant, project) DO UPDATE SET monthly_limit = excluded.monthly_limit, daily_limit = excluded.daily_limit,
				monthly_tokens = excluded.monthly_tokens, daily_tokens = excluded.daily_tokens,
				warning_threshold = excluded.warning_threshold, on_exhausted = excluded.on_exhausted,
				updated_at = excluded.updated_at`,
			scope.Tenant, scope.Project, (*int64)(limits.Monthly), (*int64)(limits.Daily), limits.MonthlyTokens, limits.DailyTokens,
			limits.WarningThreshold, string(limits.OnExhausted))
		b.lapse()
		if err := b.answered(); err != nil {
			return l.failed(ctx, "store limits", scope, err)
		}
		a := &b.next.account
		a.Limit(limits, b.now)
		b.next.changed = true
		b.tell(ctx)
		status = a.Status(b.now)
		return nil
	})
	if err != nil {
		return budget.Status{}, err
	}
	return status, nil
}

// Current implements budget.Ledger. It changes nothing: holds whose lease has ended are left out of the sum.
func (l *Ledger) Current(ctx context.Context, scope memory.Scope) (status budget.Status, err error) {
	err = l.db.view(ctx, scope, func(s *session) error {
		s.exec(standStill)
		b := books{}
		s.ask(readBooks, []any{scope.Tenant, scope.Project}, func(rows pgx.Rows) (err error) {
			b.now, err = l.scanBooks(rows, scope, &b.next.account)
			return err
		})
		s.ask(`SELECT max_cost, max_tokens, expires_at FROM reservations WHERE tenant = $1 AND project = $2
			AND status = 'held' AND expires_at <= rae_now()`, []any{scope.Tenant, scope.Project}, func(rows pgx.Rows) error {
			return lapseRow(rows, &b.next.account, b.now)
		})
		if err := s.answered(); err != nil {
			return err
		}
		status = b.next.account.Status(b.now)
		return nil
	})
	if err != nil {
		return budget.Status{}, l.failed(ctx, "read the budget", scope, err)
	}
	return status, nil
}

// Expire implements budget.Ledger.
func (l *Ledger) Expire(ctx context.Context, limit int) (int, error) {
	const slice = 200 // per look: other writers of a scope wait for what is done in it
	total := 0
	for total < limit {
		n, err := l.expireSome(ctx, min(slice, limit-total))
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
	return total, nil
}

// expireSome looks for up to limit ended holds of any scope, and gives them back scope by scope.
func (l *Ledger) expireSome(ctx context.Context, limit int) (total int, err error) {
	ended := map[memory.Scope]int{}
	err = l.db.system(ctx, func(s *session) error {
		clear(ended)
		return s.rows(`SELECT tenant, project FROM reservations WHERE status = 'held' AND expires_at <= rae_now()
			ORDER BY expires_at LIMIT $1`, []any{limit}, func(rows pgx.Rows) error {
			var scope memory.Scope
			err := rows.Scan(&scope.Tenant, &scope.Project)
			ended[scope]++
			return err
		})
	})
	if err != nil {
		return 0, l.db.failed(ctx, "look for reservations that have ended", err)
	}
	for scope, most := range ended {
		n, err := l.expireIn(ctx, scope, most)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// expireIn gives back up to limit ended holds of the scope, those that ended first.
func (l *Ledger) expireIn(ctx context.Context, scope memory.Scope, limit int) (n int, err error) {
	err = l.change(ctx, scope, func(b *books) error {
		n = 0
		b.giveBack(&n, `UPDATE reservations SET status = 'expired' WHERE tenant = $1 AND project = $2 AND id IN (
			SELECT id FROM reservations WHERE tenant = $1 AND project = $2 AND status = 'held' AND expires_at <= rae_now()
			ORDER BY expires_at LIMIT $3) RETURNING max_cost, max_tokens, expires_at`, scope.Tenant, scope.Project, limit)
		return l.failed(ctx, "give back what ended", scope, b.answered())
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// failed says what was attempted and gives the error its kind.
func (l *Ledger) failed(ctx context.Context, what string, scope memory.Scope, err error) error {
	if err == nil {
		return nil
	}
	return l.db.failed(ctx, fmt.Sprintf("%s of %s", what, scope), err)
}
