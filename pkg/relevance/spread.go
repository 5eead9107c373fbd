package relevance

import (
	"cmp"
	"math"
	"slices"

	"github.com/rae-memory/rae/pkg/memory"
)

// Link says that a memory mentions an entity, by its id.
type Link struct {
	Entity string
	Memory memory.ID
}

// Reached is a memory to which links lead.
type Reached struct {
	ID    memory.ID
	Score float64 // above 0, up to 1 for the one they lead to most
}

// How far attention spreads: restart is the share that begins anew at every step, steps how many there are. After twelve of
// them a four thousandth of it is still on its way.
const (
	restart = .5
	steps   = 12
)

// Spread follows links, each given once, from named entities and from memories that have been found, by their worth, and
// returns the other memories they lead to, best first, ties by id. It is a personalised PageRank (Haveliwala,
// "Topic-Sensitive PageRank", 2002) over entities and memories as HippoRAG asks it of passages (Gutiérrez et al., 2024):
// an entity passes on to all memories that mention it alike, a memory to the entities it mentions by how few mention them,
// and of the named ones those count more that few mention. Entities and memories begin with one half each where there are
// both. It adds in one order, so that equal links have equal scores to the last bit, whoever gives them.
func Spread(links []Link, named []string, found map[memory.ID]float64) []Reached {
	w := newWeb(links, found)
	begin := w.seeds(named, found)
	if begin.empty() {
		return nil
	}
	at := begin
	for range steps {
		at = w.step(&at, &begin)
	}
	var reached []Reached
	most := 0.0
	for i, id := range w.memories {
		if _, known := found[id]; !known && at.memories[i] > 0 {
			reached = append(reached, Reached{id, at.memories[i]})
			most = max(most, at.memories[i])
		}
	}
	for i := range reached {
		reached[i].Score = math.Sqrt(reached[i].Score / most) // what is two links away has a hundredth, and still counts
	}
	slices.SortFunc(reached, func(a, b Reached) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID)) })
	return reached
}

// web is links as numbers of entities and memories, both in the order of their ids.
type web struct {
	entities []string
	memories []memory.ID
	of       [][]int   // by entity: memories
	by       [][]int   // by memory: entities
	rarity   []float64 // by entity
}

// attention is how much of it each entity and memory has.
type attention struct{ entities, memories []float64 }

func newWeb(links []Link, found map[memory.ID]float64) *web {
	links = slices.Clone(links)
	slices.SortFunc(links, func(a, b Link) int { return cmp.Or(cmp.Compare(a.Entity, b.Entity), cmp.Compare(a.Memory, b.Memory)) })
	w := &web{}
	for _, l := range links {
		w.memories = append(w.memories, l.Memory)
	}
	for id := range found {
		w.memories = append(w.memories, id)
	}
	slices.Sort(w.memories)
	w.memories = slices.Compact(w.memories)
	w.by = make([][]int, len(w.memories))
	for _, l := range links {
		e := len(w.entities) - 1
		if e < 0 || w.entities[e] != l.Entity {
			w.entities, w.of = append(w.entities, l.Entity), append(w.of, nil)
			e++
		}
		m, _ := slices.BinarySearch(w.memories, l.Memory)
		w.of[e], w.by[m] = append(w.of[e], m), append(w.by[m], e)
	}
	for _, memories := range w.of {
		w.rarity = append(w.rarity, math.Log(1+float64(len(w.memories))/float64(len(memories))))
	}
	return w
}

func (w *web) nothing() attention {
	return attention{make([]float64, len(w.entities)), make([]float64, len(w.memories))}
}

// seeds is where attention begins.
func (w *web) seeds(named []string, found map[memory.ID]float64) attention {
	begin := w.nothing()
	for _, id := range named {
		if e, known := slices.BinarySearch(w.entities, id); known {
			begin.entities[e] = 1 / float64(len(w.of[e]))
		}
	}
	for id, worth := range found {
		m, _ := slices.BinarySearch(w.memories, id)
		begin.memories[m] = worth
	}
	parts := [...][]float64{begin.entities, begin.memories}
	kinds := 0.0
	for _, part := range parts {
		if sum(part) > 0 {
			kinds++
		}
	}
	for _, part := range parts {
		if all := sum(part); all > 0 {
			for i := range part {
				part[i] /= all * kinds
			}
		}
	}
	return begin
}

func (a *attention) empty() bool { return sum(a.entities) == 0 && sum(a.memories) == 0 }

// step passes attention on along every link.
func (w *web) step(at, begin *attention) attention {
	next := w.nothing()
	for e, worth := range at.entities {
		share := (1 - restart) * worth / float64(len(w.of[e]))
		for _, m := range w.of[e] {
			next.memories[m] += share
		}
	}
	for m, worth := range at.memories {
		all := 0.0
		for _, e := range w.by[m] {
			all += w.rarity[e]
		}
		for _, e := range w.by[m] {
			next.entities[e] += (1 - restart) * worth * w.rarity[e] / all
		}
	}
	for e, worth := range begin.entities {
		next.entities[e] += restart * worth
	}
	for m, worth := range begin.memories {
		next.memories[m] += restart * worth
	}
	return next
}

func sum(values []float64) (all float64) {
	for _, v := range values {
		all += v
	}
	return all
}
