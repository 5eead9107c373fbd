package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
)

// Answered returns the answer remembered for the key.
func (t *tx) Answered(_ context.Context, key memory.Key) ([]byte, bool, error) {
	if key.Key == "" {
		return nil, false, nil
	}
	var fingerprint string
	var answer []byte
	err := t.row(`SELECT fingerprint, answer FROM idempotency_keys WHERE tenant = $1 AND project = $2 AND route = $3 AND key = $4`,
		[]any{t.scope.Tenant, t.scope.Project, key.Route, key.Key}, &fingerprint, &answer)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, false, nil
	case err != nil:
		return nil, false, t.failed("look up an idempotency key", err)
	case fingerprint != key.Fingerprint:
		return nil, false, key.Reused()
	}
	return answer, true, nil
}

// Answer remembers the answer of the key.
func (t *tx) Answer(ctx context.Context, key memory.Key, answer []byte) error {
	if key.Key == "" {
		return nil
	}
	if _, _, err := t.Answered(ctx, key); err != nil {
		return err
	}
	if answer == nil {
		answer = []byte{}
	}
	t.exec(`INSERT INTO idempotency_keys (tenant, project, route, key, fingerprint, answer, answered_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, project, route, key)
		DO UPDATE SET answer = excluded.answer, answered_at = excluded.answered_at`,
		t.scope.Tenant, t.scope.Project, key.Route, key.Key, key.Fingerprint, answer, t.now)
	return nil
}

// Once records that the consumer has taken the event.
func (t *tx) Once(_ context.Context, consumer, source, event string) (bool, error) {
	var added int64
	t.affect(&added, `INSERT INTO consumed_events (tenant, project, consumer, source, event_id, consumed_at)
		VALUES ($1, $2, $3, $4, $5, rae_now()) ON CONFLICT DO NOTHING`,
		t.scope.Tenant, t.scope.Project, consumer, source, event)
	if err := t.flush(); err != nil {
		return false, t.failed("record an event", err)
	}
	return added == 1, nil
}
