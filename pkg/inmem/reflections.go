package inmem

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

var _ reflection.Store = (*Reflections)(nil)

// Reflections keeps reflections in the same store as the memories and the outbox.
type Reflections struct {
	db       *DB
	rows     map[reflectionID]reflectionRow
	keys     map[reflectionKey]memory.ID
	gathered map[memory.Scope]int
	policies map[memory.Scope][]byte     // as JSON, so that nobody shares slices
	readings map[reflectionID]readingRow // by the memory's id
}

type reflectionID struct {
	memory.Scope
	id memory.ID
}

type reflectionKey struct {
	memory.Scope
	route, key string
}

// reflectionConsumer is the name under which counted events are remembered.
const reflectionConsumer = "reflect"

// reflectionRow is one reflection. It is kept as JSON, so that nobody shares its slices.
type reflectionRow struct {
	body        []byte
	status      reflection.Status
	kind        reflection.Kind
	createdAt   time.Time
	attempts    int
	cursor      string
	fence       int64
	waits       time.Time // from when on it may be claimed: of a running one, the end of its lease
	fingerprint string
}

// NewReflections returns an empty store of reflections within the DB.
func NewReflections(db *DB) *Reflections {
	s := &Reflections{
		db: db, rows: map[reflectionID]reflectionRow{}, keys: map[reflectionKey]memory.ID{},
		gathered: map[memory.Scope]int{}, policies: map[memory.Scope][]byte{}, readings: map[reflectionID]readingRow{},
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.erasers = append(db.erasers, s.erase)
	return s
}

// erase removes what is held of a tenant and counts it.
func (s *Reflections) erase(tenant string) int {
	n := len(s.rows) + len(s.gathered)
	for id := range s.rows {
		if id.Tenant == tenant {
			delete(s.rows, id)
		}
	}
	for key := range s.keys {
		if key.Tenant == tenant {
			delete(s.keys, key)
		}
	}
	for scope := range s.gathered {
		if scope.Tenant == tenant {
			delete(s.gathered, scope)
		}
	}
	for scope := range s.policies {
		if scope.Tenant == tenant {
			delete(s.policies, scope)
		}
	}
	for id := range s.readings {
		if id.Tenant == tenant {
			delete(s.readings, id)
		}
	}
	return n - len(s.rows) - len(s.gathered)
}

// Create implements reflection.Store.
func (s *Reflections) Create(
	ctx context.Context, scope memory.Scope, r reflection.Reflection, key memory.Key, records ...outbox.Record,
) (reflection.Reflection, bool, error) {
	made, fresh := reflection.Reflection{}, false
	err := s.db.write(ctx, func(u *undo) (err error) {
		named := reflectionKey{scope, key.Route, key.Key}
		if id, known := s.keys[named]; known && key.Key != "" {
			row := s.rows[reflectionID{scope, id}]
			if row.fingerprint != key.Fingerprint {
				return key.Reused()
			}
			made, err = row.reflection()
			return err
		}
		if made, err = s.insert(u, scope, r, key.Fingerprint); err != nil {
			return err
		}
		if key.Key != "" {
			set(u, s.keys, named, made.ID)
		}
		s.db.emitAll(ctx, u, scope, records)
		fresh = true
		return nil
	})
	if err != nil {
		return reflection.Reflection{}, false, err
	}
	return made, fresh, nil
}

// insert adds a new row as part of the write.
func (s *Reflections) insert(u *undo, scope memory.Scope, r reflection.Reflection, fingerprint string) (reflection.Reflection, error) {
	r.TenantID, r.ProjectID = scope.Tenant, scope.Project
	id := reflectionID{scope, r.ID}
	if _, there := s.rows[id]; there {
		return r, fault.New(fault.Conflict, "reflection %s exists", r.ID)
	}
	row := reflectionRow{createdAt: r.CreatedAt, fingerprint: fingerprint}
	if err := row.put(r); err != nil {
		return r, err
	}
	set(u, s.rows, id, row)
	return row.reflection()
}

// Get implements reflection.Store.
func (s *Reflections) Get(ctx context.Context, scope memory.Scope, id memory.ID) (reflection.Reflection, error) {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return reflection.Reflection{}, err
	}
	row, err := s.row(scope, id)
	if err != nil {
		return reflection.Reflection{}, err
	}
	return row.reflection()
}

