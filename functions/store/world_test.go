package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/functions/store"
	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

var update = flag.Bool("update", false, "write the golden files anew")

// start is the time at which every world of these tests stands still.
var start = time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)

// world is the store function behind the host it runs in, over a fresh store.
type world struct {
	t        *testing.T
	function *store.Function
	handler  http.Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clock := func() time.Time { return start }
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	db := inmem.New(inmem.Options{Clock: clock})
	service := &ingest.Service{
		Store: db, Embedder: lengths{}, Clock: clock, Log: log,
		Erasers: []ingest.Eraser{},
	}
	f := store.New(service, nil, log)
	f.Blocks = &block.Service{Store: inmem.NewBlocks(db)}
	f.Jobs = &job.Runner{Store: inmem.NewJobs(db), Handlers: map[string]job.Handler{"count": count}, Log: log}
	f.Letters = db
	f.Importance = &reflection.Service{Memories: db, Writer: db, Keeper: db, Uses: db, Store: inmem.NewReflections(db), Clock: clock}
	f.Models = &embed.Reembed{Memories: db, Scopes: db, Jobs: f.Jobs, Spaces: &embed.Spaces{Store: db, Resolve: embed.One(new(embed.Hash))}}
	server, err := serve.New(serve.LocalDefaults(), serve.Runtime{Log: log, Metrics: telemetry.NewRegistry(), Version: "test"}, f)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, function: f, handler: server.Handler()}
}

// lengths embeds a text as its length.
type lengths struct{}

func (lengths) Model() string { return "lengths-1" }

func (lengths) EmbedDocuments(_ context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		vectors[i] = []float32{float32(len(text))}
	}
	return vectors, nil
}

// do sends one request as tenant acme. Headers are name, value pairs; an empty value leaves the header out.
func (w *world) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, reader)
	r.RemoteAddr = "127.0.0.1:50000"
	r.Host = "127.0.0.1:8080"
	r.Header.Set("X-Tenant-ID", "acme")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

// must sends a request that has to succeed and decodes its answer.
func (w *world) must(status int, method, path, body string, headers ...string) map[string]any {
	w.t.Helper()
	rec := w.do(method, path, body, headers...)
	if rec.Code != status {
		w.t.Fatalf("%s %s answered %d, want %d: %s", method, path, rec.Code, status, rec.Body)
	}
	var answer map[string]any
	if rec.Body.Len() > 0 {
		if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
			w.t.Fatalf("%s %s answered no object: %v", method, path, err)
		}
	}
	return answer
}

// put stores a memory and returns its id.
func (w *world) put(body string, headers ...string) string {
	w.t.Helper()
	id, _ := w.must(http.StatusCreated, http.MethodPost, "/v1/memories", body, headers...)["id"].(string)
	return id
}

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// golden compares an answer with testdata, ids replaced by their order of appearance.
func (w *world) golden(name string, rec *httptest.ResponseRecorder) {
	w.t.Helper()
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d %s\n", rec.Code, rec.Header().Get("Content-Type"))
	for _, header := range []string{"ETag"} {
		if value := rec.Header().Get(header); value != "" {
			fmt.Fprintf(&out, "%s: %s\n", header, value)
		}
	}
	if rec.Header().Get("X-RAE-Consistency") != "" {
		fmt.Fprintf(&out, "X-RAE-Consistency: <token>\n")
	}
	seen := map[string]string{}
	body := uuids.ReplaceAllStringFunc(rec.Body.String(), func(id string) string {
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("<id %d>", len(seen)+1)
		}
		return seen[id]
	})
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(body), "", "  ") == nil {
		body = indented.String()
	}
	out.WriteString(body)
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			w.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	if out.String() != string(want) {
		w.t.Errorf("%s differs; run with -update if that is meant\ngot:\n%s\nwant:\n%s", name, out.String(), want)
	}
}
