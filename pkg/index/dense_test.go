package index_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// sentences makes n sentences of 8 to 24 words whose frequencies fall off as words' do (Zipf).
func sentences(n int) []string {
	r := rand.New(rand.NewPCG(7, 11))
	zipf := rand.NewZipf(r, 1.1, 4, 20_000)
	syllables := strings.Fields("ba ce di fo gu la me ni po ru sa te vi wo xu ya ze ki")
	word := func(k uint64) string {
		var b strings.Builder
		for k += 18; k > 0; k /= 18 {
			b.WriteString(syllables[k%18])
		}
		return b.String()
	}
	all := make([]string, n)
	for i := range all {
		words := make([]string, 8+r.IntN(17))
		for j := range words {
			words[j] = word(zipf.Uint64())
		}
		all[i] = strings.Join(words, " ")
	}
	return all
}

// filled is an index over n sentences in one scope.
func filled(tb testing.TB, n int) (*index.Set, *embed.Hash, []string) {
	tb.Helper()
	db, model := inmem.New(inmem.Options{}), new(embed.Hash)
	all := sentences(n)
	for start := 0; start < n; start += 1000 {
		part := all[start:min(start+1000, n)]
		vectors, err := model.EmbedDocuments(tb.Context(), part)
		if err != nil {
			tb.Fatal(err)
		}
		err = db.Write(tb.Context(), here, func(tx memory.Tx) error {
			for i, content := range part {
				m := memory.Memory{Content: content, Layer: memory.Episodic, SessionID: fmt.Sprint((start + i) / 20), ExternalID: fmt.Sprint(start + i)}
				if _, _, err := tx.Put(tb.Context(), m, memory.Why{}, memory.Vector{Model: model.Model(), Values: vectors[i]}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	set := index.NewSet(db, model.Model())
	if _, err := set.CatchUp(tb.Context(), here); err != nil {
		tb.Fatal(err)
	}
	return set, model, all
}

// TestDenseIsExact compares the ten nearest with those found by looking at every vector, in a scope large enough that
// several workers share it.
func TestDenseIsExact(t *testing.T) {
	t.Parallel()
	const n = 20_000
	set, model, all := filled(t, n)
	vectors, err := model.EmbedDocuments(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{all[17], strings.Join(strings.Fields(all[4711])[:5], " "), "unlike anything"} {
		query, err := model.EmbedQuery(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var want []float64
		for _, v := range vectors {
			dot := 0.0
			for i := range v {
				dot += float64(v[i]) * float64(query[i])
			}
			want = append(want, dot)
		}
		slices.Sort(want)
		hits, err := index.Dense{Set: set}.Retrieve(t.Context(), search.Query{Scope: here, Text: q, Vector: query}, 10)
		if err != nil || len(hits) != 10 {
			t.Fatalf("%d hits, %v", len(hits), err)
		}
		for i, hit := range hits {
			if exact := want[len(want)-1-i]; math.Abs(hit.Score-exact) > 1e-4 {
				t.Errorf("%q: number %d scores %g, want %g", q, i+1, hit.Score, exact)
			}
		}
	}
}

func BenchmarkRetrieve(b *testing.B) {
	for _, n := range []int{600, 10_000, 100_000} {
		set, model, all := filled(b, n)
		r := rand.New(rand.NewPCG(9, 9))
		queries := make([]search.Query, 64)
		for i := range queries {
			words := strings.Fields(all[r.IntN(n)])
			q := strings.Join(words[:min(len(words), 6)], " ")
			v, err := model.EmbedQuery(b.Context(), q)
			if err != nil {
				b.Fatal(err)
			}
			queries[i] = search.Query{Scope: here, Text: q, Vector: v}
		}
		for _, leg := range []search.Leg{index.Lexical{Set: set}, index.Dense{Set: set}} {
			b.Run(fmt.Sprintf("%s/%d", leg.Name(), n), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					if _, err := leg.Retrieve(b.Context(), queries[i%len(queries)], 200); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
