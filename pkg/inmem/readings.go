package inmem

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

// readingRow is a reading, and of one that waits for whom and for what.
type readingRow struct {
	reflection.Reading
	owner      string
	reflection memory.ID
}

// Await implements reflection.Store.
func (s *Reflections) Await(
	ctx context.Context, scope memory.Scope, w reflection.Waiting, next reflection.Reflection, records ...outbox.Record,
) (dealt int, err error) {
	err = s.db.write(ctx, func(u *undo) error {
		waiting := map[memory.ID]int{}
		for id, row := range s.readings {
			if id.Scope == scope && row.owner == w.Owner && row.Edition == "" {
				waiting[row.reflection]++
			}
		}
		var open memory.ID
		for id, n := range waiting {
			if row, there := s.rows[reflectionID{scope, id}]; there && row.status == reflection.Queued && n < w.Full && id > open {
				open = id
			}
		}
		var fresh []reflection.Reading
		fresh, dealt = w.Fresh(w.Full-waiting[open], func(id memory.ID) int { return s.readings[reflectionID{scope, id}].Version })
		if len(fresh) == 0 {
			return nil
		}
		if open == "" {
			if _, err := s.insert(u, scope, next, ""); err != nil {
				return err
			}
			open = next.ID
		}
		for _, m := range fresh {
			set(u, s.readings, reflectionID{scope, m.Memory}, readingRow{reflection.Reading{Memory: m.Memory, Version: m.Version}, w.Owner, open})
		}
		if waiting[open]+len(fresh) >= w.Full {
			row := s.rows[reflectionID{scope, open}]
			row.waits = time.Time{}
			set(u, s.rows, reflectionID{scope, open}, row)
			s.db.emitAll(ctx, u, scope, records)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return dealt, nil
}

// Assigned implements reflection.Store.
func (s *Reflections) Assigned(ctx context.Context, scope memory.Scope, id memory.ID) ([]reflection.Reading, error) {
	return s.readingsOf(ctx, scope, func(row readingRow) bool { return row.reflection == id && row.Edition == "" })
}

// Read implements reflection.Store.
func (s *Reflections) Read(ctx context.Context, scope memory.Scope, ids []memory.ID) ([]reflection.Reading, error) {
	return s.readingsOf(ctx, scope, func(row readingRow) bool { return slices.Contains(ids, row.Memory) })
}

func (s *Reflections) readingsOf(ctx context.Context, scope memory.Scope, which func(readingRow) bool) ([]reflection.Reading, error) {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all := []reflection.Reading{}
	for id, row := range s.readings {
		if id.Scope == scope && which(row) {
			all = append(all, row.Reading)
		}
	}
	slices.SortFunc(all, func(a, b reflection.Reading) int { return cmp.Compare(a.Memory, b.Memory) })
	return all, nil
}

// MarkRead implements reflection.Store.
func (s *Reflections) MarkRead(ctx context.Context, scope memory.Scope, all []reflection.Reading) error {
	return s.db.write(ctx, func(u *undo) error {
		for _, m := range all {
			if row, there := s.readings[reflectionID{scope, m.Memory}]; !there || row.Version <= m.Version {
				set(u, s.readings, reflectionID{scope, m.Memory}, readingRow{Reading: m})
			}
		}
		return nil
	})
}

// Unmark implements reflection.Store.
func (s *Reflections) Unmark(ctx context.Context, scope memory.Scope, id memory.ID) error {
	return s.db.write(ctx, func(u *undo) error {
		unset(u, s.readings, reflectionID{scope, id})
		return nil
	})
}
