package inmem

import (
	"context"
	"slices"
)

// Projects lists up to limit projects of the tenant that were ever written to, in order, those after the given one.
func (d *DB) Projects(ctx context.Context, tenant, after string, limit int) ([]string, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	projects := []string{}
	for scope, p := range d.scopes {
		if scope.Tenant == tenant && scope.Project > after && len(p.feed) > 0 {
			projects = append(projects, scope.Project)
		}
	}
	slices.Sort(projects)
	return projects[:min(len(projects), limit)], nil
}
