package knowledge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Partition is who is one with whom: a group for each entity that is not alone. The zero value is everybody alone.
type Partition struct{ of map[string][]string }

// NewPartition returns the groups as they stand.
func NewPartition(groups []Group) *Partition {
	p := &Partition{}
	for _, g := range groups {
		p.set(slices.Clone(g.Members))
	}
	return p
}

// set makes the ids a group, or one id alone. Groups are not changed in place.
func (p *Partition) set(members []string) {
	if p.of == nil {
		p.of = map[string][]string{}
	}
	for _, id := range members {
		if len(members) == 1 {
			delete(p.of, id)
		} else {
			p.of[id] = members
		}
	}
}

// Group is who is one with the id, itself among them, in the order they came; it alone where nobody is.
func (p *Partition) Group(id string) []string {
	if members := p.of[id]; members != nil {
		return members
	}
	return []string{id}
}

// Groups are all, in the order of their canonical ids.
func (p *Partition) Groups() []Group {
	var groups []Group
	for id, members := range p.of {
		if members[0] == id {
			groups = append(groups, Group{slices.Clone(members)})
		}
	}
	slices.SortFunc(groups, func(a, b Group) int { return cmp.Compare(a.Canonical(), b.Canonical()) })
	return groups
}

// apply does what the decision did, on whatever there is now.
func (p *Partition) apply(d *Decision) {
	switch d.Kind {
	case Merged:
		from, into := p.Group(d.From), p.Group(d.Into)
		if from[0] != into[0] {
			p.set(slices.Concat(into, from))
		}
	case Parted:
		for _, id := range d.Members {
			var leave, stay []string
			for _, other := range p.Group(id) {
				if slices.Contains(d.Members, other) {
					leave = append(leave, other)
				} else {
					stay = append(stay, other)
				}
			}
			if len(stay) == 0 {
				continue // alone, or parted from the rest with one before
			}
			slices.SortStableFunc(leave, func(a, b string) int {
				return cmp.Compare(slices.Index(d.Members, a), slices.Index(d.Members, b))
			})
			p.set(leave)
			p.set(stay)
		}
	}
}

// Replay is what the decisions that hold come to. They may be in any order.
func Replay(decisions []Decision) *Partition {
	decisions = slices.Clone(decisions)
	slices.SortFunc(decisions, func(a, b Decision) int { return cmp.Compare(a.Number, b.Number) })
	p := &Partition{}
	for i := range decisions {
		if decisions[i].UndoneAt == nil {
			p.apply(&decisions[i])
		}
	}
	return p
}

// KeepsApart reports whether the decision is one that keeps Members from Rest: a split that holds, a merge that was
// undone.
func (d *Decision) KeepsApart() bool { return (d.Kind == Parted) == (d.UndoneAt == nil) }

// Between reports whether one of a and one of b are on its two sides.
func (d *Decision) Between(a, b []string) bool {
	among := func(side, ids []string) bool {
		return slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(side, id) })
	}
	return among(d.Members, a) && among(d.Rest, b) || among(d.Members, b) && among(d.Rest, a)
}

// Session makes decisions for a store, in one transaction of it: the store reads what stands, and writes what was decided
// and the groups of whoever moved.
type Session struct {
	Scope     memory.Scope
	Partition *Partition // at least the groups of whom it is asked about
	Apart     []Decision // those that keep apart
	Last      int64      // Number of the last decision
	Now       time.Time

	moved map[string]bool
}

