package job

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Row is a job with what only its store knows, and the rules by which it changes. A method that returns an error has
// changed nothing.
type Row struct {
	Job
	Fence       int64     // grows with every claim and with a cancellation; a claim with another one is stale
	Due         time.Time // when it may be claimed: when queued, at the end of the lease, of parking; when it ended, once it is final
	Fingerprint string    // of the request that made it, when that had a key
}

// never is when a job that is parked until somebody unparks it becomes due.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Fresh is the row of a new job, queued at now. Invalid when the scope lacks its tenant or project, the id is not one,
// the kind is empty or longer than MaxKind, the arguments are not a JSON object, the cursor is not JSON, either is longer than
// MaxJSON, or the progress is negative. No arguments are {}.
func Fresh(scope memory.Scope, j Job, now time.Time) (Row, error) {
	if scope.Tenant == "" || scope.Project == "" {
		return Row{}, fault.New(fault.Invalid, "a job needs a tenant and a project")
	}
	if _, ok := memory.ParseID(string(j.ID)); !ok {
		return Row{}, fault.BadField("id", "must be a UUID")
	}
	if j.Kind == "" || utf8.RuneCountInString(j.Kind) > MaxKind {
		return Row{}, fault.BadField("kind", "must be 1 to %d characters", MaxKind)
	}
	if len(j.Arguments) == 0 {
		j.Arguments = json.RawMessage("{}")
	}
	if len(j.Arguments) > MaxJSON || !json.Valid(j.Arguments) || bytes.TrimSpace(j.Arguments)[0] != '{' {
		return Row{}, fault.BadField("arguments", "must be a JSON object of up to %d bytes", MaxJSON)
	}
	step := Step{Cursor: j.Cursor, Progress: j.Progress}
	if err := step.check(); err != nil {
		return Row{}, err
	}
	return Row{Due: now, Job: Job{
		ID: j.ID, TenantID: scope.Tenant, ProjectID: scope.Project, Kind: j.Kind, Status: Queued,
		Arguments: j.Arguments, Cursor: j.Cursor, Progress: j.Progress, CreatedAt: now, UpdatedAt: now,
	}}, nil
}

func (s *Step) check() error {
	if len(s.Cursor) > MaxJSON || len(s.Cursor) > 0 && !json.Valid(s.Cursor) {
		return fault.BadField("cursor", "must be JSON of up to %d bytes", MaxJSON)
	}
	if s.Progress.Done < 0 || s.Progress.Total < 0 {
		return fault.BadField("progress", "must not be negative")
	}
	if len(s.Result) > MaxJSON || len(s.Result) > 0 && !json.Valid(s.Result) {
		return fault.BadField("result", "must be JSON of up to %d bytes", MaxJSON)
	}
	return nil
}

// IsDue reports whether the job may be claimed at now.
func (r *Row) IsDue(now time.Time) bool { return !r.Status.Final() && !now.Before(r.Due) }

// Claim leases the job from now on.
func (r *Row) Claim(now time.Time, lease time.Duration) (Claim, error) {
	if !r.IsDue(now) {
		return Claim{}, fault.New(fault.Conflict, "job %s is %s and not to be claimed", r.ID, r.Status)
	}
	r.Status, r.NotBefore, r.UpdatedAt = Running, nil, now
	r.Attempts++
	r.Fence++
	r.Due = now.Add(lease)
	return Claim{Job: r.Job, Fence: r.Fence}, nil
}

// Save writes a step of the claim with the fence.
func (r *Row) Save(fence int64, step Step, now time.Time, lease time.Duration) error {
	if err := r.hold(fence, &step); err != nil {
		return err
	}
	r.advance(step, now)
	r.Due = now.Add(lease)
	return nil
}

// Finish ends the claim with the fence.
func (r *Row) Finish(fence int64, end End, now time.Time) error {
	if err := r.hold(fence, &end.Step); err != nil {
		return err
	}
	switch end.Status {
	case Queued:
		r.Due = now.Add(max(end.Wait, 0))
	case Parked:
		r.Due = end.parkedUntil(now)
	case Succeeded, Failed, Cancelled:
		r.FinishedAt, r.Due = &now, now
	default:
		return fault.New(fault.Internal, "a claim cannot end %q", end.Status)
	}
	if end.Forgiven {
		r.Attempts = max(r.Attempts-1, 0)
	}
	r.advance(end.Step, now)
	r.Status, r.Error = end.Status, cut(end.Error)
	if due := r.Due; !r.Status.Final() && due.After(now) && due.Before(never) {
		r.NotBefore = &due
	}
	return nil
}

func (e *End) parkedUntil(now time.Time) time.Time {
	switch {
	case !e.Until.IsZero():
		return e.Until.UTC().Truncate(time.Microsecond)
	case e.Wait > 0:
		return now.Add(e.Wait)
	}
	return never
}

// Cancel calls the job off; changed is false when it was before.
func (r *Row) Cancel(now time.Time) (changed bool, err error) {
	switch {
	case r.Status == Cancelled:
		return false, nil
	case r.Status.Final():
		return false, fault.New(fault.Conflict, "job %s has already %s", r.ID, r.Status)
	}
	r.Status, r.NotBefore, r.UpdatedAt, r.FinishedAt, r.Due = Cancelled, nil, now, &now, now
	r.Fence++
	return true, nil
}

// Unpark makes the job due at once.
func (r *Row) Unpark(now time.Time) error {
	if r.Status != Parked && r.Status != Queued {
		return fault.New(fault.Conflict, "job %s is %s and waits for nothing", r.ID, r.Status)
	}
	r.Status, r.NotBefore, r.UpdatedAt = Queued, nil, now
	if r.Due.After(now) {
		r.Due = now
	}
	return nil
}

// hold makes sure that the fence is that of the standing claim.
func (r *Row) hold(fence int64, step *Step) error {
	if r.Status != Running || r.Fence != fence {
		return fault.New(fault.Conflict, "the claim of job %s has passed to another", r.ID)
	}
	return step.check()
}

// advance writes how far the job has come. What moved it starts its count of attempts anew.
func (r *Row) advance(step Step, now time.Time) {
	if !bytes.Equal(r.Cursor, step.Cursor) || r.Progress.Done != step.Progress.Done {
		r.Attempts, r.Error = 0, ""
	}
	r.Cursor, r.Progress, r.Result, r.UpdatedAt = step.Cursor, step.Progress, step.Result, now
}

// cut shortens a reason to MaxError bytes, between characters.
func cut(s string) string {
	if len(s) <= MaxError {
		return s
	}
	s = s[:MaxError]
	for !utf8.ValidString(s) && len(s) > 0 {
		s = s[:len(s)-1]
	}
	return s
}
