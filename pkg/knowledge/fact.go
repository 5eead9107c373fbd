package knowledge

import (
	"context"
	"crypto/sha256"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
)

// Thing is what a fact is about: an entity of the scope, or a value.
type Thing struct {
	ID   string `json:"id,omitempty"` // relevance.EntityID of the name; "" for a value
	Name string `json:"name"`         // as it was first told; of a value, the value
	Type string `json:"type,omitempty"`
}

// Fact is what memories come to: that a subject stood, or did not stand, in a relation to an object from one time to another.
// It is one version of it, as RAE knew it from RecordedFrom until RecordedTo. Its words are names and values: what the memories
// say stands in them alone.
type Fact struct {
	ID        memory.ID `json:"id"` // a UUID: see FactID
	TenantID  string    `json:"tenant_id"`
	ProjectID string    `json:"project_id"`
	UserID    string    `json:"user_id,omitempty"` // whose memories say so: what two users say are two facts
	Kind      Kind      `json:"kind"`
	Subject   Thing     `json:"subject"`
	Relation  string    `json:"relation"`
	Object    Thing     `json:"object"`
	Literal   bool      `json:"literal,omitempty"` // the object is a value and names no thing
	Negated   bool      `json:"negated,omitempty"` // that it is not, or no longer, so

	ValidFrom *time.Time `json:"valid_from,omitempty"` // true in the world from here (nil: nobody said since when, and it ended nothing)
	ValidTo   *time.Time `json:"valid_to,omitempty"`   // until here, exclusive (nil: still is)

	Confidence float64           `json:"confidence"`  // 0..1, of all its evidence together
	Evidence   []memory.Citation `json:"evidence"`    // 1..MaxCited, in the order the memories were told
	Observed   time.Time         `json:"observed_at"` // when the newest of its evidence was told
	Method     string            `json:"method"`      // of the extractor that read the newest of its evidence
	Edition    string            `json:"edition"`     // of its rules or prompt

	ClosedBy  memory.ID `json:"closed_by,omitempty"` // the fact from which on it is no longer so; "" where its end was told, or it has none
	Operation memory.ID `json:"operation_id"`        // the learning that made this version

	Version      int        `json:"version"` // 1 at first, more with every change
	RecordedFrom time.Time  `json:"recorded_from"`
	RecordedTo   *time.Time `json:"recorded_to,omitempty"`
}

// MaxCited is how many memories a fact names as its evidence when it is read: the ones told last.
const MaxCited = 100

// MaxName is how long the name of a thing, or a value, may be, in bytes.
const MaxName = 200

// Scope returns the partition f lives in.
func (f *Fact) Scope() memory.Scope { return memory.Scope{Tenant: f.TenantID, Project: f.ProjectID} }

// TrueAt reports whether f's valid time covers t: ValidFrom <= t < ValidTo, open ends included.
func (f *Fact) TrueAt(t time.Time) bool {
	return (f.ValidFrom == nil || !t.Before(*f.ValidFrom)) && (f.ValidTo == nil || t.Before(*f.ValidTo))
}

// KnownAt reports whether RAE held this version at t.
func (f *Fact) KnownAt(t time.Time) bool {
	return !t.Before(f.RecordedFrom) && (f.RecordedTo == nil || t.Before(*f.RecordedTo))
}

// In reports whether the view shows this version.
func (f *Fact) In(at memory.View) bool {
	if at.KnownAt == nil && f.RecordedTo != nil || at.KnownAt != nil && !f.KnownAt(*at.KnownAt) {
		return false
	}
	return at.AsOf == nil || f.TrueAt(*at.AsOf)
}

// ThingID is the id under which subjects and objects are compared, "" for a name that has no words. An entity and a value of
// one name have the same.
func ThingID(scope memory.Scope, name string) string {
	key := relevance.EntityKey(name)
	if key == "" {
		return ""
	}
	return relevance.EntityID(scope, key)
}

// FactID is the id of the nth fact (0 is the first) that says the same of the same user's: a subject and an object by their
// ThingID, a relation, and whether it is denied. There is a second one where it was so, ceased to be, and was so again.
func FactID(scope memory.Scope, user, subject, relation, object string, negated bool, n int) memory.ID {
	return derivedID(scope, "fact", user, subject, relation, object, strconv.FormatBool(negated), strconv.Itoa(n))
}

// OperationID is the id of what one edition of an extractor has read out of one version of a memory.
func OperationID(scope memory.Scope, id memory.ID, version int, method, edition string) memory.ID {
	return derivedID(scope, "operation", string(id), strconv.Itoa(version), method, edition)
}

// derivedID is a UUID of version 8 (RFC 9562) that the parts have in every process and store. Each is told with its length, so
// that no two lists of parts collide by concatenation.
func derivedID(scope memory.Scope, parts ...string) memory.ID {
	var told []byte
	for _, part := range append([]string{scope.Tenant, scope.Project}, parts...) {
		told = append(append(strconv.AppendInt(told, int64(len(part)), 10), ':'), part...)
	}
	sum := sha256.Sum256(told)
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return memory.ID(id.String())
}

// FactQuery selects facts. Empty fields do not restrict; values of one list are alternatives.
type FactQuery struct {
	memory.View
	Entities  []string  // ids of entities, at most MaxAsked: the subject or the object is one of them
	Relations []string  // at most MaxAsked
	Memory    memory.ID // that is among the evidence
	UserID    string
	After     memory.ID // the last id of the previous page
	Limit     int       // 1..1000
}

