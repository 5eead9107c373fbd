package embed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/rae-memory/rae/eventing"
	function "github.com/rae-memory/rae/functions/embed"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// world is a store with one memory whose vector is pending.
type world struct {
	t     *testing.T
	db    *inmem.DB
	scope memory.Scope
	m     memory.Memory
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, db: inmem.New(inmem.Options{}), scope: memory.Scope{Tenant: "acme", Project: "default"}}
	w.write(func(tx memory.Tx) (err error) {
		w.m, _, err = tx.Put(t.Context(), memory.Memory{
			Content: "Anna moved to Lisbon", Layer: memory.Episodic, Tags: []string{}, Embedding: memory.EmbeddingPending,
		}, memory.Why{})
		return err
	})
	return w
}

func (w *world) write(do func(memory.Tx) error) {
	w.t.Helper()
	if err := w.db.Write(w.t.Context(), w.scope, do); err != nil {
		w.t.Fatal(err)
	}
}

// announced returns what the outbox holds, and empties it.
func (w *world) announced() []outbox.Record {
	w.t.Helper()
	var all []outbox.Record
	for {
		records, err := w.db.Claim(w.t.Context(), 10, time.Minute)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(records) == 0 {
			return all
		}
		for _, r := range records {
			if err := w.db.Done(w.t.Context(), []string{r.ID}); err != nil {
				w.t.Fatal(err)
			}
		}
		all = append(all, records...)
	}
}

func (w *world) vector() []float32 {
	w.t.Helper()
	changes, err := w.db.Changes(w.t.Context(), w.scope, new(embed.Hash).Model(), 0, 100)
	if err != nil || len(changes) == 0 {
		w.t.Fatalf("%d changes, error %v", len(changes), err)
	}
	return changes[len(changes)-1].Vector // of the version that stands
}

func types(records []outbox.Record) []string {
	var all []string
	for _, r := range records {
		all = append(all, r.Type)
	}
	return all
}

// broke is an embedder the budget refuses, and keeps who should have paid.
type broke struct {
	embed.Hash
	payer memory.Scope
}

func (b *broke) EmbedDocuments(ctx context.Context, _ []string) ([][]float32, error) {
	b.payer, _ = llm.PayerOf(ctx)
	return nil, fault.New(fault.OverBudget, "no money")
}

func TestWhatTheBudgetRefusesIsPutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	embedder := &broke{}
	b := function.Backfill{Store: w.db, Embedder: embedder}
	if _, err := b.Run(t.Context(), w.scope, w.m.ID); fault.KindOf(err) != fault.OverBudget || embedder.payer != w.scope {
		t.Errorf("got %v, to be paid by %v", err, embedder.payer)
	}
	var later []memory.Scope
	b.PutOff = func(_ context.Context, scope memory.Scope) error {
		later = append(later, scope)
		return nil
	}
	if done, err := b.Run(t.Context(), w.scope, w.m.ID); done || err != nil || len(later) != 1 || later[0] != w.scope {
		t.Errorf("done %t, %v, put off %v", done, err, later)
	}
}

func TestAPendingMemoryGetsItsVectorOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.announced()
	b := function.Backfill{Store: w.db, Embedder: new(embed.Hash)}
	if done, err := b.Run(t.Context(), w.scope, w.m.ID); !done || err != nil {
		t.Fatalf("done %v, error %v", done, err)
	}
	want, err := new(embed.Hash).EmbedQuery(t.Context(), w.m.Content)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(w.vector(), want) {
		t.Error("the memory has another vector than the model's")
	}
	m, err := w.db.Get(t.Context(), w.scope, w.m.ID, memory.View{})
	if err != nil || m.Embedding != memory.EmbeddingReady || m.Version != 1 {
		t.Errorf("got %q, version %d, error %v", m.Embedding, m.Version, err)
	}
	told := w.announced()
	if got, want := types(told), []string{outbox.MemoryUpdated, outbox.MemoryEmbedded}; !reflect.DeepEqual(got, want) {
		t.Fatalf("announced %q, want %q", got, want)
	}
	var data eventing.Embedding
	if err := json.Unmarshal(told[1].Data, &data); err != nil {
		t.Fatal(err)
	}
	if want := (eventing.Embedding{MemoryID: w.m.ID, Scope: w.scope, Version: 1, Model: "hash-384-v1", Vector: want}); !reflect.DeepEqual(data, want) {
		t.Errorf("announced %+v, want %+v", data, want)
	}
	if done, err := b.Run(t.Context(), w.scope, w.m.ID); done || err != nil {
		t.Errorf("again: done %v, error %v", done, err)
	}
	if again := w.announced(); len(again) != 0 {
		t.Errorf("again announced %q", types(again))
	}
}

