// Package backup carries everything a store keeps of its tenants into an archive, out of one, and from one store into
// another.
//
// Rows are told as both stores mean them, not as either writes them down, in one order and with one hash: whatever way a
// tenant went, its hash says whether it arrived as it left. What a store computes from the rows (postings, tags, edges)
// is not told; the store that takes the rows computes it again.
package backup

import (
	"context"
	"iter"

	"github.com/rae-memory/rae/pkg/memory"
)

// Source is a store that can tell all it keeps.
type Source interface {
	// NextTenant returns the first tenant after the given one, in the order of bytes, of whom the store keeps a row in any
	// of Tables; "" when there is none. The operator, who keeps jobs, is the tenant "-".
	NextTenant(ctx context.Context, after string) (string, error)
	// Dump hands every row of the tenant to emit, table by table as Tables has them and in their order, all as they stood
	// at one moment, which a writer of the tenant does not wait for. It returns the number above all that erased scopes of
	// the store have used. A row is emit's to keep. Errors of emit are returned unchanged.
	// Conflict: the tenant is half restored.
	Dump(ctx context.Context, tenant string, emit func(Row) error) (erased memory.Seq, err error)
}

// Target is a store that can take what a Source told.
type Target interface {
	// Mark tells what the store holds of the tenant.
	Mark(ctx context.Context, tenant string) (Mark, error)
	// Restore writes the rows, in the order of Dump, and computes what the store keeps besides. hash names the rows: see
	// Digest. Rows are written in transactions of bounded size, and how far it came with them: interrupted, it goes on
	// where it was when it is called with the same hash and the same rows. The feed of a scope begins, for its readers,
	// when all has been written.
	//
	// Numbers of changes are kept where the store has erased nothing that was numbered so high; else they are moved, see
	// Renumber. Conflict: the store has other rows of the tenant, or somebody wrote to it meanwhile. An error among the rows
	// is returned unchanged and nothing after it is written. Unsupported: the store cannot hold a row as it is told.
	Restore(ctx context.Context, tenant, hash string, rows iter.Seq2[Row, error]) error
	// EraseTenant removes every row of the tenant.
	EraseTenant(ctx context.Context, tenant string) (memory.Receipt, error)
	// Outnumber makes sure that a scope new to the store is numbered above the given number.
	Outnumber(ctx context.Context, erased memory.Seq) error
}

// Store is both.
type Store interface {
	Source
	Target
}

// Mark is what a store holds of a tenant.
type Mark struct {
	Hash string // what it was restored from, or is being; "" when it never was
	Done bool   // wholly restored
	Rows bool   // there is a row of the tenant
}
