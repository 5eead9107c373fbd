package backup_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/backup"
	"github.com/rae-memory/rae/pkg/backup/backuptest"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/sqlite"
)

var header = backup.Header{Format: backup.Format, Program: "1.2.3", Store: "sqlite", Source: "here"}

func open(t *testing.T) *sqlite.DB {
	t.Helper()
	db := sqlite.Open(filepath.Join(t.TempDir(), "rae.db"), sqlite.Options{})
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// filled returns a store with three tenants, each with a word of its own in every text.
func filled(t *testing.T) *sqlite.DB {
	t.Helper()
	db := open(t)
	for tenant, canary := range canaries {
		if err := db.Restore(t.Context(), tenant, "x", backuptest.Each(backuptest.Rows(canary, 20))); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

var canaries = map[string]string{"acme": "nightingale", "beta": "kingfisher", "zeta": "wren"}

func written(t *testing.T, s backup.Source, h backup.Header) (path string, sum backup.Summary) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "rae.backup")
	sum, err := backup.Write(t.Context(), s, path, h, nil)
	if err != nil {
		t.Fatal(err)
	}
	return path, sum
}

func lines(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func zipped(text []byte) io.ReadSeeker {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	_, _ = zip.Write(text)
	_ = zip.Close()
	return bytes.NewReader(b.Bytes())
}

func TestArchiveOfOneTenantHoldsNothingOfAnother(t *testing.T) {
	t.Parallel()
	db := filled(t)
	h := header
	h.Tenant = "beta"
	path, sum := written(t, db, h)
	text := string(lines(t, path))
	for tenant, canary := range canaries {
		if got, want := strings.Contains(text, canary), tenant == "beta"; got != want {
			t.Errorf("%s is in it: %v", canary, got)
		}
		if tenant != "beta" && strings.Contains(text, tenant) {
			t.Errorf("the name %s is in it", tenant)
		}
	}
	if len(sum.Tenants) != 1 || sum.Count() < 500 {
		t.Errorf("%d tenants, %d rows", len(sum.Tenants), sum.Count())
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
	h.Tenant = "nobody"
	if _, err := backup.Write(t.Context(), db, filepath.Join(t.TempDir(), "x"), h, nil); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of nobody: %v", err)
	}
}

func TestArchiveThatIsDamagedIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	path, _ := written(t, filled(t), header)
	text := lines(t, path)
	packed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	into := open(t)
	refused := func(what string, archive io.ReadSeeker, kinds ...fault.Kind) string {
		t.Helper()
		restorer := backup.Restorer{Into: into}
		_, err := restorer.Restore(t.Context(), archive, "")
		if err == nil || !slices.Contains(kinds, fault.KindOf(err)) {
			t.Fatalf("%s: %v", what, err)
		}
		if next, err := into.NextTenant(t.Context(), ""); next != "" || err != nil {
			t.Fatalf("%s: %q was written, %v", what, next, err)
		}
		return err.Error()
	}
	for range 60 {
		at := random.IntN(len(text))
		altered := bytes.Clone(text)
		altered[at] ^= 1 << random.IntN(7)
		// Where a byte of a table's or a column's name is another, a newer program may have written it.
		told := refused(fmt.Sprintf("byte %d of the lines altered", at), zipped(altered), fault.Malformed, fault.Unsupported)
		if !strings.Contains(told, "line ") {
			t.Errorf("no line is named: %s", told)
		}
		cut := text[:at]
		refused(fmt.Sprintf("lines cut at %d", at), zipped(cut), fault.Malformed)
		at = random.IntN(len(packed))
		refused(fmt.Sprintf("file cut at %d", at), bytes.NewReader(packed[:at]), fault.Malformed)
	}
	told := refused("a row changed", zipped(bytes.Replace(text, []byte("kingfisher"), []byte("kingfishes"), 1)), fault.Malformed)
	if !strings.Contains(told, "tenant beta") {
		t.Errorf("the tenant is not named: %s", told)
	}
	refused("the header changed", zipped(bytes.Replace(text, []byte(`"1.2.3"`), []byte(`"1.2.4"`), 1)), fault.Malformed)
	refused("something after the end", zipped(append(bytes.Clone(text), "[]\n"...)), fault.Malformed)
	refused("a newer format", zipped(bytes.Replace(text, []byte(`"rae_backup":1`), []byte(`"rae_backup":2`), 1)), fault.Unsupported)
	refused("another file", zipped([]byte("{}\n")), fault.Malformed)
	refused("no gzip", strings.NewReader("hello"), fault.Malformed)
}

func TestInterruptedBackupGoesOnAfterTheLastWholeTenant(t *testing.T) {
	t.Parallel()
	db := filled(t)
	_, whole := written(t, db, header)
	random := rand.New(rand.NewPCG(5, 6))
	for range 8 {
		path := filepath.Join(t.TempDir(), "rae.backup")
		total, told := int(whole.Count()), 0
		for try := 0; ; try++ {
			ctx, cancel := context.WithCancel(t.Context())
			left := 1 + random.IntN(total)
			sum, err := backup.Write(ctx, db, path, header, func() {
				told++
				if left--; left == 0 && try < 4 {
					cancel()
				}
			})
			cancel()
			if err == nil {
				if fmt.Sprint(sum.Tenants) != fmt.Sprint(whole.Tenants) {
					t.Fatalf("after %d interruptions: %v", try, sum)
				}
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if _, err := os.Stat(path); err == nil {
				t.Fatal("an interrupted backup has the name of a whole one")
			}
			if info, err := os.Stat(path + ".partial"); err == nil && try%2 == 1 { // a write that was cut off
				if err := os.Truncate(path+".partial", info.Size()-min(info.Size(), int64(random.IntN(40)))); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := os.Stat(path + ".partial"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the partial file is still there: %v", err)
		}
	}
}

func TestBackupGoesOnWithNoOther(t *testing.T) {
	t.Parallel()
	db := filled(t)
	path := filepath.Join(t.TempDir(), "rae.backup")
	ctx, cancel := context.WithCancel(t.Context())
	rows := 0
	_, err := backup.Write(ctx, db, path, header, func() {
		if rows++; rows == 1600 { // in the second tenant
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	again := 0
	other := header
	other.Source = "elsewhere"
	if _, err := backup.Write(t.Context(), db, path, other, nil); fault.KindOf(err) != fault.Conflict {
		t.Errorf("another store's backup goes on: %v", err)
	}
	sum, err := backup.Write(t.Context(), db, path, header, func() { again++ })
	if err != nil || len(sum.Tenants) != 3 || again >= int(sum.Count()) {
		t.Errorf("%d rows were told of %d: %v", again, sum.Count(), err)
	}
	foreign := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(foreign+".partial", []byte("not ours, and longer than a header"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Write(t.Context(), db, foreign, header, nil); fault.KindOf(err) != fault.Conflict {
		t.Errorf("somebody's file is overwritten: %v", err)
	}
}

func TestRestoreOfAnArchive(t *testing.T) {
	t.Parallel()
	path, whole := written(t, filled(t), header)
	into := open(t)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it is only read
	restore := func(ctx context.Context, r backup.Restorer, tenant string) ([]backup.Outcome, error) {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		r.Into = into
		return r.Restore(ctx, file, tenant)
	}
	if _, err := restore(t.Context(), backup.Restorer{}, "nobody"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("nobody: %v", err)
	}
	if done, err := restore(t.Context(), backup.Restorer{}, "beta"); err != nil || len(done) != 1 || done[0].Name != "beta" {
		t.Fatal(done, err)
	}
	random := rand.New(rand.NewPCG(8, 9))
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		left := 1 + random.IntN(int(whole.Count())/2)
		_, err := restore(ctx, backup.Restorer{Seen: func() {
			if left--; left == 0 {
				cancel()
			}
		}}, "")
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	done, err := restore(t.Context(), backup.Restorer{}, "")
	if err != nil || len(done) != 3 || !done[1].Stood {
		t.Fatal(done, err)
	}
	intact := func() {
		t.Helper()
		for _, want := range whole.Tenants {
			got, err := backup.Digest(t.Context(), into, want.Name)
			if err != nil || got.Hash != want.Hash {
				t.Errorf("%s: %s, %v, want %s", want.Name, got.Hash, err, want.Hash)
			}
		}
	}
	intact()
	backuptest.Fill(t, into, memory.Scope{Tenant: "zeta", Project: "default"})
	if done, err := restore(t.Context(), backup.Restorer{Replace: true}, ""); err != nil || !done[0].Stood || done[2].Stood {
		t.Fatal(done, err)
	}
	intact()
	if _, err := into.EraseTenant(t.Context(), "zeta"); err != nil {
		t.Fatal(err)
	}
	backuptest.Fill(t, into, memory.Scope{Tenant: "zeta", Project: "default"})
	if _, err := restore(t.Context(), backup.Restorer{}, "zeta"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("over rows of its own: %v", err)
	}
}

func TestCopyCompares(t *testing.T) {
	t.Parallel()
	from, to := filled(t), open(t)
	done, err := (&backup.Restorer{Into: to}).Copy(t.Context(), from, "")
	if err != nil || len(done) != 3 {
		t.Fatal(done, err)
	}
	rows := 0
	meddling := backup.Restorer{Into: open(t), Seen: func() {
		if rows++; rows == 10 {
			backuptest.Fill(t, from, memory.Scope{Tenant: "acme", Project: "new"})
		}
	}}
	if _, err := meddling.Copy(t.Context(), &twice{from, t}, "acme"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("written to meanwhile: %v", err)
	}
}

// twice is a store to which somebody writes between two readings.
type twice struct {
	backup.Source
	t *testing.T
}

func (s *twice) Dump(ctx context.Context, tenant string, emit func(backup.Row) error) (memory.Seq, error) {
	n, err := s.Source.Dump(ctx, tenant, emit)
	backuptest.Fill(s.t, s.Source.(memory.Store), memory.Scope{Tenant: tenant, Project: "more"})
	return n, err
}
