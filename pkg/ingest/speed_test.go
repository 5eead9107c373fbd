package ingest_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/sqlite"
)

// BenchmarkImport streams sentences of about 130 bytes into the embedded store, with the built-in embedder.
func BenchmarkImport(b *testing.B) {
	const lines = 5000
	for b.Loop() {
		b.StopTimer()
		db := sqlite.Open(filepath.Join(b.TempDir(), "rae.db"), sqlite.Options{})
		s := &ingest.Service{Store: db, Embedder: new(embed.Hash), Log: slog.New(slog.DiscardHandler)}
		input := &stream{n: lines, line: func(i int) string {
			return fmt.Sprintf(`{"content":"In meeting %d the team agreed to move release %d, because the vendor of part %d cannot deliver before week %d.","tags":["minutes"],"metadata":{"n":%d}}`, i, i*7, i*13, i%52, i)
		}}
		b.StartTimer()
		got, err := s.Import(b.Context(), here, input, memory.Why{}, nil)
		b.StopTimer()
		if err != nil || got.Created != lines {
			b.Fatalf("imported %+v, %v", got, err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(lines*b.N)/b.Elapsed().Seconds(), "memories/s")
}
