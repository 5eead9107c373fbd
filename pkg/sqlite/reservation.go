package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// Reserve implements budget.Ledger.
func (l *Ledger) Reserve(ctx context.Context, scope memory.Scope, r budget.Request) (reservation budget.Reservation, err error) {
	var refused error // an answer, not a failure: what the refusal has to tell is committed
	err = l.change(ctx, scope, func(tx *sql.Tx, b *budget.Books, now time.Time) (bool, error) {
		ctx := context.WithoutCancel(ctx)
		refused = nil
		made, found, err := l.madeUnder(ctx, tx, scope, r)
		if err != nil || found {
			reservation = made
			return false, err
		}
		lapsed, err := lapse(ctx, tx, b, now)
		if err != nil {
			return false, err
		}
		var prices budget.Pricelist
		if r.MaxCost == nil {
			if prices, err = pricelist(ctx, tx, scope.Tenant); err != nil {
				return false, err
			}
		}
		reservation, refused = b.Reserve(r, prices, now)
		if refused != nil { // a refusal that changed nothing costs no disk
			return lapsed || len(b.Records) > 0, nil
		}
		return true, insertReservation(ctx, tx, reservation, r)
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return budget.Reservation{}, err
	}
	return reservation, nil
}

// madeUnder looks for the reservation made under the request's idempotency key.
func (l *Ledger) madeUnder(ctx context.Context, tx *sql.Tx, scope memory.Scope, r budget.Request) (budget.Reservation, bool, error) {
	if r.IdempotencyKey == "" {
		return budget.Reservation{}, false, nil
	}
	const query = "SELECT id, fingerprint FROM reservations WHERE tenant = ? AND project = ? AND idempotency_key = ? AND idempotency_key <> ''"
	var id memory.ID
	var fingerprint string
	err := tx.QueryRowContext(ctx, query, scope.Tenant, scope.Project, r.IdempotencyKey).Scan(&id, &fingerprint)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return budget.Reservation{}, false, nil
	case err != nil:
		return budget.Reservation{}, false, fmt.Errorf("look up an idempotency key of %s: %w", scope, err)
	case fingerprint != r.Fingerprint():
		return budget.Reservation{}, false, budget.OtherRequest()
	}
	made, err := reservationOf(ctx, tx, scope, id)
	return made.AsMade(), err == nil, err
}

