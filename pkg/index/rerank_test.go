package index_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// reranked returns the scores of the contents for the question, in the order given.
func reranked(t *testing.T, question string, contents ...string) []float64 {
	t.Helper()
	w := newWorld(t)
	var ids []memory.ID
	for _, m := range w.say(contents...) {
		ids = append(ids, m.ID)
	}
	if _, err := w.set.CatchUp(t.Context(), here); err != nil {
		t.Fatal(err)
	}
	scores, err := index.Reranker{Set: w.set}.Rerank(t.Context(), search.Query{Scope: here, Text: question}, append(ids, memory.NewID()))
	if err != nil {
		t.Fatal(err)
	}
	if last := len(scores) - 1; last != len(contents) || scores[last] != 0 {
		t.Fatalf("%v: want one score each, and 0 for an id nobody knows", scores)
	}
	for _, score := range scores {
		if score < 0 || score > 1 {
			t.Errorf("score %g", score)
		}
	}
	return scores[:len(contents)]
}

func TestRerank(t *testing.T) {
	t.Parallel()
	t.Run("words that stand together in the question and in the memory count more", func(t *testing.T) {
		t.Parallel()
		s := reranked(t, "red kite", "a red kite flew over the green meadow", "a kite flew over the green meadow by the red")
		if s[0] <= s[1] {
			t.Errorf("together %g, apart %g", s[0], s[1])
		}
	})
	t.Run("a sentence's end keeps words apart", func(t *testing.T) {
		t.Parallel()
		s := reranked(t, "red kite", "we saw boats and the door was red kite came home", "we saw boats and the door was red. Yes. Oh. Kite came home")
		if s[0] <= s[1] {
			t.Errorf("one sentence %g, two %g", s[0], s[1])
		}
	})
	t.Run("a long memory is judged by its best passage", func(t *testing.T) {
		t.Parallel()
		filler := strings.Repeat("Grey boats drifted past quiet wooden harbours. ", 14)
		gathered := filler + "The zeppelin crossed the glacier slowly, wearily, majestically. " + filler
		scattered := "Zeppelin. " + filler + filler + "Glacier." // shorter, so that the whole of it scores higher
		s := reranked(t, "glacier hangar zeppelin", gathered, scattered)
		if s[0] <= s[1] {
			t.Errorf("in one passage %g, scattered %g", s[0], s[1])
		}
	})
}

func BenchmarkRerank(b *testing.B) {
	for _, length := range []int{1, 20} { // sentences per memory
		set, queries := worded(b, 2000, length)
		candidates := make([][]memory.ID, len(queries))
		for i, q := range queries {
			hits, err := index.Lexical{Set: set}.Retrieve(b.Context(), q, 100)
			if err != nil {
				b.Fatal(err)
			}
			for _, hit := range hits {
				candidates[i] = append(candidates[i], hit.ID)
			}
		}
		b.Run(fmt.Sprintf("sentences/%d", length), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := (index.Reranker{Set: set}).Rerank(b.Context(), queries[i%len(queries)], candidates[i%len(queries)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// worded is an index over n memories of so many sentences, with questions whose words are in them.
func worded(tb testing.TB, n, length int) (*index.Set, []search.Query) {
	tb.Helper()
	db, all := inmem.New(inmem.Options{}), sentences(n*length)
	err := db.Write(tb.Context(), here, func(tx memory.Tx) error {
		for part := range slices.Chunk(all, length) {
			m := memory.Memory{Content: strings.Join(part, ". "), Layer: memory.Episodic}
			if _, _, err := tx.Put(tb.Context(), m, memory.Why{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	set := index.NewSet(db, "")
	if _, err := set.CatchUp(tb.Context(), here); err != nil {
		tb.Fatal(err)
	}
	var queries []search.Query
	for i := range 64 {
		words := strings.Fields(all[i*len(all)/64])
		queries = append(queries, search.Query{Scope: here, Text: strings.Join(words[:min(len(words), 6)], " ")})
	}
	return set, queries
}

func BenchmarkCatchUp(b *testing.B) {
	set, _ := worded(b, 2000, 1)
	for b.Loop() {
		set.Forget(here)
		if _, err := set.CatchUp(b.Context(), here); err != nil {
			b.Fatal(err)
		}
	}
}
