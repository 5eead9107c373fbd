package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// Reserve implements budget.Ledger. Whether the key has been used is not asked where nothing else has to be: a reservation
// that was made under it is then met by the insertion, and looked for the next time.
func (l *Ledger) Reserve(ctx context.Context, scope memory.Scope, r budget.Request) (reservation budget.Reservation, err error) {
	var refused error // an answer, not a failure: what the refusal has to tell is committed
	var last *books
	tried := false
	err = l.change(ctx, scope, func(b *books, turn *budget.Books) error {
		refused, last = nil, nil
		var made *standingReservation
		keyed := r.IdempotencyKey != ""
		seek := keyed && (tried || b.careful || b.asked > 0)
		tried = true
		if seek {
			b.seekReservation(&made, scope, byKey, r.IdempotencyKey)
		}
		if r.MaxCost == nil {
			b.readPrices()
		}
		b.lapse()
		if err := b.answered(); err != nil {
			return l.failed(ctx, "reserve from the budget", scope, err)
		}
		project, all, pot := *turn.Project, *turn.Tenant, *turn.Pot
		if made == nil {
			reservation, refused = turn.Reserve(r, budget.Prices(b.prices), b.now)
		}
		if refused != nil && keyed && !seek { // unless it was made before
			b.seekReservation(&made, scope, byKey, r.IdempotencyKey)
			if err := b.answered(); err != nil {
				return l.failed(ctx, "reserve from the budget", scope, err)
			}
		}
		switch {
		case made != nil && made.fingerprint != r.Fingerprint():
			return budget.OtherRequest()
		case made != nil:
			*turn.Project, *turn.Tenant, *turn.Pot = project, all, pot // there is nothing to tell of either
			reservation, refused = made.AsMade(), nil
			return nil
		}
		b.tell(ctx, turn)
		if refused != nil { // if it changed nothing it costs no disk
			b.exact = true
			return nil
		}
		b.change(scope.Project)
		fingerprint := ""
		if keyed {
			fingerprint = r.Fingerprint()
		}
		b.insertReservation(&standingReservation{reservation, fingerprint}, r.IdempotencyKey)
		last = b
		return nil
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return budget.Reservation{}, err
	}
	if last != nil {
		reservation = last.dated(reservation)
	}
	return reservation, nil
}

// standingReservation is a reservation and what only the store knows of it.
type standingReservation struct {
	budget.Reservation
	fingerprint string
}

// lease is how long it holds, in microseconds.
func (r *standingReservation) lease() int64 { return r.ExpiresAt.Sub(r.CreatedAt).Microseconds() }

// Conditions that name one reservation.
const (
	byReservation = `r.id = $3`
	byKey         = `r.idempotency_key = $3 AND r.idempotency_key <> ''`
)

// seekReservation keeps back a question for the reservation that the condition names; found is set when it is answered.
func (s *session) seekReservation(found **standingReservation, scope memory.Scope, condition string, arg any) {
	*found = nil
	const query = `SELECT r.id::text, r.operation, r.provider, r.model, r.status, r.max_cost, r.max_tokens, r.price_known, r.pot,
			r.created_at, r.expires_at, r.fingerprint, c.settled_at, coalesce(c.tokens_in, 0), coalesce(c.tokens_out, 0),
			coalesce(c.cached_tokens, 0), coalesce(c.cost, 0), coalesce(c.priced, false), coalesce(c.price_known, false),
			coalesce(c.overrun, 0), coalesce(c.late, false), coalesce(c.day, ''), coalesce(c.latency_ms, 0),
			coalesce(c.estimated, false), coalesce(c.request_id, '')
		FROM reservations r LEFT JOIN cost_logs c ON c.tenant = r.tenant AND c.project = r.project AND c.reservation_id = r.id
		WHERE r.tenant = $1 AND r.project = $2 AND `
	s.ask(query+condition, []any{scope.Tenant, scope.Project, arg}, func(rows pgx.Rows) error {
		r := &standingReservation{Reservation: budget.Reservation{TenantID: scope.Tenant, ProjectID: scope.Project}}
		var b budget.Settlement
		var settled *time.Time
		err := rows.Scan(&r.ID, &r.Operation, &r.Provider, &r.Model, &r.Status, &r.MaxCost, &r.MaxTokens, &r.PriceKnown, &r.Pot,
			&r.CreatedAt, &r.ExpiresAt, &r.fingerprint, &settled, &b.TokensIn, &b.TokensOut, &b.CachedTokens, &b.Cost, &b.Priced,
			&b.PriceKnown, &b.Overrun, &b.Late, &b.Day, &b.LatencyMS, &b.Estimated, &b.RequestID)
		r.CreatedAt, r.ExpiresAt = r.CreatedAt.UTC(), r.ExpiresAt.UTC()
		if settled != nil {
			b.SettledAt = settled.UTC()
			r.Settlement = &b
		}
		*found = r
		return err
	})
}

func (b *books) insertReservation(r *standingReservation, key string) {
	b.exec(`INSERT INTO reservations (tenant, project, id, operation, provider, model, status, max_cost, max_tokens, price_known, pot,
		created_at, expires_at, idempotency_key, fingerprint) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
		`+fixedNow+`, `+fixedNow+` + $12::bigint * interval '1 microsecond', $13, $14)`,
		r.TenantID, r.ProjectID, string(r.ID), r.Operation, r.Provider, r.Model, string(r.Status), int64(r.MaxCost),
		r.MaxTokens, r.PriceKnown, r.Pot, r.lease(), key, r.fingerprint)
	b.made = append(b.made, *r)
}

// readPrices makes sure that the tenant's own prices are known once all questions are answered.
func (b *books) readPrices() {
	if !b.priced {
		b.askPrices(&b.prices, b.tenant)
		b.priced = true
	}
}

// Settle implements budget.Ledger.
func (l *Ledger) Settle(ctx context.Context, scope memory.Scope, id memory.ID, s budget.Settle) (budget.Reservation, error) {
	return l.end(ctx, scope, id, s.Cost == nil, func(b *books, turn *budget.Books, r budget.Reservation, prices budget.Pricelist) (budget.Reservation, bool, error) {
		return turn.Settle(r, s, prices, b.now)
	})
}

// Release implements budget.Ledger.
func (l *Ledger) Release(ctx context.Context, scope memory.Scope, id memory.ID) (budget.Reservation, error) {
	return l.end(ctx, scope, id, false, func(b *books, turn *budget.Books, r budget.Reservation, _ budget.Pricelist) (budget.Reservation, bool, error) {
		return turn.Release(r, b.now)
	})
}

// end takes a reservation through do, which is handed the prices where it needs them, and stores what comes of it.
func (l *Ledger) end(
	ctx context.Context, scope memory.Scope, id memory.ID, priced bool,
	do func(*books, *budget.Books, budget.Reservation, budget.Pricelist) (budget.Reservation, bool, error),
) (ended budget.Reservation, err error) {
	if err := budget.CheckScope(scope); err != nil {
		return budget.Reservation{}, err
	}
	if !isUUID(id) {
		return budget.Reservation{}, budget.NoReservation()
	}
	var last *books
	tried, key := false, reservationKey{scope, id}
	err = l.change(ctx, scope, func(b *books, turn *budget.Books) error {
		var stands *standingReservation
		if !tried {
			stands = b.recalled(key)
		}
		if tried = true; stands == nil {
			b.seekReservation(&stands, scope, byReservation, string(id))
		}
		if priced {
			b.readPrices()
		}
		if err := b.answered(); err != nil {
			return l.failed(ctx, "read a reservation", scope, err)
		}
		if stands == nil {
			return budget.NoReservation()
		}
		r, changed, err := do(b, turn, stands.Reservation, budget.Prices(b.prices))
		if err != nil {
			return err
		}
		ended, last = r, nil
		if changed && r.Settlement != nil {
			last = b
		}
		if changed {
			b.change(scope.Project)
			b.tell(ctx, turn)
			b.updateReservation(&r, stands.Status)
		}
		return nil
	})
	if err != nil {
		return budget.Reservation{}, err
	}
	if last != nil {
		ended = last.dated(ended)
	}
	return ended, nil
}

// updateReservation keeps back how a reservation ended, that stood so before, and, where it was settled, its line in the log
// of costs.
func (b *books) updateReservation(r *budget.Reservation, before budget.State) {
	b.exec(`WITH ended AS (UPDATE reservations SET status = $4 WHERE tenant = $1 AND project = $2 AND id = $3 AND status = $5 RETURNING 1)
		SELECT rae_outdated() WHERE NOT EXISTS (SELECT FROM ended)`, r.TenantID, r.ProjectID, string(r.ID), string(r.Status), string(before))
	b.ended = append(b.ended, reservationKey{memory.Scope{Tenant: r.TenantID, Project: r.ProjectID}, r.ID})
	s := r.Settlement
	if s == nil {
		return
	}
	b.exec(`INSERT INTO cost_logs (tenant, project, reservation_id, operation, provider, model, tokens_in, tokens_out,
		cached_tokens, cost, priced, price_known, overrun, late, day, settled_at, latency_ms, estimated, request_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, `+fixedNow+`, $16, $17, $18)`,
		r.TenantID, r.ProjectID, string(r.ID), r.Operation, r.Provider, r.Model, s.TokensIn, s.TokensOut, s.CachedTokens,
		int64(s.Cost), s.Priced, s.PriceKnown, int64(s.Overrun), s.Late, string(s.Day),
		s.LatencyMS, s.Estimated, s.RequestID)
}

// Reservation implements budget.Ledger.
func (l *Ledger) Reservation(ctx context.Context, scope memory.Scope, id memory.ID) (budget.Reservation, error) {
	if err := budget.CheckScope(scope); err != nil {
		return budget.Reservation{}, err
	}
	if !isUUID(id) {
		return budget.Reservation{}, budget.NoReservation()
	}
	var stands *standingReservation
	var now time.Time
	err := l.db.view(ctx, scope, func(s *session) error {
		s.seekReservation(&stands, scope, byReservation, string(id))
		return s.row(`SELECT rae_now()`, nil, &now)
	})
	switch {
	case err != nil:
		return budget.Reservation{}, l.failed(ctx, "read a reservation", scope, err)
	case stands == nil:
		return budget.Reservation{}, budget.NoReservation()
	}
	return stands.At(now), nil
}
