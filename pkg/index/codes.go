package index

import (
	"cmp"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// codes hold one bit a dimension of every vector, so that a scope is looked through at some thirty times less memory, and
// only what looks near is compared in full. This is RaBitQ (Gao & Long, "RaBitQ: Quantizing High-Dimensional Vectors with
// a Theoretical Error Bound for Approximate Nearest Neighbor Search", 2024): a vector is seen from the mean of all, turned
// at random (by a Walsh–Hadamard transform behind random changes of sign: Ailon & Chazelle, "The Fast
// Johnson–Lindenstrauss Transform", 2009), and of every coordinate only the sign is kept. The product of these signs with
// a query of 4 bits a coordinate estimates the product of the vectors, without bias.
type codes struct {
	mean  []float32
	signs []float32 // of the random changes, by dimension, padded to a power of two
	words int       // of 64 bits a vector

	bits   []uint64  // words of them a slot
	ones   []float32 // by slot: how many bits are set
	factor []float32 // by slot: from the product with the signs to that with the vector seen from the mean
	shared []float32 // by slot: the product of the vector with the mean
}

// newCodes sees vectors from the mean of those there are.
func newCodes(vs *vectors) *codes {
	c := &codes{mean: make([]float32, vs.dimensions)}
	live := float32(max(1, len(vs.slot)))
	for slot, n := range vs.entry {
		if n == nobody {
			continue
		}
		for i, x := range vs.at(slot) {
			c.mean[i] += x / live
		}
	}
	padded := 64
	for padded < vs.dimensions {
		padded *= 2
	}
	r := rand.New(rand.NewPCG(1, 2002)) // the same planes everywhere
	c.signs, c.words = make([]float32, padded), padded/64
	for i := range c.signs {
		c.signs[i] = float32(1 - 2*int(r.Uint64()&1))
	}
	for slot, n := range vs.entry {
		c.grow(slot)
		if n != nobody {
			c.set(slot, vs.at(slot))
		}
	}
	return c
}

// grow makes room for the slot.
func (c *codes) grow(slot int) {
	for len(c.ones) <= slot {
		c.bits = append(c.bits, make([]uint64, c.words)...)
		c.ones, c.factor, c.shared = append(c.ones, 0), append(c.factor, 0), append(c.shared, 0)
	}
}

// set keeps the code of the slot's vector.
func (c *codes) set(slot int, v []float32) {
	c.drop(slot)
	code := c.bits[slot*c.words : (slot+1)*c.words]
	sum, squares := float32(0), float32(0)
	for i, x := range c.turned(v) {
		if x > 0 {
			code[i/64] |= 1 << (i % 64)
			c.ones[slot]++
		}
		sum += max(x, -x)
		squares += x * x
	}
	if sum > 0 {
		c.factor[slot] = squares / sum
	}
	c.shared[slot] = dot(c.mean, v)
}

// drop overwrites the code of the slot.
func (c *codes) drop(slot int) {
	clear(c.bits[slot*c.words : (slot+1)*c.words])
	c.ones[slot], c.factor[slot], c.shared[slot] = 0, 0, 0
}

// turned is v seen from the mean and turned at random.
func (c *codes) turned(v []float32) []float32 {
	turned := make([]float32, len(c.signs))
	for i, x := range v {
		turned[i] = (x - c.mean[i]) * c.signs[i]
	}
	hadamard(turned)
	scale := float32(1 / math.Sqrt(float64(len(turned))))
	for i := range turned {
		turned[i] *= scale
	}
	return turned
}

// hadamard is the Walsh–Hadamard transform in place, unscaled. len(v) is a power of two.
func hadamard(v []float32) {
	for half := 1; half < len(v); half *= 2 {
		for i := 0; i < len(v); i += 2 * half {
			a, b := v[i:i+half], v[i+half:i+2*half]
			for j, x := range a {
				a[j], b[j] = x+b[j], x-b[j]
			}
		}
	}
}

// planes is how many bits of a query's coordinates count.
const planes = 4

// turnedQuery is a query to codes, each coordinate a whole number of steps above the lowest.
type turnedQuery struct {
	bits      [][planes]uint64 // of the steps, by word, the lowest first
	low, step float32
	sum       float32 // of the coordinates
}

func (c *codes) query(query []float32) turnedQuery {
	turned := c.turned(query)
	q := turnedQuery{bits: make([][planes]uint64, c.words), low: slices.Min(turned)}
	q.step = max((slices.Max(turned)-q.low)/(1<<planes-1), math.SmallestNonzeroFloat32)
	for i, x := range turned {
		steps := uint64((x-q.low)/q.step + .5)
		q.sum += q.low + float32(steps)*q.step
		for p := range planes {
			q.bits[i/64][p] |= steps >> p & 1 << (i % 64)
		}
	}
	return q
}

// promising returns the slots that look nearest to the query, at most most of those that pass.
func (c *codes) promising(query []float32, most int, pass func(slot int) bool) []guess {
	q := c.query(query)
	kept, least := make([]guess, 0, 2*most), float32(math.Inf(-1))
	for slot, ones := range c.ones {
		steps := 0
		code := c.bits[slot*c.words : (slot+1)*c.words]
		for i := range q.bits {
			word, asked := code[i], &q.bits[i]
			steps += bits.OnesCount64(word&asked[0]) + bits.OnesCount64(word&asked[1])<<1 +
				bits.OnesCount64(word&asked[2])<<2 + bits.OnesCount64(word&asked[3])<<3
		}
		product := 2*(q.low*ones+q.step*float32(steps)) - q.sum // of the query with the signs
		value := c.shared[slot] + c.factor[slot]*product
		if value <= least || !pass(slot) {
			continue
		}
		if kept = append(kept, guess{slot, value}); len(kept) == cap(kept) {
			kept = best(kept, most)
			least = kept[most-1].value
		}
	}
	return best(kept, most)
}

// guess is a slot and what its product with the query looks like, up to what is the same for all.
type guess struct {
	slot  int
	value float32
}

// best are the highest guesses, ties by slot.
func best(all []guess, most int) []guess {
	slices.SortFunc(all, func(a, b guess) int { return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.slot, b.slot)) })
	return all[:min(most, len(all))]
}
