package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Change is one member of a merge patch (RFC 7396): absent keeps, null clears, a value sets.
type Change[T any] struct {
	Present bool
	Null    bool
	Value   T
}

// UnmarshalJSON is called for every member that is present, null included.
func (c *Change[T]) UnmarshalJSON(b []byte) error {
	*c = Change[T]{Present: true, Null: bytes.Equal(bytes.TrimSpace(b), []byte("null"))}
	if c.Null {
		return nil
	}
	return json.Unmarshal(b, &c.Value)
}

// MarshalJSON writes null for a cleared member; absent ones are left out by the omitzero of the field.
func (c Change[T]) MarshalJSON() ([]byte, error) {
	if c.Null || !c.Present {
		return []byte("null"), nil
	}
	return json.Marshal(c.Value)
}

// holds is the type of the value, for messages about wrong ones.
func (c *Change[T]) holds() reflect.Type { return reflect.TypeFor[T]() }

// Patch changes some fields of a memory. Metadata is merged by key, as RFC 7396 does with objects; lists are
// replaced whole. Clearing layer or importance sets its default; content cannot be cleared.
type Patch struct {
	Content    Change[string]          `json:"content,omitzero"`
	Layer      Change[memory.Layer]    `json:"layer,omitzero"`
	Tags       Change[[]string]        `json:"tags,omitzero"`
	Metadata   Change[memory.Metadata] `json:"metadata,omitzero"`
	Importance Change[float64]         `json:"importance,omitzero"`
	Source     Change[string]          `json:"source,omitzero"`
	ExternalID Change[string]          `json:"external_id,omitzero"`
	UserID     Change[string]          `json:"user_id,omitzero"`
	AgentID    Change[string]          `json:"agent_id,omitzero"`
	SessionID  Change[string]          `json:"session_id,omitzero"`
	Entities   Change[[]Mention]       `json:"entities,omitzero"`
	OccurredAt Change[time.Time]       `json:"occurred_at,omitzero"`
	ValidFrom  Change[time.Time]       `json:"valid_from,omitzero"`
	ValidTo    Change[time.Time]       `json:"valid_to,omitzero"`
	ExpiresAt  Change[time.Time]       `json:"expires_at,omitzero"`
	TTLSeconds Change[int64]           `json:"ttl_seconds,omitzero"`
}

// ParsePatch reads a patch from JSON, strictly. Errors name places with the prefix before them.
func ParsePatch(data []byte, prefix string) (Patch, error) {
	var p Patch
	err := decode(data, &p, prefix)
	return p, err
}

// Patch changes a standing memory and returns it as it stands afterwards; a patch that changes nothing writes no
// version. expected, when not 0, is the version the caller saw: Conflict when the memory has moved on. New content
// is embedded again. A repetition with the same key is answered as by Put.
func (s *Service) Patch(ctx context.Context, scope memory.Scope, id memory.ID, p Patch, expected int, key memory.Key, why memory.Why) (memory.Memory, bool, error) {
	now := s.now()
	// What is wrong by itself is told before anything is looked up, whatever stands.
	if _, err := p.apply(memory.Memory{Content: "x", Layer: memory.Episodic}, now, "body."); err != nil {
		return memory.Memory{}, false, err
	}
	var vector []memory.Vector
	var changed memory.Memory
	kept, replayed, err := once(ctx, s, scope, key, func() error {
		standing, err := s.Get(ctx, scope, id, memory.View{})
		if err != nil {
			return err
		}
		next, err := p.apply(standing, now, "body.")
		if err != nil || next.Content == standing.Content {
			return err
		}
		vectors, err := s.embed(ctx, scope, []string{next.Content})
		if err == nil {
			vector = vectors[0]
		}
		return err
	}, func(tx memory.Tx) (memory.Memory, error) {
		var err error
		changed, err = p.write(ctx, tx, id, now, expected, vector, why)
		return wordless(&changed), err
	})
	if err != nil {
		return memory.Memory{}, false, err
	}
	if replayed {
		changed, err = s.recall(ctx, scope, &kept)
	}
	return changed, replayed, err
}

