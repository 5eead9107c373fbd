package learn

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

// work is a record that is being changed.
type work struct {
	before, after knowledge.Record
	object        string // ThingID
	fresh         bool   // its one version is a draft
	told          bool   // evidence came
}

// version makes next the newest version, if it says anything else than the one before, or rests on more.
func (w *work) version(next knowledge.Fact, now time.Time) {
	next.Evidence, next.RecordedTo = nil, nil
	if w.fresh {
		next.Version, next.RecordedFrom = 1, now
		w.after.Versions = []knowledge.Fact{next}
	} else {
		current := w.after.Current()
		if !w.told && says(current, &next) {
			return
		}
		at := now
		if earliest := current.RecordedFrom.Add(time.Microsecond); at.Before(earliest) {
			at = earliest
		}
		next.Version, next.RecordedFrom = current.Version+1, at
		current.RecordedTo = &at
		w.after.Versions = append(w.after.Versions, next)
	}
	for i := range w.after.Evidence {
		if e := &w.after.Evidence[i]; e.RecordedAt.IsZero() {
			e.RecordedAt = next.RecordedFrom
		}
	}
	w.fresh, w.told = false, false
}

// says reports whether two versions of a fact say the same.
func says(a, b *knowledge.Fact) bool {
	at := func(a, b *time.Time) bool { return a == nil && b == nil || a != nil && b != nil && a.Equal(*b) }
	return at(a.ValidFrom, b.ValidFrom) && at(a.ValidTo, b.ValidTo) && a.ClosedBy == b.ClosedBy && a.Confidence == b.Confidence &&
		a.Observed.Equal(b.Observed) && a.Method == b.Method && a.Edition == b.Edition
}

// shorter reports whether the fact stood before and now ends, or ends earlier.
func (w *work) shorter() bool {
	if w.before.ID() == "" || w.after.ID() == "" {
		return false
	}
	was, is := w.before.Current().ValidTo, w.after.Current().ValidTo
	return is != nil && (was == nil || is.Before(*was))
}

// withdraw takes away evidence, and the versions that operations made; a fact without evidence is gone.
func (w *work) withdraw(memories, operations []memory.ID) {
	r := &w.after
	r.Evidence = slices.DeleteFunc(r.Evidence, func(e knowledge.Evidence) bool {
		return slices.Contains(memories, e.MemoryID) || slices.Contains(operations, e.Operation)
	})
	if len(r.Evidence) == 0 {
		w.after = knowledge.Record{}
		return
	}
	earliest := r.Evidence[0].RecordedAt
	for i := range r.Evidence {
		if at := r.Evidence[i].RecordedAt; at.Before(earliest) {
			earliest = at
		}
	}
	last := *r.Current()
	r.Versions = slices.DeleteFunc(r.Versions, func(v knowledge.Fact) bool {
		return slices.Contains(operations, v.Operation) || v.RecordedTo != nil && !v.RecordedTo.After(earliest) // nothing is known without evidence
	})
	if len(r.Versions) == 0 { // what it is, is left; since when is told anew
		r.Versions, w.fresh = []knowledge.Fact{last}, true
		return
	}
	if first := &r.Versions[0]; first.RecordedFrom.Before(earliest) {
		first.RecordedFrom = earliest
	}
	for i := range r.Versions {
		r.Versions[i].RecordedTo = nil
		if i+1 < len(r.Versions) {
			ends := r.Versions[i+1].RecordedFrom
			r.Versions[i].RecordedTo = &ends
		}
	}
}

// bench is what one learning works on.
type bench struct {
	scope memory.Scope
	works map[memory.ID]*work
}

func newBench(scope memory.Scope, records []knowledge.Record) *bench {
	b := &bench{scope: scope, works: make(map[memory.ID]*work, len(records))}
	b.add(records)
	return b
}

// add lays records on the bench that are not there.
func (b *bench) add(records []knowledge.Record) {
	for i := range records {
		if _, there := b.works[records[i].ID()]; !there {
			_, object := records[i].Current().Keys(b.scope)
			b.works[records[i].ID()] = &work{before: records[i], after: records[i].Clone(), object: object}
		}
	}
}

// slot is what the fact is settled with: all that its user's memories say of the subject and relation, or, where that has many
// objects, of this object.
func (w *work) slot() knowledge.Slot {
	of := &w.before
	if of.ID() == "" {
		of = &w.after
	}
	f := of.Current()
	s := knowledge.Slot{UserID: f.UserID, Subject: f.Subject.ID, Relation: f.Relation}
	if !SingleValued(f.Relation) {
		s.Object = w.object
	}
	return s
}

// groups are the standing facts of each of the slots, by id.
func (b *bench) groups(slots map[knowledge.Slot]bool) map[knowledge.Slot][]*work {
	groups := map[knowledge.Slot][]*work{}
	for _, w := range b.works {
		if w.after.ID() != "" && slots[w.slot()] {
			groups[w.slot()] = append(groups[w.slot()], w)
		}
	}
	for _, group := range groups {
		slices.SortFunc(group, func(a, b *work) int { return cmp.Compare(a.after.ID(), b.after.ID()) })
	}
	return groups
}

// save writes what has changed, by id.
func (b *bench) save(ctx context.Context, tx knowledge.FactTx) error {
	for _, w := range b.sorted() {
		if err := tx.Save(ctx, w.before, w.after); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) sorted() []*work {
	all := make([]*work, 0, len(b.works))
	for _, w := range b.works {
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b *work) int { return cmp.Compare(a.name(), b.name()) })
	return all
}

func (w *work) name() memory.ID { return cmp.Or(w.before.ID(), w.after.ID()) }

// compare orders records by when they were first told.
func (w *work) compare(other *work) int {
	if len(w.after.Evidence) > 0 && len(other.after.Evidence) > 0 {
		if c := w.after.Evidence[0].Told.Compare(other.after.Evidence[0].Told); c != 0 {
			return c
		}
	}
	return cmp.Compare(w.name(), other.name())
}

func compareSlots(a, b knowledge.Slot) int {
	return cmp.Or(cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Relation, b.Relation), cmp.Compare(a.Object, b.Object))
}