func insertReservation(ctx context.Context, tx *sql.Tx, r budget.Reservation, asked budget.Request) error {
	const insert = `INSERT INTO reservations (tenant, project, id, operation, provider, model, status, max_cost, max_tokens,
		price_known, pot, created_at, expires_at, idempotency_key, fingerprint) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	fingerprint := ""
	if asked.IdempotencyKey != "" {
		fingerprint = asked.Fingerprint()
	}
	_, err := tx.ExecContext(ctx, insert, r.TenantID, r.ProjectID, string(r.ID), r.Operation, r.Provider, r.Model,
		string(r.Status), int64(r.MaxCost), r.MaxTokens, r.PriceKnown, r.Pot, micros(r.CreatedAt), micros(r.ExpiresAt),
		asked.IdempotencyKey, fingerprint)
	if err != nil {
		return fmt.Errorf("store reservation %s: %w", r.ID, err)
	}
	return nil
}

// Settle implements budget.Ledger.
func (l *Ledger) Settle(ctx context.Context, scope memory.Scope, id memory.ID, s budget.Settle) (budget.Reservation, error) {
	return l.end(ctx, scope, id, func(tx *sql.Tx, b *budget.Books, r budget.Reservation, now time.Time) (budget.Reservation, bool, error) {
		var prices budget.Pricelist
		if s.Cost == nil {
			var err error
			if prices, err = pricelist(context.WithoutCancel(ctx), tx, scope.Tenant); err != nil {
				return budget.Reservation{}, false, err
			}
		}
		return b.Settle(r, s, prices, now)
	})
}

// Release implements budget.Ledger.
func (l *Ledger) Release(ctx context.Context, scope memory.Scope, id memory.ID) (budget.Reservation, error) {
	return l.end(ctx, scope, id, func(_ *sql.Tx, b *budget.Books, r budget.Reservation, now time.Time) (budget.Reservation, bool, error) {
		return b.Release(r, now)
	})
}

// end takes a reservation through do and stores what comes of it.
func (l *Ledger) end(
	ctx context.Context, scope memory.Scope, id memory.ID,
	do func(*sql.Tx, *budget.Books, budget.Reservation, time.Time) (budget.Reservation, bool, error),
) (ended budget.Reservation, err error) {
	err = l.change(ctx, scope, func(tx *sql.Tx, b *budget.Books, now time.Time) (bool, error) {
		ctx := context.WithoutCancel(ctx)
		r, err := reservationOf(ctx, tx, scope, id)
		if err != nil {
			return false, err
		}
		r, changed, err := do(tx, b, r, now)
		if err != nil {
			return false, err
		}
		ended = r
		if !changed {
			return false, nil
		}
		return true, updateReservation(ctx, tx, r)
	})
	if err != nil {
		return budget.Reservation{}, err
	}
	return ended, nil
}

// updateReservation stores how a reservation ended and, where it was settled, its line in the log of costs.
func updateReservation(ctx context.Context, tx *sql.Tx, r budget.Reservation) error {
	const update = "UPDATE reservations SET status = ? WHERE tenant = ? AND project = ? AND id = ?"
	if _, err := tx.ExecContext(ctx, update, string(r.Status), r.TenantID, r.ProjectID, string(r.ID)); err != nil {
		return fmt.Errorf("store reservation %s: %w", r.ID, err)
	}
	s := r.Settlement
	if s == nil {
		return nil
	}
	const log = `INSERT INTO cost_logs (tenant, project, reservation_id, operation, provider, model, tokens_in, tokens_out,
		cached_tokens, cost, priced, price_known, overrun, late, day, settled_at, latency_ms, estimated, request_id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := tx.ExecContext(ctx, log, r.TenantID, r.ProjectID, string(r.ID), r.Operation, r.Provider, r.Model, s.TokensIn,
		s.TokensOut, s.CachedTokens, int64(s.Cost), s.Priced, s.PriceKnown, int64(s.Overrun), s.Late, string(s.Day),
		micros(s.SettledAt), s.LatencyMS, s.Estimated, s.RequestID)
	if err != nil {
		return fmt.Errorf("log the cost of reservation %s: %w", r.ID, err)
	}
	return nil
}

// Reservation implements budget.Ledger.
func (l *Ledger) Reservation(ctx context.Context, scope memory.Scope, id memory.ID) (r budget.Reservation, err error) {
	if err := budget.CheckScope(scope); err != nil {
		return budget.Reservation{}, err
	}
	err = l.view(ctx, func(tx *sql.Tx) error {
		r, err = reservationOf(ctx, tx, scope, id)
		return err
	})
	if err != nil {
		return budget.Reservation{}, err
	}
	return r.At(l.db.now()), nil
}

// reservationOf reads a reservation as it is stored.
func reservationOf(ctx context.Context, tx *sql.Tx, scope memory.Scope, id memory.ID) (budget.Reservation, error) {
	const query = `SELECT r.operation, r.provider, r.model, r.status, r.max_cost, r.max_tokens, r.price_known, r.pot, r.created_at,
			r.expires_at, c.settled_at, coalesce(c.tokens_in, 0), coalesce(c.tokens_out, 0), coalesce(c.cached_tokens, 0),
			coalesce(c.cost, 0), coalesce(c.priced, 0), coalesce(c.price_known, 0), coalesce(c.overrun, 0),
			coalesce(c.late, 0), coalesce(c.day, ''), coalesce(c.latency_ms, 0), coalesce(c.estimated, 0), coalesce(c.request_id, '')
		FROM reservations r LEFT JOIN cost_logs c
			ON c.tenant = r.tenant AND c.project = r.project AND c.reservation_id = r.id
		WHERE r.tenant = ? AND r.project = ? AND r.id = ?`
	r := budget.Reservation{ID: id, TenantID: scope.Tenant, ProjectID: scope.Project}
	var (
		created, expires int64
		settled          sql.NullInt64
		s                budget.Settlement
	)
	err := tx.QueryRowContext(ctx, query, scope.Tenant, scope.Project, string(id)).Scan(&r.Operation, &r.Provider, &r.Model,
		&r.Status, &r.MaxCost, &r.MaxTokens, &r.PriceKnown, &r.Pot, &created, &expires, &settled, &s.TokensIn, &s.TokensOut,
		&s.CachedTokens, &s.Cost, &s.Priced, &s.PriceKnown, &s.Overrun, &s.Late, &s.Day, &s.LatencyMS, &s.Estimated, &s.RequestID)
	if errors.Is(err, sql.ErrNoRows) {
		return budget.Reservation{}, budget.NoReservation()
	}
	if err != nil {
		return budget.Reservation{}, fmt.Errorf("read reservation %s: %w", id, err)
	}
	r.CreatedAt, r.ExpiresAt = instant(created), instant(expires)
	if settled.Valid {
		s.SettledAt = instant(settled.Int64)
		r.Settlement = &s
	}
	return r, nil
}
