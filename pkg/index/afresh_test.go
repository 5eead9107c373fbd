package index_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/text"
)

// Another store that keeps postings and asks pkg/relevance scores as this index does, to the last bit.
func TestAMemoryReadAfreshScoresAsTheIndexDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	documents := map[memory.ID]relevance.Document{}
	r := rand.New(rand.NewPCG(3, 4))
	all := sentences(300)
	for i, sentence := range all {
		m := memory.Memory{Content: sentence, Tags: []string{all[r.IntN(len(all))][:6]}}
		for range r.IntN(9) {
			m.Content += ". " + all[r.IntN(len(all))]
		}
		if i%5 == 0 {
			m.Metadata = memory.Metadata{"note": all[r.IntN(len(all))][:12]}
		}
		stored := w.put(here, m)
		documents[stored.ID] = relevance.Analyze(&stored, text.English)
	}
	scored := 0
	for i := range 40 {
		q := search.Query{Scope: here, Text: fmt.Sprintf("What %s, the %s?", all[i], all[r.IntN(len(all))])}
		question := weighedBy(q.Text, documents)
		reader := question.Reader()
		hits := w.hits(index.Lexical{Set: w.set}, q)
		ids := make([]memory.ID, len(hits))
		for i, hit := range hits {
			ids[i] = hit.ID
		}
		second, err := index.Reranker{Set: w.set}.Rerank(t.Context(), q, ids)
		if err != nil {
			t.Fatal(err)
		}
		for i, hit := range hits {
			d := documents[hit.ID]
			counts, sum := d.Counts(), float32(0)
			for place, term := range question.Terms {
				if n := counts[term.Text]; n > 0 {
					sum += question.Gain(place, n, d.Length)
				}
			}
			if got := question.Share(sum); got != hit.Score {
				t.Fatalf("%q: BM25 %g afresh, %g by index", q.Text, got, hit.Score)
			}
			if got := reader.Evidence(&d); got != second[i] {
				t.Fatalf("%q: evidence %g afresh, %g by index", q.Text, got, second[i])
			}
			scored++
		}
	}
	if scored < 1000 {
		t.Fatalf("only %d scores compared", scored)
	}
}

// weighedBy is the question in a scope of these documents.
func weighedBy(question string, documents map[memory.ID]relevance.Document) relevance.Question {
	asked := relevance.Ask(question, text.English)
	s := relevance.Statistics{Memories: len(documents), Holding: make([]int, len(asked.Terms))}
	for _, d := range documents {
		s.Length += d.Length
		counts := d.Counts()
		for i, term := range asked.Terms {
			if counts[term] > 0 {
				s.Holding[i]++
			}
		}
	}
	return asked.Weigh(s)
}
