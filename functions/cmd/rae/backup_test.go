package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/servicetest"
)

func TestMain(m *testing.M) { servicetest.Main(m) }

// remembering makes a store with two tenants and returns its folder, and what each exports.
func remembering(t *testing.T) (data string, exports map[string]string) {
	t.Helper()
	data, exports = t.TempDir(), map[string]string{}
	for _, tenant := range []string{"acme", "beta"} {
		lines := ""
		for i := range 30 {
			lines += fmt.Sprintf(`{"content":"%s saw Zoë on day %d","layer":"episodic","tags":["t%d"]}`+"\n", tenant, i, i%3)
		}
		if r := raeIn(t, data, lines, "import", "-", "--tenant", tenant); r.code != 0 {
			t.Fatal(r)
		}
		exports[tenant] = exportOf(t, data, tenant)
	}
	return data, exports
}

func exportOf(t *testing.T, data, tenant string) string {
	t.Helper()
	r := raeIn(t, data, "", "export", "--quiet", "--tenant", tenant)
	if r.code != 0 {
		t.Fatal(r)
	}
	return r.stdout
}

func TestBackupIsRestored(t *testing.T) {
	t.Parallel()
	data, exports := remembering(t)
	file := filepath.Join(t.TempDir(), "all.backup")
	written := decoded[backedUp](t, raeIn(t, data, "", "backup", "--out", file, "--json"))
	if len(written.Tenants) != 2 || written.Rows < 120 || written.Bytes == 0 {
		t.Errorf("written: %+v", written)
	}
	if r := raeIn(t, data, "", "restore", file, "--verify-only"); r.code != 0 || !strings.HasPrefix(r.stdout, file+" is whole: 2 tenants with ") {
		t.Errorf("verified: %+v", r)
	}
	fresh := t.TempDir()
	done := decoded[restored](t, raeIn(t, fresh, "", "restore", file, "--json", "--tenant", "beta"))
	if len(done.Tenants) != 1 || done.Tenants[0].Hash != written.Tenants[1].Hash {
		t.Errorf("restored: %+v", done)
	}
	if got := exportOf(t, fresh, "acme"); got != "" {
		t.Errorf("of a tenant that was not asked for: %q", got)
	}
	if r := raeIn(t, fresh, "", "restore", file); r.code != 0 || !strings.Contains(r.stdout, "2 tenants") || !strings.Contains(r.stdout, "1 of them before") {
		t.Errorf("restored: %+v", r)
	}
	for tenant, want := range exports {
		if got := exportOf(t, fresh, tenant); got != want {
			t.Errorf("%s exports other memories", tenant)
		}
	}
	other := t.TempDir()
	if r := raeIn(t, other, `{"content":"mine"}`, "import", "-", "--tenant", "acme"); r.code != 0 {
		t.Fatal(r)
	}
	wantLine(t, raeIn(t, other, "", "restore", file), exitFailed, `tenant "acme" has rows in the store already; --replace erases them first`)
	if r := raeIn(t, other, "", "restore", file, "--replace"); r.code != 0 || exportOf(t, other, "acme") != exports["acme"] {
		t.Errorf("replaced: %+v", r)
	}
}

func TestBackupThatIsDamagedIsRefused(t *testing.T) {
	t.Parallel()
	data, _ := remembering(t)
	file := filepath.Join(t.TempDir(), "all.backup")
	if r := raeIn(t, data, "", "backup", "--out", file); r.code != 0 {
		t.Fatal(r)
	}
	packed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, packed[:len(packed)-40], 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(t.TempDir(), "data")
	for _, more := range []string{"--verify-only", "--replace"} {
		r := raeIn(t, fresh, "", "restore", file, more)
		if r.code != exitUsage || !strings.HasPrefix(r.stderr, "rae: "+file+": line ") {
			t.Errorf("cut off, %s: %+v", more, r)
		}
	}
	if _, err := os.Stat(filepath.Join(fresh, "rae.db")); err == nil {
		t.Error("a store was made for an archive that is damaged")
	}
}

