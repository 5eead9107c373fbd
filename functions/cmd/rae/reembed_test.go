package main

import (
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/job"
)

const static = "static-256-v1"

func TestReembedDoesEveryProjectAndSaysSo(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for _, project := range []string{"ferry", "travel"} {
		if r := raeIn(t, data, threeLines, "import", "-", "--project", project); r.code != 0 {
			t.Fatalf("import: %+v", r)
		}
	}
	one := decoded[reembedded](t, raeIn(t, data, "", "reembed", "--to", static, "--project", "ferry", "--json"))
	if len(one.Jobs) != 1 || one.Jobs[0].Status != job.Succeeded || one.Jobs[0].Progress != (job.Progress{Done: 3, Total: 3}) {
		t.Errorf("got %s", asJSON(t, one))
	}
	r := raeIn(t, data, "", "reembed", "--to", static, "--all-projects")
	want := "default/ferry: 3 memories have their vectors of static-256-v1\ndefault/travel: 3 memories have their vectors of static-256-v1\n"
	if r.code != 0 || r.stdout != want || !strings.HasPrefix(r.stderr, "rae: ") {
		t.Errorf("got %+v, want %q", r, want)
	}
	if r := raeIn(t, data, "", "reembed", "--to", static, "--all-projects", "--tenant", "nobody", "--quiet"); r != (result{}) {
		t.Errorf("a tenant without projects: %+v", r)
	}
}

func TestReembedRefusesWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	wantLine(t, raeIn(t, data, "", "reembed"), exitUsage, "--to is required: the id of an embedding model")
	wantLine(t, raeIn(t, data, "", "reembed", "--to", static, "--project", "a", "--all-projects"), exitUsage,
		"--project and --all-projects exclude each other")
	wantLine(t, raeIn(t, data, "", "reembed", "--to", "dream-1"), exitUsage,
		`embedding model "dream-1" is unknown; provider static has: static-256-v1`)
}
