package reflection_test

import (
	"math"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
)

func (w *world) hit(t testing.TB, id memory.ID, n int64) {
	t.Helper()
	if err := w.db.Hit(t.Context(), acme, []memory.Hits{{ID: id, N: n, Last: w.clock()}}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) rate(t testing.TB, id memory.ID, score float64) {
	t.Helper()
	err := w.db.Write(t.Context(), acme, func(tx memory.Tx) error {
		_, err := tx.Rate(t.Context(), id, memory.Feedback{Score: score, At: w.clock()})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) useOf(t testing.TB, id memory.ID) reflection.UseOf {
	t.Helper()
	use, err := w.service.UseOf(t.Context(), acme, id)
	if err != nil {
		t.Fatal(err)
	}
	return use
}

func TestUseMovesImportanceByItsFormula(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.service.Uses = w.db
	all := w.put(t, acme, said("often found", "misleading", "praised once", "unused", "never important")...)
	w.change(t, all[4], "a reason")
	often, bad, praised, unused := all[0].ID, all[1].ID, all[2].ID, all[3].ID
	w.hit(t, often, 100)
	for range 1000 {
		w.rate(t, bad, -1)
	}
	w.rate(t, praised, 1)
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-4 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	near("of a hundred hits", w.useOf(t, often).Importance.FromHits, 0.1)
	near("of a thousand bad words", w.useOf(t, bad).Importance.FromFeedback, -0.1996)
	near("of one good word", w.useOf(t, praised).Importance.FromFeedback, 0.0667)
	near("of no use", w.useOf(t, unused).Importance.Target, 0.5)
	r := w.run(t, acme, reflection.Request{Kind: reflection.Decay})
	if len(r.MemoryIDs) != 3 {
		t.Errorf("%d were changed", len(r.MemoryIDs))
	}
	importance := map[memory.ID]float64{}
	for _, m := range w.all(t, memory.WithoutArchived) {
		importance[m.ID] = m.Importance
	}
	near("often found", importance[often], 0.6)
	near("misleading", importance[bad], 0.3004)
	near("praised", importance[praised], 0.5667)
	near("unused", importance[unused], 0.5)
	if again := w.run(t, acme, reflection.Request{Kind: reflection.Decay}); len(again.MemoryIDs) != 0 {
		t.Errorf("again it changed %v", again.MemoryIDs)
	}
	// What wears off is taken back, and what is used does not fade meanwhile.
	w.pass(14 * day)
	w.hit(t, praised, 1)
	w.pass(10 * day)
	if use := w.useOf(t, praised); use.Importance.Faded != 0.5 || use.Importance.FromHits == 0 {
		t.Errorf("used ten days ago: %+v", use.Importance)
	}
	if use := w.useOf(t, often); use.Importance.Faded >= 0.5 || use.Importance.FromHits >= 0.06 {
		t.Errorf("used 24 days ago: %+v", use.Importance)
	}
	w.pass(1000 * day)
	w.run(t, acme, reflection.Request{Kind: reflection.Decay})
	for _, m := range w.all(t, memory.WithoutArchived) {
		if m.ID == bad && m.Importance != 0.05 || m.ID == often && m.Importance > 0.1 {
			t.Errorf("in the end %q has %v", m.Content, m.Importance)
		}
	}
}

func TestUseNeverLeavesTheBoundsOfImportance(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.service.Uses = w.db
	for _, told := range []float64{0, 0.02, 0.05, 0.5, 1} {
		m := w.put(t, acme, memory.Memory{Content: time.Duration(told * 1e9).String(), Importance: told})[0]
		w.rate(t, m.ID, -1)
		if got := w.useOf(t, m.ID).Importance.Target; got < min(told, 0.05) || got > told {
			t.Errorf("of %v a bad word makes %v", told, got)
		}
		for range 100 {
			w.rate(t, m.ID, 1)
		}
		w.hit(t, m.ID, math.MaxInt32)
		if got := w.useOf(t, m.ID).Importance.Target; got < told || got > min(1, told+0.3) {
			t.Errorf("of %v praise makes %v", told, got)
		}
	}
	if _, err := w.service.UseOf(t.Context(), memory.Scope{Tenant: "evil", Project: acme.Project}, w.all(t, "")[0].ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of a foreign memory: %v", err)
	}
}
