package ingest

import (
	"context"
	"errors"

	"github.com/rae-memory/rae/pkg/memory"
)

// Erase removes everything RAE holds of a tenant, in every project and every place, and counts it. The store goes
// first, because what it no longer holds no index can bring back. It also tells everybody else who holds copies; where
// nobody is asked here, the receipt says who is told. When one place fails the others are still erased,
// and the error says so: repeating the call finishes the work.
func (s *Service) Erase(ctx context.Context, tenant string) (memory.Receipt, error) {
	c := complaints{prefix: "path."}
	if tenant == "" {
		c.add("tenant", "must not be empty")
	}
	c.name("tenant", tenant, MaxName)
	if err := c.err(); err != nil {
		return memory.Receipt{}, err
	}
	receipt, err := s.Store.EraseTenant(ctx, tenant)
	if err != nil {
		return memory.Receipt{}, err
	}
	if len(s.Erasers) == 0 {
		receipt.Follows = []string{"search", "embed"}
	}
	var failed []error
	for _, place := range s.Erasers {
		part, err := place.EraseTenant(ctx, tenant)
		if err != nil {
			failed = append(failed, err)
		}
		receipt.Memories += part.Memories
		receipt.Versions += part.Versions
		receipt.Vectors += part.Vectors
		receipt.Events += part.Events
		receipt.Answers += part.Answers
		receipt.Other += part.Other
		receipt.CacheKeys += part.CacheKeys
	}
	receipt.Tenant = tenant
	if receipt.ErasedAt.IsZero() {
		receipt.ErasedAt = s.now()
	}
	return receipt, errors.Join(failed...)
}

// Sweep deletes expired memories in slices until none is left or ctx ends, and returns how many. Ending early is no
// error: the next call goes on where this one stopped.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	total := 0
	for ctx.Err() == nil {
		n, err := s.Store.Sweep(ctx, slice)
		total += n
		if err != nil && ctx.Err() == nil {
			return total, err
		}
		if n < slice {
			break
		}
	}
	return total, nil
}
