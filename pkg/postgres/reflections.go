package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

var _ reflection.Store = (*Reflections)(nil)

// Reflections keeps reflections in the same database as the memories and the outbox.
type Reflections struct{ db *DB }

// NewReflections returns the reflections of the store.
func NewReflections(db *DB) *Reflections { return &Reflections{db: db} }

// reflectionConsumer is the name under which counted events are remembered.
const reflectionConsumer = "reflect"

// reflectionRow is one reflection with what only the store knows of it.
type reflectionRow struct {
	reflection.Reflection
	fence       int64
	claimable   bool
	fingerprint string
	now         time.Time
}

// What columns say holds; the body has the rest.
const reflectionColumns = `status, created_at, attempts, cursor, fence, ` + claimable + `, fingerprint, body, rae_now(),
	CASE WHEN status IN ('queued', 'parked') AND isfinite(leased_to) THEN leased_to END`

// claimable is the condition of reflections that may be claimed.
const claimable = `(status IN ('queued', 'running', 'parked') AND leased_to <= rae_now())`

// scanReflection reads the columns above.
func scanReflection(rows pgx.Rows, scope memory.Scope) (*reflectionRow, error) {
	var row, columns reflectionRow
	var body string
	err := rows.Scan(&columns.Status, &columns.CreatedAt, &columns.Attempts, &columns.Cursor, &row.fence, &row.claimable,
		&row.fingerprint, &body, &row.now, &columns.NotBefore)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(body), &row.Reflection); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "decode a reflection")
	}
	row.TenantID, row.ProjectID = scope.Tenant, scope.Project
	row.Status, row.CreatedAt, row.Attempts, row.Cursor = columns.Status, columns.CreatedAt.UTC(), columns.Attempts, columns.Cursor
	if row.NotBefore = columns.NotBefore; row.NotBefore != nil {
		*row.NotBefore = row.NotBefore.UTC()
	}
	row.now = row.now.UTC()
	return &row, nil
}

// seekReflection keeps back a statement that returns reflectionColumns of one reflection of the scope; found is set when
// it is answered.
func (s *session) seekReflection(found **reflectionRow, scope memory.Scope, statement string, args ...any) {
	*found = nil
	s.ask(statement, append([]any{scope.Tenant, scope.Project}, args...), func(rows pgx.Rows) (err error) {
		*found, err = scanReflection(rows, scope)
		return err
	})
}

const reflectionByID = `SELECT ` + reflectionColumns + ` FROM reflections WHERE tenant = $1 AND project = $2 AND id = $3`

// dueAt is from when on a reflection may be claimed, as PostgreSQL writes it.
func dueAt(r *reflection.Reflection) string {
	switch {
	case r.NotBefore != nil:
		return r.NotBefore.UTC().Format(time.RFC3339Nano)
	case r.Status == reflection.Parked:
		return "infinity"
	}
	return "-infinity"
}

func noReflection() error { return fault.New(fault.NotFound, "the reflection does not exist") }

// Create implements reflection.Store.
func (s *Reflections) Create(
	ctx context.Context, scope memory.Scope, r reflection.Reflection, key memory.Key, records ...outbox.Record,
) (made reflection.Reflection, fresh bool, err error) {
	err = s.db.amend(ctx, scope, func(tx *session) error {
		var added int64
		var stands *reflectionRow
		if err := insertReflection(tx, scope, r, key, &added); err != nil {
			return err
		}
		tx.seekReflection(&stands, scope, `SELECT `+reflectionColumns+` FROM reflections WHERE tenant = $1 AND project = $2
			AND (id = $3 OR route = $4 AND key = $5 AND key <> '') ORDER BY id = $3 LIMIT 1`, string(r.ID), key.Route, key.Key)
		if err := tx.flush(); err != nil {
			return err
		}
		switch fresh = added == 1; {
		case stands == nil: // made under the key, and erased since
			return again(fmt.Errorf("reflection %s", r.ID), "the store is busy")
		case !fresh && stands.fingerprint != key.Fingerprint:
			return key.Reused()
		case fresh:
			s.db.emit(ctx, tx, scope, records...)
		}
		made = stands.Reflection
		return nil
	})
	if err != nil {
		return reflection.Reflection{}, false, s.db.failed(ctx, "create a reflection", err)
	}
	return made, fresh, nil
}

