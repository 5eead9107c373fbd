// Package learn turns statements into facts and decides which of them hold: what is evidence for what, which fact ends which, how
// that is undone, and what is left when a memory goes.
package learn

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

// Learner keeps facts.
type Learner struct {
	Store knowledge.FactStore
	Most  int // how many facts one operation may end; 0 = Most
}

const (
	// Most is how many facts one operation ends unless a Learner says otherwise.
	Most = 10
	// Firm is how sure an extractor must be of a statement for it to end a fact.
	Firm = 0.5
	// batch is how many memories are learned from in one transaction: others wait for it.
	batch = 50
)

// Learned is what became of extractions.
type Learned struct {
	Operations []knowledge.Operation // those that learned something, in the order of the extractions
	Opened     int                   // facts nobody had told
	Confirmed  int                   // facts that got more evidence
	Repeated   int                   // statements that were evidence already
	Closed     int                   // facts that ended
	Dropped    map[Reason]int        // statements that were not learned
}

// Learn makes facts of what was read out of memories. A statement that a standing fact says already is evidence for it; its
// confidence rises. Doing it twice does nothing more. What cannot be learned is counted, and no error. Extractions are taken in
// their order, some in one transaction: what an error ends may have been done in part, and is done to the end by doing all again.
func (l *Learner) Learn(ctx context.Context, scope memory.Scope, read []knowledge.Extraction, why memory.Why) (Learned, error) {
	all := Learned{Dropped: map[Reason]int{}}
	for some := range slices.Chunk(read, batch) {
		var learned Learned
		err := l.Store.Change(ctx, scope, func(tx knowledge.FactTx) (err error) {
			learned, err = l.learn(ctx, tx, scope, some, why)
			return err
		})
		if err != nil {
			return all, fmt.Errorf("learn facts: %w", err)
		}
		all.add(&learned)
	}
	return all, nil
}

func (l *Learned) add(more *Learned) {
	l.Operations = append(l.Operations, more.Operations...)
	l.Opened, l.Confirmed, l.Repeated, l.Closed = l.Opened+more.Opened, l.Confirmed+more.Confirmed, l.Repeated+more.Repeated, l.Closed+more.Closed
	for reason, n := range more.Dropped {
		l.Dropped[reason] += n
	}
}

func (l *Learner) learn(ctx context.Context, tx knowledge.FactTx, scope memory.Scope, read []knowledge.Extraction, why memory.Why) (Learned, error) {
	all := Learned{Dropped: map[Reason]int{}}
	ids := make([]memory.ID, len(read))
	for i := range read {
		ids[i] = read[i].MemoryID
	}
	standing, err := tx.Told(ctx, ids)
	if err != nil {
		return all, err
	}
	known, err := tx.Known(ctx, knowledge.KnownQuery{Memories: ids})
	if err != nil {
		return all, err
	}
	for i := range read {
		x := &read[i]
		at := slices.IndexFunc(standing, func(m memory.Memory) bool { return m.ID == x.MemoryID })
		undone := func(o knowledge.Operation) bool {
			return o.MemoryID == x.MemoryID && o.Version == x.Version && o.State == knowledge.Undone
		}
		switch {
		case at < 0:
			all.Dropped[Gone] += len(x.Statements)
		case standing[at].Version != x.Version:
			all.Dropped[MovedOn] += len(x.Statements)
		case slices.ContainsFunc(known, undone):
			all.Dropped[Undone] += len(x.Statements)
		default:
			r := reading{Extraction: x, from: &standing[at], scope: scope, learned: Learned{Dropped: map[Reason]int{}}}
			r.check()
			if err := l.operate(ctx, tx, &r, known, why); err != nil {
				return all, err
			}
			all.add(&r.learned)
		}
	}
	return all, nil
}

