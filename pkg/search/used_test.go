package search_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// book counts what is written down.
type book struct {
	mu     sync.Mutex
	writes int
	hits   map[memory.ID]int64
	err    error
}

func (b *book) Hit(_ context.Context, _ memory.Scope, hits []memory.Hits) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writes++
	if b.err != nil {
		return b.err
	}
	for _, h := range hits {
		b.hits[h.ID] += h.N
	}
	return nil
}

func (b *book) Use(context.Context, memory.Scope, []memory.ID) (map[memory.ID]memory.Use, error) {
	return nil, nil
}

func TestUseIsNotedAndWrittenDownLaterTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &book{hits: map[memory.ID]int64{}}
		u := &search.Used{Uses: b}
		scope := memory.Scope{Tenant: "acme", Project: "p"}
		wrote := func(writes int, want map[memory.ID]int64) {
			t.Helper()
			synctest.Wait()
			if b.writes != writes || !maps.Equal(b.hits, want) {
				t.Errorf("%d writes, %v; want %d, %v", b.writes, b.hits, writes, want)
			}
		}
		for range 1000 {
			u.Note(t.Context(), scope, []memory.ID{"a", "b"})
		}
		u.Note(t.Context(), scope, nil)
		dry, _ := llm.WithDryRun(t.Context())
		u.Note(dry, scope, []memory.ID{"a"})
		wrote(0, map[memory.ID]int64{})
		time.Sleep(time.Minute)
		u.Note(t.Context(), scope, []memory.ID{"a"})
		wrote(1, map[memory.ID]int64{"a": 1001, "b": 1000})

		b.err = fault.New(fault.Unavailable, "away")
		u.Note(t.Context(), scope, []memory.ID{"c", "a"})
		time.Sleep(time.Minute)
		u.Note(t.Context(), scope, []memory.ID{"c"})
		wrote(2, map[memory.ID]int64{"a": 1001, "b": 1000})
		if err := u.Close(t.Context()); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("close: %v", err)
		}
		b.err = nil
		if err := u.Close(t.Context()); err != nil {
			t.Error(err)
		}
		wrote(4, map[memory.ID]int64{"a": 1002, "b": 1000, "c": 2})
		if err := u.Close(t.Context()); err != nil {
			t.Error(err)
		}
		wrote(4, map[memory.ID]int64{"a": 1002, "b": 1000, "c": 2})
	})
}

func TestNotesOfUseAreBounded(t *testing.T) {
	t.Parallel()
	b := &book{hits: map[memory.ID]int64{}}
	u := &search.Used{Uses: b}
	for range 20_000 {
		u.Note(t.Context(), memory.Scope{Tenant: "acme", Project: "p"}, []memory.ID{memory.NewID()})
	}
	if err := u.Close(t.Context()); err != nil || len(b.hits) != 10_000 {
		t.Errorf("%d memories, %v", len(b.hits), err)
	}
	var none *search.Used
	none.Note(t.Context(), memory.Scope{}, []memory.ID{"a"})
	if err := none.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
