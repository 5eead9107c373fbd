package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// lineColumns are what scanLine reads.
const lineColumns = `reservation_id::text, settled_at, operation, provider, model, calls, tokens_in, tokens_out, cached_tokens, cost,
	overrun, late, price_known, estimated, latency_ms, cache_hit, saved_tokens, saved, request_id`

func scanLine(rows pgx.Rows) (l budget.Line, err error) {
	err = rows.Scan(&l.ID, &l.At, &l.Operation, &l.Provider, &l.Model, &l.Calls, &l.TokensIn, &l.TokensOut, &l.CachedTokens, &l.Cost,
		&l.Overrun, &l.Late, &l.PriceKnown, &l.Estimated, &l.LatencyMS, &l.CacheHit, &l.SavedTokens, &l.Saved, &l.RequestID)
	l.At = l.At.UTC()
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
	query := `SELECT ` + lineColumns + ` FROM cost_logs WHERE tenant = $1 AND project = $2`
	args := []any{scope.Tenant, scope.Project}
	also := func(condition string, value any) {
		args = append(args, value)
		query += fmt.Sprintf(` AND `+condition, len(args))
	}
	if q.Since != nil {
		also(`settled_at >= $%d`, ceiling(q.Since))
	}
	if q.Until != nil {
		also(`settled_at < $%d`, ceiling(q.Until))
	}
	if q.Operation != "" {
		also(`operation = $%d`, q.Operation)
	}
	if q.Model != "" {
		also(`model = $%d`, q.Model)
	}
	if at, id, _ := q.Position(); id != "" { // Complete has read it
		args = append(args, at, string(id))
		query += fmt.Sprintf(` AND (settled_at, reservation_id) < ($%d, $%d::uuid)`, len(args)-1, len(args))
	}
	args = append(args, q.Limit+1)
	query += fmt.Sprintf(` ORDER BY settled_at DESC, reservation_id DESC LIMIT $%d`, len(args))
	err = l.db.view(ctx, scope, func(s *session) error {
		page.Calls = []budget.Line{}
		return s.rows(query, args, func(rows pgx.Rows) error {
			line, err := scanLine(rows)
			page.Calls = append(page.Calls, line)
			return err
		})
	})
	if err != nil {
		return budget.CallPage{}, l.failed(ctx, "read the log of costs", scope, err)
	}
	if len(page.Calls) > q.Limit {
		page.Calls = page.Calls[:q.Limit]
		page.Next = page.Calls[q.Limit-1].Position()
	}
	return page, nil
}

// Save implements budget.Log. It waits for nobody who spends: no account is read or written.
func (l *Ledger) Save(ctx context.Context, scope memory.Scope, savings []budget.Saving) (lines []budget.Line, err error) {
	err = l.db.amend(ctx, scope, func(s *session) error {
		var own []budget.Price
		var now time.Time
		s.askPrices(&own, scope.Tenant)
		if err := s.row(`SELECT rae_now()`, nil, &now); err != nil {
			return err
		}
		if lines, err = budget.Lines(savings, budget.Prices(own), now); err != nil {
			return err
		}
		for i := range lines {
			s.saveLine(scope, &lines[i])
		}
		return s.answered()
	})
	if err != nil {
		return nil, l.failed(ctx, "log savings", scope, err)
	}
	return lines, nil
}

// saveLine keeps back that the line of a cache hit is written; what stands then in the log under its id is read into it.
func (s *session) saveLine(scope memory.Scope, line *budget.Line) {
	s.exec(`INSERT INTO cost_logs (tenant, project, reservation_id, operation, provider, model, tokens_in, tokens_out, cached_tokens,
			cost, priced, price_known, overrun, late, day, settled_at, estimated, request_id, cache_hit, calls, saved_tokens, saved)
		VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, 0, true, $7, 0, false, $8, $9, true, $10, true, $11, $12, $13) ON CONFLICT DO NOTHING`,
		scope.Tenant, scope.Project, string(line.ID), line.Operation, line.Provider, line.Model, line.PriceKnown,
		string(budget.DayOf(line.At)), line.At, line.RequestID, line.Calls, line.SavedTokens, int64(line.Saved))
	s.ask(`SELECT `+lineColumns+` FROM cost_logs WHERE tenant = $1 AND project = $2 AND reservation_id = $3`,
		[]any{scope.Tenant, scope.Project, string(line.ID)}, func(rows pgx.Rows) (err error) {
			*line, err = scanLine(rows)
			return err
		})
}

// Spending implements budget.Overseer. Across tenants it is the system role that sums, which sees no call's cause.
func (l *Ledger) Spending(ctx context.Context, tenant string, q budget.SpendingQuery) (spending budget.Spending, err error) {
	q, err = q.Complete()
	if err != nil {
		return budget.Spending{}, err
	}
	role, confined := systemRole, memory.Scope{}
	if tenant != "" {
		role, confined = runtimeRole, memory.Scope{Tenant: tenant, Project: allProjects}
	}
	query := `SELECT tenant, project, model, operation, provider, count(*) FILTER (WHERE latency_ms > 0), ` +
		sumOf + `(latency_ms)` + atMost + sums + ` FROM cost_logs WHERE settled_at >= $1 AND ($2 = '' OR tenant = $2) GROUP BY 1, 2, 3, 4, 5`
	err = l.db.transact(ctx, reading, role, confined, func(s *session) error {
		var now time.Time
		if err := s.row(`SELECT rae_now()`, nil, &now); err != nil {
			return err
		}
		tally := budget.NewTally(tenant, q, now)
		err := s.rows(query, []any{tally.Since(), tenant}, func(rows pgx.Rows) error {
			var p budget.Portion
			err := scanCosts(rows, &p.Costs, &p.Tenant, &p.Project, &p.Model, &p.Operation, &p.Provider, &p.Measured, &p.LatencyMS)
			tally.Add(&p)
			return err
		})
		spending = tally.Spending()
		return err
	})
	if err != nil {
		return budget.Spending{}, l.db.failed(ctx, "sum what was spent", err)
	}
	return spending, nil
}
