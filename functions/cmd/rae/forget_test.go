package main

import (
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/reflection"
)

func TestForgetTellsRunsAndBringsBack(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if r := raeIn(t, data, threeLines, "import", "-"); r.code != 0 {
		t.Fatalf("import: %+v", r)
	}
	told := decoded[reflection.Rehearsal](t, raeIn(t, data, "", "forget", "--dry-run", "--json"))
	if !told.Whole || told.Archive != 0 || told.Looked != 0 {
		t.Errorf("without policies: %s", asJSON(t, told))
	}
	if r := raeIn(t, data, "", "forget", "--dry-run"); r.stdout != "of 0 memories looked at, 0 would be archived and 0 deleted\n" {
		t.Errorf("got %+v", r)
	}
	run := decoded[reflection.Reflection](t, raeIn(t, data, "", "forget", "run", "--json"))
	if run.Kind != reflection.Forgetting || run.Forgetting.By != hand {
		t.Errorf("ran %s", asJSON(t, run))
	}
	if r := raeIn(t, data, "", "forget", "undo", string(run.ID)); r.code != 0 || !strings.HasSuffix(r.stdout, "brought back 0\n") {
		t.Errorf("undo: %+v", r)
	}
	policies := decoded[reflection.Policies](t, raeIn(t, data, "", "forget", "policy", "--json"))
	if len(policies.Policies) != 6 || policies.Policies[1].Mode != reflection.Off {
		t.Errorf("policies %s", asJSON(t, policies))
	}
	if r := raeIn(t, data, "", "forget", "policy"); r.code != 0 || strings.Count(r.stdout, "\n") != 7 {
		t.Errorf("policy: %+v", r)
	}
	wantLine(t, raeIn(t, data, "", "forget"), exitUsage, "--dry-run, run, undo or policy is required")
	wantLine(t, raeIn(t, data, "", "forget", "undo", "x"), exitUsage, `"x" must be the id of a run`)
}
