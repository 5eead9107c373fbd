package searchtest

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/text"
)

// The lexical leg's score is BM25 (Robertson & Zaragoza, "The Probabilistic Relevance Framework", 2009) over the terms
// of text.Analyze. With N memories of which n hold the term,
//
//	idf  = ln((N - n + .5) / (n + .5) + 1)
//	gain = idf · tf · (k1 + 1) / (tf + k1 · (1 - b + b · length / mean length))
//
// tf counts the term in content, tags, metadata values, source and names of entities; length counts terms of the
// content alone. k1 and b grow with the mean length, because short memories say a thing once:
//
//	long = (mean length - 20) / 80, within 0..1
//	k1   = .6 + .6 · long
//	b    = .3 + .4 · long
//
// The sum of the gains is divided by the sum of idf · (k1 + 1), what a memory that held every known term of the
// question without end would get. Each distinct term counts once; one that no memory holds counts nowhere.

// document is a memory as the oracle sees it.
type document struct {
	id     memory.ID
	terms  map[string]float64
	length float64
}

// oracle scores by looking at everything.
type oracle struct {
	documents []document
	mean      float64
}

func newOracle(memories []memory.Memory) *oracle {
	o := &oracle{}
	for i := range memories {
		m := &memories[i]
		d := document{id: m.ID, terms: map[string]float64{}}
		for _, token := range text.Analyze(m.Content) {
			d.terms[token.Term]++
			d.length++
		}
		beside := slices.Clone(m.Tags)
		for _, entity := range m.Entities {
			beside = append(beside, entity.Name)
		}
		for _, value := range beside {
			for _, token := range text.Analyze(value) {
				d.terms[token.Term]++
			}
		}
		o.documents = append(o.documents, d)
		o.mean += d.length / float64(len(memories))
	}
	return o
}

// scores returns the score of every memory that holds a term of the question.
func (o *oracle) scores(question string) map[memory.ID]float64 {
	long := min(1, max(0, (o.mean-20)/80))
	k1, b := .6+.6*long, .3+.4*long
	scores, total, seen := map[memory.ID]float64{}, 0.0, map[string]bool{}
	for _, token := range text.Analyze(question) {
		holding := 0.0
		for _, d := range o.documents {
			if d.terms[token.Term] > 0 {
				holding++
			}
		}
		if holding == 0 || seen[token.Term] {
			continue
		}
		seen[token.Term] = true
		idf := math.Log((float64(len(o.documents))-holding+.5)/(holding+.5) + 1)
		total += idf * (k1 + 1)
		for _, d := range o.documents {
			if tf := d.terms[token.Term]; tf > 0 {
				scores[d.id] += idf * tf * (k1 + 1) / (tf + k1*(1-b+b*d.length/o.mean))
			}
		}
	}
	for id := range scores {
		scores[id] /= total
	}
	return scores
}

// matchesOracle compares the fifty best of many questions, with scores, over memories of the given lengths.
func matchesOracle(shortest, longest int) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		const deep, exact = 50, 1e-6
		o := newOracle(w.put(t, acme, corpus(1, 500, shortest, longest)...))
		for _, question := range questions(2, 60) {
			scores := o.scores(question)
			var want []float64
			for _, score := range scores {
				want = append(want, score)
			}
			slices.SortFunc(want, func(a, b float64) int { return cmp.Compare(b, a) })
			want = want[:min(deep, len(want))]
			hits := w.retrieve(t, w.Lexical, search.Query{Text: question}, deep)
			if len(hits) != len(want) {
				t.Fatalf("%q: %d hits, want %d", question, len(hits), len(want))
			}
			for i, hit := range hits {
				if math.Abs(hit.Score-want[i]) > exact {
					t.Fatalf("%q: hit %d scores %.9f, want %.9f", question, i, hit.Score, want[i])
				}
				if own := scores[hit.ID]; math.Abs(hit.Score-own) > exact {
					t.Fatalf("%q: hit %d scores %.9f, its own score is %.9f", question, i, hit.Score, own)
				}
			}
		}
	}
}
