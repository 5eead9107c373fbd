package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
)

// A slice of an import is as many statements as one memory, whatever its size, and goes by the keys of what is already
// there, though all that is known of the tables is that they were empty.
func TestASliceIsSoManyStatementsWhateverItsSize(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	if _, err := connect(t, url).Exec(t.Context(), `VACUUM ANALYZE`); err != nil {
		t.Fatal(err)
	}
	db, told := explained(t, url)
	l := newLibrary()
	put := func(entries []memory.Entry, want memory.Outcome) (statements []string) {
		t.Helper()
		told.take(t)
		err := db.Write(t.Context(), acme, func(tx memory.Tx) error {
			all, err := tx.PutAll(t.Context(), entries, memory.Why{})
			for i := range all {
				if all[i].Outcome != want || all[i].Err != nil {
					t.Fatalf("entry %d: %s, %v, want %s", i, all[i].Outcome, all[i].Err, want)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range told.take(t) {
			statements = append(statements, p.query)
			if strings.Contains(p.paths, "all of ") && !strings.Contains(p.paths, "all of erased") { // that is one row
				t.Errorf("%s\nof %d entries read %s", p.query, len(entries), p.paths)
			}
			if p.again {
				t.Errorf("%s\nof %d entries went through them again and again", p.query, len(entries))
			}
			if strings.Contains(p.query, "ORDER BY x.fingerprint") && p.paths != "memories_external_id, memories_fingerprint, memories_pkey" {
				t.Errorf("memories were recognised by %s", p.paths)
			}
		}
		return statements
	}
	entries := func(n int) []memory.Entry {
		all := make([]memory.Entry, n)
		for i := range all {
			all[i] = memory.Entry{Memory: l.memory(), Vectors: []memory.Vector{{Model: model, Values: []float32{1, float32(i)}}}}
			all[i].ID, all[i].Entities = memory.NewID(), []memory.Entity{{Name: fmt.Sprint("thing ", i%7), Type: "thing"}}
		}
		return all
	}
	few, many := entries(1), entries(400)
	for _, of := range []struct {
		outcome memory.Outcome
		change  func(*memory.Entry)
	}{
		{memory.Created, func(*memory.Entry) {}},
		{memory.Deduplicated, func(*memory.Entry) {}},
		{memory.Updated, func(e *memory.Entry) { e.Tags = []string{"later"} }},
	} {
		for i := range few {
			of.change(&few[i])
		}
		for i := range many {
			of.change(&many[i])
		}
		one, all := put(few, of.outcome), put(many, of.outcome)
		if len(one) == 0 || !slices.Equal(one, all) {
			t.Errorf("%s: one memory was %d statements, 400 were %d:\n%s", of.outcome, len(one), len(all), strings.Join(all, "\n"))
		}
	}
}

// Words of long texts are gathered a few versions at a time: all of a tail need not fit into memory.
func TestLongTextsAreGatheredInSlices(t *testing.T) {
	t.Parallel()
	db := open(t, postgres.Options{})
	text := strings.Repeat("word ", 200_000)
	for i := range 20 {
		err := db.Write(t.Context(), acme, func(tx memory.Tx) error {
			_, _, err := tx.Put(t.Context(), memory.Memory{Content: fmt.Sprint(text, i)}, memory.Why{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if covered, err := db.GatherSlice(t.Context(), acme); err != nil || covered < 15 || covered > 18 {
		t.Errorf("one slice covered %d of 20 versions of a megabyte each, %v", covered, err)
	}
	if covered, err := db.GatherAll(t.Context(), acme); err != nil || covered < 2 || covered > 5 {
		t.Errorf("the rest was %d versions, %v", covered, err)
	}
}

func TestTextThatTheDatabaseCannotKeepIsTheCallersFault(t *testing.T) {
	t.Parallel()
	db := open(t, postgres.Options{})
	err := db.Write(t.Context(), acme, func(tx memory.Tx) error {
		_, _, err := tx.Answered(t.Context(), memory.Key{Route: "r", Key: "k\x00", Fingerprint: "f"})
		return err
	})
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("NUL in a key is %s: %v", fault.KindOf(err), err)
	}
}
