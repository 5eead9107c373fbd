package memorytest

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

func versionClauses() []clause {
	return []clause{
		{"replace writes the next version and keeps the id and the creation", replaceWrites},
		{"history tells every version, newest first, with who and why", historyTells},
		{"times of versions increase even when the clock stands still or turns back", timesIncrease},
		{"replace of what does not stand is not found", replaceMissing},
		{"replace into another's external id or content is a conflict", replaceConflicts},
		{"an external id given up can be taken by another", externalIDMoves},
		{"content given up can be stored again", fingerprintMoves},
		{"history of what never was is not found", historyMissing},
	}
}

func replaceWrites(t *testing.T, w *world) {
	first := w.add(t, acme, full())
	later := w.advance(time.Minute)
	next := first
	next.Content, next.Importance, next.ValidTo = "Ann moved to Bergen", 0.1, nil
	next.Version, next.CreatedAt, next.TenantID = 77, later, "somebody else"
	got := w.replace(t, acme, next)
	want := first
	want.Content, want.Importance, want.ValidTo, want.Version, want.UpdatedAt = "Ann moved to Bergen", 0.1, nil, 2, later
	same(t, "answered", got, want)
	same(t, "read", w.get(t, acme, first.ID, memory.View{}), want)
	same(t, "listed", w.list(t, acme, memory.Query{}).Memories, []memory.Memory{want})
}

func historyTells(t *testing.T, w *world) {
	first := w.add(t, acme, note("v1"))
	second := w.advance(time.Minute)
	next := first
	next.Content = "v2"
	why := memory.Why{Actor: "agent:bob", Reason: "corrected"}
	w.write(t, acme, func(tx memory.Tx) (err error) {
		next, err = tx.Replace(t.Context(), next, why)
		return err
	})
	third := w.advance(time.Minute)
	last := next
	last.Content = "v3"
	last = w.replace(t, acme, last)
	same(t, "history", w.history(t, acme, first.ID), []memory.Version{
		{Memory: last, Change: memory.Updated, Why: asker, RecordedFrom: third},
		{Memory: next, Change: memory.Updated, Why: why, RecordedFrom: second, RecordedTo: &third},
		{Memory: first, Change: memory.Created, Why: asker, RecordedFrom: start, RecordedTo: &second},
	})
}

func timesIncrease(t *testing.T, w *world) {
	m := w.add(t, acme, note("v0"))
	for i := range 5 {
		if i == 3 {
			w.advance(-time.Hour)
		}
		m.Tags = append(m.Tags, "more")
		m = w.replace(t, acme, m)
	}
	versions := w.history(t, acme, m.ID)
	same(t, "versions", len(versions), 6)
	for i := 1; i < len(versions); i++ {
		newer, older := versions[i-1], versions[i]
		if !newer.RecordedFrom.After(older.RecordedFrom) || !newer.UpdatedAt.After(older.UpdatedAt) {
			t.Errorf("version %d is known from %v, version %d from %v", newer.Version, newer.RecordedFrom, older.Version, older.RecordedFrom)
		}
		if older.RecordedTo == nil || !older.RecordedTo.Equal(newer.RecordedFrom) {
			t.Errorf("version %d ends %v, the next begins %v", older.Version, older.RecordedTo, newer.RecordedFrom)
		}
	}
}

func replaceMissing(t *testing.T, w *world) {
	m := note("nobody")
	m.ID = memory.NewID()
	kind(t, w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		_, err := tx.Replace(t.Context(), m, asker)
		return err
	}), fault.NotFound)
	same(t, "head", w.head(t, acme), 0)
}

func replaceConflicts(t *testing.T, w *world) {
	taken := note("taken")
	taken.ExternalID = "key"
	w.add(t, acme, taken)
	plain := w.add(t, acme, note("plain"))
	other := w.add(t, acme, note("other"))
	for name, change := range map[string]func(*memory.Memory){
		"external id": func(m *memory.Memory) { m.ExternalID = "key" },
		"content":     func(m *memory.Memory) { m.Content = "plain" },
	} {
		next := other
		change(&next)
		err := w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
			_, err := tx.Replace(t.Context(), next, asker)
			return err
		})
		if fault.KindOf(err) != fault.Conflict {
			t.Errorf("taking another's %s: %v, want a conflict", name, err)
		}
	}
	same(t, "read", w.get(t, acme, other.ID, memory.View{}), other)
	same(t, "read", w.get(t, acme, plain.ID, memory.View{}), plain)
}

func externalIDMoves(t *testing.T, w *world) {
	m := note("first")
	m.ExternalID = "key"
	m = w.add(t, acme, m)
	m.ExternalID = ""
	w.replace(t, acme, m)
	second := note("second")
	second.ExternalID = "key"
	second = w.add(t, acme, second)
	if second.ID == m.ID {
		t.Fatalf("the freed key still names %s", m.ID)
	}
}

func fingerprintMoves(t *testing.T, w *world) {
	m := w.add(t, acme, note("first"))
	m.Content = "second"
	w.replace(t, acme, m)
	w.add(t, acme, note("first"))
	_, outcome := w.put(t, acme, note("second"))
	same(t, "outcome", outcome, memory.Deduplicated)
}

func historyMissing(t *testing.T, w *world) {
	_, err := w.store.History(t.Context(), acme, memory.NewID())
	kind(t, err, fault.NotFound)
}
