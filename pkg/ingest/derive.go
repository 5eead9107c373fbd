package ingest

import (
	"context"
	"strconv"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// consumer is the name under which the store function takes events.
const consumer = "store"

// maxCitations is how many places one derived memory may rest on.
const maxCitations = 1000

// Derivation is a memory that somebody derived from others, as an event brought it.
type Derivation struct {
	Source  string // of the event; with EventID it is taken once
	EventID string
	ID      memory.ID // chosen by the deriver, so that it knows the memory before it stands; "" = none
	Draft   Draft
	From    []memory.Citation // what it rests on; at least one
	Why     memory.Why
}

// Derive stores a derived memory, exactly once however often its event comes; taken is false for a repetition. It is
// Invalid when nothing is cited, a cited memory does not stand in the scope, or a span lies outside of its content:
// such an event can never be taken.
func (s *Service) Derive(ctx context.Context, scope memory.Scope, d Derivation) (stored Stored, taken bool, err error) {
	m, err := d.memory(scope, s)
	if err != nil {
		return Stored{}, false, err
	}
	vectors, err := s.embed(ctx, []string{m.Content})
	if err != nil {
		return Stored{}, false, err
	}
	e := entries([]memory.Memory{m}, vectors)[0]
	err = s.Store.Write(ctx, scope, func(tx memory.Tx) (err error) {
		if taken, err = tx.Once(ctx, consumer, d.Source, d.EventID); err != nil || !taken {
			return err
		}
		if err = checkCited(ctx, tx, m.DerivedFrom); err != nil {
			return err
		}
		stored.Memory, stored.Outcome, err = tx.Put(ctx, e.Memory, d.Why, e.vectors()...)
		return err
	})
	if err != nil {
		return Stored{}, false, err
	}
	return stored, taken, nil
}

func (d *Derivation) memory(scope memory.Scope, s *Service) (memory.Memory, error) {
	draft := d.Draft
	if draft.Layer == "" {
		draft.Layer = memory.Reflective
	}
	m, err := draft.memory(scope, s.now(), "data.")
	if err != nil {
		return memory.Memory{}, err
	}
	c := complaints{prefix: "data."}
	if d.ID != "" {
		id, ok := memory.ParseID(string(d.ID))
		if !ok {
			c.add("id", "must be a UUID")
		}
		m.ID = id
	}
	if len(d.From) == 0 {
		c.add("derived_from", "must cite at least one memory")
	}
	m.DerivedFrom = c.citations("derived_from", d.From)
	return m, c.err()
}

// citations checks the form of citations; whether they hold is for the transaction to see.
func (c *complaints) citations(at string, from []memory.Citation) []memory.Citation {
	if len(from) > maxCitations {
		c.add(at, "must be at most %d citations", maxCitations)
		return nil
	}
	kept := make([]memory.Citation, 0, len(from))
	for i, cited := range from {
		here := at + "[" + strconv.Itoa(i) + "]"
		id, ok := memory.ParseID(string(cited.MemoryID))
		if !ok {
			c.add(here+".memory_id", "must be a UUID")
		}
		if cited.Start < 0 || cited.End < cited.Start || cited.End > MaxContent {
			c.add(here, "must be a span of bytes with 0 <= start <= end")
		}
		kept = append(kept, memory.Citation{MemoryID: id, Start: cited.Start, End: cited.End})
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// checkCited reads every cited memory inside the transaction and compares the spans with its content.
func checkCited(ctx context.Context, tx memory.Tx, from []memory.Citation) error {
	c := complaints{prefix: "data."}
	lengths := make(map[memory.ID]int)
	for i, cited := range from {
		here := "derived_from[" + strconv.Itoa(i) + "]"
		length, known := lengths[cited.MemoryID]
		if !known {
			standing, err := tx.Get(ctx, cited.MemoryID)
			switch {
			case err == nil:
				length = len(standing.Content)
			case fault.KindOf(err) == fault.NotFound:
				length = -1
			default:
				return err
			}
			lengths[cited.MemoryID] = length
		}
		switch {
		case length < 0:
			c.add(here+".memory_id", "names no memory of this project")
		case cited.End > length:
			c.add(here, "lies outside of the %d bytes it cites", length)
		}
	}
	return c.err()
}
