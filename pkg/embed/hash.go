package embed

import (
	"context"
	"math"
	"math/bits"
	"sync"
	"unicode"

	"github.com/rae-memory/rae/pkg/text"
)

const (
	hashModel      = "hash-384-v1"
	hashDimensions = 384
)

// Weights are fixed-point numbers: sums of integers are exact, so a vector depends neither on the order of features
// nor on how a processor fuses floating-point operations, and is the same to the bit on every machine.
const (
	one = 1 << 12
	// stopShare divides the weight of stop words. They are in nearly every text and say nothing of its topic, so at
	// full weight they would make strangers look alike; at none, "to be or not to be" would have no vector.
	stopShare = 8
	// ngramNumerator/ngramDenominator is the length all character n-grams of a word have together, beside the
	// word's own 1. They are what is left when words differ by inflection or by a slip of the pen.
	ngramNumerator, ngramDenominator = 6, 5
	// maxWordsKept is the number of distinct words up to which a scratch map is reused.
	maxWordsKept = 1 << 12
)

// Seeds keep features of different kinds apart: the n-gram "cat" is not the word "cat".
const (
	seedWord  = 0x9ae16a3b2f90404f
	seedNgram = 0xc3a5c85c97cb3127
	seedRune  = 0xb492b66fbe98f273
	seedRaw   = 0x2545f4914f6cdd1d
)

// Hash is a built-in embedder, model "hash-384-v1": hashed features with random signs (the "hashing trick") in
// 384 dimensions. It needs no file and no network and knows no synonyms: texts are near when they share words or
// parts of words.
//
// Features are the lower-cased words of package text and their character n-grams of 3 to 5 within the word's
// borders. A word that occurs n times counts about 1+ln n. Texts without a word (emoji, punctuation) are made of
// their characters instead, and blank texts of their bytes, so there is always a vector.
//
// The zero value is ready to use.
type Hash struct{ scratch sync.Pool }

var _ Embedder = (*Hash)(nil)

// Model returns "hash-384-v1".
func (h *Hash) Model() string { return hashModel }

// Dimensions returns 384.
func (h *Hash) Dimensions() int { return hashDimensions }

// EmbedDocuments fails only when ctx ends.
func (h *Hash) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i, s := range texts {
		v, err := h.EmbedQuery(ctx, s)
		if err != nil {
			return nil, err
		}
		vectors[i] = v
	}
	return vectors, nil
}

// EmbedQuery fails only when ctx ends. Queries and documents are embedded alike.
func (h *Hash) EmbedQuery(ctx context.Context, s string) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, ok := h.scratch.Get().(*features)
	if !ok {
		f = &features{sums: make([]int64, hashDimensions), words: map[string]int{}}
	}
	v := f.vector(s)
	if len(f.words) <= maxWordsKept {
		clear(f.words)
		h.scratch.Put(f)
	}
	return v, nil
}

// features collects what one text is made of.
type features struct {
	sums  []int64        // one per dimension
	words map[string]int // occurrences
	runes []rune         // of the word at hand
}

func (f *features) vector(s string) []float32 {
	clear(f.sums)
	for _, w := range text.Words(s) {
		f.words[w.Term]++
	}
	for word, count := range f.words {
		weight := sublinear(count)
		if text.StopWord(word) {
			weight /= stopShare
		}
		f.add(hashBytes(seedWord, word), weight)
		f.addNgrams(word, weight)
	}
	return f.finish(s, len(f.words) == 0)
}

// finish returns the sums at length 1. Where s has no words, its characters come first into the sums; where they are
// all zero, because s is blank or every feature met its opposite, its bytes do.
func (f *features) finish(s string, wordless bool) []float32 {
	if wordless {
		for _, r := range s {
			if !unicode.IsSpace(r) {
				f.add(hashRune(seedRune, r), one)
			}
		}
	}
	v, ok := f.normalised()
	if !ok {
		f.add(hashBytes(seedRaw, s), one)
		v, _ = f.normalised()
	}
	return v
}

// add puts a feature into one of the dimensions with one of two signs, both taken from its hash.
func (f *features) add(hash uint64, weight int64) {
	hash ^= hash >> 32
	hash *= 0xd6e8feb86659fd93
	hash ^= hash >> 32
	dimension := (hash >> 32) * uint64(len(f.sums)) >> 32
	sign := -int64(hash & 1) // 0 or -1
	f.sums[dimension] += (weight ^ sign) - sign
}

// addNgrams adds the character 3-, 4- and 5-grams of the word between its border marks.
func (f *features) addNgrams(word string, weight int64) {
	f.runes = append(f.runes[:0], '\x02')
	for _, r := range word {
		f.runes = append(f.runes, r)
	}
	f.runes = append(f.runes, '\x03')
	n := len(f.runes)
	ngrams := max(n-2, 0) + max(n-3, 0) + max(n-4, 0)
	weight = int64(float64(weight*ngramNumerator/ngramDenominator) / math.Sqrt(float64(ngrams)))
	for i := 0; i+3 <= n; i++ {
		hash := uint64(seedNgram)
		for j, r := range f.runes[i:min(i+5, n)] {
			hash = hashRune(hash, r)
			if j >= 2 {
				f.add(hash, weight)
			}
		}
	}
}

// normalised returns the sums at length 1, and false when they are all zero.
func (f *features) normalised() ([]float32, bool) {
	var squares float64
	for _, x := range f.sums {
		squares += float64(float64(x) * float64(x)) // the conversion forbids fusing
	}
	if squares == 0 {
		return nil, false
	}
	norm := math.Sqrt(squares)
	v := make([]float32, len(f.sums))
	for i, x := range f.sums {
		v[i] = float32(float64(x) / norm)
	}
	return v, true
}

// sublinear returns about one·(1+ln count), with the logarithm to base 2 taken as linear between powers of 2.
func sublinear(count int) int64 {
	n := bits.Len(uint(count)) - 1
	log2 := int64(n)*one + int64(count-1<<n)*one>>n
	return one + log2*709>>10 // ln 2 = 709/1024
}

// hashBytes is FNV-1a, started from a seed.
func hashBytes(hash uint64, s string) uint64 {
	for i := 0; i < len(s); i++ {
		hash = (hash ^ uint64(s[i])) * 0x100000001b3
	}
	return hash
}

// hashRune extends a hash by a character.
func hashRune(hash uint64, r rune) uint64 { return (hash ^ uint64(uint32(r))) * 0x9fb21c651e98df25 }