func TestMigrateMovesToPostgresAndBack(t *testing.T) {
	t.Parallel()
	data, exports := remembering(t)
	url := servicetest.Postgres(t).Database(t, "")
	from, back := "sqlite:"+filepath.Join(data, "rae.db"), t.TempDir()
	moved := decoded[restored](t, raeIn(t, data, "", "migrate", "--from", from, "--to", url, "--json"))
	if len(moved.Tenants) != 2 || moved.Tenants[0].Stood {
		t.Errorf("moved: %+v", moved)
	}
	again := decoded[restored](t, raeIn(t, data, "", "migrate", "--from", from, "--to", url, "--json"))
	if len(again.Tenants) != 2 || !again.Tenants[0].Stood || again.Tenants[0].Hash != moved.Tenants[0].Hash {
		t.Errorf("moved again: %+v", again)
	}
	file := filepath.Join(t.TempDir(), "pg.backup")
	if r := raeIn(t, data, "", "backup", "--store", url, "--out", file); r.code != 0 {
		t.Error(r)
	}
	if r := raeIn(t, data, "", "migrate", "--from", url, "--to", "sqlite:"+filepath.Join(back, "rae.db")); r.code != 0 {
		t.Fatal(r)
	}
	for tenant, want := range exports {
		if got := exportOf(t, back, tenant); got != want {
			t.Errorf("%s exports other memories", tenant)
		}
	}
	if packed, err := os.ReadFile(file); err != nil || bytes.Contains(packed, []byte(url)) {
		t.Error("the archive holds the store's URL, or cannot be read", err)
	}
}

func TestStoresThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	wantLine(t, raeIn(t, data, "", "backup"), exitUsage, "either --out, the file to write, or --dir, the folder to write it to, is required")
	wantLine(t, raeIn(t, data, "", "backup", "--out", "x", "--store", "mysql://u:secret@h/d"), exitUsage,
		"--store must be sqlite:FILE or postgres://user:password@host/database")
	wantLine(t, raeIn(t, data, "", "backup", "--out", "x", "--store", "postgres://u:se%zzcret@h/d"), exitUsage,
		"--store is no PostgreSQL URL (postgres://user:password@host/database)")
	wantLine(t, raeIn(t, data, "", "migrate", "--to", "sqlite:x"), exitUsage, "--from and --to belong together: from which store to which")
	missing := filepath.Join(data, "rae.db")
	wantLine(t, raeIn(t, data, "", "backup", "--out", filepath.Join(data, "x")), exitNotFound, "cannot read "+missing+": there is no such file")
	if r := raeIn(t, data, "", "migrate"); r.code != 0 {
		t.Fatal(r)
	}
	wantLine(t, raeIn(t, data, "", "migrate", "--from", "sqlite:"+missing, "--to", "sqlite:"+missing), exitUsage, "--from and --to are the same store")
	wantLine(t, raeIn(t, data, "", "backup", "--out", filepath.Join(data, "x"), "--tenant", "nobody"), exitNotFound, `the store has nothing of tenant "nobody"`)
}

func TestBackupsOfAFolder(t *testing.T) {
	t.Parallel()
	data, _ := remembering(t)
	dir := t.TempDir()
	stale := []string{
		"notes.txt", "rae-20200101T000000Z.backup", "rae-20200102T000000Z.backup", "rae-20200102T120000Z.backup.partial", "rae-20200103T000000Z.backup",
	}
	for _, name := range stale {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	written := decoded[backedUp](t, raeIn(t, data, "", "backup", "--dir", dir, "--keep", "2", "--json"))
	if r := raeIn(t, data, "", "restore", written.File, "--verify-only"); r.code != 0 || filepath.Dir(written.File) != dir {
		t.Errorf("%s: %+v", written.File, r)
	}
	want := []string{"notes.txt", "rae-20200103T000000Z.backup", filepath.Base(written.File)}
	if got := namesIn(t, dir); !slices.Equal(got, want) {
		t.Errorf("left: %v, want %v", got, want)
	}

	begun := time.Now().Add(-time.Hour).UTC().Format(partialName)
	if err := os.WriteFile(filepath.Join(dir, begun), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	written = decoded[backedUp](t, raeIn(t, data, "", "backup", "--dir", dir, "--json"))
	if filepath.Base(written.File)+".partial" != begun {
		t.Errorf("went on with %s, want %s", written.File, begun)
	}
	for _, args := range [][]string{{}, {"--dir", dir, "--out", "x"}, {"--out", "x", "--keep", "1"}, {"--dir", dir, "--keep", "-1"}} {
		if r := raeIn(t, data, "", append([]string{"backup"}, args...)...); r.code != 2 {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
