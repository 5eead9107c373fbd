package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

const (
	defaultSlice = 20 * time.Second // below what a broker or a request gives its consumer
	parting      = 8 * time.Second  // to write down the end after the slice, or the caller's deadline, has passed
	maxAttempts  = 5                // claims in a row that brought a job nowhere before it is given up
	firstWait    = 15 * time.Second // before the second attempt; it doubles with each
	longestWait  = time.Hour
	refillWait   = time.Hour // of a job that the budget refused, at most: what is held for other calls may come back before the refill
)

// Runner works on jobs. Store is required. One Runner may be used by many at once.
type Runner struct {
	Store    Store
	Handlers map[string]Handler // by kind; jobs of other kinds are left to runners that know them
	Keep     time.Duration      // how long a job that has ended is kept; 0: for ever
	Slice    time.Duration      // longest work on one claim; 0: 20 s. A claim is leased for this and the parting.
	Log      *slog.Logger       // nil: discarded
}

// Start queues a job of the scope and has a worker woken for it. The same key returns the job it started before (and
// false). arguments are encoded as a JSON object; total is how many things there are to do, 0 when nobody knows.
func (r *Runner) Start(ctx context.Context, scope memory.Scope, kind string, arguments any, total int64, key memory.Key) (Job, bool, error) {
	encoded, err := json.Marshal(arguments)
	if err != nil {
		return Job{}, false, fault.Wrap(fault.Internal, err, "encode the arguments of a %s", kind)
	}
	j := Job{
		ID: memory.NewID(), TenantID: scope.Tenant, ProjectID: scope.Project,
		Kind: kind, Arguments: encoded, Progress: Progress{Total: total},
	}
	return r.Store.Create(ctx, scope, j, key, wake(&j)...)
}

// Run works on the job for at most a slice and returns it as it then stands. One that is not to be claimed (another
// worker has it, it waits, it has ended, its kind is unknown here) is returned as it stands. What goes wrong with the
// work itself is the job's status, not an error of Run.
func (r *Runner) Run(ctx context.Context, scope memory.Scope, id memory.ID) (Job, error) {
	j, err := r.Store.Get(ctx, scope, id)
	if err != nil || r.Handlers[j.Kind] == nil || j.Status.Final() {
		return j, err
	}
	claim, err := r.Store.Claim(ctx, scope, id, r.lease())
	if fault.KindOf(err) == fault.Conflict {
		return r.Store.Get(ctx, scope, id)
	}
	if err != nil {
		return Job{}, err
	}
	return r.work(ctx, claim)
}

// Resume makes the parked jobs of the scope due at once, each with a worker woken for it, and returns how many. What one of
// them waited for may have come; one for which it has not looks, and is parked again.
func (r *Runner) Resume(ctx context.Context, scope memory.Scope) (int, error) {
	resumed := 0
	for after := memory.ID(""); ; {
		page, err := r.Store.List(ctx, scope, Query{Status: Parked, After: after, Limit: resumeSlice})
		if err != nil {
			return resumed, err
		}
		for i := range page.Jobs {
			j := &page.Jobs[i]
			_, err := r.Store.Unpark(ctx, scope, j.ID, wake(j)...)
			switch kind := fault.KindOf(err); {
			case err == nil:
				resumed++
			case kind != fault.Conflict && kind != fault.NotFound: // else somebody was faster
				return resumed, err
			}
		}
		if after = page.Next; after == "" {
			return resumed, nil
		}
	}
}

// resumeSlice is how many parked jobs are looked at together.
const resumeSlice = 100

// RunDue works on up to limit jobs of any scope that are due, a slice of each, until none is left or ctx ends, and
// returns how many it worked on. It is how a clock goes on with jobs that nobody is woken for: those that wait for
// another attempt or were parked, and those whose worker died.
func (r *Runner) RunDue(ctx context.Context, limit int) (int, error) {
	kinds := slices.Sorted(maps.Keys(r.Handlers))
	for n := range limit {
		if ctx.Err() != nil || len(kinds) == 0 {
			return n, nil
		}
		claim, found, err := r.Store.Next(ctx, kinds, r.lease())
		if err != nil || !found {
			return n, err
		}
		if _, err := r.work(ctx, claim); err != nil {
			return n, err
		}
	}
	return limit, nil
}

// sweepSlice is how many jobs go in one transaction.
const sweepSlice = 500

// Sweep deletes jobs that ended long enough ago, until none is left or ctx ends, and returns how many.
func (r *Runner) Sweep(ctx context.Context) (int, error) {
	total := 0
	for swept := sweepSlice; r.Keep > 0 && swept == sweepSlice && ctx.Err() == nil; {
		var err error
		swept, err = r.Store.Sweep(ctx, r.Keep, sweepSlice)
		total += swept
		if err != nil && ctx.Err() == nil {
			return total, err
		}
	}
	return total, nil
}

func (r *Runner) slice() time.Duration {
	if r.Slice > 0 {
		return r.Slice
	}
	return defaultSlice
}

// lease is that of a claim: a live worker never outlives it, and a dead one keeps others waiting no longer.
func (r *Runner) lease() time.Duration { return r.slice() + parting }

