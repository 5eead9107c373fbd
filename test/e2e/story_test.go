package e2e_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheStoryOfTheReadme(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	stored := w.want(http.StatusCreated, "POST", "/v1/memories", object{"content": "Alice prefers window seats on long flights."})
	w.want(http.StatusCreated, "POST", "/v1/memories", object{"content": "The printer on the second floor is out of toner."})
	found := w.want(http.StatusOK, "POST", "/v1/search", object{"query": "Which seat does Alice like?"}).list("results")
	if len(found) == 0 || text(found[0], "memory", "id") != stored.body["id"] {
		t.Errorf("first result %v, want %v", found, stored.body["id"])
	}
	packed := w.want(http.StatusOK, "POST", "/v1/context", object{"query": "Book a flight for Alice", "max_tokens": 200})
	if !strings.Contains(text(packed.body, "text"), "window seats") || len(packed.list("citations")) == 0 {
		t.Errorf("context %v, want the window seats, cited", packed)
	}
	again := w.want(http.StatusOK, "POST", "/v1/memories", object{"content": "Alice prefers window seats on long flights."})
	if again.body["deduplicated"] != true || again.body["id"] != stored.body["id"] {
		t.Errorf("the same again: %v", again)
	}
	health := w.want(http.StatusOK, "GET", "/health", nil, "X-Tenant-ID", "")
	if health.body["status"] != "healthy" {
		t.Errorf("health %v", health)
	}
}

// converse imports the conversation of testdata.
func (w *world) converse() *answer {
	w.Helper()
	lines, err := os.ReadFile("testdata/conversation.jsonl")
	if err != nil {
		w.Fatal(err)
	}
	return w.want(http.StatusOK, "POST", "/v1/memories/import", lines, "Content-Type", "application/x-ndjson")
}

func TestAConversationIsAskedAbout(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	summary := w.converse()
	if summary.number("created") != 80 {
		t.Fatalf("import: %v", summary)
	}
	for _, q := range []struct{ query, turn string }{
		{"How much did the second-hand kiln in Aalst cost?", "S1:11"},
		{"How many pots cracked in the first firing?", "S2:2"},
		{"What did the physiotherapist say about the saddle?", "S2:9"},
		{"Which coffee place ordered espresso cups from Marta?", "S2:12"},
		{"What is the colour of the glaze mixed with?", "S2:14"},
		{"What happened to Ilya's right wrist on the ice?", "S3:6"},
		{"How many students can join the beginners' class?", "S4:4"},
		{"What did Marta use as a template for the plates?", "S4:10"},
		{"How many injections a day does the cat need?", "S4:12"},
		{"How long did Ilya need to finish the brevet?", "S5:2"},
	} {
		a := w.want(http.StatusOK, "POST", "/v1/search", object{"query": q.query, "explain": true, "limit": 10})
		turns := []string{}
		for i, r := range a.list("results") {
			turns = append(turns, text(r, "memory", "metadata", "id"))
			if turns[i] != q.turn {
				continue
			}
			explain, _ := r["explain"].(object)
			if terms, _ := explain["matched_terms"].([]any); len(terms) == 0 {
				t.Errorf("%s: no matched terms in %v", q.query, r["explain"])
			}
		}
		if at := slices.Index(turns, q.turn); at < 0 || at > 2 {
			t.Errorf("%s\n got %v\nwant %s within the first 3", q.query, turns, q.turn)
		}
		if degraded, _ := a.body["degraded"].([]any); len(degraded) > 0 {
			t.Errorf("%s: degraded %v", q.query, degraded)
		}
	}
	if second := w.converse(); second.number("deduplicated") != 80 {
		t.Errorf("the same import again: %v", second)
	}
}

func TestAReadSeesTheWriteWhoseTokenItCarries(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	for i := range 100 {
		word := "zeppelin" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26))
		stored := w.want(http.StatusCreated, "POST", "/v1/memories", object{"content": "The " + word + " landed at noon."})
		token := stored.header.Get("X-RAE-Consistency")
		if token == "" {
			t.Fatal("a write without a token")
		}
		found := w.want(http.StatusOK, "POST", "/v1/search", object{"query": word, "limit": 1}, "X-RAE-Consistency", token)
		if results := found.list("results"); len(results) != 1 || text(results[0], "memory", "id") != stored.body["id"] {
			t.Fatalf("write %d is not seen by the read that asks for it: %v", i, found)
		}
	}
}

func TestWhatCouldNotBeEmbeddedIsEmbeddedLater(t *testing.T) {
	t.Parallel()
	w := serve(t, "", "RAE_EMBED_TIMEOUT=1ms")
	long := strings.Repeat("A quick brown fox jumps over the lazy dog near the harbour wall. ", 15000) // over a millisecond of work
	batch := w.want(http.StatusOK, "POST", "/v1/memories/batch", object{"memories": []object{{"content": long}, {"content": "The ferry leaves at dawn."}}})
	id := text(batch.list("results")[1], "id")
	w.soon(10*time.Second, "the vector follows by event", func() bool {
		return w.want(http.StatusOK, "GET", "/v1/memories/"+id, nil).body["embedding"] == "ready"
	})
	if !strings.Contains(w.process.Log(), "embedding put off") {
		t.Error("the embedder was in time: this test has proved nothing")
	}
	found := w.want(http.StatusOK, "POST", "/v1/search", object{"query": "ferry at dawn", "mode": "dense", "limit": 1}).list("results")
	if len(found) != 1 || text(found[0], "memory", "id") != id {
		t.Errorf("dense search: %v, want %s", found, id)
	}
}

func TestTheDocumentationNeedsNothingElse(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	page := w.want(http.StatusOK, "GET", "/docs", nil, "X-Tenant-ID", "")
	if !strings.Contains(page.header.Get("Content-Type"), "text/html") {
		t.Errorf("docs are %s", page.header.Get("Content-Type"))
	}
	if loaded := regexp.MustCompile(`(?i)(src|href|url\(|import|fetch\()\s*[=(]?\s*["']?(https?:)?//[^"')\s]+`).FindAllString(string(page.raw), -1); len(loaded) > 0 {
		t.Errorf("the page loads %q", loaded)
	}
	document := w.want(http.StatusOK, "GET", "/openapi.json", nil, "X-Tenant-ID", "")
	if version := text(document.body, "openapi"); !strings.HasPrefix(version, "3.1") {
		t.Errorf("openapi %q, want 3.1", version)
	}
	paths, _ := document.body["paths"].(object)
	for _, path := range []string{
		"/v1/memories", "/v1/memories/import", "/v1/conversations", "/v1/search", "/v1/context", "/v1/entities",
		"/v1/graph/query", "/v1/embeddings", "/v1/models", "/v1/rerank", "/v1/reflections", "/v1/budgets",
		"/v1/reservations", "/v1/jobs", "/v1/jobs/{id}", "/v1/embedding-models", "/v1/costs", "/v1/prices", "/v1/tenants/{tenant}/data",
	} {
		if paths[path] == nil {
			t.Errorf("no path %s", path)
		}
	}
}
