package contract_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	searchfn "github.com/rae-memory/rae/functions/search"
	storefn "github.com/rae-memory/rae/functions/store"
	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/client"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/serve"
)

// far is the store and search functions over one store, as a caller far away reaches them, and the store itself.
type far struct {
	*client.Client
	near   *inmem.DB
	blocks *block.Service
}

// memoriesOf are those of a block's owner.
func memoriesOf(ref block.Ref) memory.Filter {
	return memory.Filter{AgentID: ref.AgentID, UserID: ref.UserID}
}

func newFar(t *testing.T) far {
	t.Helper()
	db, log := inmem.New(inmem.Options{}), slog.New(slog.DiscardHandler)
	rt := serve.Runtime{Log: log, Metrics: prometheus.NewRegistry(), Version: "test"}
	embedder, blocks := new(embed.Hash), inmem.NewBlocks(db)
	searching, err := searchfn.New(searchfn.Config{StageTimeout: 5 * time.Second, IndexMegabyte: 64, CacheAnswers: 16}, &database.DB{Memories: db, Blocks: blocks}, &embed.Spaces{Store: db, Resolve: embed.One(embedder)}, rt)
	if err != nil {
		t.Fatal(err)
	}
	storing := storefn.New(&ingest.Service{Store: db, Embedder: embedder, Log: log}, func(context.Context) error { return nil }, log)
	storing.Blocks = &block.Service{Store: blocks}
	server, err := serve.New(serve.LocalDefaults(), rt, storing, searching)
	if err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(server.Handler())
	t.Cleanup(listening.Close)
	c, err := client.New(listening.URL, client.Options{Tenant: "acme", Project: "travel"})
	if err != nil {
		t.Fatal(err)
	}
	return far{c, db, storing.Blocks}
}

// must is the value of a call that may not fail.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestTheWireLosesNothingOfAMemory(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	at := time.Date(2026, 3, 1, 9, 30, 0, 123456000, time.FixedZone("", 3600))
	from, to, ends := at.Add(time.Hour), at.Add(2*time.Hour), time.Now().Add(time.Hour)
	weight := 0.125
	stored := must[client.Stored](t)(f.Store(t.Context(), ingest.Draft{
		Content: "A <b>café</b> & a \"tram\"\u2028 in Łódź \U0001F68B", Layer: memory.Semantic, Tags: []string{"a b", "<ü>"},
		Metadata:   memory.Metadata{"big": int64(9007199254740993), "nested": map[string]any{"list": []any{1.5, nil, true, "x"}}},
		Importance: &weight, Source: "chat", ExternalID: "x/1?&", UserID: "u", AgentID: "a", SessionID: "s",
		Entities: []ingest.Mention{{Name: "Łódź", Type: "place"}}, OccurredAt: &at, ValidFrom: &from, ValidTo: &to, ExpiresAt: &ends,
	}))
	near := must[memory.Memory](t)(f.near.Get(t.Context(), f.Scope(), stored.ID, memory.View{}))
	read := must[memory.Memory](t)(f.Get(t.Context(), stored.ID, memory.View{}))
	for name, got := range map[string]memory.Memory{"answered": stored.Memory, "read": read} {
		if !reflect.DeepEqual(got, near) {
			t.Errorf("%s:\n far %+v\nnear %+v", name, got, near)
		}
	}
	if !near.OccurredAt.Equal(at) || stored.Consistency == "" || stored.Deduplicated {
		t.Errorf("stored %+v", stored)
	}
	again := must[client.Stored](t)(f.Store(t.Context(), ingest.Draft{Content: "twice"}))
	same := must[client.Stored](t)(f.Store(t.Context(), ingest.Draft{Content: "twice"}))
	if again.Deduplicated || !same.Deduplicated || again.ID != same.ID {
		t.Errorf("the same content: %+v and %+v", again, same)
	}
}

