package eventing

import (
	"encoding/json"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// The data of memory.stored, memory.updated and memory.deleted is memory.Announcement, and memory.Memory.Announce
// makes their records: only a store, in the transaction of the change, knows that there is something to announce.

// The data of block.updated is block.Announcement, and package block makes its records.

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
	Tenant    string      `json:"tenant_id"`
	Project   string      `json:"project_id,omitempty"` // "" where the limit is one above the projects of the tenant
	Level     string      `json:"level,omitempty"`      // project or tenant; "" where the publisher did not say
	Period    string      `json:"period"`               // daily, monthly, daily_tokens or monthly_tokens
	PeriodKey string      `json:"period_key,omitempty"` // the UTC day or month: "2026-11-23", "2026-11"
	Limit     json.Number `json:"limit"`
	Usage     json.Number `json:"usage"`
	Reserved  json.Number `json:"reserved,omitempty"`
	Threshold float64     `json:"threshold,omitempty"` // share of the limit that is announced, 0..1
	ResetsAt  *time.Time  `json:"resets_at,omitempty"`
}

// BudgetChange is the data of budget.changed.
type BudgetChange struct {
	memory.Scope
}

// JobCall is the data of job.due.
type JobCall struct {
	JobID memory.ID `json:"job_id"`
	Kind  string    `json:"kind"`
}

// Tick is the data of drain.due, maintenance.due and reflection.due. Empty fields narrow nothing.
type Tick struct {
	Tenant  string `json:"tenant_id,omitempty"`
	Project string `json:"project_id,omitempty"` // only together with Tenant
}

// Embedded asks the store function to attach a vector.
func Embedded(e Embedding, at time.Time) (outbox.Record, error) {
	return record(MemoryEmbedded, e.Scope, string(e.MemoryID), at, e)
}

// Due announces that it is time for the work of a clock event: [DrainDue], [MaintenanceDue] or [ReflectionDue].
func Due(eventType string, t Tick, at time.Time) (outbox.Record, error) {
	if entry, ok := entryOf(eventType); !ok || entry.Scope != Unscoped {
		return outbox.Record{}, fault.New(fault.Invalid, "%q is no clock event", eventType)
	}
	return record(eventType, memory.Scope{Tenant: t.Tenant, Project: t.Project}, "", at, t)
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
