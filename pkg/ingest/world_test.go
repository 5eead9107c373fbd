package ingest_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
)

// start is the time at which every world of these tests stands still.
var start = time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)

var (
	here  = memory.Scope{Tenant: "acme", Project: "support"}
	there = memory.Scope{Tenant: "globex", Project: "support"}
)

// letters embeds a text as its length and its number of spaces, and counts its calls.
type letters struct {
	calls, texts atomic.Int64
	err          error
	answer       [][]float32 // instead of the right one
}

func (l *letters) Model() string { return "letters-2" }

func (l *letters) EmbedDocuments(_ context.Context, texts []string) ([][]float32, error) {
	l.calls.Add(1)
	l.texts.Add(int64(len(texts)))
	if l.err != nil || l.answer != nil {
		return l.answer, l.err
	}
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		vectors[i] = []float32{float32(len(text)), float32(strings.Count(text, " "))}
	}
	return vectors, nil
}

// world is a service over a fresh store whose clock stands at start.
func world(t *testing.T) (*ingest.Service, *letters) {
	t.Helper()
	clock := func() time.Time { return start }
	embedder := &letters{}
	return &ingest.Service{
		Store:    inmem.New(inmem.Options{Clock: clock}),
		Embedder: embedder,
		Clock:    clock,
		Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, embedder
}

func mustPut(t *testing.T, s *ingest.Service, d ingest.Draft) memory.Memory {
	t.Helper()
	stored, _, err := s.Put(t.Context(), here, d, memory.Key{}, memory.Why{})
	if err != nil {
		t.Fatalf("put %q: %v", d.Content, err)
	}
	return stored.Memory
}

// everything lists the scope, oldest first.
func everything(t *testing.T, s *ingest.Service, scope memory.Scope) []memory.Memory {
	t.Helper()
	page, err := s.List(t.Context(), scope, memory.Query{Limit: 1000})
	if err != nil {
		t.Fatalf("list %s: %v", scope, err)
	}
	for i, j := 0, len(page.Memories)-1; i < j; i, j = i+1, j-1 {
		page.Memories[i], page.Memories[j] = page.Memories[j], page.Memories[i]
	}
	return page.Memories
}

// wantFault fails unless err has the kind and names the field first.
func wantFault(t *testing.T, err error, kind fault.Kind, field string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s at %s", kind, field)
	}
	got := ""
	if fields := fault.FieldsOf(err); len(fields) > 0 {
		got = fields[0].Location
	}
	if fault.KindOf(err) != kind || got != field {
		t.Fatalf("got %s at %q (%v), want %s at %q", fault.KindOf(err), got, err, kind, field)
	}
}

func ptr[T any](v T) *T { return &v }

var errAway = errors.New("connection refused")
