package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/search"
)

// library makes memories of about sixteen words, in sessions of twenty, and questions of about six.
type library struct {
	*rand.Rand
	zipf  *rand.Zipf
	words []string
	told  int
}

func newLibrary() *library {
	l := &library{Rand: rand.New(rand.NewPCG(4, 2))}
	for i := range 20_000 {
		l.words = append(l.words, fmt.Sprintf("w%dk", i))
	}
	l.zipf = rand.NewZipf(l.Rand, 1.1, 20, uint64(len(l.words)-1))
	return l
}

func (l *library) say(n int) string {
	said := make([]string, n)
	for i := range said {
		said[i] = l.words[l.zipf.Uint64()]
	}
	return strings.Join(said, " ")
}

func (l *library) memory() memory.Memory {
	l.told++
	m := memory.Memory{Content: l.say(8+l.IntN(16)) + ".", ExternalID: fmt.Sprint(l.told), SessionID: fmt.Sprint("s", l.told/20)}
	if l.IntN(2) == 0 {
		m.Entities = []memory.Entity{{Name: l.words[l.IntN(2000)]}, {Name: l.words[l.IntN(2000)]}}
	}
	return m
}

// fill stores n memories, a thousand to a transaction.
func (l *library) fill(b testing.TB, db *postgres.DB, scope memory.Scope, n int, vectors *cloud) {
	b.Helper()
	for first := 0; first < n; first += 1000 {
		err := db.Write(b.Context(), scope, func(tx memory.Tx) error {
			entries := make([]memory.Entry, min(1000, n-first))
			for i := range entries {
				if vectors != nil {
					entries[i].Vectors = []memory.Vector{{Model: model, Values: vectors.vector()}}
				}
				entries[i].Memory = l.memory()
			}
			return putAll(b.Context(), tx, entries)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if _, err := db.GatherAll(b.Context(), scope); err != nil {
		b.Fatal(err)
	}
	if n >= 1000 { // and a tail, as there mostly is
		if err := db.Write(b.Context(), scope, func(tx memory.Tx) error { return l.tail(b.Context(), tx) }); err != nil {
			b.Fatal(err)
		}
	}
}

func (l *library) tail(ctx context.Context, tx memory.Tx) error {
	entries := make([]memory.Entry, 300)
	for i := range entries {
		entries[i].Memory = l.memory()
	}
	return putAll(ctx, tx, entries)
}

// putAll stores memories, none of which may be refused.
func putAll(ctx context.Context, tx memory.Tx, entries []memory.Entry) error {
	written, err := tx.PutAll(ctx, entries, memory.Why{})
	for _, w := range written {
		err = errors.Join(err, w.Err)
	}
	return err
}

func sized(n int) memory.Scope { return memory.Scope{Tenant: fmt.Sprint("of", n), Project: "default"} }

// unguarded turns row-level security off, for comparison.
func unguarded(b *testing.B, url string) {
	b.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, table := range []string{"scopes", "memories", "memory_versions", "memory_vectors", "term_blocks", "graph_nodes", "graph_edges"} {
		if _, err := conn.Exec(context.Background(), `ALTER TABLE `+table+` DISABLE ROW LEVEL SECURITY`); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSearch asks each part of a search in one database with scopes of three sizes, with row-level security and
// without.
func BenchmarkSearch(b *testing.B) {
	url := fresh(b)
	db := openAt(b, url, postgres.Options{})
	l, vectors := newLibrary(), newCloud(200, 256)
	sizes := []int{1000, 10_000, 100_000}
	for _, n := range sizes {
		began := time.Now()
		l.fill(b, db, sized(n), n, vectors)
		b.Logf("%d memories in %s", n, time.Since(began).Round(time.Millisecond))
	}
	largest, began := sizes[len(sizes)-1], time.Now()
	if _, err := db.Legs(model).Dense.IndexVectors(b.Context(), sized(largest), 256, largest); err != nil {
		b.Fatal(err)
	}
	if err := postgres.EnsureVectorIndex(b.Context(), url, model, 256); err != nil {
		b.Fatal(err)
	}
	b.Logf("vectors indexed in %s", time.Since(began).Round(time.Millisecond))
	analyze(b, url)
	for _, guard := range []string{"guarded", "unguarded"} {
		if guard == "unguarded" {
			unguarded(b, url)
		}
		for _, n := range sizes {
			legs, scope := db.Legs(model), sized(n)
			for _, leg := range []search.Leg{legs.Lexical, legs.Dense, legs.Graph} {
				b.Run(fmt.Sprintf("%s/%s/%d", leg.Name(), guard, n), func(b *testing.B) {
					median(b, func() error {
						_, err := leg.Retrieve(b.Context(), search.Query{Scope: scope, Text: l.say(6), Vector: vectors.vector()}, 200)
						return err
					})
				})
			}
			b.Run(fmt.Sprintf("exact/%s/%d", guard, n), func(b *testing.B) {
				exact := postgres.Dense{DB: db, Model: model, Exact: 1_000_000}
				median(b, func() error {
					_, err := exact.Retrieve(b.Context(), search.Query{Scope: scope, Vector: vectors.vector()}, 200)
					return err
				})
			})
			b.Run(fmt.Sprintf("context/%s/%d", guard, n), func(b *testing.B) {
				hits, err := legs.Lexical.Retrieve(b.Context(), search.Query{Scope: scope, Text: l.say(6)}, 50)
				if err != nil {
					b.Fatal(err)
				}
				median(b, func() error {
					_, err := legs.Neighbourhood.Around(b.Context(), search.Query{Scope: scope}, hits, 2)
					return err
				})
			})
			b.Run(fmt.Sprintf("rerank/%s/%d", guard, n), func(b *testing.B) {
				hits, err := legs.Lexical.Retrieve(b.Context(), search.Query{Scope: scope, Text: l.say(6)}, 100)
				if err != nil {
					b.Fatal(err)
				}
				ids := make([]memory.ID, len(hits))
				for i := range hits {
					ids[i] = hits[i].ID
				}
				median(b, func() error {
					_, err := legs.Reranker.Rerank(b.Context(), search.Query{Scope: scope, Text: l.say(6)}, ids)
					return err
				})
			})
		}
	}
}

// median reports the median time of what it runs: the machine's other work is in the mean.
func median(b *testing.B, run func() error) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if err := run(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[0].Microseconds())/1000, "min-ms")
}

// BenchmarkPut stores memories with all that finds them, a hundred to a transaction. What words and entities cost is the
// difference to a store that keeps none.
func BenchmarkPut(b *testing.B) {
	db := open(b, postgres.Options{})
	l := newLibrary()
	for b.Loop() {
		err := db.Write(b.Context(), acme, func(tx memory.Tx) error {
			for range 100 {
				if _, _, err := tx.Put(b.Context(), l.memory(), memory.Why{}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
