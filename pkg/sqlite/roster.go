package sqlite

import (
	"context"
	"fmt"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ budget.Roster = (*Ledger)(nil)

// Budgeted implements budget.Roster.
func (l *Ledger) Budgeted(ctx context.Context, limit int) ([]memory.Scope, error) {
	db, err := l.db.read(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, `SELECT tenant, project FROM (SELECT tenant, project, day FROM budget_accounts
		UNION ALL SELECT tenant, project, '' FROM budgets) GROUP BY tenant, project ORDER BY max(day) DESC, tenant, project LIMIT ?`, limit)
	if err != nil {
		return nil, classify(ctx, fmt.Errorf("list budgets: %w", err))
	}
	defer rows.Close()
	var scopes []memory.Scope
	for rows.Next() {
		var s memory.Scope
		if err := rows.Scan(&s.Tenant, &s.Project); err != nil {
			return nil, classify(ctx, fmt.Errorf("list budgets: %w", err))
		}
		scopes = append(scopes, s)
	}
	return scopes, classify(ctx, rows.Err())
}
