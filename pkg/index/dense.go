package index

import (
	"context"

	"github.com/rae-memory/rae/pkg/search"
)

// Dense is the leg that matches meaning as far as the embedder sees it: cosine similarity of unit vectors. Every one of
// them is compared, in a large scope by its code first (codes), so that what is missed is missed by chance and rarely:
// TestDenseFindsTheNearest bounds it.
type Dense struct{ Set *Set }

// Name returns "dense".
func (Dense) Name() string { return "dense" }

// Retrieve compares the query's vector with every visible memory that has one. The score is the cosine, floored at 0.
func (d Dense) Retrieve(ctx context.Context, q search.Query, depth int) ([]search.Hit, error) {
	s, release, err := d.Set.read(ctx, q.Scope)
	if err != nil {
		return nil, err
	}
	defer release()
	if len(q.Vector) == 0 || len(q.Vector) != s.vectors.dimensions {
		return nil, nil // nothing to compare with, or another model's space
	}
	lens := s.lens(&q, d.Set.now())
	candidates := s.nearest(ctx, q.Vector, lens, depth)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	hits := make([]search.Hit, len(candidates))
	for i, c := range candidates {
		hits[i] = search.Hit{ID: s.entries[c.entry].id, Score: c.score, Place: s.place(c.entry)}
	}
	return hits, nil
}

// blockSize is how many vectors lie side by side: enough to read at memory speed, little enough to grow without
// copying what is there.
const blockSize = 1024

// vectors are the embeddings of one model, in blocks.
type vectors struct {
	dimensions int
	blocks     [][]float32
	entry      []uint32 // by slot: which entry it belongs to; nobody where it is free
	slot       map[uint32]int
	free       []int
	codes      *codes // nil while every vector is compared in full
}

// coded is the number of vectors from which they are looked through by code: below, comparing all of them takes no longer.
const coded = 16 * blockSize

const nobody = ^uint32(0)

// set keeps v as the vector of entry n. A vector of another size belongs to another model and is left out.
func (vs *vectors) set(n uint32, v []float32) {
	if vs.slot == nil {
		vs.dimensions, vs.slot = len(v), map[uint32]int{}
	}
	if len(v) != vs.dimensions {
		return
	}
	slot, known := vs.slot[n]
	if !known {
		if last := len(vs.free) - 1; last >= 0 {
			slot, vs.free = vs.free[last], vs.free[:last]
			vs.entry[slot] = n
		} else {
			slot = len(vs.entry)
			vs.entry = append(vs.entry, n)
			if slot == len(vs.blocks)*blockSize {
				vs.blocks = append(vs.blocks, make([]float32, blockSize*vs.dimensions))
			}
		}
		vs.slot[n] = slot
	}
	copy(vs.at(slot), v)
	switch {
	case vs.codes != nil:
		vs.codes.grow(slot)
		vs.codes.set(slot, v)
	case len(vs.slot) >= coded:
		vs.codes = newCodes(vs)
	}
}

// drop forgets the vector of entry n and overwrites it.
func (vs *vectors) drop(n uint32) {
	slot, known := vs.slot[n]
	if !known {
		return
	}
	clear(vs.at(slot))
	if vs.codes != nil {
		vs.codes.drop(slot)
	}
	delete(vs.slot, n)
	vs.entry[slot] = nobody
	vs.free = append(vs.free, slot)
}

// of returns the vector of entry n, nil when it has none.
func (vs *vectors) of(n uint32) []float32 {
	if slot, known := vs.slot[n]; known {
		return vs.at(slot)
	}
	return nil
}

func (vs *vectors) at(slot int) []float32 {
	offset := slot % blockSize * vs.dimensions
	return vs.blocks[slot/blockSize][offset : offset+vs.dimensions]
}

// nearest returns the best depth visible entries.
func (s *scope) nearest(ctx context.Context, query []float32, lens *lens, depth int) []candidate {
	best := newTop(depth)
	if s.vectors.codes != nil {
		s.compareCoded(query, lens, best)
	} else {
		s.compareAll(ctx, query, lens, best)
	}
	return best.sorted(s)
}

// Of a search by code, so many are compared in full: five times what is asked for, and never so few that one of the ten
// nearest of a hundred thousand would be missed more than rarely.
const (
	comparedTimes = 5
	comparedLeast = 1000
)

// compareCoded compares in full what looks near by its code.
func (s *scope) compareCoded(query []float32, lens *lens, best *top) {
	vs := &s.vectors
	shown := func(slot int) bool {
		n := vs.entry[slot]
		return n != nobody && lens.shows(&s.entries[n])
	}
	for _, g := range vs.codes.promising(query, max(comparedTimes*best.limit, comparedLeast), shown) {
		if score := float64(dot(query, vs.at(g.slot))); score > 0 && best.admits(score) {
			best.offer(candidate{vs.entry[g.slot], min(1, score)}, s)
		}
	}
}

// compareAll compares every vector in full.
func (s *scope) compareAll(ctx context.Context, query []float32, lens *lens, best *top) {
	vs := &s.vectors
	for slot, n := range vs.entry {
		if n == nobody {
			continue
		}
		if slot%blockSize == 0 && ctx.Err() != nil {
			return
		}
		score := float64(dot(query, vs.at(slot)))
		if score > 0 && best.admits(score) && lens.shows(&s.entries[n]) {
			best.offer(candidate{n, min(1, score)}, s)
		}
	}
}

// dot is the inner product of two vectors of equal length. Eight sums break the chain of additions; the compiler does
// not vectorise, so this is what pure Go gives.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	i := 0
	for ; i+8 <= len(a); i += 8 {
		x, y := a[i:i+8:i+8], b[i:i+8:i+8]
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		s4 += x[4] * y[4]
		s5 += x[5] * y[5]
		s6 += x[6] * y[6]
		s7 += x[7] * y[7]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7
}