// insertReflection keeps back a new row, unless one stands under the key.
func insertReflection(tx *session, scope memory.Scope, r reflection.Reflection, key memory.Key, added *int64) error {
	if key.Key == "" {
		key = memory.Key{}
	}
	r.TenantID, r.ProjectID = scope.Tenant, scope.Project
	body, err := json.Marshal(r)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode reflection %s", r.ID)
	}
	tx.affect(added, `INSERT INTO reflections
		(tenant, project, id, kind, status, created_at, attempts, cursor, fence, leased_to, route, key, fingerprint, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $13::text::timestamptz, $9, $10, $11, $12)
		ON CONFLICT (tenant, project, route, key) WHERE key <> '' DO NOTHING`,
		scope.Tenant, scope.Project, string(r.ID), string(r.Kind), string(r.Status), r.CreatedAt, r.Attempts, r.Cursor,
		key.Route, key.Key, key.Fingerprint, string(body), dueAt(&r))
	return nil
}

// Get implements reflection.Store.
func (s *Reflections) Get(ctx context.Context, scope memory.Scope, id memory.ID) (reflection.Reflection, error) {
	if !isUUID(id) {
		return reflection.Reflection{}, noReflection()
	}
	var stands *reflectionRow
	err := s.db.view(ctx, scope, func(tx *session) error {
		tx.seekReflection(&stands, scope, reflectionByID, string(id))
		return tx.flush()
	})
	switch {
	case err != nil:
		return reflection.Reflection{}, s.db.failed(ctx, "read a reflection", err)
	case stands == nil:
		return reflection.Reflection{}, noReflection()
	}
	return stands.Reflection, nil
}

// List implements reflection.Store.
func (s *Reflections) List(ctx context.Context, scope memory.Scope, q reflection.Query) (reflection.Page, error) {
	after, err := cursorOf(q.After)
	if err != nil {
		return reflection.Page{}, err
	}
	const query = `SELECT ` + reflectionColumns + ` FROM reflections WHERE tenant = $1 AND project = $2
		AND ($3::uuid IS NULL OR id < $3) AND ($4 = '' OR kind = $4) AND ($5 = '' OR status = $5) ORDER BY id DESC LIMIT $6`
	var page reflection.Page
	err = s.db.view(ctx, scope, func(tx *session) error {
		page = reflection.Page{Reflections: []reflection.Reflection{}}
		args := []any{scope.Tenant, scope.Project, after, string(q.Kind), string(q.Status), q.Limit + 1}
		return tx.rows(query, args, func(rows pgx.Rows) error {
			row, err := scanReflection(rows, scope)
			if err == nil {
				page.Reflections = append(page.Reflections, row.Reflection)
			}
			return err
		})
	})
	if err != nil {
		return reflection.Page{}, s.db.failed(ctx, "list reflections", err)
	}
	if len(page.Reflections) > q.Limit {
		page.Reflections = page.Reflections[:q.Limit]
		page.Next = page.Reflections[q.Limit-1].ID
	}
	return page, nil
}

// cursorOf is the last id of the page before, nil for none.
func cursorOf(after memory.ID) (*string, error) {
	if after == "" {
		return nil, nil
	}
	if !isUUID(after) {
		return nil, fault.BadField("query.cursor", "names nothing in this list")
	}
	s := string(after)
	return &s, nil
}

// Claim implements reflection.Store.
func (s *Reflections) Claim(ctx context.Context, scope memory.Scope, id memory.ID, lease time.Duration) (claim reflection.Claim, err error) {
	if !isUUID(id) {
		return reflection.Claim{}, noReflection()
	}
	claim, err = s.claim(ctx, work{scope, id}, lease)
	if !errors.Is(err, errTaken) {
		return claim, err
	}
	r, err := s.Get(ctx, scope, id)
	if err != nil {
		return reflection.Claim{}, err
	}
	return reflection.Claim{}, fault.New(fault.Conflict, "reflection %s is %s and not to be claimed", id, r.Status)
}

// Next implements reflection.Store. The partial index of open ones finds the oldest.
func (s *Reflections) Next(ctx context.Context, lease time.Duration) (claim reflection.Claim, found bool, err error) {
	take := func(c work) (err error) {
		claim, err = s.claim(ctx, c, lease)
		return err
	}
	found, err = s.db.claimNext(ctx, take, `SELECT tenant, project, id::text FROM reflections
		WHERE `+claimable+` ORDER BY created_at, reflections.id LIMIT $1`)
	return claim, found, err
}

