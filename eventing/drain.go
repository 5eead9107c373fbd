package eventing

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/outbox"
)

// drain is one run of a relay. One goroutine claims and keeps the books; each claimed subject is sent by another.
type drain struct {
	*Relay
	ended    chan outcome        // as roomy as there are senders, so that none waits
	flying   map[string]struct{} // ids that are being sent, or have been and are not marked yet
	unmarked []string            // those that have been
	sent     int
	next     time.Duration // until the first failed record is due again, at most Tick
}

// outcome is what became of the records of one subject.
type outcome struct {
	ids    []string // all of them
	sent   []string
	next   time.Duration // until the one that failed is due again; 0 if none did
	failed error         // of the bookkeeping, not of a send
}

func (d *drain) run(ctx context.Context) error {
	start, senders, due := time.Now(), 0, true
	var failed error
	for {
		over := d.config.Slice > 0 && time.Since(start) >= d.config.Slice
		more := due && !over && failed == nil && ctx.Err() == nil
		rest := time.Until(d.rested)
		if d.behind && senders <= d.config.Parallel/2 {
			rest = 0
		}
		if !more || rest <= 0 {
			failed = errors.Join(failed, d.mark(ctx))
		}
		if more && rest <= 0 && failed == nil && senders < d.config.Parallel {
			limit := d.config.Parallel - senders
			d.rested = time.Now().Add(d.config.Pace)
			started, full, err := d.claim(ctx, limit)
			senders += started
			failed = errors.Join(failed, err)
			due, d.behind = full, full
			continue
		}
		switch {
		case senders > 0:
			ended, err := d.settle(rest, more)
			senders -= ended
			failed = errors.Join(failed, err)
			due = true // what has ended may have been in the way of the next of its subject; or somebody wrote
		case more && rest > 0:
			sleep(ctx, rest)
		default:
			return errors.Join(failed, ctx.Err())
		}
	}
}

// sleep waits, but not longer than ctx lasts.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// claim leases up to limit records and starts a sender for each of their subjects. full reports that more may be due.
func (d *drain) claim(ctx context.Context, limit int) (started int, full bool, err error) {
	records, err := d.queue.Claim(ctx, limit, d.config.Lease)
	if err != nil {
		return 0, false, fault.Wrap(fault.KindOf(err), err, "claim outbox records")
	}
	var subjects []string
	lines := make(map[string][]outbox.Record)
	for _, record := range records {
		if _, flying := d.flying[record.ID]; flying {
			continue // its lease ended while it was being sent: whoever sends it will say how that went
		}
		d.flying[record.ID] = struct{}{}
		subject := subjectOf(record)
		if lines[subject] == nil {
			subjects = append(subjects, subject)
		}
		lines[subject] = append(lines[subject], record)
	}
	for _, subject := range subjects {
		go func() { d.ended <- d.send(ctx, lines[subject]) }()
	}
	return len(subjects), len(records) == limit && len(subjects) > 0, nil
}

// subjectOf is what keeps its order in a queue.
func subjectOf(r outbox.Record) string {
	if r.Subject == "" {
		return r.ID
	}
	return r.Tenant + "/" + r.Project + "\x00" + r.Subject
}

// settle waits for a sender to end, or for a write, but no longer than rest where more is to be claimed after it, and takes
// every other that has ended as well.
func (d *drain) settle(rest time.Duration, more bool) (ended int, err error) {
	take := func(o outcome) {
		ended++
		err = errors.Join(err, o.failed)
		d.unmarked = append(d.unmarked, o.sent...)
		for _, id := range o.ids {
			if !slices.Contains(o.sent, id) {
				delete(d.flying, id)
			}
		}
		if o.next > 0 {
			d.next = min(d.next, o.next)
		}
	}
	wake, rested := d.wake, (<-chan time.Time)(nil)
	if more { // then a write is nothing new
		wake = nil
	}
	if more && rest > 0 {
		timer := time.NewTimer(rest)
		defer timer.Stop()
		rested = timer.C
	}
	select {
	case o := <-d.ended:
		take(o)
	case <-wake:
	case <-rested:
	}
	for more := true; more; {
		select {
		case o := <-d.ended:
			take(o)
		default:
			more = false
		}
	}
	return ended, err
}

// mark removes what has been sent from the queue.
func (d *drain) mark(ctx context.Context) error {
	sent := d.unmarked
	if len(sent) == 0 {
		return nil
	}
	d.unmarked = nil
	for _, id := range sent {
		delete(d.flying, id)
	}
	ctx, stop := parting(ctx)
	defer stop()
	if err := d.queue.Done(ctx, sent); err != nil { // their leases end and they are sent again
		return fault.Wrap(fault.KindOf(err), err, "mark outbox records as sent")
	}
	d.sent += len(sent)
	d.metrics.sent.Add(float64(len(sent)))
	return nil
}

// send sends the records of one subject in their order, up to the first that fails: the others must not overtake it.
func (d *drain) send(ctx context.Context, line []outbox.Record) (o outcome) {
	for _, record := range line {
		o.ids = append(o.ids, record.ID)
	}
	for i, record := range line {
		err := d.sendOne(ctx, record)
		switch {
		case err == nil:
			o.sent = append(o.sent, record.ID)
		case ctx.Err() != nil: // called off, which says nothing about the record: its lease will end
			return o
		case final(err) || record.Attempts+1 >= d.config.Attempts:
			o.failed = errors.Join(o.failed, d.bury(ctx, record, err))
		default:
			o.next = d.wait(record.Attempts, err)
			for _, held := range line[i:] {
				o.failed = errors.Join(o.failed, d.retry(ctx, held, o.next, err))
			}
			return o
		}
	}
	return o
}

// sendOne makes one attempt, which ends before the lease does.
func (d *drain) sendOne(ctx context.Context, record outbox.Record) error {
	p, err := packRecord(record, "")
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, d.config.Lease/10*9)
	defer stop()
	if c, ok := d.sender.(carrier); ok {
		return c.carry(ctx, p)
	}
	return d.sender.Send(ctx, p.event)
}

// final reports whether an event that failed so would fail so for ever.
func final(err error) bool {
	switch fault.KindOf(err) {
	case fault.Malformed, fault.Invalid, fault.TooLarge, fault.Unsupported:
		return true
	}
	return false
}

func (d *drain) retry(ctx context.Context, record outbox.Record, wait time.Duration, cause error) error {
	ctx, stop := parting(ctx)
	defer stop()
	if err := d.queue.Retry(ctx, record.ID, wait, clip(cause.Error(), maxAnswer)); err != nil {
		return fault.Wrap(fault.KindOf(err), err, "put outbox record %s back", record.ID)
	}
	return nil
}

func (d *drain) bury(ctx context.Context, record outbox.Record, cause error) error {
	ctx, stop := parting(ctx)
	defer stop()
	d.config.Log.WarnContext(ctx, "outbox record is given up", "id", record.ID, "type", record.Type, "attempts", record.Attempts+1, "err", cause)
	if err := d.queue.Bury(ctx, record.ID, clip(cause.Error(), maxAnswer)); err != nil {
		return fault.Wrap(fault.KindOf(err), err, "bury outbox record %s", record.ID)
	}
	d.metrics.dead.Inc()
	return nil
}
