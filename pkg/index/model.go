package index

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// left are the vectors of the model a scope has been moved from. They are followed no longer, and kept for the searches
// that began before.
type left struct {
	model   string
	vectors vectors
	until   time.Time
}

// leftFor is longer than a search may take.
const leftFor = time.Minute

func (s *Set) modelOf(ctx context.Context, scope memory.Scope) (string, error) {
	if s.ModelOf == nil {
		return s.Model, nil
	}
	return s.ModelOf(ctx, scope)
}

// Holding is the model by which the scope can be searched in this process at once: the one last caught up with, while
// another is still being read; wanted where the scope is not held.
func (s *Set) Holding(scope memory.Scope, wanted string) string {
	s.mu.Lock()
	element, ok := s.scopes[scope]
	s.mu.Unlock()
	if !ok {
		return wanted
	}
	return element.Value.(*held).index.follows()
}

func (s *scope) follows() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.model
}

// space returns the vectors of the model; "" is the one that is followed. The caller holds mu.
func (s *scope) space(model string) (*vectors, error) {
	switch model {
	case "", s.model:
		return &s.vectors, nil
	case s.before.model:
		return &s.before.vectors, nil
	}
	return nil, fault.New(fault.Unavailable, "vectors of %s are not at hand, only those of %s", model, s.model)
}

// embedded is a vector of one version of a memory.
type embedded struct {
	id      memory.ID
	version int
	vector  []float32
}

// move reads the vectors of another model and lets the scope follow that. Searches go on by the old one meanwhile, and
// so does whoever comes while somebody is at it. What is long is read before anybody has to wait.
func (s *Set) move(ctx context.Context, h *held, to string) error {
	h.index.release(s.now())
	if h.index.follows() == to || !h.moving.TryLock() {
		return nil
	}
	defer h.moving.Unlock()
	var read []embedded
	after, err := s.vectorsUpTo(ctx, h, to, 0, &read)
	if err != nil {
		return err
	}
	h.load.Lock()
	defer h.load.Unlock()
	if _, err := s.vectorsUpTo(ctx, h, to, after, &read); err != nil {
		return err
	}
	h.index.exchange(to, read, s.now().Add(leftFor))
	return nil
}

// vectorsUpTo reads vectors of the model from the feed, as far as the index has followed it, and returns how far that is.
func (s *Set) vectorsUpTo(ctx context.Context, h *held, model string, after memory.Seq, read *[]embedded) (memory.Seq, error) {
	for upTo := h.index.at(); after < upTo; {
		changes, err := s.Feed.Changes(ctx, h.scope, model, after, feedPage)
		if err != nil {
			return after, fmt.Errorf("read vectors of %s: %w", h.scope, err)
		}
		for i := range changes {
			switch c := &changes[i]; {
			case c.Reset:
				*read = nil
			case c.Vector != nil:
				*read = append(*read, embedded{c.Version.ID, c.Version.Memory.Version, c.Vector})
			}
		}
		if len(changes) < feedPage {
			return upTo, nil
		}
		after = changes[len(changes)-1].Seq
	}
	return after, nil
}

// exchange puts the vectors of another model in the place of those there are, all at once.
func (s *scope) exchange(model string, read []embedded, keep time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes -= s.before.vectors.bytes()
	s.before = left{model: s.model, vectors: s.vectors, until: keep}
	s.model, s.vectors = model, vectors{}
	for _, e := range read {
		versions := s.byID[e.id]
		if i := slices.IndexFunc(versions, func(n uint32) bool { return s.entries[n].version == e.version }); i >= 0 {
			s.vectors.set(versions[i], e.vector)
		}
	}
	for _, versions := range s.byID {
		s.shareVector(versions)
	}
	s.bytes += s.vectors.bytes()
}

// release forgets the model before when its time has passed.
func (s *scope) release(now time.Time) {
	s.mu.RLock()
	past := s.before.model != "" && !now.Before(s.before.until)
	s.mu.RUnlock()
	if !past {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.before.model != "" && !now.Before(s.before.until) {
		s.bytes -= s.before.vectors.bytes()
		s.before = left{}
	}
}

// bytes is what the vectors take.
func (vs *vectors) bytes() int64 { return int64(4 * vs.dimensions * len(vs.slot)) }
