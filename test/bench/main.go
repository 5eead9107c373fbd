// Command bench times RAE's real programs on this machine, against named baselines measured in the same run, and
// writes a table to stdout. What it does meanwhile it says on stderr.
//
// A figure means something only beside the control lines, which measure the machine and not RAE: when they differ
// between before and after, somebody else was using the machine. A bound that is missed is printed, and nothing more,
// unless -strict is given.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/rae-memory/rae/test/process"
)

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	options
	root     string // of the engine's module
	dir      string // for everything; removed at the end
	programs string
}

func run(ctx context.Context, o options) (err error) {
	b := &bench{options: o}
	if b.root, err = moduleRoot(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "rae-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir) //nolint:errcheck // a temporary folder
	if err := b.build(ctx); err != nil {
		return err
	}
	r := newReport(b.root, o.seed)
	for _, measure := range []struct {
		store string
		do    func(context.Context) (*part, error)
	}{{embedded, b.onSQLite}, {production, b.onPostgres}} {
		if !slices.Contains(o.stores, measure.store) {
			continue
		}
		p, err := measure.do(ctx)
		if p != nil {
			r.Parts = append(r.Parts, p)
		}
		if err != nil { // what has been measured so far was not measured in vain
			return errors.Join(fmt.Errorf("%s: %w", measure.store, err), b.print(r))
		}
	}
	return b.publish(r)
}

// print writes the report to stdout.
func (b *bench) print(r *report) error {
	r.Seconds = time.Since(r.Began).Seconds()
	if b.json {
		return r.json(os.Stdout)
	}
	return r.markdown(os.Stdout)
}

// publish writes the report to where it was asked for.
func (b *bench) publish(r *report) error {
	if err := b.print(r); err != nil {
		return err
	}
	if b.options.report != "" {
		if err := r.writeInto(b.options.report); err != nil {
			return err
		}
	}
	if n := r.missed(); b.strict && n > 0 {
		return fmt.Errorf("%d bounds are missed", n)
	}
	return nil
}

// build builds what is timed.
func (b *bench) build(ctx context.Context) error {
	say("building rae and the hello-world server")
	b.programs = filepath.Join(b.dir, "bin")
	if err := os.MkdirAll(b.programs, 0o700); err != nil {
		return err
	}
	if err := process.Build(ctx, b.root, b.programs, "./functions/cmd/rae"); err != nil {
		return err
	}
	return process.Build(ctx, filepath.Join(b.root, "test"), b.programs, "./bench/hello")
}

// step is a piece of a run, with a deadline of its own.
type step struct {
	name  string
	limit time.Duration
	do    func(context.Context) error
}

// follow takes steps one after the other and says how long they took.
func follow(ctx context.Context, steps []step) error {
	for _, s := range steps {
		say("%s …", s.name)
		began := time.Now()
		limited, cancel := context.WithTimeout(ctx, s.limit)
		err := s.do(limited)
		if ctx.Err() == nil && limited.Err() != nil {
			err = fmt.Errorf("it took longer than %s: %w", s.limit, err)
		}
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		say("%s took %.1f s", s.name, time.Since(began).Seconds())
	}
	return nil
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
