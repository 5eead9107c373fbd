package index

import (
	"context"
	"math/bits"

	"github.com/rae-memory/rae/pkg/search"
)

// Up to exactScan vectors are compared one by one; beyond, a pass over their sign bits picks shortlist candidates (and
// at least eight times the depth) that are then compared exactly. Measured in BenchmarkDense and TestBinaryPassRecall.
const (
	exactScan = 20_000
	shortlist = 800
)

// Dense is the leg that matches meaning as far as the embedder sees it: cosine similarity of unit vectors.
type Dense struct{ Set *Set }

// Name returns "dense".
func (Dense) Name() string { return "dense" }

// Retrieve compares the query's vector with every visible memory that has one. The score is the cosine, floored at 0.
func (d Dense) Retrieve(ctx context.Context, q search.Query, depth int) ([]search.Hit, error) {
	if len(q.Vector) == 0 {
		return nil, nil
	}
	s, release, err := d.Set.read(ctx, q.Scope)
	if err != nil {
		return nil, err
	}
	defer release()
	scratch := d.Set.scratch.Get().(*scratch)
	defer d.Set.scratch.Put(scratch)

	lens := s.lens(&q, d.Set.now())
	best := newTop(depth)
	compare := func(n uint32) {
		e := &s.entries[n]
		if len(e.vector) != len(q.Vector) {
			return // another model's vector, or none: never compared across spaces
		}
		if score := float64(dot(q.Vector, e.vector)); score > 0 && best.admits(score) {
			best.offer(candidate{n, min(1, score)}, s)
		}
	}
	if len(s.codes.entry) <= exactScan {
		for i, n := range s.codes.entry {
			if i%4096 == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if lens.shows(&s.entries[n]) {
				compare(n)
			}
		}
	} else {
		for _, n := range s.nearest(q.Vector, lens, max(shortlist, 8*depth), scratch) {
			compare(n)
		}
	}
	candidates := best.sorted(s)
	hits := make([]search.Hit, len(candidates))
	for i, c := range candidates {
		hits[i] = search.Hit{ID: s.entries[c.entry].id, Score: c.score, Place: s.place(c.entry)}
	}
	return hits, nil
}

// codes are the sign bits of all vectors, side by side.
type codes struct {
	words int // uint64 per vector
	bits  []uint64
	entry []uint32 // which entry each code belongs to
	at    map[uint32]int
}

func (s *scope) setVector(n uint32, v []float32) {
	e := &s.entries[n]
	if e.vector == nil {
		s.bytes += int64(5 * len(v))
	}
	e.vector = v
	c := &s.codes
	if c.at == nil {
		c.words = (len(v) + 63) / 64
		c.at = map[uint32]int{}
	}
	if (len(v)+63)/64 != c.words {
		return // a vector of another model; the dense leg skips it
	}
	i, known := c.at[n]
	if !known {
		i = len(c.entry)
		c.at[n] = i
		c.entry = append(c.entry, n)
		c.bits = append(c.bits, make([]uint64, c.words)...)
	}
	sign(v, c.bits[i*c.words:(i+1)*c.words])
}

func sign(v []float32, out []uint64) {
	clear(out)
	for i, x := range v {
		if x > 0 {
			out[i/64] |= 1 << (i % 64)
		}
	}
}

// nearest returns the count visible entries whose sign bits differ least from the query's (and all that tie with the
// last of them).
func (s *scope) nearest(query []float32, lens *lens, count int, scratch *scratch) []uint32 {
	c := &s.codes
	code := make([]uint64, c.words)
	if (len(query)+63)/64 != c.words {
		return nil
	}
	sign(query, code)
	if cap(scratch.near) < len(c.entry) {
		scratch.near = make([]uint16, len(c.entry)+len(c.entry)/4)
	}
	distances := scratch.near[:len(c.entry)]
	histogram := make([]int, 64*c.words+2)
	const hidden = ^uint16(0)
	for i, n := range c.entry {
		if !lens.shows(&s.entries[n]) {
			distances[i] = hidden
			continue
		}
		d := 0
		for w, word := range c.bits[i*c.words : (i+1)*c.words] {
			d += bits.OnesCount64(word ^ code[w])
		}
		distances[i] = uint16(d)
		histogram[d]++
	}
	limit, found := 0, 0
	for ; limit < len(histogram); limit++ {
		if found += histogram[limit]; found >= count {
			break
		}
	}
	near := make([]uint32, 0, found)
	for i, d := range distances {
		if d != hidden && int(d) <= limit {
			near = append(near, c.entry[i])
		}
	}
	return near
}

// dot is the inner product of two vectors of equal length. Four sums break the chain of additions; the compiler does
// not vectorise, so this is what pure Go gives.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}