// Moved are the ids whose group is not the one it was, in order.
func (s *Session) Moved() []string {
	ids := make([]string, 0, len(s.moved))
	for id := range s.moved {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (s *Session) move(ids ...string) {
	if s.moved == nil {
		s.moved = map[string]bool{}
	}
	for _, id := range ids {
		s.moved[id] = true
	}
}

// Merge is Register.Unite of one.
func (s *Session) Merge(m *Merge) (o Outcome) {
	switch err := cmp.Or(checkID("from", m.From), checkID("into", m.Into), m.check()); {
	case err != nil:
		return Outcome{Err: err}
	case m.From == m.Into:
		return Outcome{Err: fault.BadField("into", "must be another entity")}
	}
	from, into := s.Partition.Group(m.From), s.Partition.Group(m.Into)
	if from[0] == into[0] {
		return Outcome{}
	}
	if len(from)+len(into) > MaxGroup {
		return Outcome{Err: fault.New(fault.Conflict, "no more than %d entities can be one", MaxGroup)}
	}
	if m.Method != ByPerson {
		for i := range s.Apart {
			if s.Apart[i].Between(from, into) {
				return Outcome{Err: fault.New(fault.Conflict, "decision %s keeps them apart", s.Apart[i].ID)}
			}
		}
	}
	return Outcome{Decision: s.decide(Decision{Kind: Merged, From: m.From, Into: m.Into, Members: from, Rest: into, Grounds: m.Grounds})}
}

// MergeAll makes merges one after the other and returns what became of each, and what was decided.
func (s *Session) MergeAll(merges []Merge) (outcomes []Outcome, decided []Decision) {
	for i := range merges {
		o := s.Merge(&merges[i])
		outcomes = append(outcomes, o)
		if o.Decision.ID != "" {
			decided = append(decided, o.Decision)
		}
	}
	return outcomes, decided
}

// Split is Register.Split.
func (s *Session) Split(order *Split) (Decision, error) {
	if err := order.check(); err != nil {
		return Decision{}, err
	}
	if len(order.Members) == 0 {
		return Decision{}, fault.BadField("members", "must name at least one entity")
	}
	group := s.Partition.Group(order.Members[0])
	var members []string
	for i, id := range order.Members {
		if err := checkID(fmt.Sprintf("members[%d]", i), id); err != nil {
			return Decision{}, err
		}
		if !slices.Contains(group, id) {
			return Decision{}, fault.BadField(fmt.Sprintf("members[%d]", i), "is not one with the others")
		}
		if !slices.Contains(members, id) {
			members = append(members, id)
		}
	}
	rest := slices.DeleteFunc(slices.Clone(group), func(id string) bool { return slices.Contains(members, id) })
	if len(rest) == 0 {
		return Decision{}, fault.BadField("members", "must leave somebody behind")
	}
	return s.decide(Decision{Kind: Parted, Members: members, Rest: rest, Grounds: order.Grounds}), nil
}

// decide makes the decision and applies it.
func (s *Session) decide(d Decision) Decision {
	s.Last++
	d.Number, d.At, d.Members, d.Rest = s.Last, s.Now, slices.Clone(d.Members), slices.Clone(d.Rest)
	name := fmt.Sprintf("rae:decision:%s/%d/%s/%s/%s/%s", s.Scope, d.Number, d.Kind, d.From, d.Into, strings.Join(d.Members, ","))
	d.ID = uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)).String()
	s.Partition.apply(&d)
	s.move(d.Members...)
	s.move(d.Rest...)
	if d.KeepsApart() {
		s.Apart = append(s.Apart, d)
	}
	return d
}

// Undo takes the decision of the id among all of the scope back; Partition has all groups. ok is false where it had been
// undone before.
func (s *Session) Undo(decisions []Decision, id, by string) (d Decision, ok bool, err error) {
	decisions = slices.Clone(decisions)
	i := slices.IndexFunc(decisions, func(d Decision) bool { return d.ID == id })
	if i < 0 {
		return Decision{}, false, fault.New(fault.NotFound, "there is no such decision")
	}
	if decisions[i].UndoneAt != nil {
		return decisions[i], false, nil
	}
	decisions[i].UndoneAt, decisions[i].UndoneBy = &s.Now, by
	before := s.Partition
	s.Partition = Replay(decisions)
	for _, p := range []*Partition{before, s.Partition} {
		for member := range p.of {
			if !slices.Equal(before.Group(member), s.Partition.Group(member)) {
				s.move(member)
			}
		}
	}
	return decisions[i], true, nil
}

func (g *Grounds) check() error {
	switch {
	case len(g.Reason) > MaxReason:
		return fault.BadField("reason", "must be at most %d bytes", MaxReason)
	case g.Score < 0 || g.Score > 1:
		return fault.BadField("score", "must be 0..1")
	}
	return nil
}

func checkID(field, id string) error {
	if _, ok := memory.ParseID(id); !ok {
		return fault.BadField(field, "must be the id of an entity")
	}
	return nil
}

// Unsettled are the suggestions that nothing has settled, the most certain first, up to limit: both are mentioned, they
// are not one, and nothing keeps them apart.
func Unsettled(all []Suggestion, mentioned map[string]bool, p *Partition, apart []Decision, limit int) []Suggestion {
	var left []Suggestion
	for _, s := range all {
		a, b := p.Group(s.A), p.Group(s.B)
		between := func(d Decision) bool { return d.Between(a, b) }
		if mentioned[s.A] && mentioned[s.B] && a[0] != b[0] && !slices.ContainsFunc(apart, between) {
			left = append(left, s)
		}
	}
	return BestSuggestions(left, limit)
}

// BestSuggestions are the most certain, once for each pair, A before B, ties by A and B.
func BestSuggestions(all []Suggestion, limit int) []Suggestion {
	all = slices.Clone(all)
	for i := range all {
		all[i].A, all[i].B = min(all[i].A, all[i].B), max(all[i].A, all[i].B)
		all[i].At = all[i].At.UTC().Truncate(time.Microsecond)
	}
	slices.SortFunc(all, func(a, b Suggestion) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
	})
	seen := map[[2]string]bool{}
	all = slices.DeleteFunc(all, func(s Suggestion) bool {
		twice := seen[[2]string{s.A, s.B}]
		seen[[2]string{s.A, s.B}] = true
		return twice
	})
	return all[:min(limit, len(all))]
}
