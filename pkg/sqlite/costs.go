package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// sums are the columns of a cost report. Money is added in whole dollars and the rest apart: SQLite refuses a sum over
// 64 bits, and a report over years is no reason to fail.
const sums = `coalesce(sum(calls) FILTER (WHERE NOT cache_hit), 0), coalesce(sum(tokens_in), 0), coalesce(sum(tokens_out), 0),
	coalesce(sum(cached_tokens), 0), coalesce(sum(cost / 1000000000), 0), coalesce(sum(cost % 1000000000), 0),
	coalesce(sum(overrun / 1000000000), 0), coalesce(sum(overrun % 1000000000), 0),
	coalesce(sum(calls) FILTER (WHERE NOT price_known AND NOT cache_hit), 0), coalesce(sum(calls) FILTER (WHERE cache_hit), 0),
	coalesce(sum(saved_tokens), 0), coalesce(sum(saved / 1000000000), 0), coalesce(sum(saved % 1000000000), 0)`

// scanCosts reads the columns of sums, after those in before.
func scanCosts(scan func(...any) error, before ...any) (budget.Costs, error) {
	var (
		c                    budget.Costs
		cost, overrun, saved struct{ dollars, nanos int64 }
	)
	err := scan(append(before, &c.Calls, &c.TokensIn, &c.TokensOut, &c.CachedTokens, &cost.dollars, &cost.nanos,
		&overrun.dollars, &overrun.nanos, &c.Unpriced, &c.CacheHits, &c.SavedTokens, &saved.dollars, &saved.nanos)...)
	c.Cost, c.Overrun = together(cost.dollars, cost.nanos), together(overrun.dollars, overrun.nanos)
	c.Saved = together(saved.dollars, saved.nanos)
	return c, err
}

// together is dollars and nano-dollars in one, at most the largest amount there is.
func together(dollars, nanos int64) budget.Cost {
	dollars += nanos / int64(budget.USD)
	nanos %= int64(budget.USD)
	if dollars > (math.MaxInt64-nanos)/int64(budget.USD) {
		return budget.MaxCost
	}
	return budget.Cost(dollars)*budget.USD + budget.Cost(nanos)
}

// providers is who is paid, as a group's name.
const providers = `CASE provider WHEN '' THEN '` + budget.NoProvider + `' ELSE provider END`

// ceilMicros is the first time the store can tell that is not before t.
func ceilMicros(t time.Time) int64 { return micros(t.Add(time.Microsecond - 1)) }

// Costs implements budget.Ledger.
func (l *Ledger) Costs(ctx context.Context, scope memory.Scope, q budget.CostQuery) (report budget.CostReport, err error) {
	q, err = q.Complete()
	if err != nil {
		return budget.CostReport{}, err
	}
	column := map[budget.Grouping]string{
		budget.ByModel: "model", budget.ByOperation: "operation", budget.ByProject: "project", budget.ByDay: "day",
		budget.ByProvider: providers,
	}[q.GroupBy]
	where := " FROM cost_logs WHERE tenant = ? AND settled_at >= ? AND settled_at < ?"
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if q.Since != nil {
		since = ceilMicros(*q.Since)
	}
	if q.Until != nil {
		until = ceilMicros(*q.Until)
	}
	args := []any{scope.Tenant, since, until}
	if q.GroupBy != budget.ByProject {
		where += " AND project = ?"
		args = append(args, scope.Project)
	}
	report.Groups = []budget.CostGroup{}
	err = l.view(ctx, func(tx *sql.Tx) error {
		report.Total, err = scanCosts(tx.QueryRowContext(ctx, "SELECT "+sums+where, args...).Scan)
		if err != nil {
			return fmt.Errorf("sum the costs of %s: %w", scope, err)
		}
		query := "SELECT " + column + ", " + sums + where + " AND " + column + " > ? GROUP BY 1 ORDER BY 1 LIMIT ?"
		report.Groups, err = costGroups(ctx, tx, query, append(args, q.After, q.Limit+1))
		if err != nil {
			return fmt.Errorf("group the costs of %s: %w", scope, err)
		}
		return nil
	})
	if err != nil {
		return budget.CostReport{}, err
	}
	if len(report.Groups) > q.Limit {
		report.Groups = report.Groups[:q.Limit]
		report.Next = report.Groups[q.Limit-1].Group
	}
	return report, nil
}

func costGroups(ctx context.Context, tx *sql.Tx, query string, args []any) (groups []budget.CostGroup, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	groups = []budget.CostGroup{}
	for rows.Next() {
		var g budget.CostGroup
		if g.Costs, err = scanCosts(rows.Scan, &g.Group); err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, rows.Err()
}

// ownPrices reads the prices a tenant set.
func ownPrices(ctx context.Context, tx *sql.Tx, tenant string) (prices []budget.Price, err error) {
	const query = "SELECT model, input, output, cached_input, source, as_of FROM prices WHERE tenant = ? ORDER BY model"
	rows, err := tx.QueryContext(ctx, query, tenant)
	if err != nil {
		return nil, fmt.Errorf("read prices: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		p := budget.Price{Own: true}
		if err := rows.Scan(&p.Model, &p.Input, &p.Output, &p.CachedInput, &p.Source, &p.AsOf); err != nil {
			return nil, fmt.Errorf("read prices: %w", err)
		}
		prices = append(prices, p)
	}
	return prices, rows.Err()
}

// pricelist is the catalogue with the tenant's own prices in it.
func pricelist(ctx context.Context, tx *sql.Tx, tenant string) (budget.Pricelist, error) {
	own, err := ownPrices(ctx, tx, tenant)
	if err != nil {
		return nil, err
	}
	return budget.Prices(own), nil
}

// Prices implements budget.Ledger.
func (l *Ledger) Prices(ctx context.Context, tenant string) (prices []budget.Price, err error) {
	err = l.view(ctx, func(tx *sql.Tx) error {
		list, err := pricelist(ctx, tx, tenant)
		prices = append([]budget.Price(nil), list...)
		return err
	})
	return prices, err
}

// PutPrice implements budget.Ledger.
func (l *Ledger) PutPrice(ctx context.Context, tenant string, p budget.Price) (budget.Price, error) {
	p, err := p.Complete(budget.DayOf(l.db.now()))
	if err != nil {
		return budget.Price{}, err
	}
	err = l.db.write(ctx, func(tx *sql.Tx) error {
		const put = `INSERT INTO prices (tenant, model, input, output, cached_input, source, as_of)
			VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET input = excluded.input, output = excluded.output,
				cached_input = excluded.cached_input, source = excluded.source, as_of = excluded.as_of`
		_, err := tx.ExecContext(context.WithoutCancel(ctx), put, tenant, p.Model, int64(p.Input), int64(p.Output),
			int64(p.CachedInput), p.Source, string(p.AsOf))
		if err != nil {
			return fmt.Errorf("store a price: %w", err)
		}
		return nil
	})
	if err != nil {
		return budget.Price{}, err
	}
	return p, nil
}
