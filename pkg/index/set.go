package index

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// Set holds the indexes of the scopes in use and lets go of the least recently used when they outgrow MaxBytes.
type Set struct {
	Feed     memory.Feed
	Model    string           // id of the embedding model whose vectors are followed, unless ModelOf says otherwise
	MaxBytes int64            // rough memory bound over all scopes; 0 = 1 GiB
	Clock    func() time.Time // nil = time.Now

	// Language says how a scope's memories and the questions to it become terms; nil = all English. Its answer for a
	// scope must not change while the set is in use.
	Language func(memory.Scope) text.Language

	// ModelOf tells which model's vectors are followed in a scope now; nil = Model in all. When its answer changes, the
	// scope's vectors are read anew, while searches by the model before are still answered.
	ModelOf func(context.Context, memory.Scope) (string, error)

	mu      sync.Mutex
	scopes  map[memory.Scope]*list.Element
	recent  list.List // of *held, most recent first
	scratch sync.Pool
}

// held is a scope with its place in the order of use. load serialises catching up, moving the change of its model.
type held struct {
	scope  memory.Scope
	load   sync.Mutex
	moving sync.Mutex
	index  *scope
}

// feedPage is how many changes are read at once while catching up.
const feedPage = 2000

// NewSet returns an empty set that follows feed.
func NewSet(feed memory.Feed, model string) *Set {
	s := &Set{Feed: feed, Model: model, scopes: map[memory.Scope]*list.Element{}}
	s.scratch.New = func() any { return new(scratch) }
	return s
}

func (s *Set) now() time.Time {
	if s.Clock != nil {
		return s.Clock()
	}
	return time.Now()
}

func (s *Set) language(of memory.Scope) text.Language {
	if s.Language != nil {
		return s.Language(of)
	}
	return text.English
}

// hold returns the scope's index, making an empty one when it is not held.
func (s *Set) hold(scope memory.Scope, model string) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	if element, ok := s.scopes[scope]; ok {
		s.recent.MoveToFront(element)
		return element.Value.(*held)
	}
	h := &held{scope: scope, index: newScope(s.language(scope))}
	h.index.model = model
	s.scopes[scope] = s.recent.PushFront(h)
	return h
}

// CatchUp applies every change committed before the call to the scope's index and returns the number of the last.
func (s *Set) CatchUp(ctx context.Context, scope memory.Scope) (memory.Seq, error) {
	head, err := s.Feed.Head(ctx, scope)
	if err != nil {
		return 0, fmt.Errorf("read head of %s: %w", scope, err)
	}
	if head == 0 { // nothing was ever written: nothing to hold
		s.Forget(scope)
		return 0, nil
	}
	model, err := s.modelOf(ctx, scope)
	if err != nil {
		return 0, fmt.Errorf("read the embedding model of %s: %w", scope, err)
	}
	h := s.hold(scope, model)
	if err := s.move(ctx, h, model); err != nil {
		return 0, err
	}
	if h.index.at() == head {
		return head, nil
	}
	h.load.Lock()
	defer h.load.Unlock()
	if h.index.at() > head { // others may have followed it farther while we waited
		if head, err = s.Feed.Head(ctx, scope); err != nil {
			return 0, fmt.Errorf("read head of %s: %w", scope, err)
		}
	}
	return s.follow(ctx, h, head)
}

// follow reads the feed up to head. The caller holds load.
func (s *Set) follow(ctx context.Context, h *held, head memory.Seq) (memory.Seq, error) {
	scope, from := h.scope, h.index.from()
	if h.index.at() > head || h.index.stale() { // the store is an older one, restored; or it is mostly dead weight
		from = h.index.begin()
	}
	seq := h.index.at()
	var next <-chan page
	if seq < head {
		next = s.page(ctx, h, from)
	}
	for seq < head {
		page := <-next
		if page.err != nil {
			return 0, fmt.Errorf("follow %s from %d: %w", scope, seq, page.err)
		}
		if h.index.denied(page.changes) { // another history than the one followed so far
			seq = h.index.begin()
			next = s.page(ctx, h, seq)
			continue
		}
		last := len(page.changes) < feedPage
		if last {
			seq = max(seq, head)
		}
		if n := len(page.changes); n > 0 {
			seq = max(seq, page.changes[n-1].Seq)
		}
		if seq < head {
			next = s.page(ctx, h, seq) // read while this one is applied
		}
		h.index.take(page.changes, seq)
	}
	s.evict(h)
	return seq, nil
}

