package relevance_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rae-memory/rae/pkg/relevance"
)

// TestEvidenceIsWhatItSays counts again, slowly and by the words of the documentation.
func TestEvidenceIsWhatItSays(t *testing.T) {
	t.Parallel()
	q := weighed("red kite over deep water near home", 100, 5000, map[string]int{"red": 30, "kite": 2, "deep": 9, "water": 2, "near": 50, "home": 80})
	r := rand.New(rand.NewPCG(1, 2))
	long, together := 0, 0
	for range 3000 {
		content, extra := randomMarks(r, r.IntN(200), len(q.Terms)), randomMarks(r, r.IntN(4), len(q.Terms))
		sentences := [][]relevance.Mark{nil}
		length := 0
		for _, mark := range content {
			last := len(sentences) - 1
			if mark == relevance.Break {
				sentences = append(sentences, nil)
			} else {
				sentences[last] = append(sentences[last], mark)
				length++
			}
		}
		passage := 0.0
		if length < 60 {
			passage = bm25(&q, append(append([]relevance.Mark{}, content...), extra...), .6+.6*30/80, .3+.4*30/80, float64(length)/50)
		} else {
			for i := range sentences {
				window := append(append([]relevance.Mark{}, sentences[max(0, i-1)]...), sentences[i]...)
				if i > 0 {
					passage = max(passage, bm25(&q, window, .6, .3, float64(len(window))/24))
				}
			}
			if len(sentences) == 1 {
				passage = bm25(&q, content, .6, .3, float64(length)/24)
			}
			long++
		}
		near := closest(&q, content)
		if near > 0 {
			together++
		}
		want := (.75*passage + 1.1*near) / (1.85 * q.Total)
		if got := q.Evidence(content, extra, length); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%v and %v: evidence %g, want %g", content, extra, got, want)
		}
	}
	if long < 500 || together < 500 {
		t.Errorf("%d long memories, %d with pairs close by: too few", long, together)
	}
}

// randomMarks now and then holds little, and now and then little else than the question's terms.
func randomMarks(r *rand.Rand, n, terms int) []relevance.Mark {
	marks := make([]relevance.Mark, n)
	rare, sentence := 1+r.IntN(20), 2+r.IntN(30)
	for i := range marks {
		switch {
		case r.IntN(sentence) == 0:
			marks[i] = relevance.Break
		case r.IntN(rare) == 0:
			marks[i] = relevance.Mark(1 + r.IntN(terms))
		}
	}
	return marks
}

func bm25(q *relevance.Question, marks []relevance.Mark, k1, b, relative float64) float64 {
	sum := 0.0
	for i, term := range q.Terms {
		count := 0.0
		for _, mark := range marks {
			if mark == relevance.Mark(i+1) {
				count++
			}
		}
		sum += term.IDF * count * (k1 + 1) / (count + k1*(1-b+b*relative))
	}
	return sum
}

func closest(q *relevance.Question, content []relevance.Mark) float64 {
	sum := 0.0
	for _, pair := range q.Pairs {
		nearest := math.Inf(1)
		for i, a := range content {
			for j, b := range content {
				if a == relevance.Mark(pair[0]+1) && b == relevance.Mark(pair[1]+1) && max(i-j, j-i) <= 3 {
					nearest = min(nearest, math.Abs(float64(i-j)))
				}
			}
		}
		sum += min(q.Terms[pair[0]].IDF, q.Terms[pair[1]].IDF) / nearest
	}
	return sum
}
