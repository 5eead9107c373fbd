// Package block is what an agent always has before it: small named texts (persona, standing instructions, what is known
// of a user, the task at hand), each of a project, an agent, a user, or an agent about a user. Unlike memories they are
// never searched for; a context begins with them. Every change is a version with who made it and why, and can be undone.
//
// Package blocktest holds the contract suite of the port.
package block

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// The limits of blocks. Lengths are in characters (code points), not in bytes or tokens: whoever writes a text can count
// them whatever the language and the model.
const (
	DefaultLimit   = 2000  // of a content, where nobody says
	MaxLimit       = 20000 // of a content, whatever anybody says
	MaxName        = 64
	MaxDescription = 500
	MaxID          = 256  // of a user's or an agent's id, as memories have it
	MaxPosition    = 1000 // the least is 0
	MaxPerOwner    = 50   // blocks that stand; as many deleted ones are kept for an undo
	KeptVersions   = 100  // of a block; the oldest goes first
	MaxPage        = 1000 // of a list or a history
)

// NamePattern is what a name looks like. One spelling, of letters that no others look like: two blocks never differ in
// what nobody sees.
const NamePattern = `^[a-z][a-z0-9_-]{0,63}$`

// Owner is whose a block is within a project: nobody's in particular, an agent's, a user's, or an agent's about a user.
type Owner struct {
	AgentID string
	UserID  string
}

// Ref names a block within a project.
type Ref struct {
	Owner
	Name string
}

// ID derives the block's id: the same for ever, whatever becomes of the block.
func (r Ref) ID(scope memory.Scope) memory.ID {
	parts := make([]byte, 0, 256)
	for _, part := range []string{scope.Tenant, scope.Project, r.AgentID, r.UserID, r.Name} {
		parts = append(append(parts, part...), 0) // no part contains NUL
	}
	return memory.ID(uuid.NewSHA1(uuid.NameSpaceURL, append([]byte("rae:block:"), parts...)).String())
}

// Compare orders by agent, user and name, as bytes; what belongs to neither comes first. Lists are in this order.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(cmp.Compare(r.AgentID, other.AgentID), cmp.Compare(r.UserID, other.UserID), cmp.Compare(r.Name, other.Name))
}

// Block is one named text as it stands. It crosses the wire as it is.
type Block struct {
	ID          memory.ID `json:"id" doc:"Follows from whose it is and its name: the same for ever."`
	TenantID    string    `json:"tenant_id"`
	ProjectID   string    `json:"project_id"`
	AgentID     string    `json:"agent_id,omitempty" doc:"The agent it belongs to; absent where it is not of one agent."`
	UserID      string    `json:"user_id,omitempty" doc:"The user it belongs to; absent where it is not of one user."`
	Name        string    `json:"name"`
	Description string    `json:"description" doc:"What it is for, for whoever writes it. It is not part of a context."`
	Content     string    `json:"content" doc:"The text."`
	Limit       int       `json:"limit" doc:"Characters its content may have."`
	Position    int       `json:"position" doc:"Its place among its owner's blocks: the lowest first, ties by name."`
	ReadOnly    bool      `json:"read_only" doc:"Nobody changes its text in passing; see PUT."`
	Version     int       `json:"version" doc:"1 at first, one more with every change."`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// Scope is the project it lives in.
func (b *Block) Scope() memory.Scope { return memory.Scope{Tenant: b.TenantID, Project: b.ProjectID} }

// Ref is what it is called.
func (b *Block) Ref() Ref { return Ref{Owner{AgentID: b.AgentID, UserID: b.UserID}, b.Name} }

// place gives a block its scope and name.
func (b *Block) place(scope memory.Scope, r Ref) {
	b.ID, b.TenantID, b.ProjectID = r.ID(scope), scope.Tenant, scope.Project
	b.AgentID, b.UserID, b.Name = r.AgentID, r.UserID, r.Name
}

// says reports whether two blocks say the same in everything a caller may set.
func (b *Block) says(other *Block) bool {
	return b.Description == other.Description && b.Content == other.Content && b.Limit == other.Limit &&
		b.Position == other.Position && b.ReadOnly == other.ReadOnly
}

// Change is what made a version.
type Change string

// Changes. Erased is told by an event alone: nothing is left to have a version.
const (
	Created  Change = "created" // also anew, after a deletion
	Updated  Change = "updated"
	Restored Change = "restored" // by an undo
	Deleted  Change = "deleted"
	Erased   Change = "erased"
)

// Version is a block as one change left it.
type Version struct {
	Block
	Change   Change `json:"change" enum:"created,updated,restored,deleted"`
	Restored int    `json:"restored,omitempty" doc:"The version an undo brought back."`
	memory.Why
}

// Gone reports whether the version is a deletion: then it has no text.
func (v *Version) Gone() bool { return v.Change == Deleted }

// said is the version whose text v has: its own, or the one it brought back.
func (v *Version) said() int { return cmp.Or(v.Restored, v.Block.Version) }

// Announcement is the data of the event block.updated. It says which block and what was done, never what it says.
type Announcement struct {
	BlockID   memory.ID `json:"block_id"`
	TenantID  string    `json:"tenant_id"`
	ProjectID string    `json:"project_id"`
	AgentID   string    `json:"agent_id,omitempty"`
	UserID    string    `json:"user_id,omitempty"`
	Name      string    `json:"name"`
	Version   int       `json:"version"`
	Change    Change    `json:"change"`
}

// announce is the outbox record of a change.
func (b *Block) announce(change Change) outbox.Record {
	data, err := json.Marshal(Announcement{
		BlockID: b.ID, TenantID: b.TenantID, ProjectID: b.ProjectID, AgentID: b.AgentID, UserID: b.UserID, Name: b.Name,
		Version: b.Version, Change: change,
	})
	if err != nil { // strings and one number: there is nothing to fail
		data = []byte("{}")
	}
	return outbox.Record{Type: outbox.BlockUpdated, Tenant: b.TenantID, Project: b.ProjectID, Subject: string(b.ID), Data: data}
}

// Arrange orders blocks as a context has them: the project's, the agent's, the user's, the agent's about the user; of one
// owner by position, then name.
func Arrange(blocks []Block) {
	slices.SortFunc(blocks, func(a, b Block) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Position, b.Position), a.Ref().Compare(b.Ref()))
	})
}

func (b *Block) rank() (rank int) {
	if b.AgentID != "" {
		rank++
	}
	if b.UserID != "" {
		rank += 2
	}
	return rank
}
