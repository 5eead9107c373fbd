package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

var _ reflection.Store = (*Reflections)(nil)

// Reflections keeps reflections in the same file as the memories and the outbox.
type Reflections struct{ db *DB }

// NewReflections returns the reflections of the store.
func NewReflections(db *DB) *Reflections { return &Reflections{db: db} }

// reflectionConsumer is the name under which counted events are remembered.
const reflectionConsumer = "reflect"

// reflectionRow is one reflection with what only the store knows of it.
type reflectionRow struct {
	reflection.Reflection
	fence       int64
	leasedTo    time.Time
	fingerprint string
}

const reflectionColumns = `tenant, project, attempts, cursor, fence, leased_to, fingerprint, body`

// scanReflection reads the columns above.
func scanReflection(scan func(...any) error) (reflectionRow, error) {
	var row reflectionRow
	var scope memory.Scope
	var attempts int
	var leasedTo int64
	var cursor, body string
	if err := scan(&scope.Tenant, &scope.Project, &attempts, &cursor, &row.fence, &leasedTo, &row.fingerprint, &body); err != nil {
		return row, err
	}
	if err := json.Unmarshal([]byte(body), &row.Reflection); err != nil {
		return row, fault.Wrap(fault.Internal, err, "decode a reflection")
	}
	row.TenantID, row.ProjectID = scope.Tenant, scope.Project
	row.Attempts, row.Cursor, row.leasedTo, row.NotBefore = attempts, cursor, instant(leasedTo), nil
	if (row.Status == reflection.Queued || row.Status == reflection.Parked) && leasedTo != 0 && leasedTo != never {
		row.NotBefore = &row.leasedTo
	}
	return row, nil
}

// never is when a parked reflection is due that somebody has to call.
const never = math.MaxInt64

// dueAt is from when on a reflection may be claimed, as its column has it.
func dueAt(r *reflection.Reflection) int64 {
	switch {
	case r.NotBefore != nil:
		return micros(*r.NotBefore)
	case r.Status == reflection.Parked:
		return never
	}
	return 0
}

// querier is what a transaction and a pool share.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// reflectionBy reads one reflection of the scope: where is the rest of the condition.
func reflectionBy(ctx context.Context, q querier, scope memory.Scope, where string, args ...any) (reflectionRow, error) {
	query := "SELECT " + reflectionColumns + " FROM reflections WHERE tenant = ? AND project = ? AND " + where
	row, err := scanReflection(q.QueryRowContext(ctx, query, append([]any{scope.Tenant, scope.Project}, args...)...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return row, fault.New(fault.NotFound, "the reflection does not exist")
	}
	if err != nil {
		return row, fmt.Errorf("read reflection: %w", err)
	}
	return row, nil
}

// Create implements reflection.Store.
func (s *Reflections) Create(
	ctx context.Context, scope memory.Scope, r reflection.Reflection, key memory.Key, records ...outbox.Record,
) (reflection.Reflection, bool, error) {
	made, fresh := reflection.Reflection{}, false
	err := s.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		fresh = false
		if key.Key != "" {
			standing, err := reflectionBy(ctx, tx, scope, "route = ? AND key = ? AND key <> ''", key.Route, key.Key)
			switch {
			case err == nil && standing.fingerprint != key.Fingerprint:
				return key.Reused()
			case err == nil:
				made = standing.Reflection
				return nil
			case fault.KindOf(err) != fault.NotFound:
				return err
			}
		}
		if err := s.insert(ctx, tx, scope, r, key); err != nil {
			return err
		}
		standing, err := reflectionBy(ctx, tx, scope, "id = ?", r.ID)
		if err != nil {
			return err
		}
		made, fresh = standing.Reflection, true
		return s.db.emitAll(ctx, tx, scope, records)
	})
	if err != nil {
		return reflection.Reflection{}, false, err
	}
	return made, fresh, nil
}

