package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// lineColumns are what scanLine reads.
const lineColumns = `reservation_id, settled_at, operation, provider, model, calls, tokens_in, tokens_out, cached_tokens, cost, overrun,
	late, price_known, estimated, latency_ms, cache_hit, saved_tokens, saved, request_id`

func scanLine(scan func(...any) error) (budget.Line, error) {
	var l budget.Line
	var settled int64
	err := scan(&l.ID, &settled, &l.Operation, &l.Provider, &l.Model, &l.Calls, &l.TokensIn, &l.TokensOut, &l.CachedTokens, &l.Cost,
		&l.Overrun, &l.Late, &l.PriceKnown, &l.Estimated, &l.LatencyMS, &l.CacheHit, &l.SavedTokens, &l.Saved, &l.RequestID)
	l.At = instant(settled)
	if !l.CacheHit {
		l.ReservationID = l.ID
	}
	return l, err
}

// Calls implements budget.Log.
func (l *Ledger) Calls(ctx context.Context, scope memory.Scope, q budget.CallQuery) (page budget.CallPage, err error) {
	q, err = q.Complete()
	if err != nil {
		return budget.CallPage{}, err
	}
	query := `SELECT ` + lineColumns + ` FROM cost_logs WHERE tenant = ? AND project = ? AND settled_at >= ? AND settled_at < ?`
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if q.Since != nil {
		since = ceilMicros(*q.Since)
	}
	if q.Until != nil {
		until = ceilMicros(*q.Until)
	}
	args := []any{scope.Tenant, scope.Project, since, until}
	if q.Operation != "" {
		query, args = query+` AND operation = ?`, append(args, q.Operation)
	}
	if q.Model != "" {
		query, args = query+` AND model = ?`, append(args, q.Model)
	}
	if at, id, _ := q.Position(); id != "" { // Complete has read it
		query, args = query+` AND (settled_at, reservation_id) < (?, ?)`, append(args, micros(at), string(id))
	}
	query += ` ORDER BY settled_at DESC, reservation_id DESC LIMIT ?`
	err = l.view(ctx, func(tx *sql.Tx) error {
		page.Calls = []budget.Line{}
		return each(ctx, tx, query, append(args, q.Limit+1), func(rows *sql.Rows) error {
			line, err := scanLine(rows.Scan)
			page.Calls = append(page.Calls, line)
			return err
		})
	})
	if err != nil {
		return budget.CallPage{}, fmt.Errorf("read the log of costs of %s: %w", scope, err)
	}
	if len(page.Calls) > q.Limit {
		page.Calls = page.Calls[:q.Limit]
		page.Next = page.Calls[q.Limit-1].Position()
	}
	return page, nil
}

// each asks and hands every row to visit, which scans it.
func each(ctx context.Context, tx *sql.Tx, query string, args []any, visit func(*sql.Rows) error) (err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := visit(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Save implements budget.Log.
func (l *Ledger) Save(ctx context.Context, scope memory.Scope, savings []budget.Saving) (lines []budget.Line, err error) {
	err = l.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx) // an interrupted statement would take the whole group's transaction with it
		prices, err := pricelist(ctx, tx, scope.Tenant)
		if err != nil {
			return err
		}
		if lines, err = budget.Lines(savings, prices, l.db.now()); err != nil {
			return err
		}
		for i := range lines {
			if lines[i], err = saveLine(ctx, tx, scope, lines[i]); err != nil {
				return fmt.Errorf("log a saving of %s: %w", scope, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lines, nil
}

// saveLine writes the line of a cache hit and returns it, or the one that has its id.
func saveLine(ctx context.Context, tx *sql.Tx, scope memory.Scope, line budget.Line) (budget.Line, error) {
	const insert = `INSERT INTO cost_logs (tenant, project, reservation_id, operation, provider, model, tokens_in, tokens_out,
		cached_tokens, cost, priced, price_known, overrun, late, day, settled_at, estimated, request_id, cache_hit, calls, saved_tokens, saved)
		VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 1, ?, 0, 0, ?, ?, 1, ?, 1, ?, ?, ?) ON CONFLICT DO NOTHING`
	_, err := tx.ExecContext(ctx, insert, scope.Tenant, scope.Project, string(line.ID), line.Operation, line.Provider, line.Model,
		line.PriceKnown, string(budget.DayOf(line.At)), micros(line.At), line.RequestID, line.Calls, line.SavedTokens, int64(line.Saved))
	if err != nil {
		return budget.Line{}, err
	}
	return scanLine(tx.QueryRowContext(ctx, `SELECT `+lineColumns+` FROM cost_logs WHERE tenant = ? AND project = ? AND reservation_id = ?`,
		scope.Tenant, scope.Project, string(line.ID)).Scan)
}

// Spending implements budget.Overseer.
func (l *Ledger) Spending(ctx context.Context, tenant string, q budget.SpendingQuery) (budget.Spending, error) {
	q, err := q.Complete()
	if err != nil {
		return budget.Spending{}, err
	}
	tally := budget.NewTally(tenant, q, l.db.now())
	where, args := ` WHERE settled_at >= ?`, []any{micros(tally.Since())}
	if tenant != "" {
		where, args = where+` AND tenant = ?`, append(args, tenant)
	}
	query := `SELECT tenant, project, model, operation, provider, coalesce(sum(latency_ms > 0), 0), coalesce(sum(latency_ms), 0), ` + sums +
		` FROM cost_logs` + where + ` GROUP BY 1, 2, 3, 4, 5`
	err = l.view(ctx, func(tx *sql.Tx) error {
		return each(ctx, tx, query, args, func(rows *sql.Rows) (err error) {
			var p budget.Portion
			p.Costs, err = scanCosts(rows.Scan, &p.Tenant, &p.Project, &p.Model, &p.Operation, &p.Provider, &p.Measured, &p.LatencyMS)
			tally.Add(&p)
			return err
		})
	})
	if err != nil {
		return budget.Spending{}, fmt.Errorf("sum what was spent: %w", err)
	}
	return tally.Spending(), nil
}
