package relevance_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
)

func links(pairs ...string) (all []relevance.Link) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, relevance.Link{Entity: pairs[i], Memory: memory.ID(pairs[i+1])})
	}
	return all
}

func TestAttentionSpreadsAlongLinks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what  string
		links []relevance.Link
		named []string
		found map[memory.ID]float64
		want  []memory.ID
	}{
		{"nothing leads nowhere", nil, []string{"anna"}, nil, nil},
		{"what mentions the named one, then what is beside it", links("anna", "1", "oslo", "1", "oslo", "2"), []string{"anna"}, nil, []memory.ID{"1", "2"}},
		{"what mentions both before what mentions one", links("anna", "1", "anna", "2", "bob", "2", "bob", "3"), []string{"anna", "bob"}, nil, []memory.ID{"2", "1", "3"}},
		{"a rare name leads to more than a common one", links("anna", "1", "anna", "2", "anna", "3", "bob", "4"), []string{"anna", "bob"}, nil, []memory.ID{"4", "1", "2", "3"}},
		{"what was found is no news", links("oslo", "1", "oslo", "2"), nil, map[memory.ID]float64{"1": 1}, []memory.ID{"2"}},
		{"the better was found, the more what it leads to is worth", links("oslo", "1", "oslo", "2", "rome", "3", "rome", "4"), nil, map[memory.ID]float64{"1": .2, "3": .9}, []memory.ID{"4", "2"}},
		{"what cannot be reached is not", links("oslo", "1", "rome", "2"), []string{"oslo"}, nil, []memory.ID{"1"}},
	} {
		var got []memory.ID
		for _, r := range relevance.Spread(c.links, c.named, c.found) {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

// The same links give the same scores to the last bit, in whatever order they come, and they are those of the plain
// definition: x = .5 seeds + .5 x P, over every entity and memory.
func TestAttentionIsAPersonalisedPageRank(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var all []relevance.Link
		for e := range rapid.IntRange(1, 6).Draw(rt, "entities") {
			for _, m := range rapid.SliceOfNDistinct(rapid.IntRange(0, 9), 1, 6, rapid.ID).Draw(rt, "mentions") {
				all = append(all, relevance.Link{Entity: fmt.Sprint("e", e), Memory: memory.ID(fmt.Sprint("m", m))})
			}
		}
		found := map[memory.ID]float64{}
		for _, m := range rapid.SliceOfNDistinct(rapid.IntRange(0, 9), 0, 3, rapid.ID).Draw(rt, "found") {
			found[memory.ID(fmt.Sprint("m", m))] = float64(m+1) / 10
		}
		named := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"e0", "e1", "e2", "nobody"}), 0, 3, rapid.ID).Draw(rt, "named")
		got := relevance.Spread(all, named, found)
		if again := relevance.Spread(rapid.Permutation(all).Draw(rt, "order"), named, found); !slices.Equal(got, again) {
			rt.Fatalf("in another order:\n%v, not\n%v", again, got)
		}
		rank := plainPageRank(all, named, found)
		most := 0.0
		for id, worth := range rank {
			if _, known := found[memory.ID(id)]; !known && id[0] == 'm' {
				most = max(most, worth)
			}
		}
		for _, r := range got {
			if want := math.Sqrt(rank[string(r.ID)] / most); math.Abs(r.Score-want) > .02 {
				rt.Fatalf("%s has %g, by the definition %g", r.ID, r.Score, want)
			}
			delete(rank, string(r.ID))
		}
		for id, worth := range rank {
			if _, known := found[memory.ID(id)]; !known && id[0] == 'm' && worth > 0 {
				rt.Fatalf("%s is left out", id)
			}
		}
	})
}

func plainPageRank(links []relevance.Link, named []string, found map[memory.ID]float64) map[string]float64 {
	beside := map[string]map[string]float64{}
	join := func(a, b string) {
		if beside[a] == nil {
			beside[a] = map[string]float64{}
		}
		beside[a][b] = 1
	}
	memories := map[string]bool{}
	for id := range found {
		memories[string(id)] = true
	}
	for _, l := range links {
		join(l.Entity, string(l.Memory))
		memories[string(l.Memory)] = true
	}
	of := maps.Clone(beside) // of the entities alone, so far
	for entity, of := range of {
		for m := range of {
			if beside[m] == nil {
				beside[m] = map[string]float64{}
			}
			beside[m][entity] = math.Log(1 + float64(len(memories))/float64(len(of)))
		}
	}
	seeds, kinds := map[string]float64{}, 0.0
	share := func(part map[string]float64) {
		all := 0.0
		for _, v := range part {
			all += v
		}
		if all > 0 {
			kinds++
			for id, v := range part {
				seeds[id] = v / all
			}
		}
	}
	part := map[string]float64{}
	for _, n := range named {
		if len(beside[n]) > 0 {
			part[n] = 1 / float64(len(beside[n]))
		}
	}
	share(part)
	part = map[string]float64{}
	for id, v := range found {
		part[string(id)] = v
	}
	share(part)
	at := map[string]float64{}
	for range 60 {
		next := map[string]float64{}
		for id, v := range seeds {
			next[id] += .5 * v / kinds
		}
		for id, v := range at {
			all := 0.0
			for _, w := range beside[id] {
				all += w
			}
			for other, w := range beside[id] {
				next[other] += .5 * v * w / all
			}
		}
		at = next
	}
	return at
}
