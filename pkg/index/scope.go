package index

import (
	"cmp"
	"slices"
	"sync"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/text"
)

// posting is one entry that holds a term, and how often.
type posting struct {
	entry uint32
	count uint32
}

// scope is the index of one tenant's project. Writers hold mu; searches hold it for reading.
type scope struct {
	language text.Language

	mu      sync.RWMutex
	seq     memory.Seq
	entries []entry
	byID    map[memory.ID][]uint32 // versions, oldest first

	names     map[string]uint32 // users, agents, sessions, tags
	nameOf    []string
	terms     map[string]uint32 // vocabulary; ids start at 1
	termOf    []string
	postings  [][]posting         // by term id
	documents []int32             // by term id: how many current entries hold it
	current   int                 // current entries
	length    int                 // their terms, for the average
	sessions  map[uint32][]uint32 // current entries in order, once settled
	unsettled map[uint32]struct{}
	graph     graph
	model     string // whose vectors are followed
	vectors   vectors
	before    left    // the model before, see model.go
	witness   witness // the last change that was applied
	bytes     int64   // rough size, for eviction
}

func newScope(language text.Language) *scope {
	return &scope{
		language: language,
		byID:     map[memory.ID][]uint32{}, names: map[string]uint32{}, nameOf: []string{""},
		terms: map[string]uint32{}, termOf: []string{""}, postings: make([][]posting, 1), documents: make([]int32, 1),
		sessions: map[uint32][]uint32{}, unsettled: map[uint32]struct{}{}, graph: newGraph(),
	}
}

func (s *scope) name(value string) uint32 {
	if value == "" {
		return 0
	}
	id, ok := s.names[value]
	if !ok {
		id = uint32(len(s.nameOf))
		s.names[value] = id
		s.nameOf = append(s.nameOf, value)
	}
	return id
}

func (s *scope) term(value string) uint32 {
	id, ok := s.terms[value]
	if !ok {
		id = uint32(len(s.termOf))
		s.terms[value] = id
		s.termOf = append(s.termOf, value)
		s.postings = append(s.postings, nil)
		s.documents = append(s.documents, 0)
	}
	return id
}

// apply takes one change of the feed. Applying a change twice is harmless.
func (s *scope) apply(c *memory.Change) {
	if c.Reset {
		s.reset()
		s.seq = c.Seq
		return
	}
	defer func() { s.seq = max(s.seq, c.Seq) }()
	id := c.Version.ID
	if c.Gone {
		for _, n := range s.byID[id] {
			s.retire(n)
			s.vectors.drop(n)
			s.before.vectors.drop(n)
			s.entries[n].removed = true
		}
		delete(s.byID, id)
		return
	}
	versions := s.byID[id]
	for _, n := range versions {
		e := &s.entries[n]
		switch {
		case e.version == c.Version.Version:
			e.archived = micros(c.Version.ArchivedAt, never)
			if c.Vector != nil {
				s.vectors.set(n, c.Vector)
				s.shareVector(versions)
			}
			if c.Version.RecordedTo != nil {
				s.retire(n)
				e.recorded.to = c.Version.RecordedTo.UnixMicro()
			}
			return
		case e.version < c.Version.Version && e.current:
			s.retire(n)
			e.recorded.to, e.archived = c.Version.RecordedFrom.UnixMicro(), never
		}
	}
	newest := c.Version.RecordedTo == nil && !slices.ContainsFunc(versions, func(n uint32) bool { return s.entries[n].version > c.Version.Version })
	n := s.add(&c.Version, newest)
	if c.Vector != nil {
		s.vectors.set(n, c.Vector)
		s.bytes += int64(4 * len(c.Vector))
	}
	s.byID[id] = append(versions, n)
	s.shareVector(s.byID[id])
}

// shareVector gives the vector of a memory's newest version to those that said the same and takes it from the others:
// a store keeps a vector as long as its content stands, and an index that was there all along must answer like one that
// begins now.
func (s *scope) shareVector(versions []uint32) {
	if len(versions) < 2 {
		return
	}
	newest := slices.MaxFunc(versions, func(a, b uint32) int { return cmp.Compare(s.entries[a].version, s.entries[b].version) })
	vector := s.vectors.of(newest)
	for _, n := range versions {
		switch {
		case n == newest:
		case vector != nil && s.entries[n].said == s.entries[newest].said:
			s.vectors.set(n, vector)
		default:
			s.vectors.drop(n)
		}
	}
}

