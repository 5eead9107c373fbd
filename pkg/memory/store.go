package memory

import (
	"context"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Seq numbers the changes of one scope: 1, 2, 3 …, without gaps a reader could miss. A reader that has seen
// everything up to Head has seen every committed write.
type Seq int64

// Store is the port of everything that keeps memories. One process writes through Write; any number read.
//
// Implementations must be durable when Write returns nil, must keep scopes apart in every method, and must never
// show a memory whose ExpiresAt has passed.
type Store interface {
	Reader
	Feed
	// Write runs do in one transaction of the scope and commits it when do returns nil; otherwise nothing of it
	// remains. do may be run more than once and must not keep the Tx. Errors of do are returned unchanged.
	Write(ctx context.Context, scope Scope, do func(Tx) error) error
	// Sweep deletes up to limit expired memories of any scope, announcing each, and returns how many.
	Sweep(ctx context.Context, limit int) (int, error)
	// EraseTenant removes everything the store holds of the tenant, in every project, counts it, and announces
	// tenant.erased in the same transaction. Erasing it again announces it again and counts no announcement.
	EraseTenant(ctx context.Context, tenant string) (Receipt, error)
}

// Reader reads memories. A missing, deleted, expired or foreign id is the same NotFound.
type Reader interface {
	Get(ctx context.Context, scope Scope, id ID, at View) (Memory, error)
	// Find returns those of ids that exist in the view, in the order of ids; the others are left out.
	Find(ctx context.Context, scope Scope, ids []ID, at View) ([]Memory, error)
	// List pages through the memories that match, newest id first.
	List(ctx context.Context, scope Scope, q Query) (Page, error)
	// History returns every version, newest first. NotFound when there is none.
	History(ctx context.Context, scope Scope, id ID) ([]Version, error)
}

// Feed lets an index follow a scope. A search that catches up to Head before it answers reads its own writes and
// everybody else's, whatever process made them.
type Feed interface {
	// Head returns the number of the scope's last change, 0 for a scope nobody wrote to.
	Head(ctx context.Context, scope Scope) (Seq, error)
	// Changes returns up to limit changes with Seq > after in order, with the vectors of the named model where
	// they exist. A memory that changed several times may appear only with its later numbers.
	Changes(ctx context.Context, scope Scope, model string, after Seq, limit int) ([]Change, error)
}

// Tx is one transaction of one scope. Every change made through it announces itself in the outbox
// (memory.stored, memory.updated, memory.deleted), so there is no write without an event.
type Tx interface {
	// PutAll stores new memories, or recognises those that stand, one after the other: each sees what the entries before
	// it did. What became of them comes in their order; one that is refused leaves the others alone, and do may go on. An
	// entry has no id, or one its caller derived; defaults are set.
	//   - same ExternalID, nothing different:      Deduplicated, the standing memory
	//   - same ExternalID, something different:    Updated, a new version of the standing memory
	//   - same Fingerprint already stands:         Deduplicated, the standing memory
	//   - same ID already stands:                  Deduplicated when SameAs, else refused as a Conflict (but see Entry)
	//   - otherwise:                               Created
	// The error is the store's own; then nothing may be kept.
	PutAll(ctx context.Context, entries []Entry, why Why) ([]Written, error)
	// Put is PutAll of one; a refusal is its error.
	Put(ctx context.Context, m Memory, why Why, vectors ...Vector) (Memory, Outcome, error)
	// Get reads the current version inside the transaction.
	Get(ctx context.Context, id ID) (Memory, error)
	// Replace writes m as the next version of m.ID. NotFound when it does not stand; Conflict when another memory
	// already has its external id or fingerprint. A vector of the old content is dropped unless a new one is given.
	Replace(ctx context.Context, m Memory, why Why, vectors ...Vector) (Memory, error)
	// Delete removes rows, versions and vectors of the memory. NotFound when it does not stand. What is derived from a memory that is
	// deleted, by whatever way, is deleted and announced when the transaction ends, and what is derived from that.
	Delete(ctx context.Context, id ID) error
	// DeleteWhere deletes up to limit matching memories and returns their ids.
	DeleteWhere(ctx context.Context, f Filter, limit int) ([]ID, error)
	// Attach adds or replaces a vector of a standing memory if it still has the given version; a memory that is
	// gone or has moved on is left alone and reported false.
	Attach(ctx context.Context, id ID, version int, v Vector) (bool, error)
	// Archive marks memories as archived now by the one named (not empty), and returns those it has marked, in the order of
	// ids. One that does not stand, or is archived already, is left alone. It is no new version: nothing of a memory
	// changes but the mark, which its next version does not have, and the feed tells of it. No view of a time before shows
	// the mark. At most MaxArchive ids.
	Archive(ctx context.Context, ids []ID, by ID) ([]ID, error)
	// Unarchive takes the mark off memories that were archived by the one named (empty: by anybody), and returns those, in
	// the order of ids: each is as it was before Archive, to the byte.
	Unarchive(ctx context.Context, ids []ID, by ID) ([]ID, error)
	// Rate adds what somebody says of a memory to its use, and returns that. NotFound when it does not stand. It is no
	// change of the memory: no version, no place on the feed, no announcement.
	Rate(ctx context.Context, id ID, f Feedback) (Use, error)
	// Answered returns the answer remembered for the key. Conflict when it was remembered for another fingerprint.
	Answered(ctx context.Context, key Key) (answer []byte, found bool, err error)
	// Answer remembers the answer of the key, in this transaction. Answers are kept for at least 24 hours.
	Answer(ctx context.Context, key Key, answer []byte) error
	// Once records that the consumer has taken the event and reports false if it had before.
	Once(ctx context.Context, consumer, source, eventID string) (bool, error)
	// Head is Feed.Head with what the transaction has done.
	Head(ctx context.Context) (Seq, error)
	// Emit adds a record to the outbox. ID and Time are set when empty, Tenant and Project always.
	Emit(ctx context.Context, r outbox.Record) error
}

// MaxArchive is how many memories are archived at once at most.
const MaxArchive = 1000

// CheckArchive reports what no Tx.Archive may be asked for.
func CheckArchive(ids []ID, by ID) error {
	if by == "" {
		return fault.BadField("archived_by", "is missing")
	}
	if len(ids) > MaxArchive {
		return fault.BadField("ids", "must be at most %d", MaxArchive)
	}
	return nil
}

// Outcome is what Put did.
type Outcome string

const (
	Created      Outcome = "created"
	Deduplicated Outcome = "deduplicated"
	Updated      Outcome = "updated"
)

// Why is who changed a memory and for what reason; history shows it.
type Why struct {
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Version is a memory as RAE knew it from RecordedFrom until RecordedTo (nil: still).
type Version struct {
	Memory
	Change Outcome `json:"change"` // created or updated
	Why
	RecordedFrom time.Time  `json:"recorded_from"`
	RecordedTo   *time.Time `json:"recorded_to,omitempty"`
}

// KnownAt reports whether RAE held this version at t.
func (v *Version) KnownAt(t time.Time) bool {
	return !t.Before(v.RecordedFrom) && (v.RecordedTo == nil || t.Before(*v.RecordedTo))
}

// View chooses which truth a read asks for. The zero View is now.
type View struct {
	AsOf    *time.Time // only what was true in the world at this time
	KnownAt *time.Time // the versions RAE held at this time
}

// Then makes v what the view shows of it: a version that was archived later is not archived yet.
func (at View) Then(v *Version) {
	if at.KnownAt != nil && v.ArchivedAt != nil && v.ArchivedAt.After(*at.KnownAt) {
		v.ArchivedAt, v.ArchivedBy = nil, ""
	}
}

// Query selects and pages a list. Limit is 1..1000; After is the last id of the previous page.
type Query struct {
	Filter
	View
	After ID
	Limit int
}

// PageBytes is the size of contents from which a page is full, whatever the limit: a thousand memories may be a gigabyte.
const PageBytes = 16 << 20

// Page is one page of a list. It holds Limit memories or PageBytes of contents, unless it is the last; then, and only
// then, Next is empty.
type Page struct {
	Memories []Memory
	Next     ID
}

// Change is one entry of a scope's feed: the newest state of a version, or the news that a memory is gone.
type Change struct {
	Seq     Seq
	Gone    bool // the memory was deleted; only Version.ID is set
	Reset   bool // the tenant was erased and began anew: whatever a reader holds up to here is gone; only Seq is set
	Version Version
	Vector  []float32 // of the model asked for; nil while pending
}

// Key names an idempotent request: the same key on the same route by the same scope is the same request.
type Key struct {
	Route       string
	Key         string // the caller's Idempotency-Key, 1..255 characters; "" = none
	Fingerprint string // of the request body; the same key with another one is a Conflict
}

// Reused is what whoever brings the key is told when something is remembered for another fingerprint: a Conflict.
func (Key) Reused() error {
	return fault.New(fault.Conflict, "this idempotency key was used for another request")
}

// Receipt counts what an erasure removed.
type Receipt struct {
	Tenant    string    `json:"tenant_id"`
	Memories  int       `json:"memories"`
	Versions  int       `json:"versions"`
	Vectors   int       `json:"vectors"`
	Events    int       `json:"events"`
	Answers   int       `json:"idempotency_answers"`
	Other     int       `json:"other_rows"` // reflections, blocks, budgets, costs, reservations, jobs
	CacheKeys int       `json:"cache_keys"`
	ErasedAt  time.Time `json:"erased_at"`
	Follows   []string  `json:"follows,omitempty" doc:"Functions that erase what they hold, cached answers and vectors, by the event dev.rae.tenant.erased.v1 soon after this answer, and are not counted."`
}
