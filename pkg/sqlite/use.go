package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ memory.Uses = (*DB)(nil)

const useColumns = `hits, last_used_at, helpful, unhelpful, score, body`

// scanUse reads the columns above.
func scanUse(scan func(...any) error, more ...any) (memory.Use, error) {
	var u memory.Use
	var last sql.NullInt64
	var body string
	if err := scan(append(more, &u.Hits, &last, &u.Helpful, &u.Unhelpful, &u.Score, &body)...); err != nil {
		return u, err
	}
	u.LastUsedAt = optional(last)
	if err := json.Unmarshal([]byte(body), &u.Recent); err != nil {
		return u, fault.Wrap(fault.Internal, err, "decode what was said of a memory")
	}
	return u, nil
}

// Hit implements memory.Uses.
func (d *DB) Hit(ctx context.Context, scope memory.Scope, hits []memory.Hits) error {
	if len(hits) == 0 {
		return ctx.Err()
	}
	return d.write(ctx, func(tx *sql.Tx) error {
		for _, h := range hits {
			_, err := tx.ExecContext(context.WithoutCancel(ctx), `INSERT INTO memory_use (tenant, project, memory_id, hits, last_used_at, helpful, unhelpful, score, body)
				SELECT tenant, project, id, ?, ?, 0, 0, 0, '[]' FROM memories WHERE tenant = ? AND project = ? AND id = ?
				ON CONFLICT (tenant, project, memory_id) DO UPDATE SET hits = hits + excluded.hits,
				last_used_at = max(coalesce(last_used_at, excluded.last_used_at), excluded.last_used_at)`,
				h.N, micros(h.Last), scope.Tenant, scope.Project, string(h.ID))
			if err != nil {
				return fmt.Errorf("note hits: %w", err)
			}
		}
		return nil
	})
}

// Use implements memory.Uses.
func (d *DB) Use(ctx context.Context, scope memory.Scope, ids []memory.ID) (map[memory.ID]memory.Use, error) {
	found := map[memory.ID]memory.Use{}
	if len(ids) == 0 {
		return found, ctx.Err()
	}
	db, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("list %d ids: %w", len(ids), err)
	}
	rows, err := db.QueryContext(ctx, `SELECT u.memory_id, u.hits, u.last_used_at, u.helpful, u.unhelpful, u.score, u.body FROM memory_use u
		JOIN memories m ON m.tenant = u.tenant AND m.project = u.project AND m.id = u.memory_id
		WHERE u.tenant = ? AND u.project = ? AND u.memory_id IN (SELECT value FROM json_each(?)) AND (m.expires_at IS NULL OR m.expires_at > ?)`,
		scope.Tenant, scope.Project, string(list), micros(d.now()))
	if err != nil {
		return nil, classify(ctx, fmt.Errorf("read the use of memories: %w", err))
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		var id string
		use, err := scanUse(rows.Scan, &id)
		if err != nil {
			return nil, classify(ctx, fmt.Errorf("read the use of memories: %w", err))
		}
		found[memory.ID(id)] = use
	}
	return found, classify(ctx, rows.Err())
}

// Rate adds what somebody says of a memory.
func (t *tx) Rate(_ context.Context, id memory.ID, f memory.Feedback) (memory.Use, error) {
	standing, err := t.live(byID, string(id))
	if err != nil {
		return memory.Use{}, err
	}
	if standing == nil {
		return memory.Use{}, notFound()
	}
	key := []any{t.scope.Tenant, t.scope.Project, string(id)}
	use, err := scanUse(t.sql.QueryRowContext(t.ctx, `SELECT `+useColumns+` FROM memory_use WHERE tenant = ? AND project = ? AND memory_id = ?`, key...).Scan)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return memory.Use{}, t.failed("read the use of a memory", err)
	}
	use.Add(f)
	body, err := json.Marshal(use.Recent)
	if err != nil {
		return memory.Use{}, fault.Wrap(fault.Internal, err, "encode what was said of a memory")
	}
	return use, t.exec("rate memory "+string(id), `INSERT OR REPLACE INTO memory_use (tenant, project, memory_id, `+useColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, append(key, use.Hits, nullable(use.LastUsedAt), use.Helpful, use.Unhelpful, use.Score, string(body))...)
}
