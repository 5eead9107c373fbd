package memory

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Canonical returns m as every store keeps it in the scope, sharing nothing with m: tenant and project are the
// scope's, the layer defaults to Episodic, lists that are absent are empty (tags, metadata) or nil (the others), times
// are UTC in whole microseconds, metadata consists of what JSON decodes to, with numbers as json.Number. What no store
// could keep faithfully is Invalid: text that is not UTF-8 or contains NUL, a name of over MaxName bytes, an unknown
// layer, an importance outside 0..1, a time outside the years 0..9999, metadata that is no JSON. A version is told by
// somebody, and what somebody tells is not archived.
func (m *Memory) Canonical(scope Scope) (Memory, error) {
	c := m.Clone()
	c.TenantID, c.ProjectID = scope.Tenant, scope.Project
	c.ArchivedAt, c.ArchivedBy = nil, ""
	if c.Layer == "" {
		c.Layer = Episodic
	}
	if !c.Layer.Valid() {
		return Memory{}, fault.BadField("layer", "is not one of the six layers")
	}
	if math.IsNaN(c.Importance) || c.Importance < 0 || c.Importance > 1 {
		return Memory{}, fault.BadField("importance", "must lie in 0..1")
	}
	if err := c.checkTexts(); err != nil {
		return Memory{}, err
	}
	var err error
	if c.Metadata, err = c.Metadata.canonical(); err != nil {
		return Memory{}, err
	}
	for _, t := range [...]struct {
		field string
		value **time.Time
	}{{"occurred_at", &c.OccurredAt}, {"valid_from", &c.ValidFrom}, {"valid_to", &c.ValidTo}, {"expires_at", &c.ExpiresAt}} {
		if *t.value == nil {
			continue
		}
		whole := (*t.value).UTC().Truncate(time.Microsecond)
		if whole.Year() < 0 || whole.Year() > 9999 { // JSON has no way to write it
			return Memory{}, fault.BadField(t.field, "must lie in the years 0 to 9999")
		}
		*t.value = &whole
	}
	c.CreatedAt, c.UpdatedAt = c.CreatedAt.UTC().Truncate(time.Microsecond), c.UpdatedAt.UTC().Truncate(time.Microsecond)
	return c, nil
}

// MaxName is how long the names by which memories are found may be, in bytes: a key of a store's index has a limit.
const MaxName = 1024

const notStorable = "must be UTF-8 text without NUL"

// checkTexts finds the text that no store could keep.
func (m *Memory) checkTexts() error {
	for _, name := range [...]struct{ field, value string }{
		{"external_id", m.ExternalID}, {"user_id", m.UserID}, {"agent_id", m.AgentID}, {"session_id", m.SessionID},
	} {
		if !storable(name.value) {
			return fault.BadField(name.field, notStorable)
		}
		if len(name.value) > MaxName {
			return fault.BadField(name.field, "must be at most %d bytes", MaxName)
		}
	}
	for _, text := range [...]struct{ field, value string }{{"content", m.Content}, {"source", m.Source}, {"id", string(m.ID)}} {
		if !storable(text.value) {
			return fault.BadField(text.field, notStorable)
		}
	}
	for _, tag := range m.Tags {
		if !storable(tag) {
			return fault.BadField("tags", notStorable)
		}
	}
	for _, e := range m.Entities {
		if !storable(e.Name) || !storable(e.Type) {
			return fault.BadField("entities", notStorable)
		}
	}
	return nil
}

// Clone returns a copy that shares nothing with m. Lists that are absent come out as Canonical has them.
func (m *Memory) Clone() Memory {
	c := *m
	c.Tags = append(make([]string, 0, len(m.Tags)), m.Tags...)
	c.Metadata = make(Metadata, len(m.Metadata))
	for key, value := range m.Metadata {
		if plain, ok := plainJSON(value); ok {
			value = plain
		}
		c.Metadata[key] = value
	}
	c.Entities, c.DerivedFrom = slices.Clone(m.Entities), slices.Clone(m.DerivedFrom)
	if len(c.Entities) == 0 {
		c.Entities = nil
	}
	if len(c.DerivedFrom) == 0 {
		c.DerivedFrom = nil
	}
	for _, t := range [...]**time.Time{&c.OccurredAt, &c.ValidFrom, &c.ValidTo, &c.ExpiresAt, &c.ArchivedAt} {
		if *t != nil {
			same := **t
			*t = &same
		}
	}
	return c
}

