package inmem

import (
	"cmp"
	"context"
	"slices"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ budget.Roster = (*Ledger)(nil)

// Budgeted implements budget.Roster.
func (l *Ledger) Budgeted(ctx context.Context, limit int) ([]memory.Scope, error) {
	l.db.mu.RLock()
	defer l.db.mu.RUnlock()
	scopes := make([]memory.Scope, 0, len(l.books))
	for scope := range l.books {
		scopes = append(scopes, scope)
	}
	slices.SortFunc(scopes, func(a, b memory.Scope) int {
		return cmp.Or(cmp.Compare(l.books[b].moved(), l.books[a].moved()), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Project, b.Project))
	})
	return scopes[:min(limit, len(scopes))], ctx.Err()
}

// moved is the last day that the book was written on, "" if it never was.
func (b *book) moved() (last budget.Day) {
	for period := range b.usage {
		if day := budget.Day(period); day.Month() != period {
			last = max(last, day)
		}
	}
	return last
}
