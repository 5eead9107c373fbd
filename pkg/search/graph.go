package search

import "github.com/rae-memory/rae/pkg/memory"

// Node is an entity as the API shows it.
type Node struct {
	ID       string
	Name     string
	Type     string
	Mentions int // visible memories that name it
}

// Edge says that visible memories name both ends.
type Edge struct {
	From, To string // node ids
	Relation string // MentionedWith
	Memories []memory.ID
}

// MentionedWith is the one relation known without extraction.
const MentionedWith = "mentioned_with"

// Subgraph is what lies within some hops of its first nodes.
type Subgraph struct {
	Nodes []Node
	Edges []Edge
}

// Bounds of a subgraph, so that a dense graph cannot make an answer without end.
const (
	MaxNodes    = 200
	MaxEvidence = 20 // memories named per edge
)
