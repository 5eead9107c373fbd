// Package outbox holds changes written in the same transaction as the data they announce, to be relayed to the
// broker afterwards. A record exists if and only if its transaction committed.
package outbox

import (
	"context"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

// Types of records; package eventing prefixes and suffixes them into CloudEvents types.
const (
	MemoryStored      = "memory.stored"
	MemoryUpdated     = "memory.updated"
	MemoryDeleted     = "memory.deleted"
	MemoryDerived     = "memory.derived"
	MemoryEmbedded    = "memory.embedded"
	ReflectionCreated = "reflection.created"
	ReflectionDue     = "reflection.due" // queued work asks to be woken for, beside the clock
	JobDue            = "job.due"        // a job asks for a worker
	BudgetWarning     = "budget.warning"
	BudgetExceeded    = "budget.exceeded"
	BudgetChanged     = "budget.changed" // other limits are in force: what they put off may go on
	BlockUpdated      = "block.updated"
	TenantErased      = "tenant.erased" // of no project: Record.Project is empty
)

// Record is one change waiting to be told. ID is a UUIDv7 and becomes the CloudEvents id, so a redelivery is
// recognised by it.
type Record struct {
	ID          string
	Type        string // one of the constants above
	Tenant      string
	Project     string // "" where it is of the tenant as a whole
	Subject     string // what changed: a memory, reflection or budget id; records of one subject keep their order
	Data        []byte // JSON object as eventing/schemas describes it for the type
	Time        time.Time
	TraceParent string // W3C trace context of the request that wrote it, or ""
	Attempts    int    // deliveries tried so far
	Reason      string // why the last attempt failed, or ""
}

// Lag tells how far the relay is behind.
type Lag struct {
	Waiting int           // records not yet sent
	Dead    int           // records given up
	Oldest  time.Duration // age of the oldest waiting record; 0 when none waits
}

// Queue is the relay's side of the outbox. Implementations must never return a record whose transaction did not
// commit, and must never hand out a later record of a subject while an earlier one is waiting or claimed.
type Queue interface {
	// Claim leases up to limit due records, oldest first; where more than that are due again after a lease or a
	// wait, it may take those that have been due longest. A claimed record that is neither Done, Retried nor Buried
	// becomes due again when the lease ends (so delivery is at least once).
	Claim(ctx context.Context, limit int, lease time.Duration) ([]Record, error)
	// Done removes sent records. Unknown ids are ignored.
	Done(ctx context.Context, ids []string) error
	// Retry makes a claimed record due again after the wait and counts the attempt.
	Retry(ctx context.Context, id string, wait time.Duration, reason string) error
	// Bury moves a record to the dead letters, where it blocks nothing.
	Bury(ctx context.Context, id string, reason string) error
	// Inter puts a record that has been sent to the dead letters, because a broker could not deliver it. It was written
	// for the tenant and project it names. Where a record of its id is there already, the reason is added to that one's.
	// Invalid: its id is no UUID.
	Inter(ctx context.Context, r Record, reason string) error
	// Dead lists dead letters, newest first.
	Dead(ctx context.Context, limit int) ([]Record, error)
	// Revive moves a dead letter back among what waits, due at once, as if it had never been tried; false: there is no
	// such letter.
	Revive(ctx context.Context, id string) (bool, error)
	// Lag counts what waits.
	Lag(ctx context.Context) (Lag, error)
}

// NotOurs is what Inter tells of a record whose id no record has: Invalid.
func NotOurs() error { return fault.BadField("id", "is not that of a record: a UUID") }

// AlsoBecause adds a reason to those a dead letter has, up to 4,096 bytes in all. One that is there already is not added again.
func AlsoBecause(reasons, reason string) string {
	const most = 4096
	if strings.Contains(reasons, reason) || len(reasons)+len(reason)+2 > most {
		return reasons
	}
	return reasons + "; " + reason
}
