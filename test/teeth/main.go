// Command teeth shows that the tests of RAE's promises can fail: it breaks one mechanism at a time, in a copy that only
// the compiler sees (go build -overlay), and runs the tests that must notice. A sabotage that no test notices is an
// error, and so is one that no longer fits the code. The tree itself is never touched.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// limit is how long the tests of one sabotage may take; tests that hang have noticed. Compiling has as much again.
const limit = 4 * time.Minute

func main() {
	run := flag.String("run", "", "only sabotages whose promise or description matches this regular expression")
	list := flag.Bool("list", false, "print the sabotages and do nothing")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: go run ./test/teeth [-run REGEXP] [-list], in the repository's root")
		flag.PrintDefaults()
	}
	flag.Parse()
	pattern, err := regexp.Compile(*run)
	if err != nil {
		fmt.Fprintln(os.Stderr, "teeth:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if !check(ctx, pattern, *list) {
		os.Exit(1)
	}
}

// check runs the sabotages that match, and reports whether every one was noticed.
func check(ctx context.Context, pattern *regexp.Regexp, list bool) bool {
	sound, done := true, 0
	for _, s := range sabotages {
		if !pattern.MatchString(s.promise + ": " + s.what) {
			continue
		}
		if list {
			fmt.Printf("%s: %s (%s, by %s %s)\n", s.promise, s.what, s.file, s.tests, s.run)
			continue
		}
		began := time.Now()
		verdict := "noticed"
		if err := s.try(ctx, "."); err != nil {
			verdict, sound = "NOT SHOWN: "+err.Error(), false
		}
		done++
		fmt.Printf("%-9s %s: %s (%d s)\n", verdict, s.promise, s.what, int(time.Since(began).Seconds()))
		if ctx.Err() != nil {
			return false
		}
	}
	if done == 0 && !list {
		fmt.Fprintln(os.Stderr, "teeth: no sabotage matches")
		return false
	}
	return sound
}

// broken returns the file's text with the mechanism broken. The place must be there exactly once.
func (s *sabotage) broken(root string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, s.file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(b), s.old); n != 1 {
		return "", fmt.Errorf("%s holds what is to be broken %d times, not once", s.file, n)
	}
	return strings.Replace(string(b), s.old, s.new, 1), nil
}

// try breaks the mechanism and returns nil when the tests fail by it.
func (s *sabotage) try(ctx context.Context, root string) error {
	text, err := s.broken(root)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "teeth")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	overlay, err := overlayOf(folder, root, s.file, text)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*limit)
	defer cancel()
	if out, err := goTest(ctx, root, overlay, s.tests, "^$"); err != nil {
		return fmt.Errorf("it does not compile: %s", tail(out))
	}
	out, err := goTest(ctx, root, overlay, s.tests, s.run)
	switch {
	case ctx.Err() != nil:
		return errors.New("the tests did not end in time")
	case err == nil:
		return fmt.Errorf("%s of %s passes all the same", s.run, s.tests)
	case !strings.Contains(out, "--- FAIL") && !strings.Contains(out, "panic:"):
		return fmt.Errorf("no test failed: %s", tail(out))
	}
	return nil
}

// overlayOf writes the broken file and the description of it that the go command reads.
func overlayOf(folder, root, file, text string) (string, error) {
	replaced, err := filepath.Abs(filepath.Join(root, file))
	if err != nil {
		return "", err
	}
	by := filepath.Join(folder, filepath.Base(file))
	description, err := json.Marshal(map[string]map[string]string{"Replace": {replaced: by}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(folder, "overlay.json")
	return overlay, errors.Join(os.WriteFile(by, []byte(text), 0o600), os.WriteFile(overlay, description, 0o600))
}

// goTest runs tests of a package. The overlay is in the environment, so that programs which tests build are broken too.
func goTest(ctx context.Context, root, overlay, tests, run string) (string, error) {
	command := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout="+limit.String(), "-run", run, tests)
	command.Dir, command.WaitDelay = root, 5*time.Second
	command.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	out, err := command.CombinedOutput()
	return string(out), err
}

// tail is the end of an output, on one line.
func tail(out string) string {
	out = strings.Join(strings.Fields(out), " ")
	return out[max(0, len(out)-300):]
}
