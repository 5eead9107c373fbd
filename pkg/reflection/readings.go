package reflection

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Reading is how far a memory has been read: of which version, and by what.
type Reading struct {
	Memory  memory.ID
	Version int    // of the memory; >= 1
	Edition string // of what has read it, "" = it waits
}

// Fresh are the first of the memories that neither wait nor have been read, no more than there is room for, and how many have
// been dealt with thereby. standing is the version that does, 0 for none.
func (w *Waiting) Fresh(room int, standing func(memory.ID) int) (fresh []Reading, dealt int) {
	seen := map[memory.ID]int{}
	for _, m := range w.Memories {
		if max(standing(m.Memory), seen[m.Memory]) < m.Version {
			if len(fresh) == room {
				return fresh, dealt
			}
			seen[m.Memory] = m.Version
			fresh = append(fresh, m)
		}
		dealt++
	}
	return fresh, dealt
}

// Waiting is memories of one owner that wait to be read together.
type Waiting struct {
	Owner    string    // whose they are, 1..64 bytes
	Memories []Reading // without an edition
	Full     int       // with so many waiting, their reflection is due at once; at least 1
}

// Readings remembers which memories have been read, and which wait for it.
type Readings interface {
	// Await has memories wait for a reflection of the owner that is still queued and not full, or else for next, which is
	// created. One of which this version or a later one waits or has been read waits no more for that. It returns how many,
	// from the first on, it has dealt with: no more wait for one reflection than make it full. The records are written when it
	// becomes full, and due thereby.
	Await(ctx context.Context, scope memory.Scope, w Waiting, next Reflection, records ...outbox.Record) (dealt int, err error)
	// Assigned are the memories that wait for the reflection, by id.
	Assigned(ctx context.Context, scope memory.Scope, reflection memory.ID) ([]Reading, error)
	// Read are the readings there are of the memories, by id, those that wait among them.
	Read(ctx context.Context, scope memory.Scope, ids []memory.ID) ([]Reading, error)
	// MarkRead keeps readings, unless there is one of a later version.
	MarkRead(ctx context.Context, scope memory.Scope, all []Reading) error
	// Unmark forgets what there is of a memory.
	Unmark(ctx context.Context, scope memory.Scope, id memory.ID) error
}
