package inmem

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// lines are those of the log, with the days they are told under, in no order.
func (b *book) lines() iter.Seq2[budget.Day, budget.Line] {
	return func(yield func(budget.Day, budget.Line) bool) {
		for _, r := range b.reservations {
			if r.Settlement != nil && !yield(r.Settlement.Day, budget.LineOf(&r)) {
				return
			}
		}
		for _, l := range b.savings {
			if !yield(budget.DayOf(l.At), l) {
				return
			}
		}
	}
}

// Costs implements budget.Ledger.
func (l *Ledger) Costs(ctx context.Context, scope memory.Scope, q budget.CostQuery) (budget.CostReport, error) {
	q, err := q.Complete()
	if err != nil {
		return budget.CostReport{}, err
	}
	l.db.mu.RLock()
	defer l.db.mu.RUnlock()
	groups := map[string]*budget.Costs{}
	report := budget.CostReport{Groups: []budget.CostGroup{}}
	within := budget.CallQuery{Since: q.Since, Until: q.Until}
	for at, b := range l.books {
		if at.Tenant != scope.Tenant || q.GroupBy != budget.ByProject && at.Project != scope.Project {
			continue
		}
		for day, line := range b.lines() {
			if !within.Selects(&line) {
				continue
			}
			name := map[budget.Grouping]string{
				budget.ByModel: line.Model, budget.ByOperation: line.Operation, budget.ByProject: at.Project,
				budget.ByProvider: cmp.Or(line.Provider, budget.NoProvider), budget.ByDay: string(day),
			}[q.GroupBy]
			if groups[name] == nil {
				groups[name] = &budget.Costs{}
			}
			groups[name].Merge(line.Costs())
			report.Total.Merge(line.Costs())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if name <= q.After {
			continue
		}
		if len(report.Groups) == q.Limit {
			report.Next = report.Groups[q.Limit-1].Group
			break
		}
		report.Groups = append(report.Groups, budget.CostGroup{Group: name, Costs: *groups[name]})
	}
	return report, ctx.Err()
}

// Calls implements budget.Log.
func (l *Ledger) Calls(ctx context.Context, scope memory.Scope, q budget.CallQuery) (budget.CallPage, error) {
	q, err := q.Complete()
	if err != nil {
		return budget.CallPage{}, err
	}
	at, id, _ := q.Position() // which Complete has read
	l.db.mu.RLock()
	defer l.db.mu.RUnlock()
	page := budget.CallPage{Calls: []budget.Line{}}
	if b := l.books[scope]; b != nil {
		for _, line := range b.lines() {
			before := id == "" || line.At.Before(at) || line.At.Equal(at) && line.ID < id
			if before && q.Selects(&line) {
				page.Calls = append(page.Calls, line)
			}
		}
	}
	slices.SortFunc(page.Calls, func(a, b budget.Line) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(string(b.ID), string(a.ID)))
	})
	if len(page.Calls) > q.Limit {
		page.Calls = page.Calls[:q.Limit]
		page.Next = page.Calls[q.Limit-1].Position()
	}
	return page, ctx.Err()
}

// Save implements budget.Log.
func (l *Ledger) Save(ctx context.Context, scope memory.Scope, savings []budget.Saving) (lines []budget.Line, err error) {
	err = l.db.write(ctx, func(u *undo) error {
		now := l.db.now()
		lines, err = budget.Lines(savings, budget.Prices(l.prices[scope.Tenant]), now)
		if err != nil {
			return err
		}
		b := l.begin(scope, now).book
		set(u, l.books, scope, b)
		for i, line := range lines {
			if r, taken := b.reservations[line.ID]; taken && r.Settlement != nil {
				lines[i] = budget.LineOf(&r)
			} else if there, again := b.savings[line.ID]; again {
				lines[i] = there
			} else {
				set(u, b.savings, line.ID, line)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lines, nil
}

// Spending implements budget.Overseer.
func (l *Ledger) Spending(ctx context.Context, tenant string, q budget.SpendingQuery) (budget.Spending, error) {
	q, err := q.Complete()
	if err != nil {
		return budget.Spending{}, err
	}
	l.db.mu.RLock()
	defer l.db.mu.RUnlock()
	tally := budget.NewTally(tenant, q, l.db.now())
	for scope, b := range l.books {
		if tenant != "" && scope.Tenant != tenant {
			continue
		}
		for _, line := range b.lines() {
			if portion := budget.PortionOf(scope.Tenant, scope.Project, &line); !line.At.Before(tally.Since()) {
				tally.Add(&portion)
			}
		}
	}
	return tally.Spending(), ctx.Err()
}
