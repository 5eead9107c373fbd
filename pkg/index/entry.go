// Package index keeps the search structures of a scope in the process: BM25 postings, token sequences, vectors,
// sessions and entities. It follows a store's change feed, so it needs no events to be current,
// and it is never believed: what it finds is read again from the store.
package index

import (
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// entry is one version of a memory: what filters, views and scoring need, and nothing else.
type entry struct {
	id       memory.ID
	version  int
	said     uint64 // hash of the content
	current  bool   // the newest version of a standing memory
	removed  bool   // deleted, or superseded with nobody left to ask for it
	layer    memory.Layer
	weight   float64 // importance
	when     int64   // times in Unix microseconds, as stores keep them; the sentinels below for open ends
	expires  int64
	archived int64 // never: it is not
	valid    interval
	recorded interval
	user     uint32 // interned; 0 = none
	agent    uint32
	session  uint32
	speaker  string
	tags     []uint32
	metadata []uint64 // hashes of key and canonical value
	entities []uint32
	tokens   []uint32 // content terms in order, sentenceBreak between sentences
	extra    []uint32 // relevance.Document's Extra
	length   int      // relevance.Document's Length
	turn     int      // position in the session while current
}

// interval is half-open, in Unix microseconds, which reach farther than any year RFC 3339 can write.
type interval struct{ from, to int64 }

func (i interval) holds(t int64) bool { return i.from <= t && t < i.to }

const (
	always = math.MinInt64
	never  = math.MaxInt64
)

// sentenceBreak separates sentences in a token sequence; term ids start behind it.
const sentenceBreak = 0

// micros is a time as entries hold it, or what stands for an open end. A time between two microseconds is the earlier
// one: no stored time lies between.
func micros(t *time.Time, open int64) int64 {
	if t == nil {
		return open
	}
	return t.UnixMicro()
}

// bound is a time that stored times are held against from above: the first microsecond not before it.
func bound(t *time.Time, open int64) int64 {
	if t == nil {
		return open
	}
	return t.Add(time.Microsecond - 1).UnixMicro()
}

// metadataHash identifies one key with one value. A collision costs a candidate that the store's own filter drops.
func metadataHash(key string, value any) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	h.Write([]byte{0})
	h.Write(memory.CanonicalJSON(value))
	return h.Sum64()
}

func contentHash(content string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(content))
	return h.Sum64()
}

// lens is a filter and a view made ready for one query over one scope's interned values.
type lens struct {
	filter   *memory.Filter
	now      int64
	asOf     *int64
	knownAt  *int64
	since    int64
	until    int64
	user     uint32
	agent    uint32
	session  uint32
	tags     []uint32
	metadata []uint64
	nothing  bool // the filter names a value this scope has never seen
}

// shows reports whether the query may see e.
func (l *lens) shows(e *entry) bool {
	if e.removed || l.nothing {
		return false
	}
	if l.knownAt == nil {
		if !e.current {
			return false
		}
	} else if !e.recorded.holds(*l.knownAt) {
		return false
	}
	if e.expires <= l.now || l.asOf != nil && !e.valid.holds(*l.asOf) {
		return false
	}
	if archived := e.archived != never && (l.knownAt == nil || e.archived <= *l.knownAt); !l.filter.Archived.Passes(archived) {
		return false
	}
	if e.when < l.since || e.when >= l.until || e.weight < l.filter.MinImportance ||
		l.user != 0 && e.user != l.user || l.agent != 0 && e.agent != l.agent || l.session != 0 && e.session != l.session {
		return false
	}
	if len(l.filter.Layers) > 0 && !slices.Contains(l.filter.Layers, e.layer) {
		return false
	}
	for _, tag := range l.tags {
		if !slices.Contains(e.tags, tag) {
			return false
		}
	}
	for _, pair := range l.metadata {
		if !slices.Contains(e.metadata, pair) {
			return false
		}
	}
	return true
}

// lens prepares q for this scope.
func (s *scope) lens(q *search.Query, now time.Time) *lens {
	l := &lens{filter: &q.Filter, now: now.UnixMicro(), since: bound(q.Filter.Since, always), until: bound(q.Filter.Until, never)}
	if q.View.AsOf != nil {
		t := q.View.AsOf.UnixMicro()
		l.asOf = &t
	}
	if q.View.KnownAt != nil {
		t := q.View.KnownAt.UnixMicro()
		l.knownAt = &t
	}
	lookup := func(value string) uint32 {
		if value == "" {
			return 0
		}
		id, ok := s.names[value]
		if !ok {
			l.nothing = true
		}
		return id
	}
	l.user, l.agent, l.session = lookup(q.Filter.UserID), lookup(q.Filter.AgentID), lookup(q.Filter.SessionID)
	for _, tag := range q.Filter.Tags {
		l.tags = append(l.tags, lookup(tag))
	}
	for key, value := range q.Filter.Metadata {
		l.metadata = append(l.metadata, metadataHash(key, value))
	}
	return l
}