func TestAMemoryThatIsGoneIsNoError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := function.Backfill{Store: w.db, Embedder: new(embed.Hash)}
	w.write(func(tx memory.Tx) error { return tx.Delete(t.Context(), w.m.ID) })
	if done, err := b.Run(t.Context(), w.scope, w.m.ID); done || err != nil {
		t.Errorf("done %v, error %v", done, err)
	}
}

func TestAnotherTenantsMemoryIsNotTouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := function.Backfill{Store: w.db, Embedder: new(embed.Hash)}
	if done, err := b.Run(t.Context(), memory.Scope{Tenant: "other", Project: "default"}, w.m.ID); done || err != nil {
		t.Errorf("done %v, error %v", done, err)
	}
	if w.vector() != nil {
		t.Error("the memory got a vector")
	}
}

func TestAMemoryChangedWhileItWasEmbeddedKeepsWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	meanwhile := &broken{answer: func(ctx context.Context) ([][]float32, error) {
		changed := w.m
		changed.Content = "Anna moved to Porto"
		w.write(func(tx memory.Tx) error {
			_, err := tx.Replace(ctx, changed, memory.Why{})
			return err
		})
		return new(embed.Hash).EmbedDocuments(ctx, []string{w.m.Content})
	}}
	b := function.Backfill{Store: w.db, Embedder: meanwhile}
	if done, err := b.Run(t.Context(), w.scope, w.m.ID); done || err != nil {
		t.Errorf("done %v, error %v", done, err)
	}
	if w.vector() != nil {
		t.Error("the new content got the old one's vector")
	}
}

func TestAnEmbedderThatIsAwayLeavesTheMemoryPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	away := &broken{answer: func(context.Context) ([][]float32, error) { return nil, fault.New(fault.Unavailable, "away") }}
	b := function.Backfill{Store: w.db, Embedder: away}
	if done, err := b.Run(t.Context(), w.scope, w.m.ID); done || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("done %v, error %v", done, err)
	}
	if m, err := w.db.Get(t.Context(), w.scope, w.m.ID, memory.View{}); err != nil || m.Embedding != memory.EmbeddingPending {
		t.Errorf("got %q, error %v", m.Embedding, err)
	}
}

// deliver posts a record to the function as the broker does.
func deliver(t *testing.T, h http.Handler, r outbox.Record) int {
	t.Helper()
	e, err := eventing.FromRecord(r, "")
	if err != nil {
		t.Fatal(err)
	}
	header, body, err := eventing.Encode(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	request.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request)
	return w.Code
}

func TestTheEventOfAPendingMemoryFillsItIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	events := function.New(new(embed.Hash), w.db, time.Minute, slog.New(slog.DiscardHandler)).Events()
	stored := w.announced()
	if len(stored) != 1 {
		t.Fatalf("announced %q", types(stored))
	}
	for range 3 { // at least once
		if status := deliver(t, events, stored[0]); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
	told := w.announced()
	if got, want := types(told), []string{outbox.MemoryUpdated, outbox.MemoryEmbedded}; !reflect.DeepEqual(got, want) {
		t.Fatalf("announced %q, want %q", got, want)
	}
	if status := deliver(t, events, told[0]); status != http.StatusNoContent {
		t.Errorf("its own update: status %d", status)
	}
	if again := w.announced(); len(again) != 0 {
		t.Errorf("its own update announced %q", types(again))
	}
}

func TestWithoutAStoreThereAreNoEvents(t *testing.T) {
	t.Parallel()
	if function.New(new(embed.Hash), nil, time.Minute, nil).Events() != nil {
		t.Error("the function takes events it cannot act on")
	}
}