// work takes a claimed job step by step until it is done, it fails, its claim is lost or the slice is over.
func (r *Runner) work(ctx context.Context, claim Claim) (Job, error) {
	if claim.Attempts > maxAttempts {
		return r.finish(ctx, claim, nil, End{Step: standing(&claim.Job), Status: Failed, Error: fmt.Sprintf(
			"given up: its last %d workers ended before they came anywhere", maxAttempts)})
	}
	within, stop := context.WithTimeout(ctx, r.slice())
	defer stop()
	s := &Slice{Job: claim.Job.Clone()}
	for {
		stands := standing(&s.Job)
		done, err := r.Handlers[s.Kind](within, s)
		switch {
		case err == nil && !done && !moved(stands, s.step()):
			err = fault.New(fault.Invalid, "a step of %s led nowhere", s.Kind)
			fallthrough
		case err != nil:
			return r.finish(ctx, claim, nil, r.setback(ctx, within, s, stands, err))
		case done:
			return r.finish(ctx, claim, s.take(), End{Step: s.step(), Status: Succeeded})
		case within.Err() != nil:
			return r.finish(ctx, claim, s.take(), End{Step: s.step(), Status: Queued})
		}
		err = r.Store.Save(ctx, s.Scope(), s.ID, claim.Fence, s.step(), r.lease(), s.take()...)
		switch {
		case fault.KindOf(err) == fault.Conflict:
			return r.Store.Get(ctx, s.Scope(), s.ID) // cancelled, or somebody else's
		case err != nil:
			return s.Job, fmt.Errorf("save a step of job %s: %w", s.ID, err)
		}
		s.Attempts, s.Error = 0, ""
	}
}

// setback is how a claim ends whose step failed: what may go better another time is tried again, later each time.
func (r *Runner) setback(ctx, within context.Context, s *Slice, stands Step, err error) End {
	end := End{Step: stands, Error: fault.Public(err)}
	attempts := max(s.Attempts, 1)
	if p, ok := parked(err); ok {
		end.Status, end.Until, end.Error, end.Forgiven = Parked, p.until, p.why, true
		return end
	}
	kind := fault.KindOf(err)
	cut := within.Err() != nil && (kind == fault.Cancelled || kind == fault.Timeout)
	switch {
	case cut && s.Attempts == 0: // the slice ended within a step that was not its first: nothing is wrong
		end.Status, end.Error = Queued, ""
		return end
	case cut && ctx.Err() != nil: // the caller's time is up, not the work's; a program that ends says nothing of it at all
		end.Status, end.Error, end.Forgiven = Queued, "", errors.Is(ctx.Err(), context.Canceled)
		return end
	case kind == fault.OverBudget:
		end.Status, end.Wait, end.Forgiven = Parked, untilRefill(err, time.Now()), true
		return end
	case !mayHelp(kind) || attempts >= maxAttempts:
		end.Status = Failed
		r.log().ErrorContext(ctx, "job failed", "job", s.ID, "kind", s.Kind, "attempts", attempts, "err", err)
		return end
	}
	end.Status = Queued
	end.Wait = max(backoff(attempts), fault.RetryAfterOf(err))
	r.log().WarnContext(ctx, "job put off", "job", s.ID, "kind", s.Kind, "attempts", attempts, "wait", end.Wait, "err", err)
	return end
}

// untilRefill is how long a job waits that the budget has refused: until the refill, if that is less than refillWait away.
func untilRefill(err error, now time.Time) time.Duration {
	at, known := llm.RefilledAt(err)
	if !known {
		return refillWait
	}
	return min(max(at.Sub(now), firstWait), refillWait)
}

// mayHelp reports whether what failed for this reason may succeed when tried again.
func mayHelp(kind fault.Kind) bool {
	switch kind {
	case fault.Timeout, fault.Cancelled, fault.Unavailable, fault.RateLimited, fault.Internal:
		return true
	}
	return false
}

// backoff is the wait after the given number of attempts.
func backoff(attempts int) time.Duration {
	wait := firstWait
	for range attempts - 1 {
		wait = min(2*wait, longestWait)
	}
	return wait
}

// finish writes the end of a claim even when ctx has ended: an end not written would be work done again. A claim that
// has become stale is not an error: the job tells how it stands. What was given back to be gone on with at once wakes
// the next worker; what waits is found by the clock.
func (r *Runner) finish(ctx context.Context, claim Claim, records []outbox.Record, end End) (Job, error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), parting)
	defer stop()
	if end.Status == Queued && end.Wait == 0 {
		records = append(records, wake(&claim.Job)...)
	}
	j, err := r.Store.Finish(ctx, claim.Scope(), claim.ID, claim.Fence, end, records...)
	if fault.KindOf(err) == fault.Conflict {
		return r.Store.Get(ctx, claim.Scope(), claim.ID)
	}
	return j, err
}

// wake asks for a worker. The operator's jobs are left to the clock: events belong to tenants.
func wake(j *Job) []outbox.Record {
	if j.Scope() == Operator {
		return nil
	}
	data, _ := json.Marshal(map[string]string{"job_id": string(j.ID), "kind": j.Kind}) // strings can be encoded
	return []outbox.Record{{Type: outbox.JobDue, Subject: string(j.ID), Data: data}}
}

func standing(j *Job) Step {
	return Step{Cursor: bytes.Clone(j.Cursor), Progress: j.Progress, Result: bytes.Clone(j.Result)}
}

func moved(from, to Step) bool {
	return !bytes.Equal(from.Cursor, to.Cursor) || from.Progress != to.Progress
}

func (r *Runner) log() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}
