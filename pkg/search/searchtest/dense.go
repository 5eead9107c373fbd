package searchtest

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

func denseClauses() []clause {
	return []clause{
		{"the nearest by cosine are those found by comparing every vector", nearestAreExact},
		{"a question without a vector, or of another dimension, finds nothing", otherDimension},
		{"vectors of another model are not compared", otherModel},
		{"a memory is found from the moment its vector is attached", attachedIsFound},
		{"a changed memory is found by its new vector", newVectorCounts},
		{"what was changed but in its content is found by its vector in the past, too", sameContentKeepsItsPast},
	}
}

// halfFloat is by how much a cosine may differ in an engine that keeps half floats.
const halfFloat = 1e-3

// nearestAreExact compares scores at every place, under no filter and under one that leaves a tenth. What points away
// from the question may be left out.
func nearestAreExact(t *testing.T, w *world) {
	const n, deep = 600, 25
	r := rand.New(rand.NewPCG(3, 5))
	random := func() memory.Vector {
		v := make([]float64, Dimensions)
		for i := range v {
			v[i] = r.NormFloat64()
		}
		return unit(v)
	}
	vectors := map[memory.ID]memory.Vector{}
	all := make([]memory.Memory, n)
	w.write(t, acme, func(tx memory.Tx) error {
		for i := range all {
			m, v := memory.Memory{Content: fmt.Sprint("note ", i), SessionID: fmt.Sprint("s", i%10)}, random()
			stored, _, err := tx.Put(t.Context(), m, asker, v)
			if err != nil {
				return err
			}
			all[i], vectors[stored.ID] = stored, v
		}
		return nil
	})
	for i := range 20 {
		q := search.Query{Text: "anything", Vector: random().Values}
		if i%2 == 1 {
			q.Filter.SessionID = fmt.Sprint("s", i%10)
		}
		var want []float64
		for j := range all {
			if score := cosine(q.Vector, vectors[all[j].ID].Values); q.Filter.Match(&all[j]) && score > 0 {
				want = append(want, score)
			}
		}
		slices.SortFunc(want, func(a, b float64) int { return cmp.Compare(b, a) })
		hits := w.retrieve(t, w.Dense, q, deep)
		if len(hits) < min(deep, len(want)) {
			t.Fatalf("%d hits of %d that are alike", len(hits), len(want))
		}
		for j, hit := range hits {
			own, expected := max(0, cosine(q.Vector, vectors[hit.ID].Values)), 0.0
			if j < len(want) {
				expected = want[j]
			}
			if math.Abs(hit.Score-own) > halfFloat || math.Abs(hit.Score-expected) > halfFloat {
				t.Fatalf("question %d: hit %d scores %g, its cosine is %g, the %d. nearest has %g", i, j, hit.Score, own, j+1, expected)
			}
		}
	}
}

func otherDimension(t *testing.T, w *world) {
	w.say(t, "a memory with a vector")
	w.catchUp(t, acme)
	for _, v := range [][]float32{nil, {}, {1}, make([]float32, 2*Dimensions)} {
		hits, err := w.Dense.Retrieve(t.Context(), search.Query{Scope: acme, Text: "memory", Vector: v}, 10)
		if err != nil || len(hits) != 0 {
			t.Errorf("%d dimensions: %d hits, %v", len(v), len(hits), err)
		}
	}
}

func otherModel(t *testing.T, w *world) {
	other := vectorOf("the same words")
	other.Model = "another"
	w.write(t, acme, func(tx memory.Tx) error {
		_, _, err := tx.Put(t.Context(), memory.Memory{Content: "the same words"}, asker, other)
		return err
	})
	kept := w.say(t, "words of their own")
	same(t, "found", w.ids(t, w.Dense, search.Query{Text: "the same words"}), idsOfMemories(kept...))
}

func attachedIsFound(t *testing.T, w *world) {
	var m memory.Memory
	w.write(t, acme, func(tx memory.Tx) (err error) {
		m, _, err = tx.Put(t.Context(), memory.Memory{Content: "pending"}, asker)
		return err
	})
	same(t, "found while pending", w.ids(t, w.Dense, search.Query{Text: "pending"}), nil)
	w.write(t, acme, func(tx memory.Tx) error {
		_, err := tx.Attach(t.Context(), m.ID, m.Version, vectorOf("pending"))
		return err
	})
	same(t, "found", w.ids(t, w.Dense, search.Query{Text: "pending"}), idsOfMemories(m))
}

func newVectorCounts(t *testing.T, w *world) {
	m := w.say(t, "a heron by the river")[0]
	w.retrieve(t, w.Dense, search.Query{Text: "heron"}, 10)
	w.advance(time.Hour)
	m.Content = "invoices paid by bank transfer"
	w.replace(t, m)
	hits := w.retrieve(t, w.Dense, search.Query{Text: m.Content}, 10)
	if len(hits) != 1 || math.Abs(hits[0].Score-1) > halfFloat {
		t.Errorf("hits %+v", hits)
	}
}

// sameContentKeepsItsPast: a store keeps a vector as long as the content it was made from stands.
func sameContentKeepsItsPast(t *testing.T, w *world) {
	m := w.put(t, acme, memory.Memory{Content: "heron", Tags: []string{"old"}})[0]
	w.advance(time.Hour)
	m.Tags = []string{"new"}
	w.write(t, acme, func(tx memory.Tx) error {
		_, err := tx.Replace(t.Context(), m, asker)
		return err
	})
	for _, tag := range []string{"old", "new"} {
		for _, past := range []bool{true, false} {
			q := search.Query{Text: "heron", Filter: memory.Filter{Tags: []string{tag}}}
			if past {
				q.View.KnownAt = at(start)
			}
			var want []memory.ID
			if past == (tag == "old") {
				want = []memory.ID{m.ID}
			}
			same(t, fmt.Sprintf("tag %s, past %v", tag, past), w.ids(t, w.Dense, q), want)
		}
	}
}
