package ingest

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
)

// Vector is an embedding that somebody made of one version of a memory.
type Vector struct {
	Event    Event
	MemoryID memory.ID
	Version  int
	Vector   memory.Vector
}

// Attach gives a memory the vector its event brought, once. attached is false, and nothing is wrong, when the event
// was taken before or the memory is gone or has moved on.
func (s *Service) Attach(ctx context.Context, scope memory.Scope, v Vector) (attached bool, err error) {
	c := complaints{prefix: "data."}
	id, ok := memory.ParseID(string(v.MemoryID))
	if !ok {
		c.add("memory_id", "must be a UUID")
	}
	if v.Version < 1 {
		c.add("version", "must be at least 1")
	}
	if v.Vector.Model == "" {
		c.add("model", "must not be empty")
	}
	c.name("model", v.Vector.Model, MaxName)
	if len(v.Vector.Values) > maxDimensions || !directed(v.Vector.Values) {
		c.add("vector", "must be 1 to %d finite numbers, not all of them zero", maxDimensions)
	}
	if err := c.err(); err != nil {
		return false, err
	}
	err = s.write(ctx, scope, func(tx memory.Tx) error {
		attached = false
		taken, err := tx.Once(ctx, consumer, v.Event.Source, v.Event.ID)
		if err != nil || !taken {
			return err
		}
		attached, err = tx.Attach(ctx, id, v.Version, v.Vector)
		return err
	})
	return attached && err == nil, err
}