// page is some changes of a feed, or why there are none.
type page struct {
	changes []memory.Change
	err     error
}

// page starts to read the changes after seq; the answer waits in the channel.
func (s *Set) page(ctx context.Context, h *held, after memory.Seq) <-chan page {
	answer := make(chan page, 1)
	model := h.index.follows()
	go func() {
		changes, err := s.Feed.Changes(ctx, h.scope, model, after, feedPage)
		answer <- page{changes, err}
	}()
	return answer
}

// take applies changes and notes that everything up to seq is known.
func (s *scope) take(changes []memory.Change, seq memory.Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range changes {
		s.apply(&changes[i])
	}
	s.settle()
	s.seq = max(s.seq, seq)
	if n := len(changes); n > 0 {
		s.witness = witnessOf(&changes[n-1])
	}
}

// Refresh catches up a scope that is held; one that nobody searches is left alone.
func (s *Set) Refresh(ctx context.Context, scope memory.Scope) error {
	s.mu.Lock()
	_, ok := s.scopes[scope]
	s.mu.Unlock()
	if !ok {
		return nil
	}
	_, err := s.CatchUp(ctx, scope)
	return err
}

// Forget drops what is held of the scope.
func (s *Set) Forget(scope memory.Scope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if element, ok := s.scopes[scope]; ok {
		s.recent.Remove(element)
		delete(s.scopes, scope)
	}
}

// ForgetTenant drops what is held of every project of the tenant and returns how many there were.
func (s *Set) ForgetTenant(tenant string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	dropped := 0
	for scope, element := range s.scopes {
		if scope.Tenant == tenant {
			s.recent.Remove(element)
			delete(s.scopes, scope)
			dropped++
		}
	}
	return dropped
}

// evict lets go of the least recently used scopes, never of the one just used.
func (s *Set) evict(used *held) {
	limit := s.MaxBytes
	if limit == 0 {
		limit = 1 << 30
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	total := int64(0)
	for element := s.recent.Front(); element != nil; {
		next := element.Next()
		h := element.Value.(*held)
		h.index.mu.RLock()
		total += h.index.bytes
		h.index.mu.RUnlock()
		if total > limit && h != used {
			s.recent.Remove(element)
			delete(s.scopes, h.scope)
		}
		element = next
	}
}

// read locks the scope's index for reading. A leg reads what CatchUp last made of it; a scope that is not held (it was
// evicted meanwhile) is caught up first. Who has gone away reads nothing.
func (s *Set) read(ctx context.Context, of memory.Scope) (*scope, func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	element, ok := s.scopes[of]
	s.mu.Unlock()
	var h *held
	if ok {
		h = element.Value.(*held)
	} else {
		if _, err := s.CatchUp(ctx, of); err != nil {
			return nil, nil, err
		}
		model, err := s.modelOf(ctx, of)
		if err != nil {
			return nil, nil, err
		}
		h = s.hold(of, model)
	}
	h.index.mu.RLock()
	return h.index, h.index.mu.RUnlock, nil
}

// stale reports whether so much of the index is deleted that reading the scope anew is cheaper than carrying it.
func (s *scope) stale() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	const worthwhile = 10_000
	return len(s.entries) > worthwhile && len(s.byID) < len(s.entries)/2
}

// reset forgets everything. The caller holds mu.
func (s *scope) reset() {
	fresh := newScope(s.language)
	s.seq, s.entries, s.byID = 0, nil, fresh.byID
	s.names, s.nameOf = fresh.names, fresh.nameOf
	s.terms, s.termOf, s.postings, s.documents = fresh.terms, fresh.termOf, fresh.postings, fresh.documents
	s.current, s.length, s.sessions, s.unsettled = 0, 0, fresh.sessions, fresh.unsettled
	s.graph, s.vectors, s.before, s.bytes, s.witness = fresh.graph, vectors{}, left{}, 0, witness{}
}