// insert writes a new row.
func (s *Reflections) insert(ctx context.Context, tx *sql.Tx, scope memory.Scope, r reflection.Reflection, key memory.Key) error {
	if key.Key == "" {
		key = memory.Key{}
	}
	r.TenantID, r.ProjectID = scope.Tenant, scope.Project
	body, err := json.Marshal(r)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode reflection %s", r.ID)
	}
	const insert = `INSERT INTO reflections
		(tenant, project, id, kind, status, created_at, attempts, cursor, fence, leased_to, route, key, fingerprint, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)`
	if _, err := tx.ExecContext(ctx, insert, scope.Tenant, scope.Project, r.ID, r.Kind, r.Status, micros(r.CreatedAt),
		r.Attempts, r.Cursor, dueAt(&r), key.Route, key.Key, key.Fingerprint, string(body)); err != nil {
		return fmt.Errorf("insert reflection %s: %w", r.ID, err)
	}
	return nil
}

// update writes a standing row anew.
func (s *Reflections) update(ctx context.Context, tx *sql.Tx, row reflectionRow) error {
	body, err := json.Marshal(row.Reflection)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode reflection %s", row.ID)
	}
	const update = `UPDATE reflections SET status = ?, attempts = ?, cursor = ?, fence = ?, leased_to = ?, body = ?
		WHERE tenant = ? AND project = ? AND id = ?`
	due := dueAt(&row.Reflection)
	if row.Status == reflection.Running {
		due = micros(row.leasedTo)
	}
	if _, err := tx.ExecContext(ctx, update, row.Status, row.Attempts, row.Cursor, row.fence, due,
		string(body), row.TenantID, row.ProjectID, row.ID); err != nil {
		return fmt.Errorf("update reflection %s: %w", row.ID, err)
	}
	return nil
}

// Get implements reflection.Store.
func (s *Reflections) Get(ctx context.Context, scope memory.Scope, id memory.ID) (reflection.Reflection, error) {
	db, err := s.db.read(ctx)
	if err != nil {
		return reflection.Reflection{}, err
	}
	row, err := reflectionBy(ctx, db, scope, "id = ?", id)
	if err != nil {
		return reflection.Reflection{}, classify(ctx, err)
	}
	return row.Reflection, nil
}

// List implements reflection.Store.
func (s *Reflections) List(ctx context.Context, scope memory.Scope, q reflection.Query) (reflection.Page, error) {
	db, err := s.db.read(ctx)
	if err != nil {
		return reflection.Page{}, err
	}
	const query = "SELECT " + reflectionColumns + ` FROM reflections WHERE tenant = ? AND project = ?
		AND (? = '' OR id < ?) AND (? = '' OR kind = ?) AND (? = '' OR status = ?) ORDER BY id DESC LIMIT ?`
	rows, err := db.QueryContext(ctx, query, scope.Tenant, scope.Project,
		q.After, q.After, q.Kind, q.Kind, q.Status, q.Status, q.Limit+1)
	if err != nil {
		return reflection.Page{}, classify(ctx, fmt.Errorf("list reflections: %w", err))
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	page := reflection.Page{Reflections: []reflection.Reflection{}}
	for rows.Next() {
		row, err := scanReflection(rows.Scan)
		if err != nil {
			return reflection.Page{}, classify(ctx, fmt.Errorf("list reflections: %w", err))
		}
		page.Reflections = append(page.Reflections, row.Reflection)
	}
	if err := rows.Err(); err != nil {
		return reflection.Page{}, classify(ctx, fmt.Errorf("list reflections: %w", err))
	}
	if len(page.Reflections) > q.Limit {
		page.Reflections = page.Reflections[:q.Limit]
		page.Next = page.Reflections[q.Limit-1].ID
	}
	return page, nil
}

// Claim implements reflection.Store.
func (s *Reflections) Claim(ctx context.Context, scope memory.Scope, id memory.ID, lease time.Duration) (reflection.Claim, error) {
	var claim reflection.Claim
	err := s.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		row, err := reflectionBy(ctx, tx, scope, "id = ?", id)
		if err != nil {
			return err
		}
		if row.Status.Final() || row.leasedTo.After(s.db.now()) {
			return fault.New(fault.Conflict, "reflection %s is %s and not to be claimed", id, row.Status)
		}
		claim, err = s.claim(ctx, tx, row, lease)
		return err
	})
	if err != nil {
		return reflection.Claim{}, err
	}
	return claim, nil
}

