package inmem

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ knowledge.Register = (*Register)(nil)

// Register keeps who is who in the same store as the memories.
type Register struct{ db *DB }

// NewRegister returns the register of the store; all of a store's are the same.
func NewRegister(db *DB) *Register { return &Register{db} }

// names is the register of one scope. Nothing in it is changed in place.
type names struct {
	rows        map[memory.ID][]knowledge.Row // by memory
	mentioned   map[string]map[memory.ID]bool // by entity
	partition   *knowledge.Partition
	decisions   []knowledge.Decision // by number
	suggestions []knowledge.Suggestion
}

// namesOf returns what there is of the scope, to be read only.
func (d *DB) namesOf(scope memory.Scope) *names {
	if n := d.names[scope]; n != nil {
		return n
	}
	return &names{partition: &knowledge.Partition{}}
}

// namesFor returns what there is of the scope, making it for its first write.
func (d *DB) namesFor(u *undo, scope memory.Scope) *names {
	if d.names[scope] == nil {
		set(u, d.names, scope, &names{rows: map[memory.ID][]knowledge.Row{}, mentioned: map[string]map[memory.ID]bool{}, partition: &knowledge.Partition{}})
	}
	return d.names[scope]
}

// put makes the rows all that the memory is seen to name.
func (n *names) put(u *undo, id memory.ID, rows []knowledge.Row) {
	for _, row := range n.rows[id] {
		if of := n.mentioned[row.Entity]; of[id] {
			unset(u, of, id)
			if len(of) == 0 {
				unset(u, n.mentioned, row.Entity)
			}
		}
	}
	if len(rows) == 0 {
		unset(u, n.rows, id)
		return
	}
	set(u, n.rows, id, rows)
	for _, row := range rows {
		if n.mentioned[row.Entity] == nil {
			set(u, n.mentioned, row.Entity, map[memory.ID]bool{})
		}
		set(u, n.mentioned[row.Entity], id, true)
	}
}

// unname forgets what a memory that is being deleted names.
func (d *DB) unname(u *undo, scope memory.Scope, id memory.ID) {
	if n := d.names[scope]; n != nil {
		n.put(u, id, nil)
	}
}

// entity tells of one that is mentioned.
func (n *names) entity(id string) knowledge.Entity {
	var rows []knowledge.Row
	for of := range n.mentioned[id] {
		for _, row := range n.rows[of] {
			if row.Entity == id {
				rows = append(rows, row)
			}
		}
	}
	e := knowledge.EntityOf(rows)
	e.Canonical = n.partition.Group(id)[0]
	return e
}

// Observe implements knowledge.Register.
func (r *Register) Observe(ctx context.Context, scope memory.Scope, seen []knowledge.Sighting) error {
	return r.db.write(ctx, func(u *undo) error {
		p := r.db.scopes[scope]
		if p == nil {
			return nil
		}
		for i := range seen {
			s := &seen[i]
			if e := p.entries[s.MemoryID]; e == nil || e.expired(r.db.now()) || e.current().Memory.Version != s.Version {
				continue
			}
			n := r.db.namesFor(u, scope)
			rows := slices.DeleteFunc(slices.Clone(n.rows[s.MemoryID]), func(row knowledge.Row) bool { return row.By == s.By })
			n.put(u, s.MemoryID, append(rows, s.Rows(scope)...))
		}
		return nil
	})
}

// Entities implements knowledge.Register.
func (r *Register) Entities(ctx context.Context, scope memory.Scope, after string, limit int) ([]knowledge.Entity, error) {
	r.db.mu.RLock()
	defer r.db.mu.RUnlock()
	n := r.db.namesOf(scope)
	var page []knowledge.Entity
	for _, id := range slices.Sorted(maps.Keys(n.mentioned)) {
		if id > after && len(page) < limit {
			page = append(page, n.entity(id))
		}
	}
	return page, ctx.Err()
}

// FindEntities implements knowledge.Register.
func (r *Register) FindEntities(ctx context.Context, scope memory.Scope, ids []string) ([]knowledge.Entity, error) {
	r.db.mu.RLock()
	defer r.db.mu.RUnlock()
	n := r.db.namesOf(scope)
	var found []knowledge.Entity
	for _, id := range ids {
		if n.mentioned[id] != nil {
			found = append(found, n.entity(id))
		}
	}
	return found, ctx.Err()
}

