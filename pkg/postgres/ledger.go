package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ budget.Ledger = (*Ledger)(nil)

// Ledger keeps the budgets of a DB. Those who spend from one tenant's budgets take turns, in whatever process and project,
// and share a commit where they come together; the tenant's memories are written meanwhile.
type Ledger struct {
	db     *DB
	policy budget.Policy
	lines  lines[*books]
	memos  memos
}

// NewLedger returns the ledger in db. It connects to nothing until it is used.
func NewLedger(db *DB, policy budget.Policy) *Ledger { return &Ledger{db: db, policy: policy} }

// change runs do on the books of a scope, alone with them. Its error takes back what it did.
func (l *Ledger) change(ctx context.Context, scope memory.Scope, do func(*books, *budget.Books) error) error {
	if err := budget.CheckScope(scope); err != nil {
		return err
	}
	return l.changeTenant(ctx, scope.Tenant, func(b *books) error { return do(b, b.open(scope.Project)) })
}

// changeTenant runs do on the books of a tenant, alone with them. Its error takes back what it did.
func (l *Ledger) changeTenant(ctx context.Context, tenant string, do func(*books) error) error {
	return l.lines.write(ctx, memory.Scope{Tenant: tenant}, l.beginBooks, func(b *books) error {
		if err := do(b); err != nil {
			return err
		}
		return ctx.Err() // nobody waits for the answer: then better nothing was done
	})
}

const limitsOnConflict = ` DO UPDATE SET monthly_limit = excluded.monthly_limit, daily_limit = excluded.daily_limit,
	monthly_tokens = excluded.monthly_tokens, daily_tokens = excluded.daily_tokens,
	warning_threshold = excluded.warning_threshold, on_exhausted = excluded.on_exhausted, updated_at = excluded.updated_at`

// PutLimits implements budget.Ledger.
func (l *Ledger) PutLimits(ctx context.Context, scope memory.Scope, limits budget.Limits) (status budget.Status, err error) {
	limits, err = limits.Complete()
	if err != nil {
		return budget.Status{}, err
	}
	err = l.change(ctx, scope, func(b *books, turn *budget.Books) error {
		b.exec(`INSERT INTO budgets (tenant, project, monthly_limit, daily_limit, monthly_tokens, daily_tokens,
				warning_threshold, on_exhausted, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, rae_now())
			ON CONFLICT (tenant, project)`+limitsOnConflict,
			scope.Tenant, scope.Project, (*int64)(limits.Monthly), (*int64)(limits.Daily), limits.MonthlyTokens, limits.DailyTokens,
			limits.WarningThreshold, string(limits.OnExhausted))
		b.lapse()
		if err := b.answered(); err != nil {
			return l.failed(ctx, "store limits", scope, err)
		}
		turn.Limit(limits, b.now)
		b.terms, b.exact = true, true
		b.change(scope.Project)
		b.tell(ctx, turn)
		status = turn.Project.Status(b.now)
		return nil
	})
	if err != nil {
		return budget.Status{}, err
	}
	return status, nil
}

// PutTenantLimits implements budget.Ledger.
func (l *Ledger) PutTenantLimits(ctx context.Context, tenant string, limits budget.Limits) (status budget.TenantStatus, err error) {
	limits, err = limits.Complete()
	if err != nil {
		return budget.TenantStatus{}, err
	}
	err = l.changeTenant(ctx, tenant, func(b *books) error {
		b.exec(`INSERT INTO tenant_budgets (tenant, monthly_limit, daily_limit, monthly_tokens, daily_tokens,
				warning_threshold, on_exhausted, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, rae_now())
			ON CONFLICT (tenant)`+limitsOnConflict,
			tenant, (*int64)(limits.Monthly), (*int64)(limits.Daily), limits.MonthlyTokens, limits.DailyTokens,
			limits.WarningThreshold, string(limits.OnExhausted))
		b.lapse()
		if err := b.flush(); err != nil {
			return l.failed(ctx, "store limits", memory.Scope{Tenant: tenant}, err)
		}
		turn := &budget.Books{Tenant: &b.next.all, Pot: &b.next.pot}
		turn.LimitTenant(limits, b.now)
		b.next.changed, b.terms, b.exact = true, true, true
		b.tell(ctx, turn)
		status = turn.TenantStatus(b.now)
		return nil
	})
	if err != nil {
		return budget.TenantStatus{}, err
	}
	return status, nil
}