func TestTheWireLosesNothingOfAChange(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	first := must[client.Stored](t)(f.Store(t.Context(), ingest.Draft{Content: "The desk is on floor two.", Tags: []string{"desk"}}))
	patch := ingest.Patch{
		Content: ingest.Change[string]{Present: true, Value: "The desk is on floor three."}, Tags: ingest.Change[[]string]{Present: true, Null: true},
	}
	second := must[memory.Memory](t)(f.Patch(t.Context(), first.ID, patch, 1))
	if second.Version != 2 || second.Content != "The desk is on floor three." || len(second.Tags) != 0 {
		t.Errorf("patched %+v", second)
	}
	if _, err := f.Patch(t.Context(), first.ID, patch, 1); fault.KindOf(err) != fault.Conflict || err == nil {
		t.Errorf("a patch of a version that has gone: got %v, want conflict", err)
	}
	history := must[[]memory.Version](t)(f.History(t.Context(), first.ID))
	near := must[[]memory.Version](t)(f.near.History(t.Context(), f.Scope(), first.ID))
	if len(history) != 2 || !reflect.DeepEqual(history, near) {
		t.Errorf("history:\n far %+v\nnear %+v", history, near)
	}
	then := first.CreatedAt
	if before := must[memory.Memory](t)(f.Get(t.Context(), first.ID, memory.View{KnownAt: &then})); before.Version != 1 {
		t.Errorf("known at first: %+v", before)
	}
	if err := f.Delete(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{f.Delete(t.Context(), first.ID), func() error { _, err := f.Get(t.Context(), first.ID, memory.View{}); return err }()} {
		if fault.KindOf(err) != fault.NotFound || err == nil {
			t.Errorf("what is gone: got %v, want not found", err)
		}
	}
}

func TestTheWireLosesNothingOfMany(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	batch := must[client.Batched](t)(f.Batch(t.Context(), []ingest.Draft{{Content: "red kite", Tags: []string{"bird"}}, {Content: ""}, {Content: "barn owl", Tags: []string{"bird"}}}))
	if r := batch.Results; len(r) != 3 || r[0].Status != "created" || r[1].Status != ingest.Refused || r[1].Error.Errors[0].Location != "body.memories[1].content" || r[2].ID == "" {
		t.Errorf("batch %+v", batch)
	}
	recorded := must[client.Recorded](t)(f.Conversation(t.Context(), ingest.Conversation{SessionID: "s", Messages: []ingest.Message{
		{Role: "user", Content: "Which bird hunts at night?"}, {Role: "assistant", Content: "The barn owl does."},
	}}))
	if recorded.Created != 2 || recorded.Results[1].Turn != 2 {
		t.Errorf("conversation %+v", recorded)
	}
	imported := must[client.Imported](t)(f.Import(t.Context(), strings.NewReader("{\"content\":\"tawny owl\",\"tags\":[\"bird\"]}\n{\"content\":7}\n")))
	if imported.Created != 1 || imported.Refused != 1 || imported.Errors[0].Line != 2 || imported.Errors[0].Field != "content" {
		t.Errorf("import %+v", imported)
	}
	birds := memory.Filter{Tags: []string{"bird"}}
	var listed []string
	for m, err := range f.All(t.Context(), client.Listing{Filter: birds, Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, m.Content)
	}
	if want := []string{"tawny owl", "barn owl", "red kite"}; !reflect.DeepEqual(listed, want) {
		t.Errorf("listed %q, want %q", listed, want)
	}
	found := must[client.Found](t)(f.Search(t.Context(), client.Question{Query: "owls", Filter: birds, Explain: true, Consistency: imported.Consistency, Limit: 2}))
	if len(found.Results) != 2 || found.Results[0].Explain == nil || !strings.Contains(found.Results[0].Memory.Content, "owl") || len(found.Degraded) != 0 {
		t.Errorf("found %+v", found)
	}
	packed, err := f.Context(t.Context(), client.Question{Query: "owls", Filter: birds, MaxTokens: 100})
	if err != nil || len(packed.Citations) == 0 || packed.Tokens == 0 {
		t.Fatalf("context %+v, %v", packed, err)
	}
	for _, c := range packed.Citations {
		m := must[memory.Memory](t)(f.Get(t.Context(), c.MemoryID, memory.View{}))
		if packed.Text[c.TextStart:c.TextEnd] != m.Content[c.Start:c.End] {
			t.Errorf("citation %+v of %q", c, packed.Text)
		}
	}
	var out bytes.Buffer
	if n := must[int64](t)(f.Export(t.Context(), birds, memory.View{}, &out)); n != int64(out.Len()) || bytes.Count(out.Bytes(), []byte("\n")) != 3 {
		t.Errorf("exported %d bytes: %s", n, out.Bytes())
	}
	other := newFar(t)
	if moved := must[client.Imported](t)(other.Import(t.Context(), &out)); moved.Created != 3 {
		t.Errorf("an export that is imported: %+v", moved)
	}
	if n := must[int](t)(f.DeleteWhere(t.Context(), birds)); n != 3 {
		t.Errorf("deleted %d, want 3", n)
	}
	if _, err := f.DeleteWhere(t.Context(), memory.Filter{}); fault.KindOf(err) != fault.Invalid || err == nil {
		t.Errorf("a filter of nothing: got %v, want invalid", err)
	}
}
