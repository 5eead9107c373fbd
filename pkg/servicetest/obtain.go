package servicetest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// origin is where a server's programs are: in a folder, or in an image of Docker's.
type origin struct {
	bin   string // folder
	image string
	major int    // version, 0 for an image
	told  string // for a person
}

// A way is one answer to where a service comes from.
type way struct {
	name   string
	obtain func() (origin, error)
}

func obtainPostgres(c cache) (origin, error) {
	return first("PostgreSQL 15 or newer with pgvector 0.8 or newer", "sudo apt install postgresql-17 postgresql-17-pgvector", []way{
		{"a local installation", installedPostgres},
		{"Debian's packages", func() (origin, error) {
			root, err := debianPostgres.obtain(c)
			return origin{bin: filepath.Join(root, "usr/lib/postgresql/17/bin"), major: 17, told: "Debian's packages, unpacked"}, err
		}},
		{"Docker", func() (origin, error) { return image("pgvector/pgvector:pg17") }},
	})
}

func obtainRedis(c cache) (origin, error) {
	return first("Redis 7 or newer", "sudo apt install redis-server", []way{
		{"a local installation", installedRedis},
		{"Debian's packages", func() (origin, error) {
			root, err := debianRedis.obtain(c)
			return origin{bin: filepath.Join(root, "usr/bin"), told: "Debian's packages, unpacked"}, err
		}},
		{"Docker", func() (origin, error) { return image("redis:7") }},
	})
}

// first goes the ways in order. When none leads there, the error says what was wrong with each, and what would help.
func first(what, command string, ways []way) (origin, error) {
	failed := []error{fmt.Errorf("no %s to test with; install it with\n\t%s\nbecause", what, command)}
	for _, w := range ways {
		found, err := w.obtain()
		if err == nil {
			return found, nil
		}
		failed = append(failed, fmt.Errorf("%s: %w", w.name, err))
	}
	return origin{}, errors.Join(failed...)
}

// installedPostgres finds the newest installation that will do: where Debian keeps them, or by the pg_config in PATH.
func installedPostgres() (origin, error) {
	configs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_config") // the pattern is well formed
	if inPath, err := exec.LookPath("pg_config"); err == nil {
		configs = append(configs, inPath)
	}
	var found []origin
	failed := []error{errors.New("none is suitable")}
	for _, config := range configs {
		o, err := postgresOf(config)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", config, err))
			continue
		}
		found = append(found, o)
	}
	if len(found) == 0 {
		return origin{}, errors.Join(failed...)
	}
	return slices.MaxFunc(found, func(a, b origin) int { return a.major - b.major }), nil
}

var controlVersion = regexp.MustCompile(`(?m)^default_version\s*=\s*'([^']*)'`)

// postgresOf looks at the installation that a pg_config describes.
func postgresOf(config string) (origin, error) {
	out, err := exec.Command(config, "--bindir", "--sharedir", "--version").Output()
	if err != nil {
		return origin{}, err
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 {
		return origin{}, fmt.Errorf("says %q", out)
	}
	bin, share, version := lines[0], lines[1], strings.TrimPrefix(lines[2], "PostgreSQL ")
	if !atLeast(version, 15, 0) {
		return origin{}, fmt.Errorf("is PostgreSQL %s", version)
	}
	for _, program := range []string{"postgres", "initdb"} {
		if !exists(filepath.Join(bin, program)) {
			return origin{}, fmt.Errorf("%s is not in %s", program, bin)
		}
	}
	control, err := os.ReadFile(filepath.Join(share, "extension", "vector.control"))
	if err != nil {
		return origin{}, errors.New("has no pgvector")
	}
	vector := controlVersion.FindSubmatch(control)
	if vector == nil || !atLeast(string(vector[1]), 0, 8) {
		return origin{}, errors.New("has a pgvector older than 0.8")
	}
	major, _ := leading(version)
	return origin{bin: bin, major: major, told: "installed in " + bin}, nil
}

var redisVersion = regexp.MustCompile(`\bv=([0-9.]+)`)

func installedRedis() (origin, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return origin{}, err
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return origin{}, fmt.Errorf("%s: %w", path, err)
	}
	version := redisVersion.FindSubmatch(out)
	if version == nil || !atLeast(string(version[1]), 7, 0) {
		return origin{}, fmt.Errorf("%s is %s", path, bytes.TrimSpace(out))
	}
	return origin{bin: filepath.Dir(path), told: "installed in " + filepath.Dir(path)}, nil
}

// atLeast compares the first two numbers of a version such as "17.11 (Debian 17.11-1)", "18beta1" or "0.8.0".
func atLeast(version string, major, minor int) bool {
	have, rest := leading(version)
	if have != major {
		return have > major
	}
	after, _ := leading(strings.TrimPrefix(rest, "."))
	return after >= minor
}

// leading splits the number that a text begins with, -1 for none, from the rest.
func leading(text string) (int, string) {
	rest := strings.TrimLeft(text, "0123456789")
	n, err := strconv.Atoi(text[:len(text)-len(rest)])
	if err != nil {
		return -1, text
	}
	return n, rest
}
