package index

import (
	"github.com/rae-memory/rae/pkg/memory"
)

// witness is the last change an index applied. A store that was put back to an older state and written to since may have
// come past the number up to which an index has followed; that its history is another one shows in the change of the
// witness' number, which is then of something else.
type witness struct {
	seq     memory.Seq // 0: none
	id      memory.ID
	version int
	gone    bool
}

func witnessOf(c *memory.Change) witness {
	return witness{c.Seq, c.Version.ID, c.Version.Memory.Version, c.Gone || c.Reset}
}

// at is the number up to which the index has followed.
func (s *scope) at() memory.Seq {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.seq
}

// from is where to read on so that the witness is seen again, if nothing has happened to it. Never 0: who asks from there
// is told of no erasure.
func (s *scope) from() memory.Seq {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.witness.seq > 1 {
		return s.witness.seq - 1
	}
	return s.seq
}

// denied reports whether the changes hold another one under the witness' number. A memory that has expired since is told
// as gone.
func (s *scope) denied(changes []memory.Change) bool {
	if len(changes) == 0 {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	first := witnessOf(&changes[0])
	if s.witness.seq == 0 || first.seq != s.witness.seq || first == s.witness {
		return false
	}
	return first.id != s.witness.id || !first.gone
}

// begin forgets everything and returns where to begin.
func (s *scope) begin() memory.Seq {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reset()
	return 0
}
