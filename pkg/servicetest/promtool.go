package servicetest

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// debianPromtool is Prometheus, for the tool that comes with it.
var debianPromtool = recipe{
	title: "promtool of Prometheus 2.42", name: "prometheus-2.42", suite: "bookworm",
	programs: "usr/bin/promtool",
	packages: strings.Fields(`prometheus patchelf libc6 libgcc-s1 libstdc++6`),
}

func obtainPromtool(c cache) (origin, error) {
	return first("promtool", "sudo apt install prometheus", []way{
		{"a local installation", func() (origin, error) {
			path, err := exec.LookPath("promtool")
			return origin{bin: filepath.Dir(path), told: "installed in " + filepath.Dir(path)}, err
		}},
		{"Debian's packages", func() (origin, error) {
			root, err := debianPromtool.obtain(c)
			return origin{bin: filepath.Join(root, "usr/bin"), told: "Debian's packages, unpacked"}, err
		}},
	})
}

const promtoolLimit = 2 * time.Minute // of one run; seconds, on a machine that is well

// Promtool runs Prometheus' promtool with the arguments in the folder of the test's package, and fails the test with what it
// says where it fails. It comes from a local installation, or else from Debian's packages, as PostgreSQL does.
func Promtool(t testing.TB, args ...string) {
	t.Helper()
	c, err := openCache()
	if err != nil {
		t.Fatal(err)
	}
	tool, err := obtainPromtool(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), promtoolLimit)
	defer cancel()
	if out, err := exec.CommandContext(ctx, filepath.Join(tool.bin, "promtool"), args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
