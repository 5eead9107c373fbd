package searchtest

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// vectorOf is the vector of a text: the sum of one random direction per word, none of which points away from another,
// so that every two texts with words are a little alike.
func vectorOf(content string) memory.Vector {
	sum := make([]float64, Dimensions)
	for _, word := range text.Words(content) {
		h := fnv.New64a()
		h.Write([]byte(word.Term))
		r := rand.New(rand.NewPCG(h.Sum64(), 1))
		for i := range sum {
			sum[i] += math.Abs(r.NormFloat64())
		}
	}
	return unit(sum)
}

// unit brings a vector to length 1; nothing becomes the first direction.
func unit(v []float64) memory.Vector {
	norm := 0.0
	for _, x := range v {
		norm += x * x
	}
	values := make([]float32, len(v))
	if norm == 0 {
		values[0] = 1
		return memory.Vector{Model: Model, Values: values}
	}
	for i, x := range v {
		values[i] = float32(x / math.Sqrt(norm))
	}
	return memory.Vector{Model: Model, Values: values}
}

func cosine(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// vocabulary returns n made-up words, each of which is its own stem and no stop word: what is compared is scoring, not
// stemmers.
func vocabulary(n int) []string {
	var words []string
	for i := 0; len(words) < n; i++ {
		var b strings.Builder
		for k := i + 256; k > 0; k /= 16 {
			b.WriteByte("bdfgklmnprtvzbkm"[k%16])
			b.WriteByte("aou"[k%3])
		}
		word := b.String() + "k"
		if terms := text.Analyze(word); len(terms) == 1 && terms[0].Term == word && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

// corpus makes memories of shortest to longest words whose frequencies fall off as words' do (Zipf), in sentences,
// sessions of twenty and with an entity or a tag here and there.
func corpus(seed uint64, memories, shortest, longest int) []memory.Memory {
	r := rand.New(rand.NewPCG(seed, 7))
	words := vocabulary(800)
	zipf := rand.NewZipf(r, 1.2, 3, uint64(len(words)-1))
	all := make([]memory.Memory, memories)
	for i := range all {
		said := make([]string, shortest+r.IntN(longest-shortest+1))
		for j := range said {
			said[j] = words[zipf.Uint64()]
			if r.IntN(12) == 0 {
				said[j] = strings.ToUpper(said[j][:1]) + said[j][1:] + "."
			}
		}
		all[i] = memory.Memory{
			Content: strings.Join(said, " "), ExternalID: fmt.Sprint("memory ", i), SessionID: fmt.Sprint("session ", i/20),
		}
		if r.IntN(4) == 0 {
			all[i].Entities = []memory.Entity{{Name: words[zipf.Uint64()]}}
		}
		if r.IntN(4) == 0 {
			all[i].Tags = []string{words[zipf.Uint64()]}
		}
	}
	return all
}

// questions makes questions of one to six words of the corpus, one of which it may not know.
func questions(seed uint64, n int) []string {
	r := rand.New(rand.NewPCG(seed, 11))
	words := vocabulary(820)
	zipf := rand.NewZipf(r, 1.05, 20, uint64(len(words)-1))
	all := make([]string, n)
	for i := range all {
		var asked []string
		for range 1 + r.IntN(6) {
			asked = append(asked, words[zipf.Uint64()])
		}
		all[i] = strings.Join(asked, " ")
	}
	return all
}
