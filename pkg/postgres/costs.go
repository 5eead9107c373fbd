package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// sums are the columns of a cost report. PostgreSQL adds without bound; a sum beyond 64 bits is told as the largest
// number there is, for a report over years is no reason to fail.
const sums = sumOf + `(calls) FILTER (WHERE NOT cache_hit)` + atMost + sumOf + `(tokens_in)` + atMost + sumOf + `(tokens_out)` + atMost +
	sumOf + `(cached_tokens)` + atMost + sumOf + `(cost)` + atMost + sumOf + `(overrun)` + atMost +
	sumOf + `(calls) FILTER (WHERE NOT price_known AND NOT cache_hit)` + atMost + sumOf + `(calls) FILTER (WHERE cache_hit)` + atMost +
	sumOf + `(saved_tokens)` + atMost + sumOf + `(saved)` + most

const (
	sumOf  = `least(coalesce(sum`
	most   = `, 0), 9223372036854775807)::bigint`
	atMost = most + `, `
)

// scanCosts reads the columns of sums, after those in before.
func scanCosts(rows pgx.Rows, c *budget.Costs, before ...any) error {
	return rows.Scan(append(before, &c.Calls, &c.TokensIn, &c.TokensOut, &c.CachedTokens, &c.Cost, &c.Overrun, &c.Unpriced,
		&c.CacheHits, &c.SavedTokens, &c.Saved)...)
}

// providers is who is paid, as a group's name.
const providers = `(CASE provider WHEN '' THEN '` + budget.NoProvider + `' ELSE provider END)`

// Costs implements budget.Ledger.
func (l *Ledger) Costs(ctx context.Context, scope memory.Scope, q budget.CostQuery) (report budget.CostReport, err error) {
	if err := scope.Check(); err != nil {
		return budget.CostReport{}, err
	}
	if q, err = q.Complete(); err != nil {
		return budget.CostReport{}, err
	}
	column := map[budget.Grouping]string{
		budget.ByModel: "model", budget.ByOperation: "operation", budget.ByProject: "project", budget.ByDay: "day",
		budget.ByProvider: providers,
	}[q.GroupBy] + ` COLLATE "C"`
	where := ` FROM cost_logs WHERE tenant = $1 AND settled_at >= coalesce($3, '-infinity'::timestamptz)
		AND settled_at < coalesce($4, 'infinity'::timestamptz) AND `
	args := []any{scope.Tenant, scope.Project, ceiling(q.Since), ceiling(q.Until)}
	sum := func(s *session) error {
		report = budget.CostReport{Groups: []budget.CostGroup{}}
		s.ask(`SELECT `+sums+where, args, func(rows pgx.Rows) error { return scanCosts(rows, &report.Total) })
		query := `SELECT ` + column + `, ` + sums + where + ` AND ` + column + ` > $5 GROUP BY 1 ORDER BY 1 LIMIT $6`
		return s.rows(query, append(args, q.After, q.Limit+1), func(rows pgx.Rows) error {
			var g budget.CostGroup
			err := scanCosts(rows, &g.Costs, &g.Group)
			report.Groups = append(report.Groups, g)
			return err
		})
	}
	if q.GroupBy == budget.ByProject {
		where += `$2 <> ''`
		err = l.db.viewTenant(ctx, scope.Tenant, sum)
	} else {
		where += `project = $2`
		err = l.db.view(ctx, scope, sum)
	}
	if err != nil {
		return budget.CostReport{}, l.failed(ctx, "sum the costs", scope, err)
	}
	if len(report.Groups) > q.Limit {
		report.Groups = report.Groups[:q.Limit]
		report.Next = report.Groups[q.Limit-1].Group
	}
	return report, nil
}

// ceiling is the first time the database can tell that is not before t.
func ceiling(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	c := t.Add(time.Microsecond - 1).Truncate(time.Microsecond)
	return &c
}

// askPrices keeps back a question for the prices a tenant set.
func (s *session) askPrices(own *[]budget.Price, tenant string) {
	*own = nil
	s.ask(`SELECT model, input, output, cached_input, source, as_of FROM prices WHERE tenant = $1 ORDER BY model`, []any{tenant},
		func(rows pgx.Rows) error {
			p := budget.Price{Own: true}
			err := rows.Scan(&p.Model, &p.Input, &p.Output, &p.CachedInput, &p.Source, &p.AsOf)
			*own = append(*own, p)
			return err
		})
}

// Prices implements budget.Ledger.
func (l *Ledger) Prices(ctx context.Context, tenant string) ([]budget.Price, error) {
	var own []budget.Price
	err := l.db.view(ctx, memory.Scope{Tenant: tenant}, func(s *session) error {
		s.askPrices(&own, tenant)
		return s.answered()
	})
	if err != nil {
		return nil, l.db.failed(ctx, "read prices", err)
	}
	return append([]budget.Price(nil), budget.Prices(own)...), nil
}

// PutPrice implements budget.Ledger. Prices are part of what is remembered of a tenant's books, and change with them.
func (l *Ledger) PutPrice(ctx context.Context, tenant string, asked budget.Price) (put budget.Price, err error) {
	err = l.changeTenant(ctx, tenant, func(b *books) (err error) {
		if err := b.answered(); err != nil {
			return err
		}
		if put, err = asked.Complete(budget.DayOf(b.now)); err != nil {
			return err
		}
		b.exec(`INSERT INTO prices (tenant, model, input, output, cached_input, source, as_of) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (tenant, model) DO UPDATE SET input = excluded.input, output = excluded.output,
			cached_input = excluded.cached_input, source = excluded.source, as_of = excluded.as_of`,
			tenant, put.Model, int64(put.Input), int64(put.Output), int64(put.CachedInput), put.Source, string(put.AsOf))
		b.priced, b.next.changed, b.terms, b.exact = false, true, true, true
		return nil
	})
	if err != nil {
		return budget.Price{}, l.db.failed(ctx, "store a price", err)
	}
	return put, nil
}