// MaxAsked is how many entities or relations a query may name.
const MaxAsked = 1000

// FactPage is one page of facts, by id. It holds Limit facts, unless it is the last; then, and only then, Next is empty.
type FactPage struct {
	Facts []Fact
	Next  memory.ID
}

// Facts reads facts. A missing or foreign id is NotFound.
type Facts interface {
	// Get reads a fact as the view shows it.
	Get(ctx context.Context, scope memory.Scope, id memory.ID, at memory.View) (Fact, error)
	// List pages through the facts that the query selects.
	List(ctx context.Context, scope memory.Scope, q FactQuery) (FactPage, error)
	// History returns every version, newest first.
	History(ctx context.Context, scope memory.Scope, id memory.ID) ([]Fact, error)
}

// FactStore keeps facts beside the memories they are evidence of: what is deleted there, or replaced with other content, is
// evidence no more when the transaction that did it ends.
type FactStore interface {
	Facts
	// Change runs do in one transaction of the scope, which nothing else writes to meanwhile, and commits it when do returns nil. do
	// may be run more than once and must not keep the FactTx. Errors of do are returned unchanged.
	Change(ctx context.Context, scope memory.Scope, do func(FactTx) error) error
	// Operation reads one operation, NotFound when there is none.
	Operation(ctx context.Context, scope memory.Scope, id memory.ID) (Operation, error)
	// Operations pages through them, newest first.
	Operations(ctx context.Context, scope memory.Scope, q OperationQuery) (OperationPage, error)
}

// FactTx is one transaction over rows of facts. It decides nothing.
type FactTx interface {
	// Now is the time at which what the transaction does is recorded.
	Now() time.Time
	// Told reads memories as they stand, in the order of ids; those that do not stand are left out.
	Told(ctx context.Context, ids []memory.ID) ([]memory.Memory, error)
	// Records reads whole facts, by id.
	Records(ctx context.Context, q RecordQuery) ([]Record, error)
	// Save makes the rows of a fact what after says, of which before was read. A zero Record is none: before it is made, and after
	// it is gone.
	Save(ctx context.Context, before, after Record) error
	// Known reads operations by id or by memory, in the order of ids.
	Known(ctx context.Context, q KnownQuery) ([]Operation, error)
	// Keep writes an operation, as new or in the place of the one with its id.
	Keep(ctx context.Context, o Operation) error
	// Drop removes operations.
	Drop(ctx context.Context, ids []memory.ID) error
}

// RecordQuery selects the records that one of its values names.
type RecordQuery struct {
	Slots      []Slot      // those of a user's that say something of the subject and relation
	Memories   []memory.ID // those with evidence of one of them
	IDs        []memory.ID
	Operations []memory.ID // those with a version that one of them made
}

// KnownQuery selects the operations that one of its values names.
type KnownQuery struct {
	IDs      []memory.ID
	Memories []memory.ID
}

// Slot is what facts of a user say something of.
type Slot struct {
	UserID   string
	Subject  string // its ThingID
	Relation string
	Object   string // its ThingID; "" for any
}

// Record is all there is of one fact: its versions, oldest first, without evidence, and its evidence, by when it was told and
// then by memory.
type Record struct {
	Versions []Fact
	Evidence []Evidence
}

// Evidence is what one version of a memory gives to a fact. There is one for each memory.
type Evidence struct {
	memory.Citation
	Version    int       // of the memory
	Told       time.Time // memory.Memory.When
	From, To   *time.Time
	Confidence float64
	Closes     bool // it may end another fact
	Method     string
	Edition    string
	Operation  memory.ID
	RecordedAt time.Time
}

// State is what became of an operation.
type State string

const (
	Done   State = "done"
	Held   State = "held"   // it would have closed too many facts and has closed none: somebody should look at it
	Undone State = "undone" // what it learned is gone, and will not be learned from the same words again
)

// Operation is one learning: what one edition of an extractor has read out of one version of a memory.
type Operation struct {
	ID        memory.ID `json:"id"` // OperationID
	TenantID  string    `json:"tenant_id"`
	ProjectID string    `json:"project_id"`
	State     State     `json:"state"`
	Reason    string    `json:"reason,omitempty"` // why it is held
	MemoryID  memory.ID `json:"memory_id"`
	Version   int       `json:"memory_version"`
	Method    string    `json:"method"`
	Edition   string    `json:"edition"`
	memory.Why
	At       time.Time   `json:"at"`
	UndoneAt *time.Time  `json:"undone_at,omitempty"`
	Opened   []memory.ID `json:"opened"` // facts that it was the first to tell
	Closed   []memory.ID `json:"closed"` // facts that it ended; all ids are as they were then
}

// OperationQuery pages operations by when they were, newest first.
type OperationQuery struct {
	Closing bool            // only those that closed something, or are held
	After   OperationCursor // of the last one of the previous page; zero at the start
	Limit   int             // 1..1000
}

// OperationCursor is where an operation stands in the list.
type OperationCursor struct {
	At time.Time
	ID memory.ID
}

// OperationPage is one page of operations. Next is zero on the last one.
type OperationPage struct {
	Operations []Operation
	Next       OperationCursor
}