// Announcement is the data of the events memory.stored, memory.updated and memory.deleted. It says which memory, never
// what it says.
type Announcement struct {
	MemoryID  ID             `json:"memory_id"`
	TenantID  string         `json:"tenant_id"`
	ProjectID string         `json:"project_id"`
	Layer     Layer          `json:"layer"`
	Version   int            `json:"version"`
	Embedding EmbeddingState `json:"embedding"`
	SessionID string         `json:"session_id,omitempty"`
	UserID    string         `json:"user_id,omitempty"`
	AgentID   string         `json:"agent_id,omitempty"`
}

// Announce returns the outbox record by which every store announces a change of m.
func (m *Memory) Announce(kind string) outbox.Record {
	data, err := json.Marshal(Announcement{
		MemoryID: m.ID, TenantID: m.TenantID, ProjectID: m.ProjectID, Layer: m.Layer, Version: m.Version,
		Embedding: m.Embedding, SessionID: m.SessionID, UserID: m.UserID, AgentID: m.AgentID,
	})
	if err != nil { // strings and one number: there is nothing to fail
		data = []byte("{}")
	}
	return outbox.Record{Type: kind, Tenant: m.TenantID, Project: m.ProjectID, Subject: string(m.ID), Data: data}
}

// Erasure is the data of the event tenant.erased: whoever holds copies of what was the tenant's has to let go of them.
type Erasure struct {
	TenantID string    `json:"tenant_id"`
	ErasedAt time.Time `json:"erased_at"`
}

// AnnounceErasure returns the outbox record by which every store announces that it has erased a tenant.
func AnnounceErasure(tenant string, at time.Time) outbox.Record {
	data, err := json.Marshal(Erasure{TenantID: tenant, ErasedAt: at.UTC()})
	if err != nil { // a string and a time: there is nothing to fail
		data = []byte("{}")
	}
	return outbox.Record{Type: outbox.TenantErased, Tenant: tenant, Subject: tenant, Data: data, Time: at.UTC()}
}

// canonical returns metadata of what JSON decodes to.
func (m Metadata) canonical() (Metadata, error) {
	plain, ok := plainJSON(map[string]any(m))
	if !ok {
		b, err := json.Marshal(m)
		if err != nil {
			return nil, fault.BadField("metadata", "is not JSON")
		}
		var decoded Metadata
		if err := json.Unmarshal(b, &decoded); err != nil {
			return nil, fault.BadField("metadata", "is not JSON")
		}
		plain = map[string]any(decoded)
	}
	if !storableJSON(plain) {
		return nil, fault.BadField("metadata", notStorable)
	}
	return plain.(map[string]any), nil
}

// storableJSON reports whether every text in a plain value is storable.
func storableJSON(v any) bool {
	switch v := v.(type) {
	case string:
		return storable(v)
	case []any:
		for _, inner := range v {
			if !storableJSON(inner) {
				return false
			}
		}
	case map[string]any:
		for key, inner := range v {
			if !storable(key) || !storableJSON(inner) {
				return false
			}
		}
	}
	return true
}

func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// plainJSON copies a value made of what JSON decodes to, and reports false for one that is not.
func plainJSON(v any) (any, bool) {
	switch v := v.(type) {
	case nil, bool, string, json.Number:
		return v, true
	case []any:
		c := make([]any, len(v))
		for i := range v {
			var ok bool
			if c[i], ok = plainJSON(v[i]); !ok {
				return nil, false
			}
		}
		return c, true
	case map[string]any:
		c := make(map[string]any, len(v))
		for key := range v {
			var ok bool
			if c[key], ok = plainJSON(v[key]); !ok {
				return nil, false
			}
		}
		return c, true
	case Metadata:
		return plainJSON(map[string]any(v))
	}
	return nil, false
}
