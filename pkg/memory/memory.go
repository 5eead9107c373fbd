// Package memory is the domain: what a memory is, who may see it, when it was true and when RAE knew it, and the
// port every store implements. Package memorytest holds the contract suite of that port.
package memory

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/rae-memory/rae/pkg/fault"
)

// ID is a UUIDv7 in its canonical text form, so ids sort by creation.
type ID string

// NewID returns a fresh id; ids made by one process increase strictly.
func NewID() ID { return ID(uuid.Must(uuid.NewV7()).String()) }

// ParseID accepts any UUID in canonical form.
func ParseID(s string) (ID, bool) {
	u, err := uuid.Parse(s)
	if err != nil || len(s) != 36 {
		return "", false
	}
	return ID(u.String()), true
}

// Scope is the partition a memory lives in. It is always explicit and never ambient: every query, key, event and
// metric that touches memories carries it.
type Scope struct {
	Tenant  string `json:"tenant_id"`
	Project string `json:"project_id"`
}

func (s Scope) String() string { return s.Tenant + "/" + s.Project }

// Check reports what is no scope: names that are no UTF-8 text or contain NUL, and the project "*", by which a store may
// mean all projects of a tenant.
func (s Scope) Check() error {
	switch {
	case !storable(s.Tenant):
		return fault.BadField("tenant_id", notStorable)
	case !storable(s.Project):
		return fault.BadField("project_id", notStorable)
	case s.Project == "*":
		return fault.BadField("project_id", "must not be \"*\"")
	}
	return nil
}

// Layer says what kind of remembering a memory is.
type Layer string

const (
	Sensory    Layer = "sensory"    // raw signals, short-lived
	Episodic   Layer = "episodic"   // what happened, with its time
	Working    Layer = "working"    // what the current task needs
	Semantic   Layer = "semantic"   // facts detached from the episode
	LongTerm   Layer = "longterm"   // consolidated, kept
	Reflective Layer = "reflective" // insights derived from other memories, with citations
)

// Layers lists every layer.
func Layers() []Layer { return []Layer{Sensory, Episodic, Working, Semantic, LongTerm, Reflective} }

// Valid reports whether l is one of the six layers.
func (l Layer) Valid() bool {
	for _, known := range Layers() {
		if l == known {
			return true
		}
	}
	return false
}

// EmbeddingState tells whether a memory already has a vector.
type EmbeddingState string

const (
	EmbeddingReady   EmbeddingState = "ready"
	EmbeddingPending EmbeddingState = "pending" // the embedder was away; the vector follows by event
)

// Entity is a thing a memory is about.
type Entity struct {
	Name string `json:"name"`
	Type string `json:"type,omitempty"` // person, place, organisation, …; free text
}

// Citation points at the bytes of another memory that support this one: content[Start:End].
type Citation struct {
	MemoryID ID  `json:"memory_id"`
	Start    int `json:"start"`
	End      int `json:"end"`
}

// Memory is one stored item as it stands in one version. It crosses the wire as it is.
type Memory struct {
	ID         ID       `json:"id"`
	TenantID   string   `json:"tenant_id"`
	ProjectID  string   `json:"project_id"`
	Content    string   `json:"content"`
	Layer      Layer    `json:"layer"`
	Tags       []string `json:"tags"`
	Metadata   Metadata `json:"metadata"`
	Importance float64  `json:"importance"` // 0..1
	Source     string   `json:"source,omitempty"`
	ExternalID string   `json:"external_id,omitempty"` // the caller's own key, unique in the project
	UserID     string   `json:"user_id,omitempty"`
	AgentID    string   `json:"agent_id,omitempty"`
	SessionID  string   `json:"session_id,omitempty"`
	Entities   []Entity `json:"entities,omitempty"`

	OccurredAt *time.Time `json:"occurred_at,omitempty"` // when it happened; never invented
	ValidFrom  *time.Time `json:"valid_from,omitempty"`  // true in the world from here (nil: always was)
	ValidTo    *time.Time `json:"valid_to,omitempty"`    // until here, exclusive (nil: still is)
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`  // no read shows it from here on

	// An archived memory stands as it is, and is found by nobody who does not ask for what is archived: see Tx.Archive.
	ArchivedAt *time.Time `json:"archived_at,omitempty"`
	ArchivedBy ID         `json:"archived_by,omitempty"` // what archived it: a run of forgetting, a merge

	DerivedFrom []Citation     `json:"derived_from,omitempty"` // what a reflection rests on
	Embedding   EmbeddingState `json:"embedding"`
	// EmbeddingModels names the models it has a vector of, where whoever read it asked: see Modelled.
	EmbeddingModels []string  `json:"embedding_models,omitempty" doc:"Models it has a vector of; told where one memory or a list is read."`
	Version         int       `json:"version"` // 1 at first, +1 with every change
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
}

// Scope returns the partition m lives in.
func (m *Memory) Scope() Scope { return Scope{Tenant: m.TenantID, Project: m.ProjectID} }

// Expired reports whether m must not be shown at now.
func (m *Memory) Expired(now time.Time) bool { return m.ExpiresAt != nil && !now.Before(*m.ExpiresAt) }

// TrueAt reports whether m's valid time covers t: valid_from <= t < valid_to, open ends included.
func (m *Memory) TrueAt(t time.Time) bool {
	return (m.ValidFrom == nil || !t.Before(*m.ValidFrom)) && (m.ValidTo == nil || t.Before(*m.ValidTo))
}

// Fingerprint identifies what dedupe compares: content in one scope (tenant and project are the caller's) with
// user, agent and session, and the two fields that make equal contents different memories, occurred_at and
// external_id. Parts are length-prefixed, so no two lists of parts collide by concatenation.
func (m *Memory) Fingerprint() [sha256.Size]byte {
	occurred := ""
	if m.OccurredAt != nil {
		occurred = m.OccurredAt.UTC().Format(time.RFC3339Nano)
	}
	parts := [...]string{m.UserID, m.AgentID, m.SessionID, m.ExternalID, occurred, m.Content}
	told := make([]byte, 0, len(m.Content)+256)
	for _, part := range parts {
		told = append(append(strconv.AppendInt(told, int64(len(part)), 10), ':'), part...)
	}
	return sha256.Sum256(told)
}

// SameAs reports whether other says the same as m in every field a caller may set: an upsert that changes nothing
// is no new version.
func (m *Memory) SameAs(other *Memory) bool {
	a, b := m.told(), other.told()
	return bytes.Equal(a, b)
}

// told renders the fields a caller may set; encoding/json sorts map keys, so equal fields give equal bytes.
func (m *Memory) told() []byte {
	c := *m
	c.ID, c.Version, c.Embedding, c.EmbeddingModels = "", 0, "", nil
	c.CreatedAt, c.UpdatedAt, c.ArchivedAt, c.ArchivedBy = time.Time{}, time.Time{}, nil, ""
	b, err := json.Marshal(c)
	if err != nil { // metadata came from JSON; anything else is a caller's bug that must not read as "the same"
		return []byte(err.Error())
	}
	return b
}
