package search

import (
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// Node is an entity as the graph shows it.
type Node struct {
	ID       string
	Name     string
	Type     string
	Mentions int // visible memories that mention it; 0 where only facts tell of it
}

// Edge joins two entities. One that says MentionedWith has no direction, and From < To; the others are facts.
type Edge struct {
	From, To string // ids of nodes
	Relation string

	Fact       memory.ID         // that says so; "" for MentionedWith
	ValidFrom  *time.Time        // of the fact
	ValidTo    *time.Time        // of the fact
	Confidence float64           // of the fact, 0..1; 1 for MentionedWith
	Evidence   []memory.Citation // newest first, at most MaxEvidence; a memory without a span mentions both
}

// MentionedWith is the relation of two entities that a memory mentions: the one known without extraction.
const MentionedWith = "mentioned_with"

// Subgraph is what lies within some hops of its first nodes.
type Subgraph struct {
	Nodes     []Node // nearest first
	Edges     []Edge // by From, To, Relation and Fact
	Truncated bool   // there is more: a bound, or the time there was, left it out
}

// Path leads from one entity to another, by as few hops as any.
type Path struct {
	Nodes []string // ids, ends included
	Hops  [][]Edge // what joins each node to the next: at most maxParallel each, facts first
}

// Paths are the ways between two entities.
type Paths struct {
	Paths     []Path // at most MaxPaths, all equally short, in the order of their nodes' ids; none: there is no way
	Nodes     []Node // those on them, by id
	Truncated bool   // not everything was looked at, or there are more as short
}

// Bounds of what is answered, so that a dense graph cannot make an answer without end.
const (
	MaxNodes    = 200
	MaxEdges    = 1000
	MaxEvidence = 20 // memories named per edge
	MaxPaths    = 3
	MaxHops     = 6 // of a path
	maxParallel = 5
)
