package ingest

import (
	"context"
	"strconv"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// consumer is the name under which the store function takes events.
const consumer = "store"

// maxCitations is how many places one derived memory may rest on.
const maxCitations = 1000

// Event identifies the event that brought something, so that it has its effect once.
type Event struct {
	Source string
	ID     string
}

// Derivation is a memory that was derived from others.
type Derivation struct {
	Event  Event
	Memory memory.Memory // with the id its deriver chose, or without one; version and times of change are not taken
	Reason string        // why it was derived; history shows it
}

// Derive stores a derived memory, exactly once however often its event comes; taken is false for a repetition. It
// expires with the first of its sources: a quote must not outlive what it quotes. Invalid when a reflective memory cites
// nothing, a cited memory does not stand in the scope, or a span lies outside of its content: such an event can never be
// taken. Conflict when other content stands under the id.
func (s *Service) Derive(ctx context.Context, scope memory.Scope, d Derivation) (stored Stored, taken bool, err error) {
	m, err := s.derived(scope, &d.Memory)
	if err != nil {
		return Stored{}, false, err
	}
	vectors, err := s.embed(ctx, scope, []string{m.Content})
	if err != nil {
		return Stored{}, false, err
	}
	e := entry(m, vectors[0])
	why := memory.Why{Actor: "reflect", Reason: d.Reason}
	if err := named(scope); err != nil {
		return Stored{}, false, err
	}
	err = s.Store.Write(ctx, scope, func(tx memory.Tx) (err error) { // nobody tells it again: what is archived stays so
		if taken, err = tx.Once(ctx, consumer, d.Event.Source, d.Event.ID); err != nil || !taken {
			return err
		}
		until, err := checkCited(ctx, tx, m.DerivedFrom)
		if err != nil {
			return err
		}
		e.Memory.ExpiresAt = earlier(m.ExpiresAt, until)
		stored.Memory, stored.Outcome, err = tx.Put(ctx, e.Memory, why, e.Vectors...)
		return err
	})
	if err != nil {
		return Stored{}, false, err
	}
	return stored, taken, nil
}

// derived checks a derived memory like any other, and its citations.
func (s *Service) derived(scope memory.Scope, told *memory.Memory) (memory.Memory, error) {
	const prefix = "data.memory."
	draft := draftOf(told)
	m, err := draft.memory(scope, s.now(), prefix)
	if err != nil {
		return memory.Memory{}, err
	}
	c := complaints{prefix: prefix}
	if told.ID != "" {
		id, ok := memory.ParseID(string(told.ID))
		if !ok {
			c.add("id", "must be a UUID")
		}
		m.ID = id
	}
	if told.TenantID != "" && told.Scope() != scope {
		c.add("tenant_id", "must be that of the event")
	}
	if m.Layer == memory.Reflective && len(told.DerivedFrom) == 0 {
		c.add("derived_from", "must cite at least one memory")
	}
	m.DerivedFrom = c.citations("derived_from", told.DerivedFrom)
	return m, c.err()
}

// draftOf is what a caller would have told to get the memory.
func draftOf(m *memory.Memory) Draft {
	d := Draft{
		Content: m.Content, Layer: m.Layer, Tags: m.Tags, Metadata: m.Metadata, Importance: &m.Importance,
		Source: m.Source, ExternalID: m.ExternalID, UserID: m.UserID, AgentID: m.AgentID, SessionID: m.SessionID,
		OccurredAt: m.OccurredAt, ValidFrom: m.ValidFrom, ValidTo: m.ValidTo, ExpiresAt: m.ExpiresAt,
	}
	for _, e := range m.Entities {
		d.Entities = append(d.Entities, Mention(e))
	}
	return d
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

// checkCited reads every cited memory inside the transaction, compares the spans with its content and tells when the
// first of them expires, nil for never.
func checkCited(ctx context.Context, tx memory.Tx, from []memory.Citation) (until *time.Time, err error) {
	c := complaints{prefix: "data.memory."}
	lengths := make(map[memory.ID]int)
	for i, cited := range from {
		here := "derived_from[" + strconv.Itoa(i) + "]"
		length, known := lengths[cited.MemoryID]
		if !known {
			standing, err := tx.Get(ctx, cited.MemoryID)
			switch {
			case err == nil:
				length = len(standing.Content)
				until = earlier(until, standing.ExpiresAt)
			case fault.KindOf(err) == fault.NotFound:
				length = -1
			default:
				return nil, err
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
	return until, c.err()
}

// earlier is the earlier of two times, where nil is never.
func earlier(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}
