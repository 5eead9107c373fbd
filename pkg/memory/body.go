package memory

import (
	"encoding/json"
	"fmt"
	"strings"
)

// body is the part of a memory that no query of a store asks for. Stores keep it as one text.
type body struct {
	Source      string         `json:"source,omitempty"`
	Tags        []string       `json:"tags,omitempty"`
	Metadata    map[string]any `json:"metadata,omitempty"` // not Metadata: one decoder for all
	Entities    []Entity       `json:"entities,omitempty"`
	DerivedFrom []Citation     `json:"derived_from,omitempty"`
}

// EncodeBody renders source, tags, metadata, entities and citations, as JSON; "" when there is nothing in them, as with
// most memories.
func (m *Memory) EncodeBody() (string, error) {
	if m.Source == "" && len(m.Tags) == 0 && len(m.Metadata) == 0 && len(m.Entities) == 0 && len(m.DerivedFrom) == 0 {
		return "", nil
	}
	b, err := json.Marshal(body{m.Source, m.Tags, m.Metadata, m.Entities, m.DerivedFrom})
	if err != nil {
		return "", fmt.Errorf("encode memory %s: %w", m.ID, err)
	}
	return string(b), nil
}

// DecodeBody is EncodeBody backwards. Numbers keep their digits; lists that are absent come out as Canonical has them.
func (m *Memory) DecodeBody(text string) error {
	var b body
	if text != "" {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&b); err != nil {
			return fmt.Errorf("decode memory %s: %w", m.ID, err)
		}
	}
	m.Source, m.Tags, m.Metadata, m.Entities, m.DerivedFrom = b.Source, b.Tags, b.Metadata, b.Entities, b.DerivedFrom
	if m.Tags == nil {
		m.Tags = []string{}
	}
	if m.Metadata == nil {
		m.Metadata = Metadata{}
	}
	return nil
}
