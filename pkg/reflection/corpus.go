package reflection

import (
	"cmp"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// Bounds of what one piece of work analyses, so that its time is bounded whatever was stored.
const (
	windowSize    = 1000     // memories read, the newest
	maxBodyBytes  = 16 << 10 // analysed of one memory
	maxTotalBytes = 4 << 20  // analysed of all
	maxTermBytes  = 40       // longer runs of letters and digits are blobs, not words
	maxVector     = 64       // heaviest terms of one memory
)

// document is a memory made comparable.
type document struct {
	memory *memory.Memory
	body   string       // the beginning of the content that is analysed
	tokens []text.Token // of body, blobs left out
	vector vector
	names  []string // folded names of things it mentions, sorted
}

// corpus is the memories of one piece of work with what is known of their terms together. Documents are in the order
// of their times, so equal input gives equal work whatever order it was read in.
type corpus struct {
	documents []*document
	terms     map[string]int32
	idf       []float64
	clipped   bool // some content was longer than what is analysed
}

// newCorpus analyses the memories.
func newCorpus(memories []memory.Memory) *corpus {
	c := &corpus{terms: map[string]int32{}}
	total := 0
	for i := range memories { // newest first, as they were read: what exceeds the bound is the oldest
		m := &memories[i]
		body := prefix(m.Content, min(maxBodyBytes, maxTotalBytes-total))
		total += len(body)
		c.clipped = c.clipped || len(body) < len(m.Content)
		tokens := slices.DeleteFunc(text.Analyze(body), func(t text.Token) bool { return t.End-t.Start > maxTermBytes })
		c.documents = append(c.documents, &document{memory: m, body: body, tokens: tokens, names: mentioned(m, body)})
	}
	slices.SortFunc(c.documents, func(a, b *document) int {
		return cmp.Or(a.memory.When().Compare(b.memory.When()), cmp.Compare(a.memory.ID, b.memory.ID))
	})
	c.weigh()
	return c
}

// weigh counts terms and gives every document its tf-idf vector. A term that stands in more than half of a larger
// corpus tells nothing apart and weighs nothing, like small talk; that takes care of the function words of languages
// without a list of them.
func (c *corpus) weigh() {
	var df []int
	filler := map[int32]bool{}
	for _, d := range c.documents {
		seen := map[int32]bool{}
		for _, token := range d.tokens {
			id, known := c.terms[token.Term]
			if !known {
				id = int32(len(df))
				c.terms[token.Term] = id
				df = append(df, 0)
				filler[id] = text.Filler(token.Term)
			}
			if !seen[id] {
				seen[id] = true
				df[id]++
			}
		}
	}
	n := len(c.documents)
	c.idf = make([]float64, len(df))
	for id, count := range df {
		if !filler[int32(id)] && (n < 20 || 2*count <= n) {
			c.idf[id] = math.Log(1 + float64(n)/float64(count))
		}
	}
	for _, d := range c.documents {
		d.vector = c.vector(d.tokens)
	}
}

// term is one weighted dimension of a vector.
type term struct {
	id     int32
	weight float64
}

// vector is sparse, of unit length (or empty) and sorted by term.
type vector []term

// vector weighs tokens by (1 + ln tf) * idf and keeps the heaviest.
func (c *corpus) vector(tokens []text.Token) vector {
	tf := map[int32]float64{}
	for _, token := range tokens {
		tf[c.terms[token.Term]]++
	}
	v := make(vector, 0, len(tf))
	for id, count := range tf {
		if w := (1 + math.Log(count)) * c.idf[id]; w > 0 {
			v = append(v, term{id, w})
		}
	}
	if len(v) > maxVector {
		slices.SortFunc(v, func(a, b term) int { return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.id, b.id)) })
		v = v[:maxVector]
	}
	slices.SortFunc(v, func(a, b term) int { return cmp.Compare(a.id, b.id) })
	norm := 0.0
	for _, t := range v {
		norm += t.weight * t.weight
	}
	norm = math.Sqrt(norm)
	for i := range v {
		v[i].weight /= norm
	}
	return v
}

// cosine compares two vectors of unit length.
func (v vector) cosine(w vector) float64 {
	sum := 0.0
	for i, j := 0, 0; i < len(v) && j < len(w); {
		switch {
		case v[i].id < w[j].id:
			i++
		case v[i].id > w[j].id:
			j++
		default:
			sum += v[i].weight * w[j].weight
			i++
			j++
		}
	}
	return min(sum, 1)
}

// has reports whether the vector has weight in any of the sorted terms.
func (v vector) has(terms []int32) bool {
	for _, t := range v {
		if _, found := slices.BinarySearch(terms, t.id); found {
			return true
		}
	}
	return false
}

// prefix cuts s to at most n bytes without cutting a character.
func prefix(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
