package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// DefaultImportance is what a memory weighs when nobody says.
const DefaultImportance = 0.5

// Draft is what a caller tells of a memory before it has an id. Only the content is required.
type Draft struct {
	Content    string          `json:"content" minLength:"1" doc:"What is remembered, 1 byte to 1 MiB of UTF-8, stored as it is." example:"Alice prefers window seats on long flights."`
	Layer      memory.Layer    `json:"layer,omitempty" default:"episodic" enum:"sensory,episodic,working,semantic,longterm,reflective" doc:"What kind of remembering this is."`
	Tags       []string        `json:"tags,omitempty" maxItems:"64" doc:"Labels of 1 to 128 characters; repetitions are dropped." example:"[\"travel\",\"preference\"]"`
	Metadata   memory.Metadata `json:"metadata,omitempty" doc:"The caller's own JSON object: at most 256 keys, 64 KiB and 8 levels."`
	Importance *float64        `json:"importance,omitempty" minimum:"0" maximum:"1" default:"0.5" doc:"How much it matters."`
	Source     string          `json:"source,omitempty" maxLength:"256" doc:"Where it comes from: a program, a channel, a document." example:"chat"`
	ExternalID string          `json:"external_id,omitempty" maxLength:"256" doc:"The caller's own key, unique in the project. The same key with other content writes a new version."`
	UserID     string          `json:"user_id,omitempty" maxLength:"256" doc:"User the memory belongs to." example:"alice"`
	AgentID    string          `json:"agent_id,omitempty" maxLength:"256" doc:"Agent the memory belongs to."`
	SessionID  string          `json:"session_id,omitempty" maxLength:"256" doc:"Session the memory belongs to."`
	Entities   []Mention       `json:"entities,omitempty" maxItems:"256" doc:"Things it is about, as names or as objects of name and type."`

	OccurredAt *time.Time `json:"occurred_at,omitempty" doc:"When it happened. Left out when unknown; RAE never invents it." example:"2026-03-01T09:30:00Z"`
	ValidFrom  *time.Time `json:"valid_from,omitempty" doc:"True in the world from this time."`
	ValidTo    *time.Time `json:"valid_to,omitempty" doc:"True in the world until this time, exclusive."`
	ExpiresAt  *time.Time `json:"expires_at,omitempty" doc:"No read shows it from this time on. Must lie in the future."`
	TTLSeconds *int64     `json:"ttl_seconds,omitempty" minimum:"1" maximum:"315360000" doc:"Seconds until it expires, instead of expires_at."`
}

// Mention is an entity as callers write it: a bare name, or an object of name and type.
type Mention memory.Entity

// UnmarshalJSON takes "Alice" as well as {"name": "Alice", "type": "person"}.
func (e *Mention) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '"' {
		*e = Mention{}
		return json.Unmarshal(b, &e.Name)
	}
	if len(b) == 0 || b[0] != '{' {
		return errors.New("must be a name or an object of name and type")
	}
	var named struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&named); err != nil {
		return errors.New("must be a name or an object of name and type")
	}
	*e = Mention(named)
	return nil
}

// memory checks the draft and returns the memory it describes, in the scope, without an id. Fields at fault are
// named with the prefix before them.
func (d *Draft) memory(scope memory.Scope, now time.Time, prefix string) (memory.Memory, error) {
	c := complaints{prefix: prefix}
	m := memory.Memory{
		TenantID: scope.Tenant, ProjectID: scope.Project,
		Content: d.Content, Layer: d.Layer, Metadata: d.Metadata, Importance: DefaultImportance,
		Source: d.Source, ExternalID: d.ExternalID, UserID: d.UserID, AgentID: d.AgentID, SessionID: d.SessionID,
		Embedding: memory.EmbeddingPending,
	}
	if m.Layer == "" {
		m.Layer = memory.Episodic
	}
	if m.Metadata == nil {
		m.Metadata = memory.Metadata{}
	}
	if d.Importance != nil {
		m.Importance = *d.Importance
	}
	c.content("content", m.Content)
	c.layer("layer", m.Layer)
	m.Tags = c.tags("tags", d.Tags)
	c.metadata("metadata", m.Metadata)
	c.importance("importance", m.Importance)
	for _, short := range shortTexts {
		c.name(short.name, *short.of(&m), MaxName)
	}
	m.Entities = c.entities("entities", d.Entities)
	m.OccurredAt = c.when("occurred_at", d.OccurredAt)
	m.ValidFrom = c.when("valid_from", d.ValidFrom)
	m.ValidTo = c.when("valid_to", d.ValidTo)
	c.validTime(&m)
	m.ExpiresAt = c.expiry(d.ExpiresAt, d.TTLSeconds, now)
	return m, c.err()
}

// shortTexts is the table of a memory's short texts, by the names callers know.
var shortTexts = []struct {
	name string
	of   func(*memory.Memory) *string
}{
	{"source", func(m *memory.Memory) *string { return &m.Source }},
	{"external_id", func(m *memory.Memory) *string { return &m.ExternalID }},
	{"user_id", func(m *memory.Memory) *string { return &m.UserID }},
	{"agent_id", func(m *memory.Memory) *string { return &m.AgentID }},
	{"session_id", func(m *memory.Memory) *string { return &m.SessionID }},
}

func (c *complaints) validTime(m *memory.Memory) {
	if m.ValidFrom != nil && m.ValidTo != nil && !m.ValidFrom.Before(*m.ValidTo) {
		c.add("valid_to", "must be after valid_from")
	}
}

// expiry settles the two ways of telling when a memory ends.
func (c *complaints) expiry(at *time.Time, ttl *int64, now time.Time) *time.Time {
	switch {
	case at != nil && ttl != nil:
		c.add("ttl_seconds", "must not be given together with expires_at")
	case ttl != nil && (*ttl < 1 || *ttl > MaxTTLSeconds):
		c.add("ttl_seconds", "must be between 1 and %d", MaxTTLSeconds)
	case ttl != nil:
		end := now.Add(time.Duration(*ttl) * time.Second)
		return &end
	case at != nil && !at.After(now):
		c.add("expires_at", "must lie in the future")
	case at != nil:
		return c.when("expires_at", at)
	}
	return nil
}
