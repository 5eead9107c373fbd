package ingest

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
)

// Deleted answers a deletion: how many memories are gone by it.
type Deleted struct {
	Deleted int `json:"deleted" doc:"How many memories were deleted."`
}

// Delete removes a memory with its versions and vectors. NotFound when it does not stand; a repetition with the same
// key is answered like the first time.
func (s *Service) Delete(ctx context.Context, scope memory.Scope, id memory.ID, key memory.Key) error {
	_, _, err := once(ctx, s, scope, key, func() error { return nil }, func(tx memory.Tx) (Deleted, error) {
		return Deleted{Deleted: 1}, tx.Delete(ctx, id)
	})
	return err
}

// DeleteWhere removes every memory that matches and counts them. It works in slices, so that nobody else waits long
// for the writer: when it fails midway, what was deleted stays deleted, and repeating it deletes the rest. Invalid
// when the filter restricts nothing. Archived memories are deleted with the others, unless the filter wants them alone. With a key, the count of the call that ended is the answer of every repetition.
func (s *Service) DeleteWhere(ctx context.Context, scope memory.Scope, f memory.Filter, key memory.Key) (Deleted, bool, error) {
	if err := checkSelection(&f, "body.filter"); err != nil {
		return Deleted{}, false, err
	}
	if f.Archived == memory.WithoutArchived { // whoever wants something gone wants it gone
		f.Archived = memory.WithArchived
	}
	total := 0
	for {
		var answer Deleted
		var replayed bool
		gone := 0
		err := s.write(ctx, scope, func(tx memory.Tx) (err error) {
			if answer, replayed, err = answered[Deleted](ctx, tx, key); err != nil || replayed {
				return err
			}
			ids, err := tx.DeleteWhere(ctx, f, slice)
			if err != nil {
				return err
			}
			if gone = len(ids); gone == slice {
				return nil
			}
			return remember(ctx, tx, key, Deleted{Deleted: total + gone})
		})
		if err != nil || replayed {
			return answer, replayed, err
		}
		if total += gone; gone < slice {
			return Deleted{Deleted: total}, false, nil
		}
	}
}
