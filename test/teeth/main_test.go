package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEverySabotageFitsTheCode keeps the table true between runs of make teeth, which takes minutes.
func TestEverySabotageFitsTheCode(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	for _, s := range sabotages {
		broken, err := s.broken(root)
		if err != nil {
			t.Errorf("%s: %s: %v", s.promise, s.what, err)
		} else if before, _ := os.ReadFile(filepath.Join(root, s.file)); broken == string(before) {
			t.Errorf("%s: %s: nothing is broken", s.promise, s.what)
		}
		if !hasTest(t, filepath.Join(root, s.tests), regexp.MustCompile(strings.Split(s.run, "/")[0])) {
			t.Errorf("%s: %s: no test of %s matches %s", s.promise, s.what, s.tests, s.run)
		}
	}
}

// hasTest reports whether a test function of the package matches the part of run before its first slash.
func hasTest(t *testing.T, folder string, run *regexp.Regexp) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllSubmatch(b, -1) {
			if run.Match(found[1]) {
				return true
			}
		}
	}
	return false
}
