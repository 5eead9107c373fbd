package knowledge

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// ID is the id of the record's fact, "" of none.
func (r *Record) ID() memory.ID {
	if len(r.Versions) == 0 {
		return ""
	}
	return r.Versions[0].ID
}

// Current is the newest version. There must be one.
func (r *Record) Current() *Fact { return &r.Versions[len(r.Versions)-1] }

// Of returns the evidence of the memory; nil when it gives none.
func (r *Record) Of(id memory.ID) *Evidence {
	for i := range r.Evidence {
		if r.Evidence[i].MemoryID == id {
			return &r.Evidence[i]
		}
	}
	return nil
}

// Sort puts evidence in its order.
func (r *Record) Sort() {
	slices.SortFunc(r.Evidence, func(a, b Evidence) int {
		return cmp.Or(a.Told.Compare(b.Told), cmp.Compare(a.MemoryID, b.MemoryID))
	})
}

// In returns the version that the view shows, with its evidence; false when it shows none.
func (r *Record) In(at memory.View) (Fact, bool) {
	for i := len(r.Versions) - 1; i >= 0; i-- {
		if r.Versions[i].In(at) {
			return r.cited(i), true
		}
	}
	return Fact{}, false
}

// History returns every version with its evidence, newest first.
func (r *Record) History() []Fact {
	history := make([]Fact, 0, len(r.Versions))
	for i := len(r.Versions) - 1; i >= 0; i-- {
		history = append(history, r.cited(i))
	}
	return history
}

// cited is the version with the evidence there was of it when the next one was made. What is evidence no more is in none.
func (r *Record) cited(version int) Fact {
	f := r.Versions[version].Clone()
	f.Evidence = []memory.Citation{}
	for i := range r.Evidence {
		if e := &r.Evidence[i]; f.RecordedTo == nil || e.RecordedAt.Before(*f.RecordedTo) {
			f.Evidence = append(f.Evidence, e.Citation)
		}
	}
	f.Evidence = f.Evidence[max(0, len(f.Evidence)-MaxCited):]
	return f
}

// Clone returns a copy that shares nothing with f.
func (f *Fact) Clone() Fact {
	c := *f
	c.Evidence = slices.Clone(f.Evidence)
	for _, t := range [...]**time.Time{&c.ValidFrom, &c.ValidTo, &c.RecordedTo} {
		*t = same(*t)
	}
	return c
}

// Clone returns a copy that shares nothing with r.
func (r *Record) Clone() Record {
	var c Record
	for i := range r.Versions {
		c.Versions = append(c.Versions, r.Versions[i].Clone())
	}
	c.Evidence = slices.Clone(r.Evidence)
	for i := range c.Evidence {
		c.Evidence[i].From, c.Evidence[i].To = same(c.Evidence[i].From), same(c.Evidence[i].To)
	}
	return c
}

// Clone returns a copy that shares nothing with o.
func (o *Operation) Clone() Operation {
	c := *o
	c.Opened, c.Closed = append([]memory.ID{}, o.Opened...), append([]memory.ID{}, o.Closed...)
	c.UndoneAt = same(o.UndoneAt)
	return c
}

func same(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	c := *t
	return &c
}

// Has reports whether the query selects the record. Stores may ask it in SQL; this is the meaning they must keep.
func (q *RecordQuery) Has(scope memory.Scope, r *Record) bool {
	f := r.Current()
	subject, object := f.Keys(scope)
	return slices.Contains(q.IDs, f.ID) ||
		slices.ContainsFunc(q.Slots, func(s Slot) bool {
			return s.UserID == f.UserID && s.Subject == subject && s.Relation == f.Relation && (s.Object == "" || s.Object == object)
		}) ||
		slices.ContainsFunc(r.Evidence, func(e Evidence) bool { return slices.Contains(q.Memories, e.MemoryID) }) ||
		slices.ContainsFunc(r.Versions, func(v Fact) bool { return slices.Contains(q.Operations, v.Operation) })
}

