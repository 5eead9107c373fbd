package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

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
	if !isUUID(id) {
		return notFound()
	}
	stands, err := t.live(id)
	if err != nil {
		return err
	}
	if stands == nil {
		return notFound()
	}
	t.delete(stands)
	return nil
}

// delete keeps back the end of a memory, its versions, vectors, words and edges.
func (t *tx) delete(m *standing) {
	t.next.head++
	t.gone = append(t.gone, m.ID)
	tenant, project, id := t.scope.Tenant, t.scope.Project, string(m.ID)
	t.discount(m)
	t.doom(m)
	t.unlink(m)
	for _, statement := range [...]string{
		`DELETE FROM memory_vectors WHERE tenant = $1 AND project = $2 AND memory_id = $3`,
		`DELETE FROM memory_versions WHERE tenant = $1 AND project = $2 AND memory_id = $3`,
		`DELETE FROM memories WHERE tenant = $1 AND project = $2 AND id = $3`,
	} {
		t.exec(statement, tenant, project, id)
	}
	t.exec(`INSERT INTO tombstones (tenant, project, seq, memory_id) VALUES ($1, $2, $3, $4)`, tenant, project, t.next.head, id)
	t.announce(outbox.MemoryDeleted, &m.Memory)
}

// DeleteWhere deletes up to limit matching memories, newest first.
func (t *tx) DeleteWhere(ctx context.Context, f memory.Filter, limit int) ([]memory.ID, error) {
	if limit < 1 {
		return nil, nil
	}
	var doomed []memory.ID // read before any is deleted: a query must not run over what changes under it
	err := t.list(t.scope, memory.Query{Filter: f}, min(limit, listPage), func(v *memory.Version) (bool, error) {
		doomed = append(doomed, v.ID)
		return len(doomed) < limit, nil
	})
	if err != nil {
		return nil, t.failed("select memories to delete", err)
	}
	for _, id := range doomed {
		if err := t.Delete(ctx, id); err != nil {
			return nil, err
		}
	}
	return doomed, nil
}

// Sweep deletes up to limit expired memories of any scope, and forgets old answers and events.
func (d *DB) Sweep(ctx context.Context, limit int) (swept int, err error) {
	expired := map[memory.Scope][]string{}
	err = d.system(ctx, func(s *session) error {
		clear(expired)
		return s.rows(`SELECT tenant, project, id::text FROM memories WHERE expires_at <= rae_now() ORDER BY expires_at LIMIT $1`,
			[]any{limit}, func(rows pgx.Rows) error {
				var scope memory.Scope
				var id string
				err := rows.Scan(&scope.Tenant, &scope.Project, &id)
				expired[scope] = append(expired[scope], id)
				return err
			})
	})
	if err != nil {
		return 0, d.failed(ctx, "find what has expired", err)
	}
	for scope, ids := range expired {
		n, err := d.sweep(ctx, scope, ids)
		swept += n
		if err != nil {
			return swept, err
		}
	}
	const oldAnswers = `DELETE FROM idempotency_keys WHERE (tenant, project, route, key) IN (
		SELECT tenant, project, route, key FROM idempotency_keys WHERE answered_at < rae_now() - $1::interval LIMIT $2)`
	const oldEvents = `DELETE FROM consumed_events WHERE (tenant, project, consumer, source, event_id) IN (
		SELECT tenant, project, consumer, source, event_id FROM consumed_events WHERE consumed_at < rae_now() - $1::interval LIMIT $2)`
	if err := d.forget(ctx, oldAnswers, answersKept); err != nil {
		return swept, err
	}
	return swept, d.forget(ctx, oldEvents, consumedKept)
}

// sweep deletes those of a scope's memories that have expired.
func (d *DB) sweep(ctx context.Context, scope memory.Scope, ids []string) (swept int, err error) {
	err = d.write(ctx, scope, func(g *group) error {
		t := &tx{group: g, caller: ctx}
		swept = 0
		for _, id := range ids {
			stands, err := t.live(memory.ID(id)) // deletes it, for it has expired
			if err != nil {
				return err
			}
			if stands == nil {
				swept++
			}
		}
		return t.finish()
	})
	if err != nil {
		return 0, fmt.Errorf("sweep %s: %w", scope, err)
	}
	return swept, nil
}

// forget deletes every row that is older than kept, so many in each transaction that nobody waits long for a lock. Where
// ctx ends it, the next sweep goes on.
func (d *DB) forget(ctx context.Context, statement string, kept time.Duration) error {
	const slice = 1000
	for forgotten := int64(slice); forgotten == slice && ctx.Err() == nil; {
		err := d.system(ctx, func(s *session) error {
			s.affect(&forgotten, statement, kept, slice)
			return s.flush()
		})
		if err != nil && ctx.Err() == nil {
			return d.failed(ctx, "forget what is old", err)
		}
	}
	return nil
}
