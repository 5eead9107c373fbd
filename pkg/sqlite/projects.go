package sqlite

import (
	"context"
	"fmt"
)

// Projects lists up to limit projects of the tenant that were ever written to, in order, those after the given one.
func (d *DB) Projects(ctx context.Context, tenant, after string, limit int) ([]string, error) {
	db, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, `SELECT project FROM scopes WHERE tenant = ? AND project > ? ORDER BY project LIMIT ?`, tenant, after, limit)
	if err != nil {
		return nil, classify(ctx, fmt.Errorf("list projects: %w", err))
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	projects := []string{}
	for rows.Next() {
		var project string
		if err := rows.Scan(&project); err != nil {
			return nil, classify(ctx, fmt.Errorf("list projects: %w", err))
		}
		projects = append(projects, project)
	}
	return projects, classify(ctx, rows.Err())
}
