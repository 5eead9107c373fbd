package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// deliver posts an event as a broker would, with more headers, name and value in turn.
func (w *world) deliver(r outbox.Record, more ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	event, err := eventing.FromRecord(r, "")
	if err != nil {
		w.t.Fatal(err)
	}
	header, body, err := eventing.Encode(w.t.Context(), event)
	if err != nil {
		w.t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, "/", strings.NewReader(string(body)))
	request.Header = header
	for i := 0; i < len(more); i += 2 {
		request.Header.Set(more[i], more[i+1])
	}
	request.RemoteAddr, request.Host = "127.0.0.1:50000", "127.0.0.1"
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, request)
	return rec
}

// derivation is the event of an insight that cites content[start:end] of a memory.
func derivation(event string, cited string, start, end int) outbox.Record {
	data, _ := json.Marshal(eventing.Derivation{
		ReflectionID: "0197e4a2-5c1d-7c3e-9a5b-2f6d8e01b7c4",
		Memory: memory.Memory{
			ID: "6b1c5f0e-2f0a-5c7e-9d53-0f5a6a3e9b10", TenantID: "acme", ProjectID: "default", Content: "Alice likes to look out.",
			Layer: memory.Reflective, Importance: 0.7, DerivedFrom: []memory.Citation{{MemoryID: memory.ID(cited), Start: start, End: end}},
		},
	})
	return outbox.Record{
		ID: event, Type: outbox.MemoryDerived, Tenant: "acme", Project: "default", Subject: "6b1c5f0e-2f0a-5c7e-9d53-0f5a6a3e9b10", Data: data, Time: time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC),
	}
}

func TestADerivedMemoryIsStoredOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cited := w.put(`{"content":"Alice prefers window seats."}`)
	for range 3 {
		if rec := w.deliver(derivation("0197e4a2-5c1d-7c3e-9a5b-000000000001", cited, 15, 27)); rec.Code != http.StatusNoContent {
			t.Fatalf("answered %d %s", rec.Code, rec.Body)
		}
	}
	got := w.must(http.StatusOK, "GET", "/v1/memories/6b1c5f0e-2f0a-5c7e-9d53-0f5a6a3e9b10", "")
	want := []any{map[string]any{"memory_id": cited, "start": 15.0, "end": 27.0}}
	if !reflect.DeepEqual(got["derived_from"], want) || got["version"] != 1.0 {
		t.Errorf("got %v, want version 1 citing %v", got, want)
	}
}

func TestAPoisonedEventGoesToTheDeadLettersAndBlocksNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cited := w.put(`{"content":"short"}`)
	rec := w.deliver(derivation("0197e4a2-5c1d-7c3e-9a5b-000000000001", cited, 0, 99))
	if rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), "data.memory.derived_from[0]") {
		t.Errorf("a span that does not hold: %d %s", rec.Code, rec.Body)
	}
	if rec := w.deliver(derivation("0197e4a2-5c1d-7c3e-9a5b-000000000002", cited, 0, 5)); rec.Code != http.StatusNoContent {
		t.Errorf("the event behind it: %d %s", rec.Code, rec.Body)
	}
}

func TestAnEmbeddingThatComesByEventIsAttached(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.function.Memories.Embedder = nil
	id := w.put(`{"content":"x"}`)
	r, err := eventing.Embedded(eventing.Embedding{
		MemoryID: memory.ID(id), Scope: memory.Scope{Tenant: "acme", Project: "default"}, Version: 1, Model: "lengths-1", Vector: []float32{1},
	}, start)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if rec := w.deliver(r); rec.Code != http.StatusNoContent {
			t.Fatalf("answered %d %s", rec.Code, rec.Body)
		}
	}
	if got := w.must(http.StatusOK, "GET", "/v1/memories/"+id, ""); got["embedding"] != "ready" {
		t.Errorf("the memory is %v", got)
	}
}

func TestTheClockDrainsAndABrokenDrainComesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	drained := 0
	w.function.Drain = func(context.Context) error {
		if drained++; drained > 1 {
			return fault.Wrap(fault.Unavailable, errors.New("refused"), "the broker is away")
		}
		return nil
	}
	for i, want := range []int{http.StatusNoContent, http.StatusServiceUnavailable} {
		r, err := eventing.Due(eventing.DrainDue, eventing.Tick{}, start)
		if err != nil {
			t.Fatal(err)
		}
		if rec := w.deliver(r); rec.Code != want || drained != i+1 {
			t.Errorf("tick %d: %d %s after %d drains, want %d", i+1, rec.Code, rec.Body, drained, want)
		}
	}
}
