package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// converseFor imports the first n turns of the conversation into a project.
func (w *world) converseFor(project string, n int) {
	w.Helper()
	all, err := os.ReadFile("testdata/conversation.jsonl")
	if err != nil {
		w.Fatal(err)
	}
	lines := bytes.SplitAfter(all, []byte("\n"))[:n]
	a := w.want(http.StatusOK, "POST", "/v1/memories/import", bytes.Join(lines, nil), "Content-Type", "application/x-ndjson", "X-Project-ID", project)
	if a.number("created") != int64(n) {
		w.Fatalf("import: %v", a)
	}
}

// wantCited checks that every memory of a reflection quotes its sources byte for byte, and returns their contents.
func (w *world) wantCited(project string, reflection object) []string {
	w.Helper()
	ids, _ := reflection["memory_ids"].([]any)
	if text(reflection, "status") != "succeeded" || len(ids) == 0 {
		w.Fatalf("no insight came of %v", reflection)
	}
	var contents []string
	for _, id := range ids {
		w.soon(2*time.Second, "the insight is stored", func() bool { // it comes by memory.derived
			return w.do("GET", "/v1/memories/"+id.(string), nil, "X-Project-ID", project).status == http.StatusOK
		})
		insight := w.want(http.StatusOK, "GET", "/v1/memories/"+id.(string), nil, "X-Project-ID", project)
		content := text(insight.body, "content")
		contents = append(contents, content)
		citations := insight.list("derived_from")
		if text(insight.body, "layer") != "reflective" || len(citations) < 2 {
			w.Errorf("insight %v: want layer reflective and citations", insight)
		}
		for _, c := range citations {
			source := w.want(http.StatusOK, "GET", "/v1/memories/"+text(c, "memory_id"), nil, "X-Project-ID", project)
			said := text(source.body, "content")
			from, errFrom := c["start"].(json.Number).Int64()
			to, errTo := c["end"].(json.Number).Int64()
			if errFrom != nil || errTo != nil || from < 0 || from >= to || to > int64(len(said)) {
				w.Errorf("citation %v of %q", c, said)
				continue
			}
			if !strings.Contains(content, said[from:to]) {
				w.Errorf("insight %q does not hold %q, which it cites", content, said[from:to])
			}
		}
	}
	return contents
}

// wantFound searches until the insight is found.
func (w *world) wantFound(project, content string) {
	w.Helper()
	w.soon(2*time.Second, "the insight is found by search", func() bool {
		found := w.want(http.StatusOK, "POST", "/v1/search", object{
			"query": content, "limit": 3, "filters": object{"layers": []string{"reflective"}},
		}, "X-Project-ID", project).list("results")
		return len(found) > 0 && text(found[0], "memory", "content") == content
	})
}

func TestSixtyTurnsGiveAnInsightThatQuotesThem(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	w.converseFor("waited", 60)
	done := w.want(http.StatusOK, "POST", "/v1/reflections", object{"kind": "insight", "wait": true}, "X-Project-ID", "waited")
	if text(done.body, "method") != "extractive" {
		t.Errorf("method %v, want extractive: there is no language model", done.body["method"])
	}
	for _, content := range w.wantCited("waited", done.body) {
		w.wantFound("waited", content)
	}
}

func TestAReflectionNobodyWaitsForIsDoneByEvents(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	w.converseFor("left", 60)
	queued := w.want(http.StatusAccepted, "POST", "/v1/reflections", object{"kind": "insight"}, "X-Project-ID", "left")
	path := "/v1/reflections/" + text(queued.body, "id")
	w.soon(10*time.Second, "the reflection is done", func() bool {
		return text(w.want(http.StatusOK, "GET", path, nil, "X-Project-ID", "left").body, "status") == "succeeded"
	})
	reflection := w.want(http.StatusOK, "GET", path, nil, "X-Project-ID", "left").body
	for _, content := range w.wantCited("left", reflection) {
		w.wantFound("left", content)
	}
}
