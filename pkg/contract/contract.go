// Package contract counts the clauses of suites (memorytest, budgettest, …), so that a run of the tests can tell how
// many of them each implementation was held to.
package contract

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// ReportVariable names the environment variable that holds the path of the file each run appends its line to, such as
//
//	memorytest: 90 clauses on sqlite
//
// because `go test ./...` shows nothing of a package that passes. `make test` sets it to a file of its own and prints
// that. A test that reads a variable is not answered from go test's cache when the variable has another value, so every
// suite runs, and writes, under a path that is new.
const ReportVariable = "RAE_SUITE_REPORT"

// Run is one implementation on its way through one suite.
type Run struct {
	suite, on string

	mu      sync.Mutex
	held    int
	failed  int
	skipped []string
	without []string
}

// Begin starts a run of the suite (the name of its package) over an implementation ("sqlite"). Its line is written
// when t and all its clauses have ended.
func Begin(t *testing.T, suite, on string) *Run {
	t.Helper()
	r := &Run{suite: suite, on: on}
	t.Cleanup(func() { r.end(t) })
	return r
}

// Clause runs one clause, in parallel with its siblings, and counts it. A clause must not skip: what an implementation
// lacks is declared by Without.
func (r *Run) Clause(t *testing.T, says string, prove func(*testing.T)) {
	t.Helper()
	t.Run(says, func(t *testing.T) {
		t.Parallel()
		t.Cleanup(func() { r.count(t) })
		prove(t)
	})
}

// Without says that clauses are left out because the implementation declares that it lacks something ("outbox").
func (r *Run) Without(lacks string, clauses int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.without = append(r.without, fmt.Sprintf("%d left out without %s", clauses, lacks))
}

func (r *Run) count(t *testing.T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case t.Skipped():
		r.skipped = append(r.skipped, t.Name())
	case t.Failed():
		r.failed++
	}
	r.held++
}

func (r *Run) end(t *testing.T) {
	for _, name := range r.skipped {
		t.Errorf("%s was skipped: a clause is proven, or left out by name", name)
	}
	t.Log(r)
	path, ok := os.LookupEnv(ReportVariable)
	if !ok {
		return
	}
	if err := appendLine(path, r.String()); err != nil {
		t.Errorf("report of the suite: %v", err)
	}
}

// String is the line of the run.
func (r *Run) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := fmt.Sprintf("%s: %d clauses on %s", r.suite, r.held-len(r.skipped), r.on)
	if r.failed > 0 {
		line += fmt.Sprintf(", %d failed", r.failed)
	}
	if len(r.without) > 0 {
		line += " (" + strings.Join(r.without, ", ") + ")"
	}
	return line
}

// appendLine writes the line in one piece, because packages are tested side by side.
func appendLine(path, line string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.WriteString(line + "\n"); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