// claim leases a reflection in one round trip; errTaken when it is not to be claimed.
func (s *Reflections) claim(ctx context.Context, c work, lease time.Duration) (reflection.Claim, error) {
	var stands *reflectionRow
	err := s.db.amend(ctx, c.scope, func(tx *session) error {
		tx.seekReflection(&stands, c.scope, `UPDATE reflections SET status = 'running', attempts = attempts + 1, fence = fence + 1,
			leased_to = rae_now() + $4::interval WHERE tenant = $1 AND project = $2 AND id = $3 AND `+claimable+`
			RETURNING `+reflectionColumns, string(c.id), lease)
		return nil
	})
	switch {
	case err != nil:
		return reflection.Claim{}, s.db.failed(ctx, "claim a reflection", err)
	case stands == nil:
		return reflection.Claim{}, errTaken
	}
	return reflection.Claim{Reflection: stands.Reflection, Fence: stands.fence}, nil
}

// Finish implements reflection.Store.
func (s *Reflections) Finish(ctx context.Context, scope memory.Scope, r reflection.Reflection, fence int64, records ...outbox.Record) error {
	if !isUUID(r.ID) {
		return noReflection()
	}
	err := s.db.amend(ctx, scope, func(tx *session) error {
		var ended int64
		var stands *reflectionRow
		err := updateReflection(tx, scope, &r, `leased_to = $9::text::timestamptz WHERE status = 'running' AND fence = $8`, &ended, fence, dueAt(&r))
		if err != nil {
			return err
		}
		tx.seekReflection(&stands, scope, reflectionByID, string(r.ID))
		if err := tx.flush(); err != nil {
			return err
		}
		switch {
		case stands == nil:
			return noReflection()
		case ended == 0:
			return fault.New(fault.Conflict, "the claim of reflection %s has passed to another", r.ID)
		}
		s.db.emit(ctx, tx, scope, records...)
		return nil
	})
	return s.db.failed(ctx, "finish a reflection", err)
}

// updateReflection keeps back that a standing row is written anew, but for its scope, kind, key and creation; more is a
// further assignment, and a condition.
func updateReflection(tx *session, scope memory.Scope, r *reflection.Reflection, more string, changed *int64, args ...any) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode reflection %s", r.ID)
	}
	args = append([]any{scope.Tenant, scope.Project, string(r.ID), string(r.Status), r.Attempts, r.Cursor, string(body)}, args...)
	tx.affect(changed, `UPDATE reflections SET status = $4, attempts = $5, cursor = $6, body = $7, `+more+
		` AND tenant = $1 AND project = $2 AND id = $3`, args...)
	return nil
}

// Resume implements reflection.Store.
func (s *Reflections) Resume(ctx context.Context, scope memory.Scope, records ...outbox.Record) (n int, err error) {
	err = s.db.amend(ctx, scope, func(tx *session) error {
		var resumed int64
		tx.affect(&resumed, `UPDATE reflections SET leased_to = '-infinity' WHERE tenant = $1 AND project = $2 AND status = 'parked' AND leased_to > rae_now()`,
			scope.Tenant, scope.Project)
		if err := tx.flush(); err != nil {
			return err
		}
		if n = int(resumed); n > 0 {
			s.db.emit(ctx, tx, scope, records...)
		}
		return nil
	})
	if err != nil {
		return 0, s.db.failed(ctx, "resume reflections", err)
	}
	return n, nil
}

// Cancel implements reflection.Store.
func (s *Reflections) Cancel(ctx context.Context, scope memory.Scope, id memory.ID) (r reflection.Reflection, err error) {
	if !isUUID(id) {
		return reflection.Reflection{}, noReflection()
	}
	err = s.db.amend(ctx, scope, func(tx *session) error {
		var stands *reflectionRow
		tx.seekReflection(&stands, scope, reflectionByID+` FOR UPDATE`, string(id))
		if err := tx.flush(); err != nil {
			return err
		}
		if stands == nil {
			return noReflection()
		}
		if r = stands.Reflection; r.Status == reflection.Cancelled {
			return nil
		}
		if r.Status.Final() {
			return fault.New(fault.Conflict, "reflection %s has already %s", id, r.Status)
		}
		r.Status, r.FinishedAt = reflection.Cancelled, &stands.now
		return updateReflection(tx, scope, &r, `fence = fence + 1 WHERE true`, new(int64))
	})
	if err != nil {
		return reflection.Reflection{}, s.db.failed(ctx, "cancel a reflection", err)
	}
	return r, nil
}