// add appends a version and, when it is the newest, counts it in the statistics and seats it in its session.
func (s *scope) add(v *memory.Version, newest bool) uint32 {
	document := relevance.Analyze(&v.Memory, s.language)
	n := uint32(len(s.entries))
	e := entry{
		id: v.ID, version: v.Version, said: contentHash(v.Content), current: newest, layer: v.Layer, weight: v.Importance,
		when: v.When().UnixMicro(), expires: micros(v.ExpiresAt, never),
		archived: micros(v.ArchivedAt, never),
		valid:    interval{micros(v.ValidFrom, always), micros(v.ValidTo, never)},
		recorded: interval{v.RecordedFrom.UnixMicro(), micros(v.RecordedTo, never)},
		user:     s.name(v.UserID), agent: s.name(v.AgentID), session: s.name(v.SessionID), speaker: document.Speaker,
	}
	for _, tag := range v.Tags {
		e.tags = append(e.tags, s.name(tag))
	}
	for key, value := range v.Metadata {
		e.metadata = append(e.metadata, metadataHash(key, value))
	}
	counts := s.intern(&document, &e)
	for term, count := range counts {
		s.postings[term] = append(s.postings[term], posting{n, count})
		if newest {
			s.documents[term]++
		}
	}
	e.entities = s.graph.mention(v.Scope(), document.Entities, n)
	s.entries = append(s.entries, e)
	s.bytes += int64(400 + 4*len(e.tokens) + 8*len(counts) + 8*len(e.metadata))
	if newest {
		s.current++
		s.length += e.length
		s.seat(n)
	}
	return n
}

// intern keeps a document's terms as numbers in e and counts them.
func (s *scope) intern(d *relevance.Document, e *entry) map[uint32]uint32 {
	counts := make(map[uint32]uint32, 16)
	number := func(terms []string) []uint32 {
		if len(terms) == 0 {
			return nil
		}
		numbers := make([]uint32, len(terms))
		for i, term := range terms {
			if term == relevance.SentenceBreak {
				continue // numbers[i] is sentenceBreak
			}
			numbers[i] = s.term(term)
			counts[numbers[i]]++
		}
		return numbers
	}
	e.tokens, e.extra, e.length = number(d.Terms), number(d.Extra), d.Length
	return counts
}

// retire takes an entry out of the statistics and its session. It stays findable for a known_at that still held it.
func (s *scope) retire(n uint32) {
	e := &s.entries[n]
	if !e.current {
		return
	}
	e.current = false
	s.current--
	s.length -= e.length
	seen := make(map[uint32]bool, e.length)
	for _, list := range [][]uint32{e.tokens, e.extra} {
		for _, term := range list {
			if term != sentenceBreak && !seen[term] {
				seen[term] = true
				s.documents[term]--
			}
		}
	}
	if e.session != 0 {
		s.unsettled[e.session] = struct{}{}
	}
}

// seat puts an entry at the end of its session. One that belongs further up leaves the session to settle.
func (s *scope) seat(n uint32) {
	e := &s.entries[n]
	if e.session == 0 {
		return
	}
	seats := s.sessions[e.session]
	if last := len(seats) - 1; last >= 0 && inOrder(e, &s.entries[seats[last]]) < 0 {
		s.unsettled[e.session] = struct{}{}
	}
	e.turn = len(seats)
	s.sessions[e.session] = append(seats, n)
}

// settle brings sessions that changed into order. It is called once for many changes, because putting each in its place would move all behind it.
func (s *scope) settle() {
	for session := range s.unsettled {
		seats := slices.DeleteFunc(s.sessions[session], func(n uint32) bool { return !s.entries[n].current })
		slices.SortFunc(seats, func(a, b uint32) int { return inOrder(&s.entries[a], &s.entries[b]) })
		for turn, n := range seats {
			s.entries[n].turn = turn
		}
		s.sessions[session] = seats
	}
	clear(s.unsettled)
}

// inOrder compares two entries of one session: by when they happened or were stored, then by id.
func inOrder(a, b *entry) int { return cmp.Or(cmp.Compare(a.when, b.when), cmp.Compare(a.id, b.id)) }
