package memory

import (
	"slices"
	"time"
)

// Filter selects memories. Empty fields do not restrict; values of one list are alternatives (layers, users) except
// Tags and Metadata, which must all match.
type Filter struct {
	Layers        []Layer    `json:"layers,omitempty"`
	Tags          []string   `json:"tags,omitempty"`
	Metadata      Metadata   `json:"metadata,omitempty"` // equality per key
	UserID        string     `json:"user_id,omitempty"`
	AgentID       string     `json:"agent_id,omitempty"`
	SessionID     string     `json:"session_id,omitempty"`
	Since         *time.Time `json:"since,omitempty"` // occurred_at, or created_at where that is unknown, >= since
	Until         *time.Time `json:"until,omitempty"` // … < until
	MinImportance float64    `json:"min_importance,omitempty"`
	Archived      Archived   `json:"archived,omitempty" enum:"include,only" doc:"Find what is archived, too, or only that. Left out: it is not found."`
}

// Archived says what becomes of archived memories under a filter.
type Archived string

const (
	WithoutArchived Archived = ""        // they don't pass
	WithArchived    Archived = "include" // they pass like others
	OnlyArchived    Archived = "only"    // nothing else passes
)

// Valid reports whether a is one of the three.
func (a Archived) Valid() bool { return a == WithoutArchived || a == WithArchived || a == OnlyArchived }

// Passes reports whether a memory that is archived, or is not, passes.
func (a Archived) Passes(archived bool) bool {
	return a == WithArchived || archived == (a == OnlyArchived)
}

// Empty reports whether the filter restricts nothing. That archived memories don't pass is no restriction of its own.
func (f *Filter) Empty() bool {
	return len(f.Layers) == 0 && len(f.Tags) == 0 && len(f.Metadata) == 0 && f.UserID == "" && f.AgentID == "" &&
		f.SessionID == "" && f.Since == nil && f.Until == nil && f.MinImportance == 0 &&
		f.Archived != OnlyArchived
}

// Match reports whether m passes. Stores may push parts of it into SQL; this is the meaning they must keep.
func (f *Filter) Match(m *Memory) bool {
	if len(f.Layers) > 0 && !slices.Contains(f.Layers, m.Layer) {
		return false
	}
	for _, tag := range f.Tags {
		if !slices.Contains(m.Tags, tag) {
			return false
		}
	}
	for key, want := range f.Metadata {
		got, ok := m.Metadata[key]
		if !ok || !SameJSON(got, want) {
			return false
		}
	}
	if f.UserID != "" && f.UserID != m.UserID ||
		f.AgentID != "" && f.AgentID != m.AgentID ||
		f.SessionID != "" && f.SessionID != m.SessionID ||
		m.Importance < f.MinImportance || !f.Archived.Passes(m.ArchivedAt != nil) {
		return false
	}
	when := m.When()
	return (f.Since == nil || !when.Before(*f.Since)) && (f.Until == nil || when.Before(*f.Until))
}

// When is the time a memory is filed under: when it happened, or, where nobody said, when it was stored.
func (m *Memory) When() time.Time {
	if m.OccurredAt != nil {
		return *m.OccurredAt
	}
	return m.CreatedAt
}
