// Command bench times RAE's real programs on this machine, against named baselines measured in the same run, and
// writes a Markdown table to stdout. What it does meanwhile it says on stderr.
//
// A figure means something only beside the control lines, which measure the machine and not RAE: when they differ
// between before and after, somebody else was using the machine. Nothing passes or fails here.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/rae-memory/rae/test/process"
)

// limit is how long a run may take at most.
const limit = 4 * time.Minute

func main() {
	quick := flag.Bool("quick", false, "smaller scopes and fewer repetitions: a minute's look")
	seed := flag.Uint64("seed", 20261123, "of the generated text")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, limit)
	err := run(ctx, sizesOf(*quick), *seed)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// sizes is how much is done of everything.
type sizes struct {
	starts   int   // of each program
	scopes   []int // memories in each scope that is searched
	imported int   // memories of the import in process
	searches int   // per scope and way
	writes   int   // of one client
	clients  int   // at once
}

func sizesOf(quick bool) sizes {
	if quick {
		return sizes{starts: 5, scopes: []int{600, 10_000}, imported: 2_000, searches: 60, writes: 60, clients: 32}
	}
	return sizes{starts: 20, scopes: []int{600, 10_000, 100_000}, imported: 20_000, searches: 300, writes: 300, clients: 32}
}

// bench is one run.
type bench struct {
	sizes
	seed     uint64
	dir      string // for everything; removed at the end
	programs string
	bare     sample // durable inserts of one row without RAE
	report   report
}

func run(ctx context.Context, s sizes, seed uint64) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "rae-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	b := &bench{sizes: s, seed: seed, dir: dir, programs: filepath.Join(dir, "bin")}
	b.report.seed, b.report.began = seed, time.Now()
	say("building rae and the hello-world server")
	if err := os.MkdirAll(b.programs, 0o700); err != nil {
		return err
	}
	if err := process.Build(ctx, root, b.programs, "./functions/cmd/rae"); err != nil {
		return err
	}
	if err := process.Build(ctx, filepath.Join(root, "test"), b.programs, "./bench/hello"); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"control, before", func(ctx context.Context) (err error) { b.report.before, err = b.control(ctx); return err }},
		{"cold starts", b.coldStarts},
		{"searches", b.searching},
		{"imports in process", b.importing},
		{"writes", b.writing},
		{"reservations", b.spending},
		{"control, after", func(ctx context.Context) (err error) { b.report.after, err = b.control(ctx); return err }},
	} {
		began := time.Now()
		say("%s …", step.name)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		say("%s took %.1f s", step.name, time.Since(began).Seconds())
	}
	return b.report.write(os.Stdout)
}

// say tells on stderr what is going on.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }

// moduleRoot is the folder of the engine's module, from anywhere below it.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "rae.go")); missing == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	return "", fmt.Errorf("run it inside the repository")
}
