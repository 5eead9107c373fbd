package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	p := &program{lookup: func(string) (string, bool) { return "", false }}
	var visit func(c *cobra.Command, path []string)
	visit = func(c *cobra.Command, path []string) {
		name := strings.Join(append([]string{"rae"}, path...), " ")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := raeIn(t, t.TempDir(), "", append(path, "--help")...)
			if r.code != 0 || r.stderr != "" {
				t.Fatalf("exit code %d, stderr %q", r.code, r.stderr)
			}
			for _, part := range []string{"Usage:\n  " + name, "Examples:\n  ", "  " + name, "Environment:\n", "RAE_DATA_DIR", "--data", "--tenant", "--json"} {
				if !strings.Contains(r.stdout, part) {
					t.Errorf("the help lacks %q:\n%s", part, r.stdout)
				}
			}
			if c.Short == "" || strings.HasSuffix(c.Short, ".") {
				t.Errorf("short help %q must be a phrase", c.Short)
			}
		})
		for _, sub := range c.Commands() {
			visit(sub, append(append([]string{}, path...), sub.Name()))
		}
	}
	visit(p.root(), nil)
}

// TestTheExamplesOfEvalNameSetsThatAreThere reads them as somebody types them in a clone of the repository.
func TestTheExamplesOfEvalNameSetsThatAreThere(t *testing.T) {
	t.Parallel()
	p := &program{lookup: func(string) (string, bool) { return "", false }}
	for line := range strings.SplitSeq(p.eval().Example, "\n") {
		_, rest, _ := strings.Cut(line, "--set ")
		dir, _, _ := strings.Cut(rest, " ")
		if _, err := os.Stat(filepath.Join("..", "..", "..", dir, "corpus.jsonl")); dir == "" || err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestColoursAreForbiddenByAnyValueButNone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{map[string]string{}, false},
		{map[string]string{"NO_COLOR": ""}, false},
		{map[string]string{"NO_COLOR": "1"}, true},
		{map[string]string{"NO_COLOR": "0"}, true},
	} {
		p := &program{lookup: func(name string) (string, bool) {
			value, ok := c.env[name]
			return value, ok
		}}
		if got := p.plain(); got != c.want {
			t.Errorf("%v: plain is %v", c.env, got)
		}
	}
}

func TestTheHelpDocumentsExitCodes(t *testing.T) {
	t.Parallel()
	r := raeIn(t, t.TempDir(), "", "--help")
	if want := "Exit codes: 0 done, 1 failed, 2 wrong usage, setting or input, 3 not found, 4 refused by the budget, 5 a figure\nfell (eval), 130 interrupted."; !strings.Contains(r.stdout, want) {
		t.Errorf("the help lacks %q:\n%s", want, r.stdout)
	}
}