// The oldest reflection that may be claimed, found by the partial index of open ones.
const nextReflection = "SELECT " + reflectionColumns + ` FROM reflections
	WHERE status IN ('queued', 'running', 'parked') AND leased_to <= ? ORDER BY created_at, id LIMIT 1`

// Next implements reflection.Store.
func (s *Reflections) Next(ctx context.Context, lease time.Duration) (reflection.Claim, bool, error) {
	db, err := s.db.read(ctx)
	if err != nil {
		return reflection.Claim{}, false, err
	}
	// Most looks find nothing; those need no turn among the writers.
	_, err = scanReflection(db.QueryRowContext(ctx, nextReflection, micros(s.db.now())).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return reflection.Claim{}, false, nil
	}
	if err != nil {
		return reflection.Claim{}, false, classify(ctx, fmt.Errorf("look for queued reflections: %w", err))
	}
	var claim reflection.Claim
	found := false
	err = s.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		row, err := scanReflection(tx.QueryRowContext(ctx, nextReflection, micros(s.db.now())).Scan)
		if found = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("find the next reflection: %w", err)
		}
		claim, err = s.claim(ctx, tx, row, lease)
		return err
	})
	if err != nil {
		return reflection.Claim{}, false, err
	}
	return claim, found, nil
}

// claim leases the row.
func (s *Reflections) claim(ctx context.Context, tx *sql.Tx, row reflectionRow, lease time.Duration) (reflection.Claim, error) {
	row.Status, row.NotBefore = reflection.Running, nil
	row.Attempts++
	row.fence++
	row.leasedTo = s.db.now().Add(lease)
	if err := s.update(ctx, tx, row); err != nil {
		return reflection.Claim{}, err
	}
	return reflection.Claim{Reflection: row.Reflection, Fence: row.fence}, nil
}

// Finish implements reflection.Store.
func (s *Reflections) Finish(ctx context.Context, scope memory.Scope, r reflection.Reflection, fence int64, records ...outbox.Record) error {
	return s.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		row, err := reflectionBy(ctx, tx, scope, "id = ?", r.ID)
		if err != nil {
			return err
		}
		if row.Status != reflection.Running || row.fence != fence {
			return fault.New(fault.Conflict, "the claim of reflection %s has passed to another", r.ID)
		}
		ended := r
		ended.TenantID, ended.ProjectID, ended.CreatedAt = row.TenantID, row.ProjectID, row.CreatedAt
		row.Reflection = ended
		if err := s.update(ctx, tx, row); err != nil {
			return err
		}
		return s.db.emitAll(ctx, tx, scope, records)
	})
}

// Resume implements reflection.Store.
func (s *Reflections) Resume(ctx context.Context, scope memory.Scope, records ...outbox.Record) (int, error) {
	var resumed int64
	err := s.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		const resume = "UPDATE reflections SET leased_to = 0 WHERE tenant = ? AND project = ? AND status = 'parked' AND leased_to > ?"
		result, err := tx.ExecContext(ctx, resume, scope.Tenant, scope.Project, micros(s.db.now()))
		if err == nil {
			resumed, err = result.RowsAffected()
		}
		if err != nil || resumed == 0 {
			return err
		}
		return s.db.emitAll(ctx, tx, scope, records)
	})
	if err != nil {
		return 0, err
	}
	return int(resumed), nil
}

