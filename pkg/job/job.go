// Package job is long work as a row: it survives whoever works on it, is worked on in slices shorter than a request may
// take, can be seen and called off, and costs nothing while nobody works on it.
//
// Work is claimed under a lease with a fencing token. Each step writes its cursor, its progress and the records it has
// to tell in one transaction that the fence guards, so a worker may die, or wake up late, anywhere: what it had not yet
// saved is done again by another, and what another has taken over it can no longer write. Whoever waits is woken by the
// outbox record job.due; nothing polls.
package job

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// Status is where a job stands.
type Status string

const (
	Queued    Status = "queued"    // waits for a worker; NotBefore says until when at least
	Running   Status = "running"   // a worker holds its lease, or died holding it
	Succeeded Status = "succeeded" // done
	Failed    Status = "failed"    // given up; Error says why
	Parked    Status = "parked"    // waits for something outside, such as a budget's refill
	Cancelled Status = "cancelled" // somebody called it off
)

// Statuses lists every status.
func Statuses() []Status { return []Status{Queued, Running, Succeeded, Failed, Parked, Cancelled} }

// Final reports whether nothing will happen to a job of this status any more.
func (s Status) Final() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Operator is the scope of work that belongs to no tenant. No tenant can have its name.
var Operator = memory.Scope{Tenant: "-", Project: "-"}

// Limits of what a job carries.
const (
	MaxKind  = 64       // characters of a kind
	MaxJSON  = 64 << 10 // bytes of arguments, of a cursor, and of a result
	MaxError = 1024     // bytes of the reason a job failed; what is longer is cut
)

// Job is one piece of long work.
type Job struct {
	ID         memory.ID       `json:"id"`
	TenantID   string          `json:"tenant_id"`
	ProjectID  string          `json:"project_id"`
	Kind       string          `json:"kind" doc:"What it does, such as reembed."`
	Status     Status          `json:"status" enum:"queued,running,succeeded,failed,parked,cancelled"`
	Arguments  json.RawMessage `json:"arguments" doc:"What it was asked to do; an object whose members its kind decides."`
	Cursor     json.RawMessage `json:"-"` // where the next step goes on; only its kind can read it; nil at the start
	Progress   Progress        `json:"progress"`
	Result     json.RawMessage `json:"result,omitempty" doc:"What came of it; an object whose members its kind decides."`
	Attempts   int             `json:"attempts" doc:"How often it was begun since it last came on."`
	Error      string          `json:"error,omitempty" doc:"Why it failed, is tried again or is parked."`
	NotBefore  *time.Time      `json:"not_before,omitempty" doc:"While queued or parked: when it goes on."`
	CreatedAt  time.Time       `json:"created_at"`
	UpdatedAt  time.Time       `json:"updated_at"`
	FinishedAt *time.Time      `json:"finished_at,omitempty"`
}

// Progress counts the things a job deals with, whatever they are.
type Progress struct {
	Done  int64 `json:"done" minimum:"0"`
	Total int64 `json:"total" minimum:"0" doc:"How many there are in all, as far as known by now; 0 when nobody knows."`
}

// Scope is whose job it is.
func (j *Job) Scope() memory.Scope { return memory.Scope{Tenant: j.TenantID, Project: j.ProjectID} }

// Clone returns a copy that shares nothing with j.
func (j *Job) Clone() Job {
	c := *j
	c.Arguments, c.Cursor, c.Result = bytes.Clone(j.Arguments), bytes.Clone(j.Cursor), bytes.Clone(j.Result)
	c.NotBefore, c.FinishedAt = copied(j.NotBefore), copied(j.FinishedAt)
	return c
}

func copied(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	c := *t
	return &c
}
