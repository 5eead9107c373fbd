package inmem

import (
	"crypto/sha256"
	"slices"
	"sort"
	"time"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

// partition is everything one scope holds. Entries are never changed in place: a change puts a new entry in the map, so
// that taking it back is putting the old one there again.
type partition struct {
	floor, head   memory.Seq // the first change is numbered above the floor, the last one is the head
	entries       map[memory.ID]*entry
	ids           []memory.ID // of entries, ascending
	byFingerprint map[[sha256.Size]byte]memory.ID
	byExternalID  map[string]memory.ID
	feed          []mark // ascending; some are stale, for what they point at has changed again
	answers       map[answerKey]answer
	consumed      map[consumedKey]time.Time
	facts         map[memory.ID]knowledge.Record
	operations    map[memory.ID]knowledge.Operation
}

// entry is one memory: its versions, oldest first, and the vectors of the last.
type entry struct {
	versions []version
	vectors  map[string][]float32 // by model
}

// version is one version and the change that made it what it is.
type version struct {
	memory.Version
	seq memory.Seq
}

// mark is one place in the feed.
type mark struct {
	seq     memory.Seq
	id      memory.ID
	version int // 0: the memory is gone
}

type answerKey struct{ route, key string }

type answer struct {
	fingerprint string
	body        []byte
	at          time.Time
}

type consumedKey struct{ consumer, source, event string }

func newPartition(floor memory.Seq) *partition {
	return &partition{
		floor:         floor,
		head:          floor,
		entries:       make(map[memory.ID]*entry),
		byFingerprint: make(map[[sha256.Size]byte]memory.ID),
		byExternalID:  make(map[string]memory.ID),
		answers:       make(map[answerKey]answer),
		consumed:      make(map[consumedKey]time.Time),
		facts:         make(map[memory.ID]knowledge.Record),
		operations:    make(map[memory.ID]knowledge.Operation),
	}
}

func (e *entry) current() *version { return &e.versions[len(e.versions)-1] }

func (e *entry) expired(now time.Time) bool { return e.current().Expired(now) }

// in returns the version the view shows; nil when it shows none.
func (e *entry) in(at memory.View) *memory.Version {
	shown := &e.current().Version
	if at.KnownAt != nil {
		shown = nil
		for i := range e.versions {
			if e.versions[i].KnownAt(*at.KnownAt) {
				shown = &e.versions[i].Version
			}
		}
	}
	if shown == nil || at.AsOf != nil && !shown.TrueAt(*at.AsOf) {
		return nil
	}
	return shown
}

// partition returns the scope's partition, making it when this is its first write.
func (d *DB) partition(u *undo, scope memory.Scope) *partition {
	p, ok := d.scopes[scope]
	if !ok {
		p = newPartition(d.erased)
		set(u, d.scopes, scope, p)
	}
	return p
}

// next numbers one change and puts it on the feed.
func (p *partition) next(u *undo, id memory.ID, version int) memory.Seq {
	p.head++
	p.feed = append(p.feed, mark{seq: p.head, id: id, version: version})
	u.add(func() {
		p.head--
		p.feed = p.feed[:len(p.feed)-1]
	})
	return p.head
}

// put makes e the entry of the id and keeps the indexes right.
func (p *partition) put(u *undo, id memory.ID, e *entry) {
	if old, ok := p.entries[id]; ok {
		p.forget(u, &old.current().Memory)
	} else {
		p.insertID(id)
		u.add(func() { p.removeID(id) })
	}
	set(u, p.entries, id, e)
	m := &e.current().Memory
	set(u, p.byFingerprint, m.Fingerprint(), id)
	if m.ExternalID != "" {
		set(u, p.byExternalID, m.ExternalID, id)
	}
}

// remove takes the entry of the id away.
func (p *partition) remove(u *undo, id memory.ID) {
	p.forget(u, &p.entries[id].current().Memory)
	unset(u, p.entries, id)
	p.removeID(id)
	u.add(func() { p.insertID(id) })
}

func (p *partition) forget(u *undo, m *memory.Memory) {
	unset(u, p.byFingerprint, m.Fingerprint())
	if m.ExternalID != "" {
		unset(u, p.byExternalID, m.ExternalID)
	}
}

func (p *partition) insertID(id memory.ID) {
	i, _ := slices.BinarySearch(p.ids, id)
	p.ids = slices.Insert(p.ids, i, id)
}

func (p *partition) removeID(id memory.ID) {
	if i, ok := slices.BinarySearch(p.ids, id); ok {
		p.ids = slices.Delete(p.ids, i, i+1)
	}
}

// after returns the part of the feed behind seq.
func (p *partition) after(seq memory.Seq) []mark {
	return p.feed[sort.Search(len(p.feed), func(i int) bool { return p.feed[i].seq > seq }):]
}

// tidy drops stale marks from the feed.
func (p *partition) tidy() {
	p.feed = slices.DeleteFunc(p.feed, func(k mark) bool { return k.version > 0 && p.at(k) == nil })
}

// at returns the version a mark points at; nil when the mark is stale.
func (p *partition) at(k mark) *version {
	e, ok := p.entries[k.id]
	if !ok || k.version > len(e.versions) || e.versions[k.version-1].seq != k.seq {
		return nil
	}
	return &e.versions[k.version-1]
}