// List implements reflection.Store.
func (s *Reflections) List(ctx context.Context, scope memory.Scope, q reflection.Query) (reflection.Page, error) {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return reflection.Page{}, err
	}
	var ids []memory.ID
	for id, row := range s.rows {
		if id.Scope == scope && (q.After == "" || id.id < q.After) &&
			(q.Kind == "" || q.Kind == row.kind) && (q.Status == "" || q.Status == row.status) {
			ids = append(ids, id.id)
		}
	}
	slices.SortFunc(ids, func(a, b memory.ID) int { return cmp.Compare(b, a) })
	page := reflection.Page{Reflections: []reflection.Reflection{}}
	if len(ids) > q.Limit {
		ids = ids[:q.Limit]
		page.Next = ids[q.Limit-1]
	}
	for _, id := range ids {
		row := s.rows[reflectionID{scope, id}]
		r, err := row.reflection()
		if err != nil {
			return reflection.Page{}, err
		}
		page.Reflections = append(page.Reflections, r)
	}
	return page, nil
}

// Claim implements reflection.Store.
func (s *Reflections) Claim(ctx context.Context, scope memory.Scope, id memory.ID, lease time.Duration) (reflection.Claim, error) {
	var claim reflection.Claim
	err := s.db.write(ctx, func(u *undo) error {
		row, err := s.row(scope, id)
		if err != nil {
			return err
		}
		if !row.due(s.db.now()) {
			return fault.New(fault.Conflict, "reflection %s is %s and not to be claimed", id, row.status)
		}
		claim, err = s.claim(u, reflectionID{scope, id}, row, lease)
		return err
	})
	return claim, err
}

// Next implements reflection.Store.
func (s *Reflections) Next(ctx context.Context, lease time.Duration) (reflection.Claim, bool, error) {
	var claim reflection.Claim
	found := false
	err := s.db.write(ctx, func(u *undo) (err error) {
		now := s.db.now()
		var oldest reflectionID
		for id, row := range s.rows {
			if row.due(now) && (!found || cmp.Or(
				row.createdAt.Compare(s.rows[oldest].createdAt), cmp.Compare(id.id, oldest.id)) < 0) {
				oldest, found = id, true
			}
		}
		if found {
			claim, err = s.claim(u, oldest, s.rows[oldest], lease)
		}
		return err
	})
	return claim, found && err == nil, err
}

// due reports whether the row may be claimed at now.
func (r *reflectionRow) due(now time.Time) bool {
	return !r.status.Final() && !now.Before(r.waits)
}

// claim leases the row as part of the write.
func (s *Reflections) claim(u *undo, id reflectionID, row reflectionRow, lease time.Duration) (reflection.Claim, error) {
	r, err := row.reflection()
	if err != nil {
		return reflection.Claim{}, err
	}
	r.Status, r.NotBefore = reflection.Running, nil
	r.Attempts++
	if err := row.put(r); err != nil {
		return reflection.Claim{}, err
	}
	row.fence++
	row.waits = s.db.now().Add(lease)
	set(u, s.rows, id, row)
	return reflection.Claim{Reflection: r, Fence: row.fence}, nil
}

// Finish implements reflection.Store.
func (s *Reflections) Finish(ctx context.Context, scope memory.Scope, r reflection.Reflection, fence int64, records ...outbox.Record) error {
	return s.db.write(ctx, func(u *undo) error {
		row, err := s.row(scope, r.ID)
		if err != nil {
			return err
		}
		if row.status != reflection.Running || row.fence != fence {
			return fault.New(fault.Conflict, "the claim of reflection %s has passed to another", r.ID)
		}
		r.TenantID, r.ProjectID, r.CreatedAt = scope.Tenant, scope.Project, row.createdAt
		if err := row.put(r); err != nil {
			return err
		}
		set(u, s.rows, reflectionID{scope, r.ID}, row)
		s.db.emitAll(ctx, u, scope, records)
		return nil
	})
}

// never is when a parked reflection is due that somebody has to call.
var never = time.Unix(1<<40, 0)