// Keys are the ThingIDs of the subject and the object.
func (f *Fact) Keys(scope memory.Scope) (subject, object string) {
	object = f.Object.ID
	if f.Literal {
		object = ThingID(scope, f.Object.Name)
	}
	return f.Subject.ID, object
}

// Check reports what no store answers: a page of no or too many facts, and too many alternatives.
func (q *FactQuery) Check() error {
	switch {
	case q.Limit < 1 || q.Limit > 1000:
		return fault.BadField("query.limit", "must lie in 1..1000")
	case len(q.Entities) > MaxAsked:
		return fault.BadField("query.entities", "must be at most %d", MaxAsked)
	case len(q.Relations) > MaxAsked:
		return fault.BadField("query.relations", "must be at most %d", MaxAsked)
	}
	return nil
}

// Match reports whether f, a version in the view, with the evidence of its record, is selected.
func (q *FactQuery) Match(f *Fact, of []Evidence) bool {
	about := func(t Thing) bool { return t.ID != "" && slices.Contains(q.Entities, t.ID) }
	return (len(q.Entities) == 0 || about(f.Subject) || about(f.Object)) &&
		(len(q.Relations) == 0 || slices.Contains(q.Relations, f.Relation)) &&
		(q.UserID == "" || q.UserID == f.UserID) &&
		(q.Memory == "" || slices.ContainsFunc(of, func(e Evidence) bool { return e.MemoryID == q.Memory }))
}

// Closing reports whether the operation ended facts, or would have.
func (o *Operation) Closing() bool { return len(o.Closed) > 0 || o.State == Held }

// Cursor is where o stands in a list.
func (o *Operation) Cursor() OperationCursor { return OperationCursor{At: o.At, ID: o.ID} }

// Changes are the rows by which a record differs from what it was.
type Changes struct {
	ID           memory.ID
	GoneVersions []int // by their numbers
	Versions     []Fact
	GoneEvidence []memory.ID
	Evidence     []Evidence
}

// ChangesTo are the rows to remove, and then those to write anew, so that of before there is after.
func (r *Record) ChangesTo(after *Record) Changes {
	c := Changes{ID: cmp.Or(r.ID(), after.ID())}
	versions := map[int]*Fact{}
	for i := range r.Versions {
		versions[r.Versions[i].Version] = &r.Versions[i]
	}
	for i := range after.Versions {
		v := &after.Versions[i]
		if was := versions[v.Version]; was == nil || !reflect.DeepEqual(*was, *v) {
			c.Versions = append(c.Versions, *v)
		}
		delete(versions, v.Version)
	}
	for version := range versions {
		c.GoneVersions = append(c.GoneVersions, version)
	}
	for i := range after.Evidence {
		e := &after.Evidence[i]
		if was := r.Of(e.MemoryID); was == nil || !reflect.DeepEqual(*was, *e) {
			c.Evidence = append(c.Evidence, *e)
		}
	}
	for i := range r.Evidence {
		if id := r.Evidence[i].MemoryID; after.Of(id) == nil {
			c.GoneEvidence = append(c.GoneEvidence, id)
		}
	}
	slices.Sort(c.GoneVersions)
	return c
}

// Gather makes records of their rows: of versions by fact and number, and of the evidence of each fact in its order. Evidence
// without a version is of no fact.
func Gather(versions []Fact, evidence map[memory.ID][]Evidence) []Record {
	var records []Record
	for _, v := range versions {
		if n := len(records); n == 0 || records[n-1].ID() != v.ID {
			records = append(records, Record{Evidence: evidence[v.ID]})
		}
		r := &records[len(records)-1]
		r.Versions = append(r.Versions, v)
	}
	return records
}

// Cite gives versions the evidence there was of them. One of which there is none was forgotten between two questions, and is left
// out.
func Cite(versions []Fact, evidence map[memory.ID][]Evidence) []Fact {
	var cited []Fact
	for i := range versions {
		r := Record{Versions: versions[i : i+1], Evidence: evidence[versions[i].ID]}
		if len(r.Evidence) > 0 {
			cited = append(cited, r.cited(0))
		}
	}
	return cited
}
