package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ budget.Roster = (*Ledger)(nil)

// Budgeted implements budget.Roster.
func (l *Ledger) Budgeted(ctx context.Context, limit int) (scopes []memory.Scope, err error) {
	err = l.db.transact(ctx, reading, systemRole, memory.Scope{}, func(s *session) error {
		scopes = nil
		return s.rows(`SELECT tenant, project FROM (SELECT tenant, project, day FROM budget_accounts
			UNION ALL SELECT tenant, project, '' FROM budgets) b GROUP BY tenant, project
			ORDER BY max(day COLLATE "C") DESC, tenant, project LIMIT $1`, []any{limit}, func(rows pgx.Rows) error {
			var scope memory.Scope
			err := rows.Scan(&scope.Tenant, &scope.Project)
			scopes = append(scopes, scope)
			return err
		})
	})
	if err != nil {
		return nil, l.db.failed(ctx, "list budgets", err)
	}
	return scopes, nil
}
