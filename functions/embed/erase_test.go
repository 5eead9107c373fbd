package embed_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	function "github.com/rae-memory/rae/functions/embed"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/redis"
	"github.com/rae-memory/rae/pkg/servicetest"
)

func TestMain(m *testing.M) { servicetest.Main(m) }

// heavy is an embedder that is worth a cache, and counts what it is asked.
type heavy struct {
	*embed.Hash
	asked int
}

func (h *heavy) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	h.asked++
	return h.Hash.EmbedDocuments(ctx, texts)
}

func TestVectorsOfAnErasedTenantAreGoneByEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shared, err := redis.Open(servicetest.Redis(t).Database(t), redis.Options{DialTimeout: 5 * time.Second, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close() //nolint:errcheck // nothing is kept
	upstream := &heavy{Hash: new(embed.Hash)}
	cached := embed.WithCache(upstream, shared.Vectors())
	events := function.New(cached, w.db, time.Minute, slog.New(slog.DiscardHandler)).Events()
	ask := func() {
		t.Helper()
		if _, err := cached.EmbedDocuments(t.Context(), []string{"what Anna said"}); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	ask()
	if upstream.asked != 1 {
		t.Fatalf("asked %d times", upstream.asked)
	}
	w.announced()
	if _, err := w.db.EraseTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	told := w.announced()
	if len(told) != 1 || told[0].Type != outbox.TenantErased || told[0].Project != "" {
		t.Fatalf("told %+v", told)
	}
	for range 2 { // at least once
		if status := deliver(t, events, told[0]); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
	if n, err := shared.Vectors().Forget(t.Context()); n != 0 || err != nil {
		t.Errorf("%d vectors were left, %v", n, err)
	}
	if ask(); upstream.asked != 2 {
		t.Errorf("asked %d times: a vector was left", upstream.asked)
	}
	old := memory.Memory{ID: w.m.ID, TenantID: "acme", ProjectID: "default", Version: 1, Embedding: memory.EmbeddingPending, Layer: memory.Episodic}
	late := old.Announce(outbox.MemoryStored)
	late.ID, late.Time = string(memory.NewID()), time.Now()
	if status := deliver(t, events, late); status != http.StatusNoContent {
		t.Errorf("what is told late of the old life is answered %d", status)
	}
}
