package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
)

// scopes lists up to limit scopes, as the system role sees them.
func (d *DB) scopes(ctx context.Context, query string, after memory.Scope, limit int) (scopes []memory.Scope, err error) {
	err = d.system(ctx, func(s *session) error {
		scopes = []memory.Scope{}
		return s.rows(query, []any{after.Tenant, after.Project, limit}, func(rows pgx.Rows) error {
			var scope memory.Scope
			err := rows.Scan(&scope.Tenant, &scope.Project)
			scopes = append(scopes, scope)
			return err
		})
	})
	return scopes, err
}
