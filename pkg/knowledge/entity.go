package knowledge

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
)

// Bounds of the register.
const (
	MaxGroup       = 256  // entities that are one
	MaxAliases     = 32   // told of an entity; the first by their bytes
	MaxEvidence    = 8    // memories told of an entity; the last that mention it
	MaxReason      = 1000 // bytes of a decision's reason
	MaxSuggestions = 1000 // kept of a scope
)

// Entity is a thing as memories mention it by one name. Its id is relevance.EntityID of that name, for ever; whom it
// stands for may change.
type Entity struct {
	ID                  string
	Canonical           string      // the entity it is one with and that stands for it; ID where it stands for itself
	Name                string      // as the first of its memories writes it
	Type                string      // the first that a memory tells; "" = not known
	Aliases             []string    // other names its memories give it, in order of their bytes
	FirstSeen, LastSeen time.Time   // when its memories happened, or were told
	Mentions            int         // memories that mention it
	Memories            []memory.ID // the last of them, latest first; at most MaxEvidence
}

// Sighting is what one reader found one version of a memory to mention.
type Sighting struct {
	MemoryID memory.ID
	Version  int       // of the memory: where it has moved on, nothing is learned from this
	By       string    // who read: Told for the entities a memory was told with, else the Method of an Extraction
	At       time.Time // when what it tells happened, else when it was told
	Mentions []Mention
}

// ByTeller reads what memories are told with: memory.Memory.Entities.
const ByTeller = "told"

// Group is entities that are one, at least two. The first stands for all.
type Group struct{ Members []string }

// Canonical is the id of the one that stands for all.
func (g Group) Canonical() string { return g.Members[0] }

// DecisionKind says what a decision does.
type DecisionKind string

const (
	Merged DecisionKind = "merge" // Members became one with Rest, whose first stands for all
	Parted DecisionKind = "split" // Members left Rest and stay together
)

// Grounds are who decided and why.
type Grounds struct {
	By     string  `json:"by,omitempty" doc:"Who decided: a caller, or resolve."`
	Method string  `json:"method" doc:"person, rules or judge." example:"rules"` // ByPerson is the first
	Reason string  `json:"reason,omitempty"`                                     // at most MaxReason bytes
	Score  float64 `json:"score" minimum:"0" maximum:"1" doc:"How sure; 1 of a person."`
}

// ByPerson is the Method of what somebody asked for. It may unite what was kept apart before; no other may.
const ByPerson = "person"

// Decision is a merge or a split as it was made. Nothing of it changes but that it may be undone.
type Decision struct {
	ID     string       `json:"id" format:"uuid"` // the same decision on the same state has the same
	Number int64        `json:"number" doc:"1, 2, 3 …: of the project, in the order they were made."`
	Kind   DecisionKind `json:"kind" enum:"merge,split"`
	// From and Into are what was asked of a merge: they tell what it comes to where decisions before it are undone.
	From string `json:"from,omitempty" doc:"Of a merge: the entity that was to be one with into."`
	Into string `json:"into,omitempty"`
	// Members moved, Rest stayed, as both were then: two groups that became one, or one that became two. Neither is empty,
	// and the first of each stood, or stands, for it.
	Members []string `json:"members" doc:"Ids of those that moved: into a group, or out of one."`
	Rest    []string `json:"rest" doc:"Ids of those that stayed, as both sides were then. The first of each stood for it."`
	Grounds
	At       time.Time  `json:"at"`
	UndoneAt *time.Time `json:"undone_at,omitempty" doc:"Without it, it holds."`
	UndoneBy string     `json:"undone_by,omitempty"`
}

// Concerns reports whether the entity is among its Members or Rest.
func (d *Decision) Concerns(entity string) bool {
	return slices.Contains(d.Members, entity) || slices.Contains(d.Rest, entity)
}

// Merge asks for two entities, with all that are one with either, to be one.
type Merge struct {
	From, Into string // ids; whoever stands for Into stands for all
	Grounds
}

// Outcome is what became of a Merge.
type Outcome struct {
	Decision Decision // without an ID where they were one already: then nothing was decided
	Err      error    // why it was refused
}

// Split asks for some members of a group to be another than the rest. They stay one among themselves.
type Split struct {
	Members []string // of one group, not all of it; the first stands for them
	Grounds
}

// Suggestion is a merge that somebody should look at: too likely to be left out, too uncertain to be made.
type Suggestion struct {
	A, B   string // ids, A < B
	Score  float64
	Reason string
	At     time.Time
}

// DecisionQuery selects and pages decisions, the last made first.
type DecisionQuery struct {
	Entity string // those that have this id among their Members or Rest; "" = all
	Before int64  // the Number of the last one of the page before; 0 = from the end
	Limit  int    // 1..1000
}

// Identities tells which entities are one.
type Identities interface {
	// Groups returns the groups the ids belong to, each once, in the order of their canonical ids; with nil, all of the
	// scope. An id that is alone, or unknown, is in none. Members are in the order they came, and stay in it.
	Groups(ctx context.Context, scope memory.Scope, ids []string) ([]Group, error)
}