// operate learns what was read out of one memory.
func (l *Learner) operate(ctx context.Context, tx knowledge.FactTx, r *reading, known []knowledge.Operation, why memory.Why) error {
	if len(r.claims) == 0 {
		return nil
	}
	records, err := tx.Records(ctx, knowledge.RecordQuery{Slots: r.slots()})
	if err != nil {
		return err
	}
	o := knowledge.Operation{
		ID: knowledge.OperationID(r.scope, r.MemoryID, r.Version, r.Method, r.Edition), State: knowledge.Done,
		TenantID: r.scope.Tenant, ProjectID: r.scope.Project,
		MemoryID: r.MemoryID, Version: r.Version, Method: r.Method, Edition: r.Edition, Why: why, At: tx.Now(),
	}
	if i := slices.IndexFunc(known, func(k knowledge.Operation) bool { return k.ID == o.ID }); i >= 0 {
		o = known[i] // there is more to be read out of the memory than there was
	}
	b := newBench(r.scope, records)
	mayClose := o.State != knowledge.Held
	opened, confirmed, repeated, closed := r.file(b, o.ID, mayClose, tx.Now())
	switch most := max(l.Most, 0); {
	case most == 0 && len(closed) > Most, most > 0 && len(closed) > most:
		o.State, o.Reason = knowledge.Held, fmt.Sprintf("would have ended %d facts", len(closed))
	case len(closed) > 0 && r.suspicious():
		o.State, o.Reason = knowledge.Held, "reads like an attempt to command"
	}
	if mayClose && (o.State == knowledge.Held || r.suspicious()) {
		b = newBench(r.scope, records)
		opened, confirmed, repeated, closed = r.file(b, o.ID, false, tx.Now())
	}
	r.learned.Opened, r.learned.Confirmed, r.learned.Repeated, r.learned.Closed = len(opened), confirmed, repeated, len(closed)
	if len(opened)+confirmed == 0 {
		return nil
	}
	if err := b.save(ctx, tx); err != nil {
		return err
	}
	o.Opened, o.Closed = union(o.Opened, opened), union(o.Closed, closed)
	r.learned.Operations = []knowledge.Operation{o}
	return tx.Keep(ctx, o)
}

