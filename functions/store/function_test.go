package store_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/functions/store"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

func runtime() serve.Runtime {
	return serve.Runtime{Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewRegistry(), Version: "test"}
}

func TestASettingThatCannotBeUsedStopsTheStartWithOneLine(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"RAE_STORE", "oracle", "RAE_STORE=oracle is not allowed: it must be sqlite or postgres or inmem"},
		{"RAE_EMBED_MODEL", "bge-m3", "RAE_EMBED_MODEL=bge-m3 is not allowed: it must be unset or static-256-v1"},
		{"K_SINK", "broker:80", "K_SINK=broker:80 is not allowed: it must be unset or an http or https URL"},
		{"RAE_STORE", "inmem", ""},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			got := ""
			if _, err := store.Open(t.Context(), runtime()); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// opened is the function as its own program runs it, with a database in dir.
func opened(t *testing.T, dir string) (*world, func()) {
	t.Helper()
	t.Setenv("RAE_DATA_DIR", dir)
	rt := runtime()
	f, err := store.Open(t.Context(), rt)
	if err != nil {
		t.Fatal(err)
	}
	server, err := serve.New(serve.LocalDefaults(), rt, f)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, handler: server.Handler()}, func() {
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatWasStoredStandsAfterARestart(t *testing.T) {
	dir := t.TempDir()
	w, end := opened(t, dir)
	id := w.put(alice, "Idempotency-Key", "k")
	w.must(http.StatusOK, "GET", "/health", "")
	end()
	w, end = opened(t, dir)
	defer end()
	if got := w.must(http.StatusOK, "GET", "/v1/memories/"+id, ""); got["embedding"] != "ready" {
		t.Errorf("got %v", got)
	}
	if again := w.put(alice, "Idempotency-Key", "k"); again != id {
		t.Errorf("the key gave %s, then %s", id, again)
	}
}

func TestAWriteIsAnnouncedToTheBroker(t *testing.T) {
	announced := make(chan eventing.Event, 1)
	broker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e, err := eventing.Decode(r.Header, r.Body); err == nil {
			announced <- e
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer broker.Close()
	t.Setenv("K_SINK", broker.URL)
	w, end := opened(t, t.TempDir())
	defer end()
	id := w.put(`{"content":"hello"}`)
	select {
	case e := <-announced:
		if e.Type != eventing.MemoryStored || e.Subject != id || e.Scope != (memory.Scope{Tenant: "acme", Project: "default"}) {
			t.Errorf("announced %+v", e)
		}
	case <-time.After(30 * time.Second):
		t.Error("nothing was announced")
	}
}

func TestADatabaseThatIsAwayIsUnhealthyAndAnsweredSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.function.Memories.Store = gone{w.function.Memories.Store}
	w.must(http.StatusServiceUnavailable, "GET", "/health", "")
	w.must(http.StatusServiceUnavailable, "POST", "/v1/memories", `{"content":"x"}`)
}

// gone is a store whose database cannot be reached.
type gone struct{ memory.Store }

func (gone) Head(context.Context, memory.Scope) (memory.Seq, error) {
	return 0, fault.New(fault.Unavailable, "the database is away")
}

func (gone) Write(context.Context, memory.Scope, func(memory.Tx) error) error {
	return fault.New(fault.Unavailable, "the database is away")
}

func TestTheFunctionConsumesWhatItSubscribesTo(t *testing.T) {
	t.Parallel()
	var consumed []string
	for kind := range store.New(&ingest.Service{}, nil, nil).Consumers() {
		consumed = append(consumed, kind)
	}
	consumed = slices.DeleteFunc(consumed, func(kind string) bool { return kind == eventing.DeadLetter }) // of any type
	slices.Sort(consumed)
	if want := eventing.Subscribed("store"); !slices.Equal(consumed, want) {
		t.Errorf("consumes %v, the catalogue says %v", consumed, want)
	}
}
