package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/ingest"
)

const threeLines = `{"content":"Alice prefers window seats on long flights.","tags":["travel"],"layer":"semantic","external_id":"a1","session_id":"s1","occurred_at":"2026-03-01T09:30:00Z"}
{"content":"Bob is allergic to peanuts.","tags":["food"],"metadata":{"speaker":"Bob"},"occurred_at":"2026-04-01T09:30:00Z"}
{"content":"The \u001b[31mferry\u001b[0m leaves at noon.","importance":0.9}
`

func TestWhatIsImportedIsFoundAndExported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "in.jsonl")
	if err := os.WriteFile(file, []byte(threeLines), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")

	t.Run("import counts what it stored", func(t *testing.T) {
		got := decoded[imported](t, raeIn(t, data, "", "import", file, "--json"))
		got.TookMS = 0
		want := ingest.Summary{Lines: 3, Created: 3, Errors: []ingest.LineError{}}
		if g, w := asJSON(t, got), asJSON(t, imported{Summary: want}); g != w {
			t.Errorf("got %s, want %s", g, w)
		}
	})
	t.Run("a second import stores nothing twice", func(t *testing.T) {
		r := raeIn(t, data, "", "import", file)
		if want := "3 lines read: 0 created, 0 updated, 3 stood already, 0 refused ("; r.code != 0 || !strings.HasPrefix(r.stdout, want) {
			t.Errorf("got %+v, want %q", r, want)
		}
	})
	t.Run("search finds it, for programs", func(t *testing.T) {
		got := decoded[answer](t, raeIn(t, data, "", "search", "which", "seat", "does", "alice", "like", "--json", "--explain", "--limit", "1"))
		if len(got.Results) != 1 || got.Results[0].Memory.ExternalID != "a1" || got.Results[0].Explain == nil {
			t.Errorf("got %s", asJSON(t, got))
		}
	})
	t.Run("search finds it, for people", func(t *testing.T) {
		r := raeIn(t, data, "", "search", "--session", "s1", "Which seat?")
		if want := "semantic  2026-03-01 09:30  s1  a1  "; r.code != 0 || !strings.Contains(r.stdout, want) || !strings.Contains(r.stdout, "\n    Alice prefers window seats on long flights.\n") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("what a memory holds does not reach the terminal's controls", func(t *testing.T) {
		r := raeIn(t, data, "", "search", "When does the ferry leave?", "--mode", "lexical")
		if strings.Contains(r.stdout, "\x1b") || !strings.Contains(r.stdout, "leaves at noon.") {
			t.Errorf("got %q", r.stdout)
		}
	})
	t.Run("nothing found is said", func(t *testing.T) {
		wantOut := "nothing found in project default of tenant default\n"
		if r := raeIn(t, data, "", "search", "--tag", "space", "rockets"); r != (result{0, wantOut, ""}) {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("context fits its budget", func(t *testing.T) {
		got := decoded[packed](t, raeIn(t, data, "", "context", "--max-tokens", "20", "--json", "What must Bob not eat?"))
		if got.Tokens > 20 || !strings.Contains(got.Text, "Bob is allergic to peanuts.") || len(got.Citations) == 0 {
			t.Errorf("got %s", asJSON(t, got))
		}
	})
	t.Run("export filters", func(t *testing.T) {
		for _, flags := range [][]string{
			{"--tag", "travel"}, {"--layer", "semantic"}, {"--session", "s1"}, {"--since", "2026-01-01", "--until", "2026-03-02"},
		} {
			r := raeIn(t, data, "", append([]string{"export", "--quiet"}, flags...)...)
			if r.code != 0 || r.stderr != "" || strings.Count(r.stdout, "\n") != 1 || !strings.Contains(r.stdout, `"external_id":"a1"`) {
				t.Errorf("%v: %+v", flags, r)
			}
		}
	})
	t.Run("an export can be imported elsewhere and exported alike", func(t *testing.T) {
		out := filepath.Join(dir, "out.jsonl")
		if r := raeIn(t, data, "", "export", out); r.code != 0 || !strings.HasPrefix(r.stdout, "3 memories written to "+out) {
			t.Fatalf("%+v", r)
		}
		elsewhere := filepath.Join(dir, "elsewhere")
		if r := raeIn(t, elsewhere, "", "import", "--strict", out); r.code != 0 {
			t.Fatalf("%+v", r)
		}
		first, again := contentsOf(t, raeIn(t, data, "", "export")), contentsOf(t, raeIn(t, elsewhere, "", "export"))
		if asJSON(t, first) != asJSON(t, again) || len(first) != 3 {
			t.Errorf("exported %v, and after importing it %v", first, again)
		}
	})
}

// contentsOf reads an export: contents by id.
func contentsOf(t *testing.T, r result) map[string]string {
	t.Helper()
	found := map[string]string{}
	for line := range strings.Lines(r.stdout) {
		var m struct{ ID, Content string }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		found[m.ID] = m.Content
	}
	return found
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRefusedLinesAreReported(t *testing.T) {
	t.Parallel()
	const input = "{\"content\":\"good\"}\n{\"content\":\"\"}\n\nnonsense\n"
	const told = "rae: line 2 refused: content must not be empty\nrae: line 4 refused: the line must be one JSON object\n"
	t.Run("with their numbers, and the others are stored", func(t *testing.T) {
		t.Parallel()
		r := raeIn(t, t.TempDir(), input, "import", "-")
		if want := "3 lines read: 1 created, 0 updated, 0 stood already, 2 refused ("; r.code != 0 || r.stderr != told || !strings.HasPrefix(r.stdout, want) {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("and fail a strict import", func(t *testing.T) {
		t.Parallel()
		r := raeIn(t, t.TempDir(), input, "import", "--strict", "-")
		if want := told + "rae: 2 lines were refused\n"; r.code != 1 || r.stderr != want {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("the first twenty on a screen, all as JSON", func(t *testing.T) {
		t.Parallel()
		many := strings.Repeat("nonsense\n", 25)
		r := raeIn(t, t.TempDir(), many, "import", "-")
		if strings.Count(r.stderr, "refused: ") != 20 || !strings.HasSuffix(r.stderr, "rae: … and 5 more refused lines (all with --json)\n") {
			t.Errorf("got %q", r.stderr)
		}
		got := decoded[imported](t, raeIn(t, t.TempDir(), many, "import", "-", "--json"))
		if len(got.Errors) != 25 || got.Errors[24].Line != 25 {
			t.Errorf("got %+v", got.Errors)
		}
	})
}

func TestAnInterruptedImportSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	defer writer.Close()
	var stdout, stderr strings.Builder
	ended := make(chan int)
	go func() {
		ended <- run(ctx, []string{"--data", t.TempDir(), "import", "-", "--json"}, reader, &stdout, &stderr, func(string) (string, bool) { return "", false })
	}()
	if _, err := io.WriteString(writer, strings.Repeat(`{"content":"the same"}`+"\n", 700)); err != nil {
		t.Fatal(err)
	}
	interrupt()
	if code := <-ended; code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	var got imported
	if err := json.Unmarshal([]byte(stdout.String()), &got); err != nil {
		t.Fatalf("%v: %s", err, stdout.String())
	}
	if !got.Interrupted || !strings.HasPrefix(stderr.String(), "rae: import interrupted after ") || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("got %+v, stderr %q", got, stderr.String())
	}
}

func TestAnExportThatFailsLeavesTheOldFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "out.jsonl")
	if err := os.WriteFile(file, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(data, nil, 0o600); err != nil { // a file where the store's folder should be
		t.Fatal(err)
	}
	if r := raeIn(t, data, "", "export", file); r.code == 0 || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("got %+v", r)
	}
	kept, err := os.ReadFile(file)
	if err != nil || string(kept) != "before\n" {
		t.Errorf("the file holds %q, %v", kept, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