func union(a, b []memory.ID) []memory.ID {
	all := slices.Concat([]memory.ID{}, a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// Undo takes back what an operation learned: its evidence, the facts that rest on nothing else, and every end it brought. Facts
// are as they had been without it, to the byte, where nothing was learned of the same since. Doing it twice does nothing more.
func (l *Learner) Undo(ctx context.Context, scope memory.Scope, id memory.ID) (o knowledge.Operation, err error) {
	err = l.Store.Change(ctx, scope, func(tx knowledge.FactTx) error {
		known, err := tx.Known(ctx, knowledge.KnownQuery{IDs: []memory.ID{id}})
		if err != nil {
			return err
		}
		if len(known) == 0 {
			return fault.New(fault.NotFound, "there is no such operation")
		}
		if o = known[0]; o.State == knowledge.Undone {
			return nil
		}
		if err := withdraw(ctx, tx, scope, nil, []memory.ID{id}); err != nil {
			return err
		}
		now := tx.Now()
		o.State, o.UndoneAt = knowledge.Undone, &now
		return tx.Keep(ctx, o)
	})
	if err != nil {
		return knowledge.Operation{}, fmt.Errorf("undo operation %s: %w", id, err)
	}
	return o, nil
}

// Forget takes away all that was learned from memories which are gone or say something else now. Stores call it in the transaction
// in which that happens.
func Forget(ctx context.Context, tx knowledge.FactTx, scope memory.Scope, memories []memory.ID) error {
	if len(memories) == 0 {
		return nil
	}
	known, err := tx.Known(ctx, knowledge.KnownQuery{Memories: memories}) // there is one for all evidence
	if err != nil || len(known) == 0 {
		return err
	}
	operations := make([]memory.ID, len(known))
	for i := range known {
		operations[i] = known[i].ID
	}
	if err := withdraw(ctx, tx, scope, memories, operations); err != nil {
		return err
	}
	return tx.Drop(ctx, operations)
}

// withdraw takes away evidence of memories and all that operations did, and lets what is left say what it comes to.
func withdraw(ctx context.Context, tx knowledge.FactTx, scope memory.Scope, memories, operations []memory.ID) error {
	records, err := tx.Records(ctx, knowledge.RecordQuery{Memories: memories, Operations: operations})
	if err != nil || len(records) == 0 {
		return err
	}
	b := newBench(scope, records)
	slots := map[knowledge.Slot]bool{}
	for _, w := range b.works {
		slots[w.slot()] = true
		w.withdraw(memories, operations)
	}
	beside, err := tx.Records(ctx, knowledge.RecordQuery{Slots: keys(slots)})
	if err != nil {
		return err
	}
	b.add(beside)
	for slot, group := range b.groups(slots) {
		_, one := canonical(slot.Relation)
		settle(reunite(group, one), one, "", tx.Now())
	}
	return b.save(ctx, tx)
}

// reunite makes one fact of two that say the same, where what came between them is gone.
func reunite(group []*work, one *single) []*work {
	for {
		again := -1
		all := outcomes(group, one)
	search:
		for i := range all {
			for j := range all {
				if a, b := &all[i], &all[j]; i != j && a.reaches(b) {
					a.r.after.Evidence = append(a.r.after.Evidence, b.r.after.Evidence...)
					a.r.after.Sort()
					b.r.after = knowledge.Record{}
					again = j
					break search
				}
			}
		}
		if again < 0 {
			return group
		}
		group = slices.Delete(group, again, again+1)
	}
}

// reaches reports whether b says what a does, from a time on at which a still holds: then it is no other fact.
func (a *outcome) reaches(b *outcome) bool {
	if a.fact.Negated != b.fact.Negated || a.r.object != b.r.object || b.to != nil || b.r.compare(a.r) < 0 {
		return false
	}
	begins := b.r.after.Evidence[0].Told
	if b.from != nil {
		begins = *b.from
	}
	return a.next.ValidTo == nil || begins.Before(*a.next.ValidTo)
}

func keys(slots map[knowledge.Slot]bool) []knowledge.Slot {
	all := make([]knowledge.Slot, 0, len(slots))
	for s := range slots {
		all = append(all, s)
	}
	slices.SortFunc(all, compareSlots)
	return all
}

// reading is an extraction and the memory it was read out of.
type reading struct {
	*knowledge.Extraction
	from    *memory.Memory
	scope   memory.Scope
	claims  []claim
	learned Learned
}

// claim is a statement that can be learned.
type claim struct {
	*knowledge.Statement
	relation string
	one      *single
	subject  string
	objects  []string // ThingIDs: by its name, and by its other names
	from, to *time.Time
}

// check sorts out what cannot be learned.
func (r *reading) check() {
	for i := range r.Statements {
		s := &r.Statements[i]
		reason := check(s, r.from.Content)
		if i >= MaxStatements {
			reason = Surplus
		}
		if reason != "" {
			r.learned.Dropped[reason]++
			continue
		}
		c := claim{Statement: s, subject: knowledge.ThingID(r.scope, s.Subject.Name), from: micros(s.From), to: micros(s.To)}
		c.relation, c.one = canonical(s.Relation)
		for _, name := range append([]string{s.Object.Name}, s.Object.Aliases...) {
			if id := knowledge.ThingID(r.scope, name); id != "" && !slices.Contains(c.objects, id) {
				c.objects = append(c.objects, id)
			}
		}
		r.claims = append(r.claims, c)
	}
}

// micros is t in the precision that stores keep.
func micros(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	whole := t.UTC().Truncate(time.Microsecond)
	return &whole
}

func (r *reading) suspicious() bool { return slices.Contains(r.Flags, "injection") }

// slots are what the claims are about.
func (r *reading) slots() []knowledge.Slot {
	all := map[knowledge.Slot]bool{}
	for i := range r.claims {
		c := &r.claims[i]
		s := knowledge.Slot{UserID: r.from.UserID, Subject: c.subject, Relation: c.relation}
		if c.one != nil {
			all[s] = true
			continue
		}
		for _, s.Object = range c.objects {
			all[s] = true
		}
	}
	return keys(all)
}

// file adds the claims as evidence to the facts on the bench, new ones where none says so, and settles what that touches.
func (r *reading) file(b *bench, operation memory.ID, mayClose bool, now time.Time) (opened []memory.ID, confirmed, repeated int, closed []memory.ID) {
	touched := map[knowledge.Slot]bool{}
	for i := range r.claims {
		c := &r.claims[i]
		w, evidence := r.place(b, c)
		if evidence {
			repeated++
			continue
		}
		if !w.fresh && !w.told {
			confirmed++
		}
		w.told = true
		w.after.Evidence = append(w.after.Evidence, knowledge.Evidence{
			Citation: memory.Citation{MemoryID: r.MemoryID, Start: c.Start, End: c.End}, Version: r.Version, Told: r.from.When(),
			From: c.from, To: c.to, Confidence: c.Confidence, Closes: mayClose && c.Confidence >= Firm, Method: r.Method, Edition: r.Edition,
			Operation: operation,
		})
		w.after.Sort()
		touched[w.slot()] = true
	}
	for slot, group := range b.groups(touched) {
		_, one := canonical(slot.Relation)
		settle(group, one, operation, now)
	}
	for _, w := range b.sorted() {
		switch {
		case w.before.ID() == "":
			opened = append(opened, w.after.ID())
		case w.shorter():
			closed = append(closed, w.after.ID())
		}
	}
	return opened, confirmed, repeated, closed
}

// place finds the fact that a claim is evidence for, and reports whether the memory is evidence for it already.
func (r *reading) place(b *bench, c *claim) (w *work, evidence bool) {
	var says []*work
	object := c.objects[0]
	for _, object = range c.objects {
		if says = b.saying(r.from.UserID, c, object); len(says) > 0 {
			break
		}
	}
	thing := knowledge.Thing{ID: c.objects[0], Name: c.Object.Name, Type: c.Object.Type}
	if len(says) == 0 {
		object = c.objects[0]
	} else {
		thing = says[0].after.Current().Object
	}
	for _, w := range says {
		if w.after.Of(r.MemoryID) != nil {
			return w, true
		}
	}
	at := r.from.When()
	switch {
	case c.from != nil:
		at = *c.from
	case c.to != nil:
		at = *c.to
	}
	for _, w := range says {
		if w.fresh {
			return w, false
		}
		f := w.after.Current()
		over := f.ValidTo != nil && !at.Before(*f.ValidTo)
		if f.ClosedBy == "" && f.ValidTo != nil && c.to != nil && c.to.Equal(*f.ValidTo) {
			over = false // its end is told again
		}
		before := f.ValidFrom != nil && c.to != nil && !c.to.After(*f.ValidFrom)
		if !over && !before {
			return w, false
		}
	}
	return b.open(r.from.UserID, c, object, thing), false
}

// saying are the facts that say what the claim does of the object, by when they were first told.
func (b *bench) saying(user string, c *claim, object string) (says []*work) {
	for _, w := range b.works {
		f := w.after.Current()
		if w.object == object && f.UserID == user && f.Subject.ID == c.subject && f.Relation == c.relation && f.Negated == c.Negated {
			says = append(says, w)
		}
	}
	slices.SortFunc(says, func(a, b *work) int { return a.compare(b) })
	return says
}

// open lays a new fact on the bench.
func (b *bench) open(user string, c *claim, object string, thing knowledge.Thing) *work {
	n := 0
	id := knowledge.FactID(b.scope, user, c.subject, c.relation, object, c.Negated, n)
	for b.works[id] != nil {
		n++
		id = knowledge.FactID(b.scope, user, c.subject, c.relation, object, c.Negated, n)
	}
	f := knowledge.Fact{
		ID: id, TenantID: b.scope.Tenant, ProjectID: b.scope.Project, UserID: user, Kind: c.Kind, Relation: c.relation, Negated: c.Negated,
		Literal: c.Literal, Subject: knowledge.Thing{ID: c.subject, Name: c.Subject.Name, Type: c.Subject.Type},
		Object: thing,
	}
	if f.Object.ID = object; c.Literal {
		f.Object.ID = ""
	}
	w := &work{after: knowledge.Record{Versions: []knowledge.Fact{f}}, object: object, fresh: true}
	b.works[id] = w
	return w
}
