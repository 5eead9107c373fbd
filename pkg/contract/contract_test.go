package contract_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rae-memory/rae/pkg/contract"
)

func TestARunReportsWhatRan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report")
	t.Setenv(contract.ReportVariable, path)
	for _, on := range []string{"one", "two"} {
		t.Run(on, func(t *testing.T) {
			run := contract.Begin(t, "sometest", on)
			t.Run("subject", func(t *testing.T) {
				for _, says := range []string{"first", "second", "third"} {
					run.Clause(t, says, func(*testing.T) {})
				}
			})
			if on == "two" {
				run.Without("outbox", 4)
			}
		})
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "sometest: 3 clauses on one\nsometest: 3 clauses on two (4 left out without outbox)\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
