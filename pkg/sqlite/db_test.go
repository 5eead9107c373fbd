package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/sqlite"
)

func TestOpenTouchesNothingUntilItIsUsed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data", "rae.db")
	db := openAt(t, path, sqlite.Options{})
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Fatalf("before the first use the folder exists: %v", err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(name), got, want)
		}
	}
}

func TestAPathMayHaveAnyName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b", "50%", "what?mode=memory", "#1", "é'\""} {
		path := filepath.Join(t.TempDir(), name, "rae.db")
		if err := put(t, openAt(t, path, sqlite.Options{}), "x"); err != nil {
			t.Errorf("in a folder named %q: %v", name, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestAnOpeningThatFailedIsTriedAgain(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(folder, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	db := openAt(t, filepath.Join(folder, "rae.db"), sqlite.Options{})
	err := db.Ping(t.Context())
	if fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("got %v, want Unavailable", err)
	}
	if strings.Contains(fault.Public(err), folder) {
		t.Errorf("the public message tells the path: %s", fault.Public(err))
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Fatalf("after the obstacle has gone: %v", err)
	}
}

func TestAFileOfANewerVersionIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rae.db")
	if err := put(t, openAt(t, path, sqlite.Options{}), "x"); err != nil {
		t.Fatal(err)
	}
	raw(t, path, "PRAGMA user_version = 9999")
	err := openAt(t, path, sqlite.Options{}).Ping(t.Context())
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Public(err), "newer version") || strings.Contains(err.Error(), "\n") {
		t.Fatalf("got %v, want one clear line", err)
	}
}

func TestWhatIsNoDatabaseIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rae.db")
	letter := []byte(strings.Repeat("Dear Ann, this is not a database. ", 1000))
	if err := os.WriteFile(path, letter, 0o600); err != nil {
		t.Fatal(err)
	}
	err := openAt(t, path, sqlite.Options{}).Ping(t.Context())
	if fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("got %v, want Unavailable", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(letter) {
		t.Errorf("the file has changed, %v", err)
	}
}

func TestADamagedFileIsOurFaultAndSaysNothingToTheClient(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rae.db")
	db := sqlite.Open(path, sqlite.Options{})
	for i := range 200 {
		if err := put(t, db, strings.Repeat(string(rune('a'+i%26)), 8000+i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	// The first pages say what tables there are; without them the file is none.
	garbage := []byte(strings.Repeat("\xde\xad\xbe\xef", 2048))
	for at := int64(8192 * 128); at+8192 <= info.Size(); at += 8192 {
		if _, err := file.WriteAt(garbage, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = openAt(t, path, sqlite.Options{}).List(t.Context(), acme, memory.Query{Limit: 1000})
	if fault.KindOf(err) != fault.Internal || fault.Public(err) != "internal error" || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v, public %q", err, fault.Public(err))
	}
}

func TestAnotherProcessWritingMakesOurWriteWaitNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rae.db")
	db := openAt(t, path, sqlite.Options{})
	if err := put(t, db, "x"); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	started := time.Now()
	err = db.Write(ctx, acme, func(memory.Tx) error { return nil })
	if fault.KindOf(err) != fault.Timeout || time.Since(started) > 5*time.Second {
		t.Errorf("after %v: %v, want a timeout", time.Since(started), err)
	}
	if got := stored(t, db); len(got) != 1 {
		t.Errorf("reading beside a foreign writer gave %q", got)
	}
	if _, err := conn.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := put(t, db, "y"); err != nil {
		t.Errorf("after the other had finished: %v", err)
	}
}

func TestAClosedStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	db := open(t, sqlite.Options{})
	if err := put(t, db, "x"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := put(t, db, "y"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("write: %v, want Unavailable", err)
	}
	if _, err := db.Get(t.Context(), acme, memory.NewID(), memory.View{}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("read: %v, want Unavailable", err)
	}
}

// raw runs a statement past the store.
func raw(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
