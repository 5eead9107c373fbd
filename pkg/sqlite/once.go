package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/rae-memory/rae/pkg/memory"
)

// Answered returns the answer remembered for the key.
func (t *tx) Answered(_ context.Context, key memory.Key) ([]byte, bool, error) {
	if key.Key == "" {
		return nil, false, nil
	}
	var fingerprint string
	var answer []byte
	err := t.sql.QueryRowContext(t.ctx, `SELECT fingerprint, answer FROM idempotency_keys
		WHERE tenant = ? AND project = ? AND route = ? AND key = ?`,
		t.scope.Tenant, t.scope.Project, key.Route, key.Key).Scan(&fingerprint, &answer)
	switch {
	case errors.Is(err, sql.ErrNoRows):
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
	return t.exec("remember an answer", `INSERT INTO idempotency_keys (tenant, project, route, key, fingerprint, answer,
		answered_at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, project, route, key)
		DO UPDATE SET answer = excluded.answer, answered_at = excluded.answered_at`,
		t.scope.Tenant, t.scope.Project, key.Route, key.Key, key.Fingerprint, answer, micros(t.now))
}

// Once records that the consumer has taken the event.
func (t *tx) Once(_ context.Context, consumer, source, event string) (bool, error) {
	result, err := t.sql.ExecContext(t.ctx, `INSERT OR IGNORE INTO consumed_events (tenant, project, consumer, source,
		event_id, consumed_at) VALUES (?, ?, ?, ?, ?, ?)`,
		t.scope.Tenant, t.scope.Project, consumer, source, event, micros(t.now))
	if err != nil {
		return false, t.failed("record an event", err)
	}
	added, err := result.RowsAffected()
	return added == 1, t.failed("record an event", err)
}
