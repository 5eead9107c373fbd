package main

import (
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/block"
)

func TestBlocksAreKeptAndBeginTheContext(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	says := func(want string, input string, args ...string) {
		t.Helper()
		if r := raeIn(t, data, input, append([]string{"blocks"}, args...)...); r.code != 0 || r.stdout != want || r.stderr != "" {
			t.Errorf("%q: %+v, want %q", args, r, want)
		}
	}
	says("persona, version 1: made\n", "", "set", "persona", "You are the desk.", "--description", "Who it is.", "--position", "2")
	says("persona, version 1: nothing new\n", "", "set", "persona", "You are the desk.")
	says("rules, version 1: made\n", "Be brief.\nCite.\n", "set", "rules", "-", "--read-only", "--reason", "policy")
	says("Be brief.\nCite.\n", "", "get", "rules")
	says("facts, version 1: made\n", "", "set", "facts", "Vegan.", "--user", "u-7")
	says("facts, version 2: changed\n", "", "edit", "facts", "--user", "u-7", "--append", "Prefers tea.", "--version", "1")
	says("facts, version 3: changed\n", "", "edit", "facts", "--user", "u-7", "--replace", "tea", "--with", "coffee")
	says("facts, version 4: brought back from version 2\n", "", "undo", "facts", "--user", "u-7")
	if got := decoded[block.Block](t, raeIn(t, data, "", "blocks", "get", "persona", "--json")); got.Description != "Who it is." || got.Position != 2 || got.Version != 1 {
		t.Errorf("got %+v", got)
	}
	listed := decoded[struct{ Blocks []block.Block }](t, raeIn(t, data, "", "blocks", "list", "--json")).Blocks
	if len(listed) != 3 || listed[2].UserID != "u-7" || listed[2].Content != "Vegan.\nPrefers tea." {
		t.Errorf("listed %+v", listed)
	}
	const table = "name   agent  user  version  characters  text\nfacts         u-7   4        19 of 2000  Vegan. Prefers tea.\n"
	says(table, "", "list", "--user", "u-7")
	history := raeIn(t, data, "", "blocks", "history", "rules").stdout
	if !strings.Contains(history, "created") || !strings.Contains(history, "rae blocks  policy  Be brief. Cite.") {
		t.Errorf("history\n%s", history)
	}

	context := raeIn(t, data, "", "context", "--user", "u-7", "anything")
	if want := "# rules\n  Be brief.\n  Cite.\n# persona\n  You are the desk.\n# facts (user)\n  Vegan.\n  Prefers tea.\n"; context.stdout != want || !strings.Contains(context.stderr, "3 blocks and 0 memories") {
		t.Errorf("got %+v, want %q", context, want)
	}
	if tight := raeIn(t, data, "", "context", "--max-tokens", "12", "anything"); tight.stdout != "# rules\n  Be brief.\n  Cite.\n" || !strings.Contains(tight.stderr, "block persona is left out: it does not fit") {
		t.Errorf("got %+v", tight)
	}
	if without := raeIn(t, data, "", "context", "--no-blocks", "anything"); without.stdout != "" {
		t.Errorf("got %+v", without)
	}

	says("persona, version 2: deleted; rae blocks undo brings it back\n", "", "delete", "persona")
	says("persona, version 3: brought back from version 1\n", "", "undo", "persona")
	says("persona: erased with every version\n", "", "delete", "persona", "--erase")
	wantLine(t, raeIn(t, data, "", "blocks", "get", "persona"), exitNotFound, "there is no block persona")
	wantLine(t, raeIn(t, data, "", "blocks", "edit", "rules", "--append", "x"), exitFailed, "block rules is read-only: its text is changed by PUT alone")
}

func TestBlocksRefuseInOneLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		args []string
	}{
		{"NAME is missing", []string{"set"}},
		{`unexpected argument "z" after NAME`, []string{"set", "x", "y", "z"}},
		{"path.name must be 1 to 64 lower-case letters a to z, digits, dashes or underscores, and begin with a letter", []string{"set", "Persona", "x"}},
		{"--limit must be 1 to 20000", []string{"set", "x", "y", "--limit", "0"}},
		{"body.content makes 3 characters, and the block may have 2", []string{"set", "x", "abc", "--limit", "2"}},
		{"exactly one of --append and --replace is needed, and --with with --replace alone", []string{"edit", "x"}},
		{"exactly one of --append and --replace is needed, and --with with --replace alone", []string{"edit", "x", "--append", "a", "--with", "b"}},
		{"--to -1 must be 0 or a version", []string{"undo", "x", "--to", "-1"}},
		{"--version -1 must be 0 or a version", []string{"delete", "x", "--version", "-1"}},
		{"standard input is more than a block may have, 20,000 characters", []string{"set", "x", "-"}},
	} {
		wantLine(t, raeIn(t, t.TempDir(), strings.Repeat("x", 80001), append([]string{"blocks"}, c.args...)...), exitUsage, c.line)
	}
}