// Groups implements knowledge.Identities.
func (r *Register) Groups(ctx context.Context, scope memory.Scope, ids []string) ([]knowledge.Group, error) {
	r.db.mu.RLock()
	defer r.db.mu.RUnlock()
	p := r.db.namesOf(scope).partition
	if ids == nil {
		return p.Groups(), ctx.Err()
	}
	var groups []knowledge.Group
	for _, id := range ids {
		members := p.Group(id)
		if len(members) > 1 && !slices.ContainsFunc(groups, func(g knowledge.Group) bool { return g.Canonical() == members[0] }) {
			groups = append(groups, knowledge.Group{Members: slices.Clone(members)})
		}
	}
	slices.SortFunc(groups, func(a, b knowledge.Group) int { return cmp.Compare(a.Canonical(), b.Canonical()) })
	return groups, ctx.Err()
}

// session is what decisions are made in.
func (n *names) session(scope memory.Scope, d *DB) *knowledge.Session {
	s := &knowledge.Session{Scope: scope, Partition: knowledge.NewPartition(n.partition.Groups()), Apart: n.apart(), Now: d.now()}
	if len(n.decisions) > 0 {
		s.Last = n.decisions[len(n.decisions)-1].Number
	}
	return s
}

func (n *names) apart() []knowledge.Decision {
	return slices.DeleteFunc(slices.Clone(n.decisions), func(d knowledge.Decision) bool { return !d.KeepsApart() })
}

// settle keeps what was decided.
func (d *DB) settle(u *undo, scope memory.Scope, n *names, p *knowledge.Partition, decisions []knowledge.Decision) {
	standing := d.scopes[scope]
	if standing != nil {
		standing.head++
		u.add(func() { standing.head-- })
	}
	was := *n
	u.add(func() { n.partition, n.decisions = was.partition, was.decisions })
	n.partition, n.decisions = p, decisions
}

// Unite implements knowledge.Register.
func (r *Register) Unite(ctx context.Context, scope memory.Scope, merges []knowledge.Merge) (outcomes []knowledge.Outcome, err error) {
	err = r.db.write(ctx, func(u *undo) error {
		n := r.db.namesFor(u, scope)
		s := n.session(scope, r.db)
		var decided []knowledge.Decision
		if outcomes, decided = s.MergeAll(merges); len(decided) > 0 {
			r.db.settle(u, scope, n, s.Partition, append(slices.Clone(n.decisions), decided...))
		}
		return nil
	})
	return outcomes, err
}

// Split implements knowledge.Register.
func (r *Register) Split(ctx context.Context, scope memory.Scope, order knowledge.Split) (d knowledge.Decision, err error) {
	err = r.db.write(ctx, func(u *undo) (err error) {
		n := r.db.namesFor(u, scope)
		s := n.session(scope, r.db)
		if d, err = s.Split(&order); err != nil {
			return err
		}
		r.db.settle(u, scope, n, s.Partition, append(slices.Clone(n.decisions), d))
		return nil
	})
	return d, err
}

// Undo implements knowledge.Register.
func (r *Register) Undo(ctx context.Context, scope memory.Scope, id, by string) (d knowledge.Decision, err error) {
	err = r.db.write(ctx, func(u *undo) (err error) {
		n := r.db.namesFor(u, scope)
		s := n.session(scope, r.db)
		var undone bool
		if d, undone, err = s.Undo(n.decisions, id, by); err != nil || !undone {
			return err
		}
		decisions := slices.Clone(n.decisions)
		decisions[d.Number-1] = d
		r.db.settle(u, scope, n, s.Partition, decisions)
		return nil
	})
	return d, err
}

// Decisions implements knowledge.Register.
func (r *Register) Decisions(ctx context.Context, scope memory.Scope, q knowledge.DecisionQuery) ([]knowledge.Decision, error) {
	r.db.mu.RLock()
	defer r.db.mu.RUnlock()
	var page []knowledge.Decision
	for _, d := range slices.Backward(r.db.namesOf(scope).decisions) {
		of := q.Entity == "" || d.Concerns(q.Entity)
		if of && (q.Before == 0 || d.Number < q.Before) && len(page) < q.Limit {
			page = append(page, d)
		}
	}
	return page, ctx.Err()
}

// Suggest implements knowledge.Register.
func (r *Register) Suggest(ctx context.Context, scope memory.Scope, all []knowledge.Suggestion) error {
	return r.db.write(ctx, func(u *undo) error {
		n := r.db.namesFor(u, scope)
		was := n.suggestions
		u.add(func() { n.suggestions = was })
		n.suggestions = knowledge.BestSuggestions(all, knowledge.MaxSuggestions)
		return nil
	})
}

// Suggestions implements knowledge.Register.
func (r *Register) Suggestions(ctx context.Context, scope memory.Scope, limit int) ([]knowledge.Suggestion, error) {
	r.db.mu.RLock()
	defer r.db.mu.RUnlock()
	n := r.db.namesOf(scope)
	mentioned := map[string]bool{}
	for id := range n.mentioned {
		mentioned[id] = true
	}
	return knowledge.Unsettled(n.suggestions, mentioned, n.partition, n.apart(), limit), ctx.Err()
}
