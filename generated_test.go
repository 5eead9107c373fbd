package rae_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/serve"
)

var update = flag.Bool("update", false, "write what is generated anew")

// generated holds a file to what the code says now, or writes it.
func generated(t *testing.T, name string, want []byte) {
	t.Helper()
	have, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if bytes.Equal(have, want) {
		return
	}
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is out of date: run make generate and read what changes\n%s", name, difference(string(have), string(want)))
}

// difference shows the first lines that two texts don't share.
func difference(have, want string) string {
	a, b := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "first at line " + strings.Join([]string{"", "- " + a[i], "+ " + b[i]}, "\n")
		}
	}
	return "one ends before the other"
}

func TestTheAPIDocumentIsUpToDate(t *testing.T) {
	t.Parallel()
	generated(t, "docs/openapi.json", apiDocument(t))
}

// apiDocument is what a server of the whole API says it is.
func apiDocument(t *testing.T) []byte {
	t.Helper()
	host := serve.LocalDefaults()
	rt, err := serve.NewRuntime(&host, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	rt.Version = "v1" // of the API; every build has its own
	cfg, err := rae.Load()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Store.Store = "inmem"
	engine, err := rae.Open(cfg, rt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	server, err := engine.Serve(host)
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	server.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/openapi.json", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("GET /openapi.json: %d %s", answer.Code, answer.Body)
	}
	var document bytes.Buffer
	if err := json.Indent(&document, answer.Body.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(bytes.TrimSpace(document.Bytes()), '\n')
}

// A program's weight is what it links. deps.txt makes that a line somebody reads in a review: own packages by folder,
// those of others by module.
func TestLinkedPackagesAreUpToDate(t *testing.T) {
	t.Parallel()
	programs, err := filepath.Glob("functions/cmd/*/main.go")
	if err != nil || len(programs) == 0 {
		t.Fatalf("no programs: %v", err)
	}
	for _, main := range programs {
		folder := filepath.ToSlash(filepath.Dir(main))
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			out, err := golist([]string{"GOOS=linux", "GOARCH=amd64"}, "-deps", "-f", "{{if not .Standard}}{{if .Module.Main}}{{.ImportPath}}{{else}}{{.Module.Path}}{{end}}{{end}}", "./"+folder)
			if err != nil {
				t.Fatal(err)
			}
			linked := strings.Fields(string(out))
			slices.Sort(linked)
			generated(t, folder+"/deps.txt", []byte(strings.Join(slices.Compact(linked), "\n")+"\n"))
		})
	}
}
