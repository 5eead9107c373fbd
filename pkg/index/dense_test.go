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

// TestDenseFindsTheNearest compares the ten nearest with those found by looking at every vector, in a scope so large that
// vectors are looked through by code: vectors of hashed words, and clusters far from the origin, whose leading dimensions
// say most, as those of many models.
func TestDenseFindsTheNearest(t *testing.T) {
	t.Parallel()
	const n = 20_000
	r := rand.New(rand.NewPCG(3, 5))
	mean, centres := spread(r, 0), make([][]float64, 500)
	for i := range centres {
		centres[i] = spread(r, .02)
	}
	model := new(embed.Hash)
	all := sentences(n)
	hashed, err := model.EmbedDocuments(t.Context(), append(all, "unlike anything"))
	if err != nil {
		t.Fatal(err)
	}
	clustered := make([][]float32, n+40)
	for i := range clustered {
		centre, own, v := centres[r.IntN(len(centres))], spread(r, .02), make([]float32, len(mean))
		for j := range v {
			v[j] = float32(mean[j] + centre[j] + .7*own[j])
		}
		clustered[i] = embed.Shorten(v, len(v))
	}
	for name, c := range map[string]struct{ stored, asked [][]float32 }{
		"hashed words": {hashed[:n], append(hashed[40:80:80], hashed[n])}, "clusters": {clustered[:n], clustered[n:]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := holding(t, c.stored)
			for _, filter := range []memory.Filter{{}, {AgentID: "a7"}} {
				missed := 0
				for _, query := range c.asked {
					hits, err := index.Dense{Set: set}.Retrieve(t.Context(), search.Query{Scope: here, Vector: query, Filter: filter}, 10)
					if err != nil || len(hits) != 10 {
						t.Fatalf("%d hits, %v", len(hits), err)
					}
					tenth := nearestScores(c.stored, query, filter.AgentID != "")[9]
					for _, hit := range hits {
						if hit.Score < tenth-1e-4 {
							missed++
						}
					}
				}
				if missed*100 > len(c.asked)*10 {
					t.Errorf("filter %+v: %d of the ten nearest of %d queries were missed", filter, missed, len(c.asked))
				}
			}
		})
	}
}

// spread draws 256 normal values, each dimension smaller than the one before by the share decay.
func spread(r *rand.Rand, decay float64) []float64 {
	v := make([]float64, 256)
	for i := range v {
		v[i] = r.NormFloat64() * math.Exp(-decay*float64(i))
	}
	return v
}

// holding is an index over memories with these vectors; number i is of agent i modulo 100.
func holding(t *testing.T, vectors [][]float32) *index.Set {
	t.Helper()
	db := inmem.New(inmem.Options{})
	for start := 0; start < len(vectors); start += 1000 {
		err := db.Write(t.Context(), here, func(tx memory.Tx) error {
			for i := start; i < min(start+1000, len(vectors)); i++ {
				m := memory.Memory{Content: fmt.Sprint(i), Layer: memory.Episodic, AgentID: fmt.Sprint("a", i%100)}
				if _, _, err := tx.Put(t.Context(), m, memory.Why{}, memory.Vector{Model: "m", Values: vectors[i]}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set := index.NewSet(db, "m")
	if _, err := set.CatchUp(t.Context(), here); err != nil {
		t.Fatal(err)
	}
	return set
}

// nearestScores are the products of all vectors, or of agent 7's, with the query, highest first.
func nearestScores(vectors [][]float32, query []float32, agent7 bool) []float64 {
	var all []float64
	for i, v := range vectors {
		if agent7 && i%100 != 7 {
			continue
		}
		product := 0.0
		for j := range v {
			product += float64(v[j]) * float64(query[j])
		}
		all = append(all, product)
	}
	slices.Sort(all)
	slices.Reverse(all)
	return all
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
