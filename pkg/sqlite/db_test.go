package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rae-memory/rae/pkg/sqlite"
)

func TestOpenTouchesNothingUntilItIsUsed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data", "rae.db")
	db := sqlite.Open(path, sqlite.Options{})
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Fatalf("before the first use the folder exists: %v", err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(name), got, want)
		}
	}
}