// Register is who is who: what memories mention, and which of it is one. Which are one is told by the decisions that
// hold, in the order they were made, and by nothing else: so to undo one, whenever, brings back what there would be
// without it. Ids are UUIDs in lower case and are not checked to be mentioned.
//
// What a memory mentions goes with the memory, in the same transaction; decisions stay, for they hold ids alone. Where a
// decision is made or undone the scope's head moves, so that answers kept from before are not given any more.
type Register interface {
	Identities
	// Observe replaces what the same reader told of the same memories. What is told of a memory that is gone, or of
	// another version than it has, is left out, and so are names without a word in them. It does not move the head.
	Observe(ctx context.Context, scope memory.Scope, seen []Sighting) error
	// Entities returns up to limit (1..1000) entities that memories mention, in the order of their ids, after one.
	Entities(ctx context.Context, scope memory.Scope, after string, limit int) ([]Entity, error)
	// FindEntities returns those of the ids that memories mention, in their order.
	FindEntities(ctx context.Context, scope memory.Scope, ids []string) ([]Entity, error)
	// Unite makes merges, one after the other, each on what those before it left. Its answer has an outcome for each, in
	// their order. Refused are as Invalid ids that are none and a merge with itself, as Conflict one that makes a group of
	// more than MaxGroup, and one whose Method is not ByPerson where a split that holds, or a merge that was undone, keeps
	// a member of one side from a member of the other.
	Unite(ctx context.Context, scope memory.Scope, merges []Merge) ([]Outcome, error)
	// Split parts a group. Invalid when the members are not of one group, or all of it.
	Split(ctx context.Context, scope memory.Scope, s Split) (Decision, error)
	// Undo takes a decision back; what has been undone stays so and is returned as it stands. NotFound when there is none.
	Undo(ctx context.Context, scope memory.Scope, id, by string) (Decision, error)
	// Decisions returns one page.
	Decisions(ctx context.Context, scope memory.Scope, q DecisionQuery) ([]Decision, error)
	// Suggest replaces the suggestions of the scope; of more than MaxSuggestions the most certain are kept.
	Suggest(ctx context.Context, scope memory.Scope, s []Suggestion) error
	// Suggestions returns those that nothing has settled since: both are mentioned, they are not one and nothing keeps
	// them apart. The most certain come first, ties by A and B.
	Suggestions(ctx context.Context, scope memory.Scope, limit int) ([]Suggestion, error)
}

// Row is one mention as a register keeps it: what one reader saw one memory to name. Its key is the memory, the reader and
// the entity.
type Row struct {
	Entity   string
	MemoryID memory.ID
	By       string
	Name     string
	Type     string
	Aliases  []string
	At       time.Time
}

// Rows are the mentions of a sighting, one for each entity.
func (s *Sighting) Rows(scope memory.Scope) []Row {
	var rows []Row
	for _, m := range s.Mentions {
		key := relevance.EntityKey(m.Name)
		if key == "" {
			continue
		}
		row := Row{Entity: relevance.EntityID(scope, key), MemoryID: s.MemoryID, By: s.By, Name: m.Name, Type: m.Type,
			At: s.At.UTC().Truncate(time.Microsecond)}
		i := slices.IndexFunc(rows, func(r Row) bool { return r.Entity == row.Entity })
		if i < 0 {
			i, rows = len(rows), append(rows, row)
		}
		rows[i].Type = cmp.Or(rows[i].Type, m.Type)
		for _, alias := range m.Aliases {
			if relevance.EntityKey(alias) != "" && alias != rows[i].Name {
				rows[i].Aliases = append(rows[i].Aliases, alias)
			}
		}
	}
	for i := range rows {
		rows[i].Aliases = distinct(rows[i].Aliases, rows[i].Name)
	}
	return rows
}

// distinct is the names but one, each once, in order; at most MaxAliases.
func distinct(names []string, but string) []string {
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == but })
	return names[:min(len(names), MaxAliases)]
}

// EntityOf is the entity as its rows, at least one, tell of it. Whom it stands for they do not tell: it is set to itself.
func EntityOf(rows []Row) Entity {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.MemoryID, b.MemoryID), cmp.Compare(b.By, a.By)) // "told" before "rules" and "llm"
	})
	first, last := rows[0], rows[len(rows)-1]
	e := Entity{ID: first.Entity, Canonical: first.Entity, Name: first.Name, FirstSeen: first.At, LastSeen: last.At}
	seen := map[memory.ID]bool{}
	for i := range rows {
		e.Type = cmp.Or(e.Type, rows[i].Type)
		e.Aliases = append(e.Aliases, rows[i].Aliases...)
		if rows[i].Name != e.Name {
			e.Aliases = append(e.Aliases, rows[i].Name)
		}
		if id := rows[len(rows)-1-i].MemoryID; !seen[id] {
			seen[id] = true
			e.Memories = append(e.Memories, id)
		}
	}
	e.Mentions = len(e.Memories)
	e.Memories = e.Memories[:min(len(e.Memories), MaxEvidence)]
	e.Aliases = distinct(e.Aliases, e.Name)
	return e
}
