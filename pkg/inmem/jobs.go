package inmem

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

var _ job.Store = (*Jobs)(nil)

// Jobs keeps jobs in the same store as the memories and the outbox.
type Jobs struct {
	db   *DB
	rows map[jobID]job.Row // what is in it is shared with nobody
	keys map[jobKey]memory.ID
}

type jobID struct {
	memory.Scope
	id memory.ID
}

type jobKey struct {
	memory.Scope
	route, key string
}

// NewJobs returns an empty store of jobs within the DB.
func NewJobs(db *DB) *Jobs {
	s := &Jobs{db: db, rows: map[jobID]job.Row{}, keys: map[jobKey]memory.ID{}}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.erasers = append(db.erasers, s.erase)
	return s
}

// erase removes what is held of a tenant and counts it.
func (s *Jobs) erase(tenant string) int {
	n := len(s.rows)
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
	return n - len(s.rows)
}

// Create implements job.Store.
func (s *Jobs) Create(ctx context.Context, scope memory.Scope, j job.Job, key memory.Key, records ...outbox.Record) (made job.Job, fresh bool, err error) {
	err = s.db.write(ctx, func(u *undo) error {
		named := jobKey{scope, key.Route, key.Key}
		if id, known := s.keys[named]; known && key.Key != "" {
			row := s.rows[jobID{scope, id}]
			if row.Fingerprint != key.Fingerprint {
				return key.Reused()
			}
			made = row.Clone()
			return nil
		}
		row, err := job.Fresh(scope, j, s.db.now())
		if err != nil {
			return err
		}
		if _, there := s.rows[jobID{scope, row.ID}]; there {
			return fault.New(fault.Conflict, "job %s exists", row.ID)
		}
		row.Fingerprint = key.Fingerprint
		if key.Key != "" {
			set(u, s.keys, named, row.ID)
		}
		made, fresh = row.Clone(), true
		s.put(ctx, u, row, records)
		return nil
	})
	if err != nil {
		return job.Job{}, false, err
	}
	return made, fresh, nil
}

// Get implements job.Store.
func (s *Jobs) Get(ctx context.Context, scope memory.Scope, id memory.ID) (job.Job, error) {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return job.Job{}, err
	}
	row, err := s.row(scope, id)
	return row.Clone(), err
}

// List implements job.Store.
func (s *Jobs) List(ctx context.Context, scope memory.Scope, q job.Query) (job.Page, error) {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return job.Page{}, err
	}
	page := job.Page{Jobs: []job.Job{}}
	for id, row := range s.rows {
		if id.Scope == scope && (q.After == "" || id.id < q.After) &&
			(q.Kind == "" || q.Kind == row.Kind) && (q.Status == "" || q.Status == row.Status) {
			page.Jobs = append(page.Jobs, row.Clone())
		}
	}
	slices.SortFunc(page.Jobs, func(a, b job.Job) int { return cmp.Compare(b.ID, a.ID) })
	if len(page.Jobs) > q.Limit {
		page.Jobs = page.Jobs[:q.Limit]
		page.Next = page.Jobs[q.Limit-1].ID
	}
	return page, nil
}

// Claim implements job.Store.
func (s *Jobs) Claim(ctx context.Context, scope memory.Scope, id memory.ID, lease time.Duration) (claim job.Claim, err error) {
	_, err = s.change(ctx, scope, id, nil, func(row *job.Row, now time.Time) (err error) {
		claim, err = row.Claim(now, lease)
		return err
	})
	claim.Job = claim.Clone()
	return claim, err
}

// Next implements job.Store.
func (s *Jobs) Next(ctx context.Context, kinds []string, lease time.Duration) (claim job.Claim, found bool, err error) {
	err = s.db.write(ctx, func(u *undo) (err error) {
		now := s.db.now()
		var first job.Row
		for _, row := range s.rows {
			if row.IsDue(now) && slices.Contains(kinds, row.Kind) &&
				(!found || cmp.Or(row.Due.Compare(first.Due), cmp.Compare(row.ID, first.ID)) < 0) {
				first, found = row, true
			}
		}
		if found {
			claim, err = first.Claim(now, lease)
			s.put(ctx, u, first, nil)
		}
		return err
	})
	claim.Job = claim.Clone()
	return claim, found && err == nil, err
}

// Save implements job.Store.
func (s *Jobs) Save(
	ctx context.Context, scope memory.Scope, id memory.ID, fence int64, step job.Step, lease time.Duration, records ...outbox.Record,
) error {
	_, err := s.change(ctx, scope, id, records, func(row *job.Row, now time.Time) error {
		return row.Save(fence, step, now, lease)
	})
	return err
}

// Finish implements job.Store.
func (s *Jobs) Finish(
	ctx context.Context, scope memory.Scope, id memory.ID, fence int64, end job.End, records ...outbox.Record,
) (job.Job, error) {
	return s.change(ctx, scope, id, records, func(row *job.Row, now time.Time) error { return row.Finish(fence, end, now) })
}

// Cancel implements job.Store.
func (s *Jobs) Cancel(ctx context.Context, scope memory.Scope, id memory.ID) (job.Job, error) {
	return s.change(ctx, scope, id, nil, func(row *job.Row, now time.Time) error {
		_, err := row.Cancel(now)
		return err
	})
}

// Unpark implements job.Store.
func (s *Jobs) Unpark(ctx context.Context, scope memory.Scope, id memory.ID, records ...outbox.Record) (job.Job, error) {
	return s.change(ctx, scope, id, records, func(row *job.Row, now time.Time) error { return row.Unpark(now) })
}

// Sweep implements job.Store.
func (s *Jobs) Sweep(ctx context.Context, kept time.Duration, limit int) (swept int, err error) {
	err = s.db.write(ctx, func(u *undo) error {
		swept = 0
		before := s.db.now().Add(-kept)
		for id, row := range s.rows {
			if swept < limit && row.Status.Final() && row.Due.Before(before) {
				unset(u, s.rows, id)
				swept++
			}
		}
		for key, id := range s.keys {
			if _, stands := s.rows[jobID{key.Scope, id}]; !stands {
				unset(u, s.keys, key)
			}
		}
		return nil
	})
	return swept, err
}

// change takes a job through do and stores what comes of it with the records.
func (s *Jobs) change(
	ctx context.Context, scope memory.Scope, id memory.ID, records []outbox.Record, do func(*job.Row, time.Time) error,
) (changed job.Job, err error) {
	err = s.db.write(ctx, func(u *undo) error {
		row, err := s.row(scope, id)
		if err != nil {
			return err
		}
		if err := do(&row, s.db.now()); err != nil {
			return err
		}
		changed = row.Clone()
		s.put(ctx, u, row, records)
		return nil
	})
	if err != nil {
		return job.Job{}, err
	}
	return changed, nil
}

func (s *Jobs) row(scope memory.Scope, id memory.ID) (job.Row, error) {
	row, there := s.rows[jobID{scope, id}]
	if !there {
		return job.Row{}, fault.New(fault.NotFound, "job %s does not exist", id)
	}
	return row, nil
}

// put writes a row and the records as part of the write.
func (s *Jobs) put(ctx context.Context, u *undo, row job.Row, records []outbox.Record) {
	row.Job = row.Clone()
	set(u, s.rows, jobID{row.Scope(), row.ID}, row)
	s.db.emitAll(ctx, u, row.Scope(), records)
}
