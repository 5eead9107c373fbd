package ingest

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Refused is the Status of an item that was not stored; the others are the outcomes of package memory.
const Refused = "error"

// Result tells what became of one item of a batch.
type Result struct {
	Index  int       `json:"index" doc:"Position in the request, from 0."`
	Status string    `json:"status" enum:"created,deduplicated,updated,error" doc:"What became of the item."`
	ID     memory.ID `json:"id,omitempty" doc:"The memory that stands; absent when the item was refused."`
	Error  *Refusal  `json:"error,omitempty" doc:"Why the item was refused."`
}

// Refusal says why one item was refused, in the words a problem document would use.
type Refusal struct {
	Kind   string        `json:"kind" doc:"Stable name of the kind of error, such as invalid." example:"invalid"`
	Detail string        `json:"detail" doc:"What is wrong, in words."`
	Errors []fault.Field `json:"errors,omitempty" doc:"The fields at fault."`
}

func refusal(err error) *Refusal {
	return &Refusal{Kind: fault.KindOf(err).String(), Detail: fault.Public(err), Errors: fault.FieldsOf(err)}
}

// Batch stores up to 1000 drafts, given as JSON so that one that cannot be read sinks nobody else, with one call of
// the embedder. Results come in the order of items. With a key everything is one transaction together with the
// remembered answer; without one it goes in slices, and when the store fails midway the results say which items it
// did not take.
func (s *Service) Batch(ctx context.Context, scope memory.Scope, items []json.RawMessage, key memory.Key, why memory.Why) ([]Result, bool, error) {
	if len(items) == 0 || len(items) > MaxBatch {
		return nil, false, fault.BadField("body.memories", "must hold 1 to %d memories", MaxBatch)
	}
	if kept, replayed, err := peek[[]Result](ctx, s, scope, key); err != nil || replayed {
		return kept, replayed, err
	}
	results := make([]Result, len(items))
	var good []memory.Memory
	var at []int // good[i] is items[at[i]]
	for i, item := range items {
		results[i] = Result{Index: i}
		m, err := s.read(scope, item, "body.memories["+strconv.Itoa(i)+"].")
		if err != nil {
			results[i].Status, results[i].Error = Refused, refusal(err)
			continue
		}
		good, at = append(good, m), append(at, i)
	}
	vectors, err := s.embed(ctx, scope, contents(good))
	if err != nil {
		return nil, false, err
	}
	all := entries(good, vectors)
	if key.Key != "" {
		return s.batchOnce(ctx, scope, all, at, results, key, why)
	}
	taken := 0
	for start := 0; start < len(all); start += slice {
		end := min(start+slice, len(all))
		written, err := s.putAll(ctx, scope, all[start:end], why, nothingBefore, nothingAfter)
		if err != nil {
			if taken == 0 {
				return nil, false, err
			}
			for _, i := range at[start:] {
				results[i].Status, results[i].Error = Refused, refusal(err)
			}
			return results, false, nil
		}
		settle(results, at[start:end], written)
		taken += end - start
	}
	return results, false, nil
}

// batchOnce writes the whole batch and its answer in one transaction.
func (s *Service) batchOnce(ctx context.Context, scope memory.Scope, all []memory.Entry, at []int, results []Result, key memory.Key, why memory.Why) (kept []Result, replayed bool, err error) {
	_, err = s.putAll(ctx, scope, all, why, func(tx memory.Tx) (bool, error) {
		kept, replayed, err = answered[[]Result](ctx, tx, key)
		return replayed, err
	}, func(tx memory.Tx, written []memory.Written) error {
		settle(results, at, written)
		return remember(ctx, tx, key, results)
	})
	if err != nil || replayed {
		return kept, replayed, err
	}
	return results, false, nil
}

// settle writes what became of the entries into the results at their places.
func settle(results []Result, at []int, written []memory.Written) {
	for i, place := range at {
		if err := written[i].Err; err != nil {
			results[place].Status, results[place].Error = Refused, refusal(err)
			continue
		}
		results[place].Status, results[place].ID = string(written[i].Outcome), written[i].Memory.ID
	}
}

// read turns one item into the memory it describes.
func (s *Service) read(scope memory.Scope, item []byte, prefix string) (memory.Memory, error) {
	d, err := ParseDraft(item, prefix)
	if err != nil {
		return memory.Memory{}, err
	}
	return d.memory(scope, s.now(), prefix)
}
