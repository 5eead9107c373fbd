package reflection

import (
	"context"
	"fmt"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Merged is one memory that stands for another, which says the same.
type Merged struct {
	MemoryID   memory.ID `json:"memory_id" doc:"The one that was archived."`
	Into       memory.ID `json:"into" doc:"The newest of those that say the same, which stays."`
	Similarity float64   `json:"similarity" doc:"Share of all their words that both have, 0 to 1."`
}

// merge archives, of memories that say the same, all but the newest, and records which for which. Words that turn a sentence
// round, and numbers, must be the same; so must the layer. One with a key of its caller's stays: an import would tell it
// again. It can be undone like a run of forgetting.
func (s *Service) merge(ctx context.Context, scope memory.Scope, r *Reflection) (found, error) {
	window := r.window()
	window.Archived = memory.WithArchived // what this very reflection archived before it was interrupted belongs to it
	page, err := s.Memories.List(ctx, scope, memory.Query{Filter: window, Limit: windowSize})
	if err != nil {
		return found{}, fmt.Errorf("read the memories of reflection %s: %w", r.ID, err)
	}
	var f found
	if page.Next != "" {
		f.degraded = append(f.degraded, "window")
	}
	var memories []memory.Memory
	for _, m := range page.Memories {
		if m.Scope() == scope && toldBySomebody(&m) && (m.ArchivedAt == nil || m.ArchivedBy == r.ID) {
			memories = append(memories, m)
		}
	}
	var merges []Merged
	for _, part := range partitions(newCorpus(memories).documents) {
		for _, group := range alike(part) {
			merges = append(merges, mergesOf(group)...)
		}
	}
	if err := ctx.Err(); err != nil {
		return found{}, err
	}
	if r.Merged, err = s.archiveMerged(ctx, scope, r.ID, versionsOf(memories), merges); err != nil {
		return found{}, err
	}
	for _, m := range r.Merged {
		f.ids = append(f.ids, m.MemoryID)
	}
	return f, nil
}

// mergesOf are the merges into the newest of a group that stands.
func mergesOf(group []*document) (merges []Merged) {
	into := group[len(group)-1]
	if into.memory.ArchivedAt != nil {
		return nil
	}
	words := wordSet(into.body)
	for _, d := range group[:len(group)-1] {
		if other := wordSet(d.body); d.memory.Layer == into.memory.Layer && d.memory.ExternalID == "" && same(words, other) {
			merges = append(merges, Merged{d.memory.ID, into.memory.ID, round(jaccard(words, other))})
		}
	}
	return merges
}

func jaccard(a, b map[string]bool) float64 {
	common := 0
	for word := range a {
		if b[word] {
			common++
		}
	}
	return float64(common) / float64(max(1, len(a)+len(b)-common))
}

// archiveMerged archives what is merged, as far as both stand as they were read, and returns that.
func (s *Service) archiveMerged(ctx context.Context, scope memory.Scope, by memory.ID, versions map[memory.ID]int, merges []Merged) (done []Merged, err error) {
	if len(merges) == 0 {
		return nil, nil
	}
	err = s.Writer.Write(ctx, scope, func(tx memory.Tx) error {
		done = nil
		var ids []memory.ID
		for _, m := range merges {
			standing := true
			for _, id := range []memory.ID{m.MemoryID, m.Into} {
				now, err := tx.Get(ctx, id)
				if err != nil && fault.KindOf(err) != fault.NotFound {
					return err
				}
				standing = standing && err == nil && now.Version == versions[id] && (now.ArchivedAt == nil || now.ArchivedBy == by && id == m.MemoryID)
			}
			if standing {
				done, ids = append(done, m), append(ids, m.MemoryID)
			}
		}
		_, err := tx.Archive(ctx, ids, by)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("archive what is merged: %w", err)
	}
	return done, nil
}
