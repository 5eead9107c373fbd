// Package ingest is how memories come in and go out: it checks what a caller tells, embeds it, writes it in one
// transaction with its events and its answer, and streams whole projects in and out in constant memory.
//
// Every limit stands in limits.go. Whatever fails here fails with a kind of package fault and names the field.
package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/groupcommit"
	"github.com/rae-memory/rae/pkg/memory"
)

// Embedder turns contents into the vectors they are found by. EmbedDocuments returns one vector per text, in order
// and of one dimension. It must honour ctx. An error means that the memories are stored without vectors.
type Embedder interface {
	Model() string
	EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error)
}

// Eraser removes what one place besides the store holds of a tenant (vectors of an index, keys of a cache) and
// counts it in the fields of the receipt that are its own. It must be safe to repeat.
type Eraser interface {
	EraseTenant(ctx context.Context, tenant string) (memory.Receipt, error)
}

// VectorModels tells of which models memories have vectors; memory.Modelled is one.
type VectorModels interface {
	VectorModels(ctx context.Context, scope memory.Scope, ids []memory.ID) (map[memory.ID][]string, error)
}

// Service writes and reads memories on behalf of callers. Store is required; the zero values of the rest work:
// without an Embedder every memory is stored with its vector pending.
type Service struct {
	Store    memory.Store
	Embedder Embedder
	// Embedders returns those of all models a scope's memories get vectors of, instead of Embedder. nil: it is the one.
	Embedders    func(ctx context.Context, scope memory.Scope) ([]Embedder, error)
	EmbedTimeout time.Duration    // deadline of one embedding call; 0 = 10 s
	Clock        func() time.Time // nil = time.Now
	Log          *slog.Logger     // nil = slog.Default(); never given any content
	Vectors      VectorModels     // nil: what is read does not say which vectors it has
	Erasers      []Eraser         // asked, after the store, when a tenant is erased

	putting groupcommit.Lines[memory.Scope, *putting]
}

// slice is how many memories go into one transaction where nothing demands more: large enough to amortise the
// commit, short enough that nobody waits long for the writer.
const slice = 500

// now is the time in UTC at the precision stores keep, so that what is answered first equals what is read later.
func (s *Service) now() time.Time {
	if s.Clock != nil {
		return s.Clock().UTC().Truncate(time.Microsecond)
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

func (s *Service) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

// named fails for a scope without tenant or project. The edge never lets one in; if one came this far, what everybody
// could see must not be read or written.
func named(scope memory.Scope) error {
	if scope.Tenant == "" || scope.Project == "" {
		return fault.New(fault.Internal, "a request without a tenant reached the store")
	}
	return nil
}

// write runs do in one transaction of the scope, in which somebody tells something.
func (s *Service) write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error {
	if err := named(scope); err != nil {
		return err
	}
	return s.Store.Write(ctx, scope, func(tx memory.Tx) error { return do(telling{tx}) })
}

// telling is a transaction in which what is told again, and had been archived, is brought back.
type telling struct{ memory.Tx }

func (t telling) PutAll(ctx context.Context, entries []memory.Entry, why memory.Why) ([]memory.Written, error) {
	written, err := t.Tx.PutAll(ctx, entries, why)
	if err != nil {
		return nil, err
	}
	for i := range written {
		m := &written[i].Memory
		if written[i].Outcome != memory.Deduplicated || m.ArchivedAt == nil {
			continue
		}
		if _, err := t.Unarchive(ctx, []memory.ID{m.ID}, ""); err != nil {
			return nil, err
		}
		m.ArchivedAt, m.ArchivedBy = nil, ""
	}
	return written, nil
}

func (t telling) Put(ctx context.Context, m memory.Memory, why memory.Why, vectors ...memory.Vector) (memory.Memory, memory.Outcome, error) {
	return memory.One(t.PutAll(ctx, []memory.Entry{{Memory: m, Vectors: vectors}}, why))
}
