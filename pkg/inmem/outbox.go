package inmem

import (
	"context"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

var _ outbox.Queue = (*DB)(nil)

// queue holds the waiting records in the order they were written, and the dead ones in the order they were given up.
type queue struct {
	waiting []waiting
	dead    []outbox.Record
}

type waiting struct {
	outbox.Record
	due time.Time // the end of a lease or of a wait
}

func (q *queue) add(r outbox.Record) {
	r.Data = slices.Clone(r.Data)
	q.waiting = append(q.waiting, waiting{Record: r})
}

// takeBack removes the record added last.
func (q *queue) takeBack() { q.waiting = q.waiting[:len(q.waiting)-1] }

func (q *queue) find(id string) int {
	return slices.IndexFunc(q.waiting, func(w waiting) bool { return w.ID == id })
}

// subject is what records keep their order for.
type subject struct {
	memory.Scope
	subject string
}

// Claim leases the oldest due records, one of each subject at most.
func (d *DB) Claim(ctx context.Context, limit int, lease time.Duration) ([]outbox.Record, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := d.now()
	var claimed []outbox.Record
	earlier := make(map[subject]bool)
	for i := range d.outbox.waiting {
		if len(claimed) >= limit {
			break
		}
		w := &d.outbox.waiting[i]
		if w.Subject != "" {
			key := subject{memory.Scope{Tenant: w.Tenant, Project: w.Project}, w.Subject}
			if earlier[key] {
				continue
			}
			earlier[key] = true
		}
		if w.due.After(now) {
			continue
		}
		w.due = now.Add(lease)
		r := w.Record
		r.Data = slices.Clone(r.Data)
		claimed = append(claimed, r)
	}
	return claimed, nil
}

// Done removes sent records.
func (d *DB) Done(ctx context.Context, ids []string) error {
	return d.write(ctx, func(*undo) error {
		sent := make(map[string]bool, len(ids))
		for _, id := range ids {
			sent[id] = true
		}
		d.outbox.waiting = slices.DeleteFunc(d.outbox.waiting, func(w waiting) bool { return sent[w.ID] })
		return nil
	})
}

// Retry makes a record due after the wait and counts the attempt. An unknown id is ignored.
func (d *DB) Retry(ctx context.Context, id string, wait time.Duration, reason string) error {
	return d.write(ctx, func(*undo) error {
		if i := d.outbox.find(id); i >= 0 {
			w := &d.outbox.waiting[i]
			w.due, w.Attempts, w.Reason = d.now().Add(wait), w.Attempts+1, reason
		}
		return nil
	})
}

// Bury moves a record to the dead letters and counts the attempt. An unknown id is ignored.
func (d *DB) Bury(ctx context.Context, id string, reason string) error {
	return d.write(ctx, func(*undo) error {
		if i := d.outbox.find(id); i >= 0 {
			r := d.outbox.waiting[i].Record
			r.Attempts, r.Reason = r.Attempts+1, reason
			d.outbox.waiting = slices.Delete(d.outbox.waiting, i, i+1)
			d.outbox.dead = append(d.outbox.dead, r)
		}
		return nil
	})
}

// Inter puts a record that has been sent to the dead letters.
func (d *DB) Inter(ctx context.Context, r outbox.Record, reason string) error {
	if _, ok := memory.ParseID(r.ID); !ok {
		return outbox.NotOurs()
	}
	return d.write(ctx, func(*undo) error {
		if i := slices.IndexFunc(d.outbox.dead, func(o outbox.Record) bool { return o.ID == r.ID }); i >= 0 {
			d.outbox.dead[i].Reason = outbox.AlsoBecause(d.outbox.dead[i].Reason, reason)
			return nil
		}
		r.Attempts, r.Reason, r.Data = r.Attempts+1, reason, slices.Clone(r.Data)
		d.outbox.dead = append(d.outbox.dead, r)
		return nil
	})
}

// Revive moves a dead letter back among what waits.
func (d *DB) Revive(ctx context.Context, id string) (found bool, err error) {
	err = d.write(ctx, func(*undo) error {
		i := slices.IndexFunc(d.outbox.dead, func(o outbox.Record) bool { return o.ID == id })
		if found = i >= 0; !found {
			return nil
		}
		r := d.outbox.dead[i]
		r.Attempts, r.Reason = 0, ""
		d.outbox.dead = slices.Delete(d.outbox.dead, i, i+1)
		d.outbox.waiting = append(d.outbox.waiting, waiting{Record: r})
		return nil
	})
	return found, err
}

// Dead lists dead letters, newest first.
func (d *DB) Dead(ctx context.Context, limit int) ([]outbox.Record, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var dead []outbox.Record
	for i := len(d.outbox.dead) - 1; i >= 0 && len(dead) < limit; i-- {
		r := d.outbox.dead[i]
		r.Data = slices.Clone(r.Data)
		dead = append(dead, r)
	}
	return dead, nil
}

// Lag counts what waits.
func (d *DB) Lag(ctx context.Context) (outbox.Lag, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return outbox.Lag{}, err
	}
	lag := outbox.Lag{Waiting: len(d.outbox.waiting), Dead: len(d.outbox.dead)}
	for i := range d.outbox.waiting {
		lag.Oldest = max(lag.Oldest, d.now().Sub(d.outbox.waiting[i].Time))
	}
	return lag, nil
}
