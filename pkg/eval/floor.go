package eval

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/text"
)

// What BM25 is set to: the values most published baselines on passages use (Yang, Fang & Lin, "Anserini: Reproducible
// Ranking Baselines Using Lucene", 2018).
const (
	floorK1 = .9
	floorB  = .4
)

// Floor is what every way of finding is held against: BM25 as the textbooks have it (Robertson & Zaragoza, "The
// Probabilistic Relevance Framework", 2009; idf as Lucene has it, never negative), over the stems of content and
// metadata values, and nothing else. It shares no ranking code with the engine, so that it stays where it is when the
// engine changes.
type Floor struct{ haystacks map[string]*postings }

// NewFloor returns an empty one.
func NewFloor() *Floor { return &Floor{haystacks: map[string]*postings{}} }

// postings are the terms of one haystack.
type postings struct {
	ids     []string
	lengths []float64
	total   float64 // of lengths
	holding map[string][]posting
}

type posting struct {
	document int
	count    float64
}

// Remember implements Keeper.
func (f *Floor) Remember(_ context.Context, scope string, documents []Document) error {
	p := f.haystacks[scope]
	if p == nil {
		p = &postings{holding: map[string][]posting{}}
		f.haystacks[scope] = p
	}
	for i := range documents {
		p.add(&documents[i])
	}
	return nil
}

func (p *postings) add(d *Document) {
	terms := text.Analyze(d.Text)
	for _, key := range slices.Sorted(maps.Keys(d.Meta)) {
		if value := written(d.Meta[key]); !repeats(value, d.Text) {
			terms = append(terms, text.Analyze(value)...)
		}
	}
	counts := map[string]float64{}
	for _, t := range terms {
		counts[t.Term]++
	}
	for term, n := range counts {
		p.holding[term] = append(p.holding[term], posting{len(p.ids), n})
	}
	p.ids = append(p.ids, d.ID)
	p.lengths = append(p.lengths, float64(len(terms)))
	p.total += float64(len(terms))
}

// Ask implements Finder. Ties are in the order of the documents.
func (f *Floor) Ask(_ context.Context, scope, question string, limit int) ([]string, error) {
	p := f.haystacks[scope]
	if p == nil {
		return nil, nil
	}
	scores := map[int]float64{}
	n, mean := float64(len(p.ids)), p.total/float64(len(p.ids))
	for _, term := range text.Analyze(question) {
		held := p.holding[term.Term]
		with := float64(len(held))
		idf := math.Log(1 + (n-with+.5)/(with+.5))
		for _, h := range held {
			scores[h.document] += idf * h.count / (h.count + floorK1*(1-floorB+floorB*p.lengths[h.document]/mean))
		}
	}
	best := slices.SortedFunc(maps.Keys(scores), func(a, b int) int {
		return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(a, b))
	})
	ids := make([]string, min(limit, len(best)))
	for i := range ids {
		ids[i] = p.ids[best[i]]
	}
	return ids, nil
}

// written is a metadata value as a person would search for it.
func written(value any) string {
	var parts []string
	switch v := value.(type) {
	case nil:
	case []any:
		for _, item := range v {
			parts = append(parts, written(item))
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, written(v[key]))
		}
	default:
		return fmt.Sprint(v)
	}
	return strings.Join(parts, " ")
}

// repeats reports whether a value is a copy of the content, or of a part of it that is more than a word: the engine
// does not count it twice either.
func repeats(value, content string) bool {
	return len(value) > 20 && (strings.Contains(content, value) || strings.Contains(value, content))
}
