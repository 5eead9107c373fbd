package block

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Store is the port of everything that keeps blocks. Implementations must be durable when Write returns nil, and must
// keep scopes apart in every method.
type Store interface {
	// Standing returns the blocks of the project that belong to nobody, to the agent, to the user, and to the agent about
	// the user, in any order, with no deleted ones. An empty id is nobody's: an owner without ids has the project's alone.
	Standing(ctx context.Context, scope memory.Scope, of Owner) ([]Block, error)
	// Newest returns the last version, be it a deletion; found is false where there never was one, or it was erased.
	Newest(ctx context.Context, scope memory.Scope, ref Ref) (v Version, found bool, err error)
	// List pages through the blocks that stand, in the order of Ref.Compare.
	List(ctx context.Context, scope memory.Scope, q Query) ([]Block, error)
	// History returns up to limit kept versions below before (0: all), newest first.
	History(ctx context.Context, scope memory.Scope, ref Ref, before, limit int) ([]Version, error)
	// Write runs do in one transaction of the scope, alone with its blocks, and commits it when do returns nil; otherwise
	// nothing of it remains. do may be run more than once and must not keep the Tx. Errors of do are returned unchanged.
	Write(ctx context.Context, scope memory.Scope, do func(Tx) error) error
}

// Query selects and pages a list. Empty ids do not restrict; After is the last one of the page before.
type Query struct {
	Owner
	After Ref
	Limit int // 1..MaxPage
}

// Tx is one transaction of one scope. It sees what it has done.
type Tx interface {
	// Newest is Store.Newest.
	Newest(ctx context.Context, ref Ref) (v Version, found bool, err error)
	// At returns one version; found is false where it is not kept.
	At(ctx context.Context, ref Ref, version int) (v Version, found bool, err error)
	// Before returns the newest kept version below version that is no deletion.
	Before(ctx context.Context, ref Ref, version int) (v Version, found bool, err error)
	// Names lists the owner's blocks, deleted ones too, the one longest unchanged first, then by name.
	Names(ctx context.Context, of Owner) ([]Named, error)
	// Keep makes v the newest version, with the time of the store as UpdatedAt, and as CreatedAt where there is none, and
	// returns it so. Of the versions before, the newest KeptVersions-1 stay.
	Keep(ctx context.Context, v Version) (Version, error)
	// Erase removes the block with every version. One that is not there is no error.
	Erase(ctx context.Context, ref Ref) error

	// Answered, Answer and Emit are those of memory.Tx.
	Answered(ctx context.Context, key memory.Key) (answer []byte, found bool, err error)
	Answer(ctx context.Context, key memory.Key, answer []byte) error
	Emit(ctx context.Context, r outbox.Record) error
}

// Named is a block of an owner.
type Named struct {
	Name    string
	Deleted bool
}
