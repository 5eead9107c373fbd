package ingest_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
)

func TestADeletedMemoryIsGoneEverywhere(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	m := mustPut(t, s, ingest.Draft{Content: "x"})
	for i := range 2 {
		if err := s.Delete(t.Context(), here, m.ID, key("k", "f")); err != nil {
			t.Errorf("deletion %d with the key: %v", i+1, err)
		}
	}
	_, err := s.Get(t.Context(), here, m.ID, memory.View{})
	wantFault(t, err, fault.NotFound, "")
	_, err = s.History(t.Context(), here, m.ID)
	wantFault(t, err, fault.NotFound, "")
	wantFault(t, s.Delete(t.Context(), here, m.ID, memory.Key{}), fault.NotFound, "")
}

// seed stores n memories, every second one tagged even.
func seed(t *testing.T, s *ingest.Service, n int) {
	t.Helper()
	for done := 0; done < n; done += ingest.MaxBatch {
		var items []json.RawMessage
		for i := done; i < min(done+ingest.MaxBatch, n); i++ {
			items = append(items, fmt.Appendf(nil, `{"content":"memory %d","tags":["%s"]}`, i, []string{"even", "odd"}[i%2]))
		}
		if _, _, err := s.Batch(t.Context(), here, items, memory.Key{}, memory.Why{}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDeletingByFilterTakesAllThatMatchInSlices(t *testing.T) {
	t.Parallel()
	for _, k := range []memory.Key{{}, key("k", "f")} {
		s, _ := world(t)
		seed(t, s, 2400)
		writes := 0
		s.Store = failing{s.Store, &writes, 1 << 30}
		got, _, err := s.DeleteWhere(t.Context(), here, memory.Filter{Tags: []string{"even"}}, k)
		if err != nil || got.Deleted != 1200 {
			t.Errorf("deleted %+v, %v; want 1200", got, err)
		}
		if writes != 3 {
			t.Errorf("took %d transactions, want 3 slices", writes)
		}
		again, replayed, err := s.DeleteWhere(t.Context(), here, memory.Filter{Tags: []string{"even"}}, k)
		if want := 1200 * len(k.Key); err != nil || again.Deleted != want || replayed != (k.Key != "") {
			t.Errorf("the repetition with key %q deleted %+v, replayed %t, %v; want %d", k.Key, again, replayed, err, want)
		}
	}
}

func TestAnEmptyOrWrongFilterDeletesNothing(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	mustPut(t, s, ingest.Draft{Content: "x"})
	rows := []struct {
		field  string
		filter memory.Filter
	}{
		{"body.filter", memory.Filter{}},
		{"body.filter", memory.Filter{Layers: []memory.Layer{}, Tags: []string{}}},
		{"body.filter.layers[0]", memory.Filter{Layers: []memory.Layer{"x"}}},
		{"body.filter.tags[0]", memory.Filter{Tags: []string{"a\x00"}}},
		{"body.filter.user_id", memory.Filter{UserID: "a\x00"}},
		{"body.filter.until", memory.Filter{Since: ptr(start), Until: ptr(start)}},
		{"body.filter.since", memory.Filter{Since: ptr(time.Time{})}},
		{"body.filter.min_importance", memory.Filter{MinImportance: 2}},
	}
	for _, row := range rows {
		_, _, err := s.DeleteWhere(t.Context(), here, row.filter, memory.Key{})
		wantFault(t, err, fault.Invalid, row.field)
	}
	if n := len(everything(t, s, here)); n != 1 {
		t.Errorf("%d memories stand, want 1", n)
	}
}

func TestATenantIsErasedEverywhereAndCounted(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	mustPut(t, s, ingest.Draft{Content: "x"})
	if _, _, err := s.Put(t.Context(), there, ingest.Draft{Content: "y"}, memory.Key{}, memory.Why{}); err != nil {
		t.Fatal(err)
	}
	cache, index := inmem.New(inmem.Options{}), &away{}
	s.Erasers = []ingest.Eraser{index, cacheKeys(3), cache}
	receipt, err := s.Erase(t.Context(), "acme")
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("an index that is away: %v, want unavailable", err)
	}
	if receipt.Memories != 1 || receipt.CacheKeys != 3 || receipt.Tenant != "acme" || receipt.ErasedAt.IsZero() {
		t.Errorf("receipt is %+v", receipt)
	}
	if n := len(everything(t, s, here)); n != 0 {
		t.Errorf("%d memories of the tenant stand", n)
	}
	if n := len(everything(t, s, there)); n != 1 {
		t.Errorf("%d memories of the other tenant stand, want 1", n)
	}
	_, err = s.Erase(t.Context(), "")
	wantFault(t, err, fault.Invalid, "path.tenant")
}

func TestExpiredMemoriesAreSweptInSlices(t *testing.T) {
	t.Parallel()
	now := start
	clock := func() time.Time { return now }
	s := &ingest.Service{Store: inmem.New(inmem.Options{Clock: clock}), Clock: clock}
	for i := range 1100 {
		mustPut(t, s, ingest.Draft{Content: fmt.Sprint(i), TTLSeconds: ptr(int64(60))})
	}
	mustPut(t, s, ingest.Draft{Content: "stays"})
	now = now.Add(time.Hour)
	if n, err := s.Sweep(t.Context()); err != nil || n != 1100 {
		t.Errorf("swept %d, %v; want 1100", n, err)
	}
	if n := len(everything(t, s, here)); n != 1 {
		t.Errorf("%d memories stand, want 1", n)
	}
}