// Current implements budget.Ledger. It changes nothing: holds whose lease has ended are left out of the sum.
func (l *Ledger) Current(ctx context.Context, scope memory.Scope) (status budget.Status, err error) {
	if err := budget.CheckScope(scope); err != nil {
		return budget.Status{}, err
	}
	err = l.db.view(ctx, scope, func(s *session) error {
		var now time.Time
		var stands footing
		s.exec(standStill)
		s.ask(readBooks, []any{scope.Tenant, scope.Project}, func(rows pgx.Rows) (err error) {
			now, err = l.scanBooks(rows, scope, &stands)
			return err
		})
		s.ask(`SELECT `+ended+` FROM reservations WHERE tenant = $1 AND project = $2
			AND status = 'held' AND expires_at <= rae_now()`, []any{scope.Tenant, scope.Project}, func(rows pgx.Rows) error {
			r, err := scanEnded(rows)
			books := budget.Books{Project: &stands.account, Tenant: &budget.Account{}, Pot: &budget.Account{}}
			books.Lapse(r, now)
			return err
		})
		if err := s.answered(); err != nil {
			return err
		}
		status = stands.account.Status(now)
		return nil
	})
	if err != nil {
		return budget.Status{}, l.failed(ctx, "read the budget", scope, err)
	}
	return status, nil
}

// CurrentTenant implements budget.Ledger. It changes nothing, as Current.
func (l *Ledger) CurrentTenant(ctx context.Context, tenant string) (status budget.TenantStatus, err error) {
	whole := memory.Scope{Tenant: tenant}
	if err := whole.Check(); err != nil {
		return budget.TenantStatus{}, err
	}
	err = l.db.viewTenant(ctx, tenant, func(s *session) error {
		var stand tenantBooks
		var r tenantRow
		books := budget.Books{Tenant: &stand.all.account, Pot: &stand.pot.account}
		s.exec(standStill)
		s.ask(readTenantBooks, []any{tenant}, func(rows pgx.Rows) error { return l.scanTenantBooks(rows, tenant, &stand, &r) })
		s.ask(`SELECT `+ended+` FROM reservations WHERE tenant = $1 AND status = 'held' AND expires_at <= rae_now()`, []any{tenant},
			func(rows pgx.Rows) error {
				hold, err := scanEnded(rows)
				books.Lapse(hold, r.now)
				return err
			})
		if err := s.answered(); err != nil {
			return err
		}
		status = books.TenantStatus(r.now)
		return nil
	})
	if err != nil {
		return budget.TenantStatus{}, l.failed(ctx, "read the budget", whole, err)
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

// expireSome looks for up to limit ended holds of any scope, and gives them back tenant by tenant.
func (l *Ledger) expireSome(ctx context.Context, limit int) (total int, err error) {
	found := map[string]int{}
	err = l.db.system(ctx, func(s *session) error {
		clear(found)
		return s.rows(`SELECT tenant FROM reservations WHERE status = 'held' AND expires_at <= rae_now()
			ORDER BY expires_at LIMIT $1`, []any{limit}, func(rows pgx.Rows) error {
			var tenant string
			err := rows.Scan(&tenant)
			found[tenant]++
			return err
		})
	})
	if err != nil {
		return 0, l.db.failed(ctx, "look for reservations that have ended", err)
	}
	for tenant, most := range found {
		n, err := l.expireIn(ctx, tenant, most)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// expireIn gives back up to limit ended holds of the tenant, those that ended first.
func (l *Ledger) expireIn(ctx context.Context, tenant string, limit int) (n int, err error) {
	err = l.changeTenant(ctx, tenant, func(b *books) error {
		n = 0
		b.giveBack(&n, `UPDATE reservations SET status = 'expired' WHERE tenant = $1 AND (project, id) IN (
			SELECT project, id FROM reservations WHERE tenant = $1 AND status = 'held' AND expires_at <= rae_now()
			ORDER BY expires_at LIMIT $2) RETURNING `+ended, tenant, limit)
		return l.failed(ctx, "give back what ended", memory.Scope{Tenant: tenant}, b.answered())
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
