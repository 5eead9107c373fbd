package eventing

import (
	"encoding/json"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// MemoryChange is the data of memory.stored, memory.updated and memory.deleted. It carries no content: who may read
// the memory asks the store.
type MemoryChange struct {
	MemoryID memory.ID `json:"memory_id"`
	memory.Scope
	Layer     memory.Layer          `json:"layer,omitempty"`     // "" only in memory.deleted
	Version   int                   `json:"version,omitempty"`   // 0 only in memory.deleted
	Embedding memory.EmbeddingState `json:"embedding,omitempty"` // "" only in memory.deleted
	SessionID string                `json:"session_id,omitempty"`
	UserID    string                `json:"user_id,omitempty"`
	AgentID   string                `json:"agent_id,omitempty"`
}

// Derivation is the data of memory.derived: a memory for the store function to keep. Its id follows from its
// evidence, so that a redelivery stores nothing new.
type Derivation struct {
	Memory       memory.Memory `json:"memory"`
	ReflectionID memory.ID     `json:"reflection_id"`
}

// Embedding is the data of memory.embedded: the vector of one version of a memory, to be attached if the memory still
// has that version.
type Embedding struct {
	MemoryID memory.ID `json:"memory_id"`
	memory.Scope
	Version int       `json:"version"` // >= 1
	Model   string    `json:"model"`   // id of the model that made the vector, 1..256 bytes
	Vector  []float32 `json:"vector"`  // 1..16000 finite numbers
}

// Reflected is the data of reflection.created.
type Reflected struct {
	ReflectionID memory.ID   `json:"reflection_id"`
	Kind         string      `json:"kind"` // insight, consolidate, extract or decay
	MemoryIDs    []memory.ID `json:"memory_ids"`
}

// BudgetAlert is the data of budget.warning and budget.exceeded. Amounts are US dollars, or tokens where the period
// counts tokens, with every digit they were booked with; "" where the publisher did not say.
type BudgetAlert struct {
	memory.Scope
	Period    string      `json:"period"` // daily, monthly, daily_tokens or monthly_tokens
	Limit     json.Number `json:"limit"`
	Usage     json.Number `json:"usage"`
	Reserved  json.Number `json:"reserved,omitempty"`
	Requested json.Number `json:"requested,omitempty"` // what was refused
	Threshold float64     `json:"threshold,omitempty"` // share of the limit at which a warning is due, 0..1
	ResetsAt  *time.Time  `json:"resets_at,omitempty"`
}

// Tick is the data of drain.due, maintenance.due and reflection.due. Empty fields narrow nothing.
type Tick struct {
	Tenant  string `json:"tenant_id,omitempty"`
	Project string `json:"project_id,omitempty"` // only together with Tenant
}

// Stored announces a new memory.
func Stored(m memory.Memory, at time.Time) (outbox.Record, error) {
	return record(MemoryStored, m.Scope(), string(m.ID), at, changeOf(m))
}

// Updated announces a new version of a memory.
func Updated(m memory.Memory, at time.Time) (outbox.Record, error) {
	return record(MemoryUpdated, m.Scope(), string(m.ID), at, changeOf(m))
}

// Deleted announces that a memory is gone. Of m, only the id and the scope must be known.
func Deleted(m memory.Memory, at time.Time) (outbox.Record, error) {
	return record(MemoryDeleted, m.Scope(), string(m.ID), at, changeOf(m))
}

// Derived asks the store function to keep a memory that a reflection derived.
func Derived(m memory.Memory, reflection memory.ID, at time.Time) (outbox.Record, error) {
	return record(MemoryDerived, m.Scope(), string(m.ID), at, Derivation{Memory: m, ReflectionID: reflection})
}

// Embedded asks the store function to attach a vector.
func Embedded(e Embedding, at time.Time) (outbox.Record, error) {
	return record(MemoryEmbedded, e.Scope, string(e.MemoryID), at, e)
}

// Reflects announces that a reflection ended and which memories it stands for.
func Reflects(scope memory.Scope, r Reflected, at time.Time) (outbox.Record, error) {
	if r.MemoryIDs == nil {
		r.MemoryIDs = []memory.ID{}
	}
	return record(ReflectionCreated, scope, string(r.ReflectionID), at, r)
}

// Warns announces that usage passed the warning threshold of a budget.
func Warns(a BudgetAlert, at time.Time) (outbox.Record, error) {
	return record(BudgetWarning, a.Scope, a.Scope.String()+"/"+a.Period, at, a)
}

// Exceeds announces that a budget refused.
func Exceeds(a BudgetAlert, at time.Time) (outbox.Record, error) {
	return record(BudgetExceeded, a.Scope, a.Scope.String()+"/"+a.Period, at, a)
}

// Due announces that it is time for the work of a clock event: [DrainDue], [MaintenanceDue] or [ReflectionDue].
func Due(eventType string, t Tick, at time.Time) (outbox.Record, error) {
	if entry, ok := entryOf(eventType); !ok || entry.Scope != Unscoped {
		return outbox.Record{}, fault.New(fault.Invalid, "%q is no clock event", eventType)
	}
	return record(eventType, memory.Scope{Tenant: t.Tenant, Project: t.Project}, "", at, t)
}

// changeOf tells of a memory what its change events may tell.
func changeOf(m memory.Memory) MemoryChange {
	return MemoryChange{
		MemoryID: m.ID, Scope: m.Scope(), Layer: m.Layer, Version: m.Version, Embedding: m.Embedding,
		SessionID: m.SessionID, UserID: m.UserID, AgentID: m.AgentID,
	}
}

// record wraps data into an outbox record with an id of its own. Data that breaks the schema of the type never gets
// into an outbox: it could only come back as a dead letter.
func record(eventType string, scope memory.Scope, subject string, at time.Time, data any) (outbox.Record, error) {
	entry, ok := entryOf(eventType)
	if !ok {
		return outbox.Record{}, fault.New(fault.Invalid, "%q is no event type", eventType)
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return outbox.Record{}, fault.Wrap(fault.Invalid, err, "data of %s cannot be written as JSON", entry.Record)
	}
	r := outbox.Record{
		ID: string(memory.NewID()), Type: entry.Record, Tenant: scope.Tenant, Project: scope.Project,
		Subject: subject, Data: raw, Time: at.UTC(),
	}
	if _, err := FromRecord(r, ""); err != nil {
		return outbox.Record{}, err
	}
	return r, nil
}

// Data reads the data of an event into its type.
func Data[T any](e Event) (T, error) {
	var data T
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return data, fault.Wrap(fault.Invalid, err, "data of %s does not fit", e.Type)
	}
	return data, nil
}
