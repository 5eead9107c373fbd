package ingest_test

import (
	"encoding/json"
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

func archive(t *testing.T, s *ingest.Service, ids ...memory.ID) {
	t.Helper()
	err := s.Store.Write(t.Context(), here, func(tx memory.Tx) error {
		marked, err := tx.Archive(t.Context(), ids, memory.NewID())
		if len(marked) != len(ids) {
			t.Errorf("archived %d of %d", len(marked), len(ids))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsToldAgainIsBroughtBack(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	m := mustPut(t, s, ingest.Draft{Content: "told twice"})
	for name, tell := range map[string]func() error{
		"alone": func() error {
			again, _, err := s.Put(t.Context(), here, ingest.Draft{Content: "told twice"}, memory.Key{}, memory.Why{})
			if again.ID != m.ID || again.Outcome != memory.Deduplicated || again.ArchivedAt != nil {
				t.Errorf("alone: %+v", again)
			}
			return err
		},
		"with a key": func() error {
			_, _, err := s.Put(t.Context(), here, ingest.Draft{Content: "told twice"}, key("k", "f"), memory.Why{})
			return err
		},
		"in a batch": func() error {
			_, _, err := s.Batch(t.Context(), here, []json.RawMessage{[]byte(`{"content":"told twice"}`)}, memory.Key{}, memory.Why{})
			return err
		},
	} {
		archive(t, s, m.ID)
		if err := tell(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if all := everything(t, s, here); len(all) != 1 || all[0].ID != m.ID || all[0].Version != 1 {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

func TestWhatIsDerivedAgainStaysArchived(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	source := mustPut(t, s, ingest.Draft{Content: "source"})
	derive := func(event string) memory.ID {
		t.Helper()
		stored, _, err := s.Derive(t.Context(), here, ingest.Derivation{
			Event: ingest.Event{Source: "test", ID: event},
			Memory: memory.Memory{ID: "018f0000-0000-7000-8000-00000000000a", Content: "source, quoted", Layer: memory.Reflective,
				DerivedFrom: []memory.Citation{{MemoryID: source.ID, End: 6}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return stored.ID
	}
	archive(t, s, derive("1"))
	derive("2")
	if all := everything(t, s, here); len(all) != 1 || all[0].ID != source.ID {
		t.Errorf("found %+v", all)
	}
}

func TestDeletingByFilterTakesWhatIsArchived(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	a := mustPut(t, s, ingest.Draft{Content: "a", UserID: "ann"})
	mustPut(t, s, ingest.Draft{Content: "b", UserID: "ann"})
	archive(t, s, a.ID)
	for _, c := range []struct {
		filter memory.Filter
		want   int
	}{{memory.Filter{Archived: memory.OnlyArchived}, 1}, {memory.Filter{UserID: "ann"}, 1}} {
		if got, _, err := s.DeleteWhere(t.Context(), here, c.filter, memory.Key{}); err != nil || got.Deleted != c.want {
			t.Errorf("%+v: deleted %d, %v", c.filter, got.Deleted, err)
		}
	}
	archive(t, s, mustPut(t, s, ingest.Draft{Content: "c", UserID: "ann"}).ID)
	if got, _, err := s.DeleteWhere(t.Context(), here, memory.Filter{UserID: "ann"}, memory.Key{}); err != nil || got.Deleted != 1 {
		t.Errorf("deleted %d, %v", got.Deleted, err)
	}
	_, _, err := s.DeleteWhere(t.Context(), here, memory.Filter{Archived: memory.WithArchived}, memory.Key{})
	wantFault(t, err, fault.Invalid, "body.filter")
	_, err = s.List(t.Context(), here, memory.Query{Filter: memory.Filter{Archived: "maybe"}, Limit: 1})
	wantFault(t, err, fault.Invalid, "query.archived")
}