// write changes the memory inside a transaction. vector belongs to the new content, if there is any.
func (p *Patch) write(ctx context.Context, tx memory.Tx, id memory.ID, now time.Time, expected int, vector []memory.Vector, why memory.Why) (memory.Memory, error) {
	standing, err := tx.Get(ctx, id)
	if err != nil {
		return memory.Memory{}, err
	}
	if expected != 0 && standing.Version != expected {
		return memory.Memory{}, fault.New(fault.Conflict, "the memory is at version %d, not %d", standing.Version, expected)
	}
	next, err := p.apply(standing, now, "body.")
	if err != nil || next.SameAs(&standing) {
		return standing, err
	}
	if next.Content == standing.Content {
		return tx.Replace(ctx, next, why)
	}
	return tx.Replace(ctx, next, why, entry(next, vector).Vectors...)
}

// apply returns the memory as the patch makes it. The caller's values are not shared with the result.
func (p *Patch) apply(m memory.Memory, now time.Time, prefix string) (memory.Memory, error) {
	c := complaints{prefix: prefix}
	if p.Content.Present {
		m.Content = p.Content.Value
		if p.Content.Null {
			c.add("content", "must not be null")
		} else {
			c.content("content", m.Content)
		}
	}
	set(&m.Layer, p.Layer, memory.Episodic)
	c.layer("layer", m.Layer)
	if p.Tags.Present {
		m.Tags = c.tags("tags", p.Tags.Value)
	}
	if p.Metadata.Present {
		m.Metadata = merge(m.Metadata, p.Metadata)
		c.metadata("metadata", m.Metadata)
	}
	set(&m.Importance, p.Importance, DefaultImportance)
	c.importance("importance", m.Importance)
	for i, change := range []Change[string]{p.Source, p.ExternalID, p.UserID, p.AgentID, p.SessionID} {
		set(shortTexts[i].of(&m), change, "")
		c.name(shortTexts[i].name, *shortTexts[i].of(&m), MaxName)
	}
	if p.Entities.Present {
		m.Entities = c.entities("entities", p.Entities.Value)
	}
	c.setTime(&m.OccurredAt, "occurred_at", p.OccurredAt)
	c.setTime(&m.ValidFrom, "valid_from", p.ValidFrom)
	c.setTime(&m.ValidTo, "valid_to", p.ValidTo)
	c.validTime(&m)
	if p.ExpiresAt.Present || p.TTLSeconds.Present {
		m.ExpiresAt = c.expiry(p.ExpiresAt.pointer(), p.TTLSeconds.pointer(), now)
	}
	return m, c.err()
}

func (c Change[T]) pointer() *T {
	if !c.Present || c.Null {
		return nil
	}
	return &c.Value
}

func set[T any](field *T, c Change[T], cleared T) {
	switch {
	case c.Null:
		*field = cleared
	case c.Present:
		*field = c.Value
	}
}

func (c *complaints) setTime(field **time.Time, at string, change Change[time.Time]) {
	if change.Present {
		*field = c.when(at, change.pointer())
	}
}

// merge applies a change to the caller's object: null clears it, an object is merged into it.
func merge(into memory.Metadata, change Change[memory.Metadata]) memory.Metadata {
	if change.Null {
		return memory.Metadata{}
	}
	return mergeObject(into, change.Value)
}

// mergeObject is RFC 7396 for two objects; neither is changed.
func mergeObject(into, patch map[string]any) map[string]any {
	merged := make(map[string]any, len(into)+len(patch))
	for key, v := range into {
		merged[key] = v
	}
	for key, v := range patch {
		inner, isObject := v.(map[string]any)
		switch {
		case v == nil:
			delete(merged, key)
		case isObject:
			standing, _ := merged[key].(map[string]any)
			merged[key] = mergeObject(standing, inner)
		default:
			merged[key] = v
		}
	}
	return merged
}
