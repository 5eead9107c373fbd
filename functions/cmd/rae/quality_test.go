package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/eval"
)

// The sets of this folder and the figures that were committed of them.
const (
	ownSets    = "testdata/sets"
	ownFigures = "testdata/quality.json"
)

func TestRetrievalIsAsGoodAsCommitted(t *testing.T) {
	t.Parallel()
	r := raeIn(t, t.TempDir(), "", "--quiet", "eval", "--set", ownSets, "--baseline", ownFigures)
	if r.code != 0 {
		t.Errorf("exit code %d: %s\nwhere that is meant: bin/rae eval --set functions/cmd/rae/%s --report functions/cmd/rae/%s", r.code, r.stderr, ownSets, ownFigures)
	}
}

func TestEvalFailsWhereAFigureFell(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const set = "testdata/conversation"
	page, figures := filepath.Join(dir, "quality.md"), filepath.Join(dir, "quality.json")
	notes := filepath.Join(dir, "notes.md")
	if err := os.WriteFile(notes, []byte("Nothing was fitted.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := raeIn(t, dir, "", "--quiet", "eval", "--set", set, "--report", page, "--notes", notes); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"`rae eval --set " + set + " --report quality.md --notes notes.md`", "Nothing was fitted.", "| hybrid − floor |", "core", "go1."} {
		if !strings.Contains(string(content), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	if strings.Contains(string(content), dir) {
		t.Error("the page tells where things lie on this machine")
	}
	if r := raeIn(t, dir, "", "--quiet", "eval", "--set", set, "--baseline", figures); r.code != 0 {
		t.Errorf("against its own figures: %+v", r)
	}

	baseline, err := eval.ReadBaseline(figures)
	if err != nil {
		t.Fatal(err)
	}
	was := baseline["testdata/conversation"].Modes["hybrid"]
	was["mrr@10"] += .0102
	if err := os.WriteFile(figures, baseline.JSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	r := raeIn(t, dir, "", "--quiet", "eval", "--set", set, "--baseline", figures, "--report", page)
	if r.code != exitFell || !strings.Contains(r.stderr, "rae: 1 figure is worse than in "+figures+" by more than 0.01: testdata/conversation hybrid mrr@10 fell from 0.8852 to 0.8750\n") {
		t.Errorf("exit code %d, %q", r.code, r.stderr)
	}
	var kept eval.Baseline
	if again, err := os.ReadFile(figures); err != nil || json.Unmarshal(again, &kept) != nil || kept["testdata/conversation"].Modes["hybrid"]["mrr@10"] != was["mrr@10"] {
		t.Errorf("what fell was written over the figures it is held to: %v", kept)
	}

	if r := raeIn(t, dir, "", "--quiet", "eval", "--set", ownSets+"/manuals", "--baseline", figures); r.code != exitNotFound {
		t.Errorf("figures of another set: %+v", r)
	}
	if r := raeIn(t, dir, "", "--quiet", "eval", "--set", set, "--baseline", figures, "--limit-queries", "2"); r.code != exitUsage {
		t.Errorf("figures of more questions: %+v", r)
	}
}
