package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ memory.Directory = (*DB)(nil)

// Scopes lists the scopes that were written to.
func (d *DB) Scopes(ctx context.Context, after memory.Scope, limit int) ([]memory.Scope, error) {
	if limit < 1 {
		return nil, fault.BadField("query.limit", "must be positive")
	}
	scopes, err := d.scopes(ctx, `SELECT tenant, project FROM scopes WHERE (tenant, project) > ($1, $2) AND head > floor
		ORDER BY tenant, project LIMIT $3`, after, limit)
	return scopes, d.failed(ctx, "list scopes", err)
}

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
