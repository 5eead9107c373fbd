package reflection_test

import (
	"slices"
	"testing"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
)

func TestWhatWasDerivedGoesWithItsSource(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.put(t, acme, turns(t)...)
	for _, kind := range []reflection.Kind{reflection.Insight, reflection.Extract} {
		w.run(t, acme, reflection.Request{Kind: kind})
	}
	kept := w.keep(t)
	source := kept[0].DerivedFrom[0].MemoryID
	cites := func(m memory.Memory) bool {
		return slices.ContainsFunc(m.DerivedFrom, func(c memory.Citation) bool { return c.MemoryID == source })
	}
	other := memory.Scope{Tenant: "acme", Project: "other"}
	if n, err := w.service.Forget(t.Context(), other, source); n != 0 || err != nil {
		t.Errorf("another project's deletion: %d, %v", n, err)
	}
	var quoting, rest []memory.ID
	for _, m := range kept {
		if cites(m) {
			quoting = append(quoting, m.ID)
		} else {
			rest = append(rest, m.ID)
		}
	}
	for _, want := range []int{len(quoting), 0} { // told again, nothing is left to do
		if n, err := w.service.Forget(t.Context(), acme, source); n != want || err != nil {
			t.Fatalf("forgot %d, %v; want %d", n, err, want)
		}
	}
	standing, err := w.db.Find(t.Context(), acme, append(quoting, rest...), memory.View{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(rest)
	if got := ids(standing); !slices.Equal(got, rest) || len(rest) == 0 {
		t.Errorf("%v stand, want %v", got, rest)
	}
}
