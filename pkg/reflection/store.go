package reflection

import (
	"context"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Store is the port of everything that keeps reflections. A missing and a foreign id are the same NotFound; scopes
// are kept apart in every method. Package reflectiontest holds its contract.
type Store interface {
	Readings

	// Create stores r as a new reflection of the scope together with the records, or returns the one created under
	// the same key before (and false). Conflict when the key was used for another fingerprint. The zero Key is no
	// key. r must have an ID and a Status.
	Create(ctx context.Context, scope memory.Scope, r Reflection, key memory.Key, records ...outbox.Record) (Reflection, bool, error)
	// Get reads one reflection.
	Get(ctx context.Context, scope memory.Scope, id memory.ID) (Reflection, error)
	// List pages through the reflections that match, newest id first.
	List(ctx context.Context, scope memory.Scope, q Query) (Page, error)
	// Claim makes a reflection that is due the caller's until the lease ends: it is running, Attempts is one more, and the
	// fence is higher than that of any claim before. Due is a queued or parked one from its NotBefore on (without one a
	// queued one at once, and a parked one when it is resumed), and a running one whose lease has ended. Conflict when it
	// is not.
	Claim(ctx context.Context, scope memory.Scope, id memory.ID, lease time.Duration) (Claim, error)
	// Next claims the oldest reflection, of any scope, that Claim would take; false when there is none.
	Next(ctx context.Context, lease time.Duration) (Claim, bool, error)
	// Finish writes r over the claimed reflection and the records into the outbox, in one transaction, and ends the
	// claim. A Status of Queued or Parked gives the work back, to be claimed again. Conflict when the fence is stale (the
	// lease ended and another claimed it, or it was cancelled): then nothing is written. A lease that ended
	// without another claim does no harm. ID, scope, key and creation time of the standing reflection stay.
	Finish(ctx context.Context, scope memory.Scope, r Reflection, fence int64, records ...outbox.Record) error
	// Resume makes the parked reflections of the scope that are not due yet due at once, and returns how many. The records
	// are written with it when there are any.
	Resume(ctx context.Context, scope memory.Scope, records ...outbox.Record) (int, error)
	// Cancel makes a reflection that is not final Cancelled and every claim of it stale. Cancelling a cancelled one
	// returns it as it stands; any other final one is a Conflict.
	Cancel(ctx context.Context, scope memory.Scope, id memory.ID) (Reflection, error)
	// Gather counts events of the scope, each once however often it is told, and in the same transaction, when Every
	// of them have gathered, starts counting anew, with those that are more, and creates next, unless an equal kind of
	// the scope already waits in the queue or is parked. It reports whether next was created. The records are written with it, unless
	// one of its kind was created in the scope less than Rest before it: then it waits for whoever looks into the queue
	// next. Events are remembered for at least 7 days.
	Gather(ctx context.Context, scope memory.Scope, g Gathered, next Reflection, records ...outbox.Record) (bool, error)
	// Scopes lists up to limit scopes that Gather has seen, in order, those after the given one.
	Scopes(ctx context.Context, after memory.Scope, limit int) ([]memory.Scope, error)
	// Policies returns how the scope forgets, as SetPolicies was told last; the zero value where it was not.
	Policies(ctx context.Context, scope memory.Scope) (Policies, error)
	SetPolicies(ctx context.Context, scope memory.Scope, p Policies) error
	// PolicyScopes lists up to limit scopes that have policies, in order, those after the given one.
	PolicyScopes(ctx context.Context, after memory.Scope, limit int) ([]memory.Scope, error)
}

// Claim is a reflection that is the holder's until its lease ends.
type Claim struct {
	Reflection
	Fence int64 // to be shown to Finish
}

// Query selects and pages a list; empty fields do not restrict. Limit is 1..1000; After is the last id of the
// previous page.
type Query struct {
	Kind   Kind
	Status Status
	After  memory.ID
	Limit  int
}

// Page is one page of a list; Next is empty on the last.
type Page struct {
	Reflections []Reflection
	Next        memory.ID
}

// Gathered is events worth counting.
type Gathered struct {
	Events []Event       // the same one may be told more than once
	Every  int           // how many events make a reflection; at least 1
	Rest   time.Duration // between two reflections that announce themselves; 0 = none
}
