package reflect

import (
	"context"
	"fmt"
	"slices"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/learn"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/text"
)

// learning is what becomes of memories that were read: facts, and who is mentioned where.
type learning struct {
	facts    *learn.Learner
	names    knowledge.Register
	memories reflection.Reader
}

// learn keeps what was read. Doing it twice does nothing more.
func (l *learning) learn(ctx context.Context, scope memory.Scope, read []knowledge.Extraction, why memory.Why) error {
	if _, err := l.facts.Learn(ctx, scope, read, why); err != nil {
		return err
	}
	ids := make([]memory.ID, len(read))
	for i := range read {
		ids[i] = read[i].MemoryID
	}
	told, err := l.memories.Find(ctx, scope, ids, memory.View{})
	if err != nil {
		return fmt.Errorf("find what was read: %w", err)
	}
	var seen []knowledge.Sighting
	for i := range read {
		at := slices.IndexFunc(told, func(m memory.Memory) bool { return m.ID == read[i].MemoryID })
		if at < 0 {
			continue // gone meanwhile
		}
		seen = append(seen, knowledge.Sighting{
			MemoryID: read[i].MemoryID, Version: read[i].Version, By: read[i].Method, At: told[at].When(),
			Mentions: slices.DeleteFunc(slices.Clone(read[i].Mentions), unnamed),
		})
	}
	if err := l.names.Observe(ctx, scope, seen); err != nil {
		return fmt.Errorf("note whom memories mention: %w", err)
	}
	return nil
}

// unnamed reports whether a mention is of a thing that is told by its form: nobody is called like that.
func unnamed(m knowledge.Mention) bool {
	switch m.Type {
	case text.URL, text.Email, text.Date, text.Quantity, "phone":
		return true
	}
	return false
}