// Cancel implements reflection.Store.
func (s *Reflections) Cancel(ctx context.Context, scope memory.Scope, id memory.ID) (reflection.Reflection, error) {
	var r reflection.Reflection
	err := s.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		row, err := reflectionBy(ctx, tx, scope, "id = ?", id)
		if err != nil {
			return err
		}
		if r = row.Reflection; r.Status == reflection.Cancelled {
			return nil
		}
		if r.Status.Final() {
			return fault.New(fault.Conflict, "reflection %s has already %s", id, r.Status)
		}
		now := s.db.now()
		r.Status, r.FinishedAt = reflection.Cancelled, &now
		row.Reflection = r
		row.fence++
		return s.update(ctx, tx, row)
	})
	if err != nil {
		return reflection.Reflection{}, err
	}
	return r, nil
}

// Gather implements reflection.Store.
func (s *Reflections) Gather(
	ctx context.Context, scope memory.Scope, g reflection.Gathered, next reflection.Reflection, records ...outbox.Record,
) (bool, error) {
	made := false
	err := s.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		made = false
		const once = `INSERT INTO consumed_events (tenant, project, consumer, source, event_id, consumed_at)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
		fresh := int64(0)
		for _, e := range g.Events {
			result, err := tx.ExecContext(ctx, once, scope.Tenant, scope.Project, reflectionConsumer, e.Source, e.ID, micros(s.db.now()))
			if err != nil {
				return fmt.Errorf("remember event: %w", err)
			}
			added, err := result.RowsAffected()
			if err != nil {
				return err
			}
			fresh += added
		}
		if fresh == 0 {
			return nil
		}
		const count = `INSERT INTO reflection_gatherings (tenant, project, count) VALUES (?, ?, ?)
			ON CONFLICT (tenant, project) DO UPDATE SET count = count + excluded.count RETURNING count`
		var gathered int
		if err := tx.QueryRowContext(ctx, count, scope.Tenant, scope.Project, fresh).Scan(&gathered); err != nil {
			return fmt.Errorf("count events: %w", err)
		}
		if gathered < g.Every {
			return nil
		}
		const anew = "UPDATE reflection_gatherings SET count = ? WHERE tenant = ? AND project = ?"
		if _, err := tx.ExecContext(ctx, anew, gathered%g.Every, scope.Tenant, scope.Project); err != nil {
			return fmt.Errorf("count anew: %w", err)
		}
		_, err := reflectionBy(ctx, tx, scope, "kind = ? AND status IN ('queued', 'parked') LIMIT 1", next.Kind)
		if fault.KindOf(err) != fault.NotFound {
			return err // nil: it waits already
		}
		var tired bool
		const rests = "SELECT EXISTS (SELECT 1 FROM reflections WHERE tenant = ? AND project = ? AND kind = ? AND created_at > ?)"
		since := micros(next.CreatedAt.Add(-g.Rest))
		if err := tx.QueryRowContext(ctx, rests, scope.Tenant, scope.Project, next.Kind, since).Scan(&tired); err != nil {
			return fmt.Errorf("look for the last reflection: %w", err)
		}
		if err := s.insert(ctx, tx, scope, next, memory.Key{}); err != nil {
			return err
		}
		made = true
		if tired {
			return nil
		}
		return s.db.emitAll(ctx, tx, scope, records)
	})
	return made && err == nil, err
}

// Scopes implements reflection.Store.
func (s *Reflections) Scopes(ctx context.Context, after memory.Scope, limit int) ([]memory.Scope, error) {
	return s.scopes(ctx, `SELECT tenant, project FROM reflection_gatherings WHERE (tenant, project) > (?, ?)
		ORDER BY tenant, project LIMIT ?`, after, limit)
}

// scopes lists the scopes that a query selects.
func (s *Reflections) scopes(ctx context.Context, query string, after memory.Scope, limit int) ([]memory.Scope, error) {
	db, err := s.db.read(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, query, after.Tenant, after.Project, limit)
	if err != nil {
		return nil, classify(ctx, fmt.Errorf("list scopes: %w", err))
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	scopes := []memory.Scope{}
	for rows.Next() {
		var scope memory.Scope
		if err := rows.Scan(&scope.Tenant, &scope.Project); err != nil {
			return nil, classify(ctx, fmt.Errorf("list scopes: %w", err))
		}
		scopes = append(scopes, scope)
	}
	return scopes, classify(ctx, rows.Err())
}
