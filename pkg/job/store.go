package job

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Store is the port of everything that keeps jobs. A missing and a foreign id are the same NotFound; scopes are kept
// apart in every method but Next. Every time is the store's own: callers give durations, so that workers whose clocks
// disagree cannot take each other's claims. What a job may become is [Row]'s to say; an implementation reads the row
// so that no other writer has it, applies the method of the same name, and writes it with the records, all in one
// transaction. Package jobtest holds the contract.
type Store interface {
	// Create stores j as a new queued job of the scope together with the records, or returns the one created under the
	// same key before (and false). Of j, ID, Kind, Arguments, Cursor and Progress are read; Arguments and Cursor are
	// kept byte for byte. Conflict when the key was used for another fingerprint, or the id stands already. The zero
	// Key is no key. Invalid when the scope lacks its tenant or project, or j is not fit (see Fresh).
	Create(ctx context.Context, scope memory.Scope, j Job, key memory.Key, records ...outbox.Record) (Job, bool, error)
	// Get reads one job.
	Get(ctx context.Context, scope memory.Scope, id memory.ID) (Job, error)
	// List pages through the jobs that match, newest id first.
	List(ctx context.Context, scope memory.Scope, q Query) (Page, error)
	// Claim makes a job that is due the caller's until the lease ends: it is running, Attempts is one more, and the
	// fence is higher than that of any claim before. Conflict when it is not due.
	Claim(ctx context.Context, scope memory.Scope, id memory.ID, lease time.Duration) (Claim, error)
	// Next claims the job of one of the kinds, of any scope, that has been due longest (by id, where several are due
	// since the same time); false when none is. Two callers never get the same one.
	Next(ctx context.Context, kinds []string, lease time.Duration) (Claim, bool, error)
	// Save writes a step of a claimed job and the records, in one transaction, and lets the lease begin anew. Conflict
	// when the fence is stale (the lease ended and another claimed it, or it was cancelled or has ended): then nothing is
	// written. A lease that ended without another claim does no harm.
	Save(ctx context.Context, scope memory.Scope, id memory.ID, fence int64, step Step, lease time.Duration, records ...outbox.Record) error
	// Finish writes the last step of a claim and how it ends, with the records, in one transaction, and returns the job
	// as it then stands. Conflict as for Save.
	Finish(ctx context.Context, scope memory.Scope, id memory.ID, fence int64, end End, records ...outbox.Record) (Job, error)
	// Cancel makes a job that is not final Cancelled and every claim of it stale. Cancelling a cancelled one returns
	// it as it stands; any other final one is a Conflict.
	Cancel(ctx context.Context, scope memory.Scope, id memory.ID) (Job, error)
	// Unpark makes a parked job, or a queued one that waits, due at once, and writes the records. Conflict when it is
	// running or final.
	Unpark(ctx context.Context, scope memory.Scope, id memory.ID, records ...outbox.Record) (Job, error)
	// Sweep deletes up to limit (>= 1) jobs of any scope that ended longer ago than kept, with their keys, and returns how
	// many.
	Sweep(ctx context.Context, kept time.Duration, limit int) (int, error)
}

// Claim is a job that is the holder's until its lease ends.
type Claim struct {
	Job
	Fence int64 // to be shown to Save and Finish
}

// Step is how far a job has come.
type Step struct {
	Cursor   json.RawMessage
	Progress Progress
	Result   json.RawMessage // nil: nothing to tell yet
}

// End is how a claim ends.
type End struct {
	Step
	Status Status        // anything but Running; Queued gives the work back
	Error  string        // why it failed, is tried again or is parked
	Wait   time.Duration // of Queued and Parked: how long nobody shall claim it; 0 and no Until: parked until it is unparked
	Until  time.Time     // of Parked: when it becomes due by itself; zero: see Wait
	// Forgiven takes the attempt off the count: it was cut short by what says nothing of the work, as when a program ends.
	Forgiven bool
}

// Query selects and pages a list; empty fields do not restrict. Limit is 1..1000; After is the last id of the
// previous page.
type Query struct {
	Kind   string
	Status Status
	After  memory.ID
	Limit  int
}

// Page is one page of a list; Next is empty on the last.
type Page struct {
	Jobs []Job
	Next memory.ID
}
