package sqlite_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/sqlite"
)

var (
	benchScope = memory.Scope{Tenant: "acme", Project: "default"}
	benchModel = "hash-384"
)

// sample is the n-th memory of a typical scope: two hundred bytes, a session, and a vector of 384 dimensions.
func sample(n int64) (memory.Memory, memory.Vector) {
	values := make([]float32, 384)
	for i := range values {
		values[i] = float32((n+int64(i))%97) / 97
	}
	return memory.Memory{
		Content:   fmt.Sprintf("memory %d: %s", n, strings.Repeat("she said that the tea was ready. ", 6)),
		SessionID: fmt.Sprint("session ", n/50),
		Metadata:  memory.Metadata{"channel": "mail"},
		Tags:      []string{fmt.Sprint("tag", n%10)},
	}, memory.Vector{Model: benchModel, Values: values}
}

func putSample(b testing.TB, db *sqlite.DB, n int64) {
	m, v := sample(n)
	err := db.Write(b.Context(), benchScope, func(tx memory.Tx) error {
		_, _, err := tx.Put(b.Context(), m, memory.Why{Actor: "bench"}, v)
		return err
	})
	if err != nil {
		b.Error(err)
	}
}

// fill stores n samples, 500 in a transaction.
func fill(b testing.TB, db *sqlite.DB, n int) {
	b.Helper()
	for from := 0; from < n; from += 500 {
		err := db.Write(b.Context(), benchScope, func(tx memory.Tx) error {
			for i := from; i < min(from+500, n); i++ {
				m, v := sample(int64(i))
				if _, _, err := tx.Put(b.Context(), m, memory.Why{Actor: "bench"}, v); err != nil {
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

func BenchmarkPutDurable(b *testing.B) {
	db := open(b, sqlite.Options{})
	n := int64(0)
	for b.Loop() {
		n++
		putSample(b, db, n)
	}
}

func BenchmarkPutDurable32AtOnce(b *testing.B) {
	db := open(b, sqlite.Options{})
	var n atomic.Int64
	b.SetParallelism(16) // times two processors
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			putSample(b, db, n.Add(1))
		}
	})
	s := db.Stats()
	b.ReportMetric(float64(s.Writes)/float64(s.Commits), "writes/commit")
}

func BenchmarkPutBatchOf500(b *testing.B) {
	db := open(b, sqlite.Options{})
	n := int64(0)
	for b.Loop() {
		err := db.Write(b.Context(), benchScope, func(tx memory.Tx) error {
			for range 500 {
				n++
				m, v := sample(n)
				if _, _, err := tx.Put(b.Context(), m, memory.Why{}, v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*500/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkOver100000(b *testing.B) {
	path := filepath.Join(b.TempDir(), "rae.db")
	db := openAt(b, path, sqlite.Options{})
	fill(b, db, 100_000)
	ctx := b.Context()
	page, err := db.List(ctx, benchScope, memory.Query{Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	some := page.Memories[500]

	b.Run("Changes", func(b *testing.B) {
		for b.Loop() {
			count := 0
			for after := memory.Seq(0); ; {
				changes, err := db.Changes(ctx, benchScope, benchModel, after, 1000)
				if err != nil {
					b.Fatal(err)
				}
				if len(changes) == 0 {
					break
				}
				count += len(changes)
				after = changes[len(changes)-1].Seq
			}
			if count != 100_000 {
				b.Fatalf("%d changes", count)
			}
		}
	})
	b.Run("Get", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Get(ctx, benchScope, some.ID, memory.View{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, filter := range map[string]memory.Filter{
		"List20":        {},
		"List20Tag":     {Tags: []string{"tag3"}},
		"List20Session": {SessionID: "session 17"},
		"List20Nothing": {Layers: []memory.Layer{memory.Reflective}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := db.List(ctx, benchScope, memory.Query{Limit: 20, Filter: filter}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("OpenAndGet", func(b *testing.B) {
		for b.Loop() {
			fresh := sqlite.Open(path, sqlite.Options{})
			if _, err := fresh.Get(ctx, benchScope, some.ID, memory.View{}); err != nil {
				b.Fatal(err)
			}
			if err := fresh.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
