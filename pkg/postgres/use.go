package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ memory.Uses = (*DB)(nil)

// Hit implements memory.Uses. It waits for no writer of the scope. It holds the memories, in one order, so that none is
// deleted whose use is being written.
func (d *DB) Hit(ctx context.Context, scope memory.Scope, hits []memory.Hits) error {
	hits = slices.DeleteFunc(slices.Clone(hits), func(h memory.Hits) bool { return !isUUID(h.ID) })
	if len(hits) == 0 {
		return ctx.Err()
	}
	slices.SortFunc(hits, func(a, b memory.Hits) int { return cmp.Compare(a.ID, b.ID) })
	err := d.amend(ctx, scope, func(tx *session) error {
		tx.exec(`WITH stands AS MATERIALIZED (SELECT id FROM memories WHERE tenant = $1 AND project = $2 AND id = ANY($3::uuid[])
				AND (expires_at IS NULL OR expires_at > rae_now()) ORDER BY id FOR KEY SHARE)
			INSERT INTO memory_use (tenant, project, memory_id, hits, last_used_at, helpful, unhelpful, score, body)
			SELECT $1, $2, r.id, r.n, r.last, 0, 0, 0, '[]' FROM unnest($3::uuid[], $4::bigint[], $5::timestamptz[]) r(id, n, last)
			JOIN stands USING (id) ORDER BY r.id
			ON CONFLICT (tenant, project, memory_id) DO UPDATE SET hits = memory_use.hits + excluded.hits,
			last_used_at = greatest(memory_use.last_used_at, excluded.last_used_at)`, scope.Tenant, scope.Project,
			column(hits, func(h memory.Hits) pgtype.UUID { return uuidOf(h.ID) }), column(hits, func(h memory.Hits) int64 { return h.N }),
			column(hits, func(h memory.Hits) time.Time { return h.Last }))
		return nil
	})
	return d.failed(ctx, "note hits in "+scope.String(), err)
}

// Use implements memory.Uses.
func (d *DB) Use(ctx context.Context, scope memory.Scope, ids []memory.ID) (map[memory.ID]memory.Use, error) {
	found := map[memory.ID]memory.Use{}
	var wanted []pgtype.UUID
	for _, id := range ids {
		if isUUID(id) {
			wanted = append(wanted, uuidOf(id))
		}
	}
	if len(wanted) == 0 {
		return found, ctx.Err()
	}
	err := d.view(ctx, scope, func(s *session) error {
		clear(found)
		return s.uses(scope, wanted, found)
	})
	if err != nil {
		return nil, d.failed(ctx, "read the use of memories of "+scope.String(), err)
	}
	return found, nil
}

func (s *session) uses(scope memory.Scope, ids []pgtype.UUID, into map[memory.ID]memory.Use) error {
	return s.rows(`SELECT u.memory_id::text, u.hits, u.last_used_at, u.helpful, u.unhelpful, u.score, u.body FROM memory_use u
		JOIN memories m ON m.tenant = u.tenant AND m.project = u.project AND m.id = u.memory_id
		WHERE u.tenant = $1 AND u.project = $2 AND u.memory_id = ANY($3::uuid[]) AND (m.expires_at IS NULL OR m.expires_at > rae_now())`,
		[]any{scope.Tenant, scope.Project, ids}, func(rows pgx.Rows) error {
			var id, body string
			var u memory.Use
			if err := rows.Scan(&id, &u.Hits, &u.LastUsedAt, &u.Helpful, &u.Unhelpful, &u.Score, &body); err != nil {
				return err
			}
			u.LastUsedAt = utc(u.LastUsedAt)
			if err := json.Unmarshal([]byte(body), &u.Recent); err != nil {
				return fault.Wrap(fault.Internal, err, "decode what was said of a memory")
			}
			into[memory.ID(id)] = u
			return nil
		})
}

// Rate adds what somebody says of a memory. Hits that are written meanwhile are added to, and not overwritten.
func (t *tx) Rate(_ context.Context, id memory.ID, f memory.Feedback) (memory.Use, error) {
	if !isUUID(id) {
		return memory.Use{}, notFound()
	}
	stands, err := t.live(id)
	if err != nil {
		return memory.Use{}, err
	}
	if stands == nil {
		return memory.Use{}, notFound()
	}
	found := map[memory.ID]memory.Use{}
	if err := t.uses(t.scope, []pgtype.UUID{uuidOf(id)}, found); err != nil {
		return memory.Use{}, t.failed("read the use of a memory", err)
	}
	use, before := found[stands.ID], found[stands.ID]
	use.Add(f)
	body, err := json.Marshal(use.Recent)
	if err != nil {
		return memory.Use{}, fault.Wrap(fault.Internal, err, "encode what was said of a memory")
	}
	t.exec(`INSERT INTO memory_use (tenant, project, memory_id, hits, last_used_at, helpful, unhelpful, score, body)
		VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8) ON CONFLICT (tenant, project, memory_id) DO UPDATE SET
		last_used_at = greatest(memory_use.last_used_at, excluded.last_used_at), helpful = memory_use.helpful + $5,
		unhelpful = memory_use.unhelpful + $6, score = memory_use.score + $7, body = excluded.body`,
		t.scope.Tenant, t.scope.Project, string(id), use.LastUsedAt, use.Helpful-before.Helpful, use.Unhelpful-before.Unhelpful, f.Score, string(body))
	return use, nil
}
