package main

import (
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/qdrant/qdranttest"
)

func TestWithoutQdrantThereIsNothingToReindex(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"reindex", "verify"} {
		wantLine(t, raeIn(t, t.TempDir(), "", command, "qdrant"), 2, "RAE_QDRANT_URL is not set: it must be where Qdrant listens for gRPC, such as grpc://127.0.0.1:6334")
		wantLine(t, raeIn(t, t.TempDir(), "", command, "redis"), 2, `INDEX "redis" must be qdrant`)
		wantLine(t, raeIn(t, t.TempDir(), "", command), 2, "INDEX is missing")
	}
}

func TestReindexAndVerify(t *testing.T) {
	server := qdranttest.New(t)
	t.Setenv("RAE_QDRANT_URL", server.URL())
	data := t.TempDir()
	for tenant, lines := range map[string]string{"acme": `{"content":"the red kite flew"}` + "\n" + `{"content":"a boiler broke"}`, "other": `{"content":"their red kite"}`} {
		if r := raeIn(t, data, lines, "import", "-", "--tenant", tenant); r.code != 0 {
			t.Fatalf("import: %+v", r)
		}
	}
	if r := raeIn(t, data, "", "verify", "qdrant"); r.code != 1 || !strings.Contains(r.stderr, "not available") {
		t.Errorf("verify before anything was written: %+v", r)
	}
	r := raeIn(t, data, "", "reindex", "qdrant", "--json", "--tenant", "acme")
	if got := decoded[map[string]any](t, r); r.code != 0 || got["projects"] != 1.0 || !strings.HasPrefix(got["collection"].(string), "rae.") {
		t.Errorf("reindex of a tenant: %+v", r)
	}
	collection := server.Collections()[0]
	if n := len(server.Points(collection)); n != 2 {
		t.Errorf("%d points of a tenant with two memories", n)
	}
	if r := raeIn(t, data, "", "verify", "qdrant"); r.code != 0 || r.stdout != "2 projects, 3 vectors in the store, 2 in Qdrant: nothing differs; 1 project is behind, which searches make up for\n" {
		t.Errorf("verify while one tenant is behind: %+v", r)
	}
	if r := raeIn(t, data, "", "reindex", "qdrant"); r.code != 0 || r.stdout != "2 projects made anew in collection "+collection+"\n" {
		t.Errorf("reindex: %+v", r)
	}
	server.Forget(collection, server.Points(collection)[0].GetId())
	r = raeIn(t, data, "", "verify", "qdrant", "--json")
	if got := decoded[verified](t, r); r.code != 1 || got != (verified{Projects: 2, Stored: 3, Indexed: 2, Missing: 1, Drifted: 1}) || r.stderr != "rae: 1 project differs; --repair makes them anew\n" {
		t.Errorf("verify with a point gone: %+v", r)
	}
	if r := raeIn(t, data, "", "verify", "qdrant", "--repair"); r.code != 0 || !strings.HasSuffix(r.stdout, "2 in Qdrant: 1 project made anew\n") {
		t.Errorf("repair: %+v", r)
	}
	if r := raeIn(t, data, "", "verify", "qdrant"); r.code != 0 || r.stdout != "2 projects, 3 vectors in the store, 3 in Qdrant: nothing differs\n" {
		t.Errorf("verify after the repair: %+v", r)
	}
	for _, p := range server.Points(collection) {
		for field, value := range p.GetPayload() {
			if strings.Contains(value.String(), "kite") || strings.Contains(value.String(), "boiler") {
				t.Errorf("Qdrant was told what memory %s says, in %s", memory.ID(p.GetPayload()["memory_id"].GetStringValue()), field)
			}
		}
	}
}

func TestAnAddressOfQdrantThatCannotBeUsed(t *testing.T) {
	t.Setenv("RAE_QDRANT_URL", "http://user:open-sesame@qdrant:6333")
	r := raeIn(t, t.TempDir(), "", "verify", "qdrant")
	if r.code != 2 || !strings.HasPrefix(r.stderr, "rae: RAE_QDRANT_URL has a value that is not allowed: it must be grpc://") || strings.Contains(r.stderr, "sesame") {
		t.Errorf("%+v", r)
	}
}