func TestWrongUsageIsOneLineAndExitCode2(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		line string
	}{
		{[]string{"serch"}, `unknown command "serch" for "rae"; did you mean serve or search?`},
		{[]string{"search", "--limt", "3", "x"}, "unknown flag: --limt"},
		{[]string{"search"}, "QUERY is missing"},
		{[]string{"search", " "}, "QUERY must not be empty"},
		{[]string{"search", "--limit", "0", "x"}, "--limit 0 must be 1 to 100"},
		{[]string{"search", "--limit", "many", "x"}, `invalid argument "many" for "--limit" flag: invalid syntax`},
		{[]string{"search", "--mode", "psychic", "x"}, `--mode "psychic" must be one of hybrid, lexical, dense, graph`},
		{[]string{"search", "--diversity", "NaN", "x"}, "--diversity NaN must be 0 to 1"},
		{[]string{"search", "--layer", "deep", "x"}, `--layer "deep" must be one of sensory, episodic, working, semantic, longterm, reflective`},
		{[]string{"search", "--since", "yesterday", "x"}, `--since "yesterday" must be a date such as 2026-03-01 or a time such as 2026-03-01T09:30:00Z`},
		{[]string{"search", "--meta", "colour", "x"}, `--meta "colour" must be key=value`},
		{[]string{"context", "--max-tokens", "0", "x"}, "--max-tokens 0 must be 1 to 200000"},
		{[]string{"import"}, "FILE is missing"},
		{[]string{"import", "a", "b"}, `unexpected argument "b" after FILE`},
		{[]string{"export", "--min-importance", "2"}, "--min-importance 2 must be 0 to 1"},
		{[]string{"eval"}, "--set is required: a folder with corpus.jsonl, queries.jsonl and qrels.tsv, or of such folders"},
		{[]string{"eval", "--set", "x", "--mode", "graph"}, `--mode "graph" must be one of hybrid, lexical, dense, floor, all`},
		{[]string{"eval", "--set", "x", "--split", "third"}, `--split "third" must be odd or even`},
		{[]string{"eval", "--set", "x", "--notes", "n.md"}, "--notes is for the page that --report writes"},
		{[]string{"eval", "--set", "x", "--report", "page.txt"}, `--report "page.txt" must end in .md or .json`},
		{[]string{"eval", "--set", "x", "--report", "page.md", "--split", "odd"}, "--report is of whole sets, measured in every way: leave out --mode, --limit-queries and --split"},
		{[]string{"eval", "--set", "x", "--store", "paper"}, `--store "paper" must be sqlite, inmem or postgres`},
		{[]string{"serve", "--addr", "here"}, `--addr "here" must be host:port, such as 127.0.0.1:8080`},
		{[]string{"serve", "--addr", "127.0.0.1:99999"}, `--addr "127.0.0.1:99999" must end in a port, 0 to 65535`},
		{[]string{"budget", "share"}, `unknown command "share" for "rae budget"`},
		{[]string{"budget", "set", "--daily", "-1"}, `--daily "-1" must be US dollars such as 5 or 0.25, or none`},
		{[]string{"budget", "set", "--daily", "50", "--monthly", "10"}, "--daily must not be above monthly_limit: it could never be reached"},
		{[]string{"budget", "set", "--warning", "0"}, "--warning 0 must be above 0 and at most 1"},
		{[]string{"budget", "reserve"}, "--model is required, as the provider names it"},
		{[]string{"budget", "settle", "7"}, `RESERVATION "7" must be a UUID, as reserve printed it`},
		{[]string{"costs", "--group-by", "mood"}, `--group-by "mood" must be model, operation, project, provider or day`},
		{[]string{"--tenant", "a b", "version"}, `--tenant "a b" must be 1 to 64 letters, digits, dots, dashes or underscores and begin with a letter or digit`},
		{[]string{"--project", "", "version"}, `--project "" must be 1 to 64 letters, digits, dots, dashes or underscores and begin with a letter or digit`},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			wantLine(t, raeIn(t, t.TempDir(), "", c.args...), 2, c.line)
		})
	}
}

func TestWhatIsNotThereIsExitCode3(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.jsonl")
	wantLine(t, raeIn(t, dir, "", "eval", "--set", dir), 3, "no corpus.jsonl at or below "+dir)
	wantLine(t, raeIn(t, dir, "", "budget", "release", "01968f3e-0000-7000-8000-000000000001"), 3, "no such reservation")
	wantLine(t, raeIn(t, dir, "", "import", missing), 3, "cannot read "+missing+": there is no such file")
}

func TestTheEnvironmentNamesTenantAndProject(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	env := map[string]string{"RAE_TENANT": "acme", "RAE_PROJECT": "travel"}
	r := raeWith(t.Context(), env, `{"content":"The ferry leaves at noon."}`, "--data", data, "import", "-", "--json")
	if r.code != 0 {
		t.Fatalf("%+v", r)
	}
	if got := raeIn(t, data, "", "export"); got.stdout != "" {
		t.Errorf("another tenant sees %q", got.stdout)
	}
	if got := raeIn(t, data, "", "export", "--tenant", "acme", "--project", "travel"); !strings.Contains(got.stdout, "The ferry leaves at noon.") {
		t.Errorf("flags do not find what the environment stored: %+v", got)
	}
}

func TestVersionSaysWhatItIs(t *testing.T) {
	t.Parallel()
	got := decoded[build](t, raeIn(t, t.TempDir(), "", "version", "--json"))
	if want := thisBuild(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestMigrateMakesTheStoreOnce(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "new", "folder")
	first := raeIn(t, data, "", "migrate")
	if first.code != 0 || !strings.Contains(first.stdout, "has schema version ") {
		t.Fatalf("%+v", first)
	}
	if _, err := os.Stat(filepath.Join(data, "rae.db")); err != nil {
		t.Error(err)
	}
	if again := raeIn(t, data, "", "migrate"); again != first {
		t.Errorf("again: %+v, at first: %+v", again, first)
	}
}
