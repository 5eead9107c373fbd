package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// How long answers and consumed events are remembered: well beyond what a client or a broker repeats.
const (
	answersKept  = 7 * 24 * time.Hour
	consumedKept = 30 * 24 * time.Hour
)

// Delete removes a memory with all it has.
func (t *tx) Delete(_ context.Context, id memory.ID) error {
	v, err := t.live(byID, string(id))
	if err != nil {
		return err
	}
	if v == nil {
		return notFound()
	}
	return t.delete(&v.Memory)
}

func (t *tx) delete(m *memory.Memory) error {
	seq, err := t.next()
	if err != nil {
		return err
	}
	t.gone = append(t.gone, m.ID)
	what := "delete memory " + string(m.ID)
	for _, statement := range [...]string{
		`DELETE FROM memory_vectors WHERE tenant = ? AND project = ? AND memory_id = ?`,
		`DELETE FROM memory_tags WHERE tenant = ? AND project = ? AND memory_id = ?`,
		`DELETE FROM memory_versions WHERE tenant = ? AND project = ? AND memory_id = ?`,
		`DELETE FROM memories WHERE tenant = ? AND project = ? AND id = ?`,
	} {
		if err := t.exec(what, statement, t.scope.Tenant, t.scope.Project, string(m.ID)); err != nil {
			return err
		}
	}
	err = t.exec(what, `INSERT INTO tombstones (tenant, project, seq, memory_id) VALUES (?, ?, ?, ?)`,
		t.scope.Tenant, t.scope.Project, seq, string(m.ID))
	if err != nil {
		return err
	}
	return t.announce(outbox.MemoryDeleted, m)
}

// DeleteWhere deletes up to limit matching memories, newest first.
func (t *tx) DeleteWhere(_ context.Context, f memory.Filter, limit int) ([]memory.ID, error) {
	if limit < 1 {
		return nil, nil
	}
	query, args := listQuery(t.scope, &memory.Query{Filter: f}, t.now)
	rows, err := t.sql.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, t.failed("select memories to delete", err)
	}
	defer rows.Close()
	var doomed []memory.Memory // read before any is deleted: a query must not run over what changes under it
	s := newScanner(t.scope)
	for len(doomed) < limit && rows.Next() {
		if err := s.scan(rows); err != nil {
			return nil, t.failed("select memories to delete", err)
		}
		v, err := s.version()
		if err != nil {
			return nil, err
		}
		if !s.expired(t.now) && f.Match(&v.Memory) {
			v.Content = "" // only the announcement still needs it
			doomed = append(doomed, v.Memory)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, t.failed("select memories to delete", err)
	}
	var deleted []memory.ID
	for i := range doomed {
		if err := t.delete(&doomed[i]); err != nil {
			return nil, err
		}
		deleted = append(deleted, doomed[i].ID)
	}
	return deleted, nil
}

// Sweep deletes up to limit expired memories of any scope, and forgets old answers and events.
func (d *DB) Sweep(ctx context.Context, limit int) (swept int, err error) {
	err = d.write(ctx, func(sqlTx *sql.Tx) error {
		swept = 0
		expired, err := expiredMemories(ctx, sqlTx, d.now(), limit)
		if err != nil {
			return err
		}
		scopes := make(map[memory.Scope]*tx)
		for _, e := range expired {
			t, ok := scopes[e.scope]
			if !ok {
				t = d.begin(ctx, sqlTx, e.scope)
				scopes[e.scope] = t
			}
			if v, err := t.live(byID, e.id); err != nil { // deletes it, for it has expired
				return err
			} else if v == nil {
				swept++
			}
		}
		for _, t := range scopes {
			if err := t.finish(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	const oldAnswers = `DELETE FROM idempotency_keys WHERE rowid IN
		(SELECT rowid FROM idempotency_keys WHERE answered_at < ? LIMIT ?)`
	const oldEvents = `DELETE FROM consumed_events WHERE (tenant, project, consumer, source, event_id) IN
		(SELECT tenant, project, consumer, source, event_id FROM consumed_events WHERE consumed_at < ? LIMIT ?)`
	if err := d.forget(ctx, oldAnswers, answersKept); err != nil {
		return swept, err
	}
	return swept, d.forget(ctx, oldEvents, consumedKept)
}

// forget deletes every row that is older than kept, so many in each transaction that nobody waits long for the writer.
// Where ctx ends it, the next sweep goes on.
func (d *DB) forget(ctx context.Context, statement string, kept time.Duration) error {
	const slice = 1000
	for forgotten := int64(slice); forgotten == slice && ctx.Err() == nil; {
		err := d.write(ctx, func(sqlTx *sql.Tx) error {
			result, err := sqlTx.ExecContext(context.WithoutCancel(ctx), statement, micros(d.now().Add(-kept)), slice)
			if err != nil {
				return err
			}
			forgotten, err = result.RowsAffected()
			return err
		})
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

type located struct {
	scope memory.Scope
	id    string
}

func expiredMemories(ctx context.Context, sqlTx *sql.Tx, now time.Time, limit int) ([]located, error) {
	rows, err := sqlTx.QueryContext(context.WithoutCancel(ctx), `SELECT tenant, project, id FROM memories
		WHERE expires_at IS NOT NULL AND expires_at <= ? ORDER BY expires_at LIMIT ?`, micros(now), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var expired []located
	for rows.Next() {
		var e located
		if err := rows.Scan(&e.scope.Tenant, &e.scope.Project, &e.id); err != nil {
			return nil, err
		}
		expired = append(expired, e)
	}
	return expired, rows.Err()
}
