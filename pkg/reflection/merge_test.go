package reflection_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
)

func TestMergingKeepsTheNewestAndCanBeUndone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	first := w.put(t, acme,
		memory.Memory{Content: "The depot in Gdynia closes at six on Fridays."},
		memory.Memory{Content: "The depot in Gdynia closes at six on Fridays!", UserID: "ann"},
		memory.Memory{Content: "The depot in Gdynia closes at six on Fridays?", ExternalID: "key"},
		memory.Memory{Content: "The depot in Gdynia closes at six on Fridays;", Layer: memory.Semantic},
		memory.Memory{Content: "The depot in Gdynia never closes at six on Fridays."},
	)
	w.pass(time.Minute)
	newest := w.put(t, acme, memory.Memory{Content: "the depot in Gdynia closes at six on Fridays"})[0]
	before := w.all(t, memory.WithoutArchived)
	r := w.run(t, acme, reflection.Request{Kind: reflection.Merge})
	want := []reflection.Merged{{MemoryID: first[0].ID, Into: newest.ID, Similarity: 1}}
	if !reflect.DeepEqual(r.Merged, want) || !slices.Equal(r.MemoryIDs, []memory.ID{first[0].ID}) {
		t.Fatalf("merged %+v, want %+v", r.Merged, want)
	}
	if found, archived := w.standing(t); len(found) != 5 || !slices.Equal(archived, []string{first[0].Content}) {
		t.Errorf("found %q, archived %q", found, archived)
	}
	if again := w.run(t, acme, reflection.Request{Kind: reflection.Merge}); len(again.Merged) != 0 {
		t.Errorf("again it merged %+v", again.Merged)
	}
	if undone := w.undo(t, r.ID); undone.Forgetting.Restored != 1 {
		t.Errorf("undone: %+v", undone.Forgetting)
	}
	if after := w.all(t, memory.WithArchived); !reflect.DeepEqual(after, before) {
		t.Errorf("\n got %+v\nwant %+v", after, before)
	}
}
