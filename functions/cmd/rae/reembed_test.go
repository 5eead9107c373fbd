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
	one := "one of --to, --switch, --rollback and --forget is required"
	wantLine(t, raeIn(t, data, "", "reembed"), exitUsage, one)
	wantLine(t, raeIn(t, data, "", "reembed", "--switch", "--rollback"), exitUsage, one)
	wantLine(t, raeIn(t, data, "", "reembed", "--switch", "--covered", "2"), exitUsage, "--covered 2 must be 0 to 1")
	wantLine(t, raeIn(t, data, "", "reembed", "--switch"), exitFailed, "default/default: the project is on its way to no other model; it uses static-256-v1")
	wantLine(t, raeIn(t, data, "", "reembed", "--rollback"), exitFailed, "default/default: the project was not switched, or the model before static-256-v1 is forgotten")
	wantLine(t, raeIn(t, data, "", "reembed", "--forget", static), exitFailed, "default/default: searches use static-256-v1")
	wantLine(t, raeIn(t, data, "", "reembed", "--to", static, "--project", "a", "--all-projects"), exitUsage,
		"--project and --all-projects exclude each other")
	wantLine(t, raeIn(t, data, "", "reembed", "--to", "dream-1"), exitUsage,
		`default/default: embedding model "dream-1" is unknown; provider static has: static-256-v1`)
}