// Resume implements reflection.Store.
func (s *Reflections) Resume(ctx context.Context, scope memory.Scope, records ...outbox.Record) (int, error) {
	resumed := 0
	err := s.db.write(ctx, func(u *undo) error {
		now := s.db.now()
		for id, row := range s.rows {
			if id.Scope == scope && row.status == reflection.Parked && row.waits.After(now) {
				row.waits = time.Time{}
				set(u, s.rows, id, row)
				resumed++
			}
		}
		if resumed > 0 {
			s.db.emitAll(ctx, u, scope, records)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return resumed, nil
}

// Cancel implements reflection.Store.
func (s *Reflections) Cancel(ctx context.Context, scope memory.Scope, id memory.ID) (reflection.Reflection, error) {
	var r reflection.Reflection
	err := s.db.write(ctx, func(u *undo) error {
		row, err := s.row(scope, id)
		if err != nil {
			return err
		}
		if r, err = row.reflection(); err != nil || r.Status == reflection.Cancelled {
			return err
		}
		if r.Status.Final() {
			return fault.New(fault.Conflict, "reflection %s has already %s", id, r.Status)
		}
		now := s.db.now()
		r.Status, r.FinishedAt = reflection.Cancelled, &now
		row.fence++
		if err := row.put(r); err != nil {
			return err
		}
		set(u, s.rows, reflectionID{scope, id}, row)
		return nil
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
	err := s.db.write(ctx, func(u *undo) error {
		gathered, tx := s.gathered[scope], s.db.begin(ctx, u, scope)
		for _, e := range g.Events {
			fresh, err := tx.Once(ctx, reflectionConsumer, e.Source, e.ID)
			if err != nil {
				return err
			}
			if fresh {
				gathered++
			}
		}
		if gathered == s.gathered[scope] {
			return nil
		}
		set(u, s.gathered, scope, gathered%g.Every)
		if gathered < g.Every {
			return nil
		}
		tired := false
		for id, row := range s.rows {
			if id.Scope != scope || row.kind != next.Kind {
				continue
			}
			if row.status == reflection.Queued || row.status == reflection.Parked {
				return nil
			}
			tired = tired || row.createdAt.After(next.CreatedAt.Add(-g.Rest))
		}
		if _, err := s.insert(u, scope, next, ""); err != nil {
			return err
		}
		if !tired {
			s.db.emitAll(ctx, u, scope, records)
		}
		made = true
		return nil
	})
	return made && err == nil, err
}

// Scopes implements reflection.Store.
func (s *Reflections) Scopes(ctx context.Context, after memory.Scope, limit int) ([]memory.Scope, error) {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return scopesOf(s.gathered, after, limit), nil
}

// scopesOf lists up to limit scopes of a map after the given one.
func scopesOf[V any](all map[memory.Scope]V, after memory.Scope, limit int) []memory.Scope {
	order := func(a, b memory.Scope) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Project, b.Project))
	}
	scopes := []memory.Scope{}
	for scope := range all {
		if order(scope, after) > 0 {
			scopes = append(scopes, scope)
		}
	}
	slices.SortFunc(scopes, order)
	return scopes[:min(len(scopes), limit)]
}

// Policies implements reflection.Store.
func (s *Reflections) Policies(ctx context.Context, scope memory.Scope) (p reflection.Policies, err error) {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return p, err
	}
	if body, there := s.policies[scope]; there {
		err = json.Unmarshal(body, &p)
	}
	return p, err
}

// SetPolicies implements reflection.Store.
func (s *Reflections) SetPolicies(ctx context.Context, scope memory.Scope, p reflection.Policies) error {
	body, err := json.Marshal(p)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode policies")
	}
	return s.db.write(ctx, func(u *undo) error {
		set(u, s.policies, scope, body)
		return nil
	})
}

// PolicyScopes implements reflection.Store.
func (s *Reflections) PolicyScopes(ctx context.Context, after memory.Scope, limit int) ([]memory.Scope, error) {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return scopesOf(s.policies, after, limit), nil
}

func (s *Reflections) row(scope memory.Scope, id memory.ID) (reflectionRow, error) {
	row, there := s.rows[reflectionID{scope, id}]
	if !there {
		return reflectionRow{}, fault.New(fault.NotFound, "reflection %s does not exist", id)
	}
	return row, nil
}

// put writes r into the row.
func (r *reflectionRow) put(from reflection.Reflection) error {
	body, err := json.Marshal(from)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode reflection %s", from.ID)
	}
	r.body, r.status, r.kind, r.attempts, r.cursor, r.waits = body, from.Status, from.Kind, from.Attempts, from.Cursor, time.Time{}
	switch {
	case from.NotBefore != nil:
		r.waits = *from.NotBefore
	case from.Status == reflection.Parked:
		r.waits = never
	}
	return nil
}

// reflection reads the row.
func (r *reflectionRow) reflection() (reflection.Reflection, error) {
	var into reflection.Reflection
	if err := json.Unmarshal(r.body, &into); err != nil {
		return into, fault.Wrap(fault.Internal, err, "decode a reflection")
	}
	into.Attempts, into.Cursor, into.NotBefore = r.attempts, r.cursor, nil
	if (r.status == reflection.Queued || r.status == reflection.Parked) && !r.waits.IsZero() && !r.waits.Equal(never) {
		at := r.waits
		into.NotBefore = &at
	}
	return into, nil
}
