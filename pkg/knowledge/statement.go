// Package knowledge is what memories say: statements as they are read out of memories, the facts they come to, the entities
// these are about, and the ports that keep them.
package knowledge

import (
	"context"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// Mention is a thing a memory names: Content[Start:End] of it, in bytes.
type Mention struct {
	Name       string   // as a reader would write it: "Ann Smith" for "I" where Ann Smith speaks; 1..200 bytes
	Type       string   // "person", "place", "organisation", "product", "event", "date", …; "" = not known
	Aliases    []string // other names the memory gives it; at most 8
	Start, End int      // where it is named; both 0 where the memory does not write it: its speaker, its user
}

// Kind says what a statement is good for.
type Kind string

const (
	Told        Kind = "fact"        // that something is so
	Preference  Kind = "preference"  // what somebody likes, wants or avoids
	Instruction Kind = "instruction" // how the agent is to behave from now on
)

// Statement is one thing that a memory says: a subject, a relation, an object. It is data: an instruction is remembered as
// somebody's wish, and nothing here follows it.
type Statement struct {
	Kind     Kind
	Subject  Mention
	Relation string  // in snake case: "works_at"; 1..64 bytes of a-z, 0-9 and _
	Object   Mention // a thing, or with Literal a value: "42 kg", "vegetarian"
	Literal  bool    // Object is a value and names no thing
	Negated  bool    // the memory says that it is not, or no longer, so

	// When it is true in the world: From <= t < To, nil = open. Only what the memory says, resolved against the time it
	// happened at; never invented.
	From, To *time.Time

	Confidence float64 // 0..1: how sure the extractor is that the memory says so
	Start, End int     // the words that say so: Content[Start:End], in bytes, on boundaries of characters
}

// Extraction is what was read out of one version of a memory. A memory that says nothing has one, with no statements.
type Extraction struct {
	MemoryID   memory.ID
	Version    int       // of the memory: where it has moved on, nothing is learned from this
	Mentions   []Mention // every thing it names, those of its statements included
	Statements []Statement
	Language   string   // BCP 47, of the text: "en"; "" = not known
	Method     string   // "rules" or "llm"
	Edition    string   // of the rules or the prompt that read it: "rules/1", "extract/3"
	Flags      []string // what is odd about the text: "injection", "truncated", "no_prose"
}

// Extractor reads memories of one scope, which are in the order they were told. Its answer has one extraction for each of
// them, in their order. Errors are those of package llm: the budget, a provider that is away; then nothing was read.
type Extractor interface {
	Extract(ctx context.Context, scope memory.Scope, told []memory.Memory) ([]Extraction, error)
}
