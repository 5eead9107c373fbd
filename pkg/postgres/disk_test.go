package postgres_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/servicetest"
)

// A disk that is full: the real one where this process may mount a small one, and else what the database says of one.
func TestAFullDiskIsToldAndLeavesNothingByHalf(t *testing.T) {
	t.Parallel()
	url, relieve := fullSoon(t)
	db := openAt(t, url, postgres.Options{})
	stored, err := put(t.Context(), db, acme, "kept")
	if err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	var refusal error
	content := ""
	for i := 0; i < 2000 && refusal == nil; i++ {
		content = incompressible()
		if _, refusal = put(t.Context(), db, acme, content); refusal == nil {
			acknowledged = append(acknowledged, content)
		}
	}
	if refusal == nil {
		t.Fatal("the disk did not fill")
	}
	wantAway(t, "a write to a full disk", refusal)
	t.Logf("after %d writes: %v", len(acknowledged), refusal)
	wantEffects(t, url, content, 0)
	for _, content := range acknowledged {
		if memories, records := effects(t, url, content); memories != 1 || records != 1 {
			t.Errorf("an acknowledged write has left %d memories and %d records", memories, records)
			break
		}
	}
	if got, err := db.Get(t.Context(), acme, stored.ID, memory.View{}); err != nil || got.Content != "kept" {
		t.Errorf("a read from a full disk: %q, %v", got.Content, err)
	}
	checkWhole(t, url)
	relieve()
	if _, err := put(t.Context(), db, acme, content); err != nil {
		t.Errorf("once there is room: %v", err)
	}
}

// incompressible is a text of 32 KB that is stored as long as it is, nearly.
func incompressible() string {
	var text strings.Builder
	for range 1260 {
		text.WriteString(rand.Text())
	}
	return text.String()
}

// fullSoon returns the URL of a database whose disk fills within some writes, and relieve, which makes room.
func fullSoon(t *testing.T) (url string, relieve func()) {
	t.Helper()
	disk, err := smallDisk(t)
	if err != nil {
		t.Logf("no small disk can be mounted here (%v): a trigger says what a database says of a full one", err)
		return saysFull(t)
	}
	server := servicetest.OwnPostgres(t, nil)
	admin := connect(t, server.URL("postgres"))
	folder := filepath.Join(disk, "space")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := giveTo(t, server, folder); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), `CREATE TABLESPACE small LOCATION '`+folder+`'`); err != nil {
		t.Logf("the small disk cannot be used (%v): a trigger says what a database says of a full one", err)
		return saysFull(t)
	}
	url = migrated(t, server)
	conn := connect(t, url)
	if _, err := conn.Exec(t.Context(), `ALTER TABLE outbox SET TABLESPACE small; ALTER TABLE memories SET TABLESPACE small`); err != nil {
		t.Fatal(err)
	}
	t.Log("a disk of 8 MB is mounted and fills")
	return url, func() {
		if _, err := conn.Exec(t.Context(), `ALTER TABLE outbox SET TABLESPACE pg_default; ALTER TABLE memories SET TABLESPACE pg_default`); err != nil {
			t.Fatal(err)
		}
	}
}

// smallDisk mounts one of 8 MB, which is gone after the test.
func smallDisk(t *testing.T) (string, error) {
	folder, err := os.MkdirTemp("", "rae-small-disk-")
	if err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=8m,mode=0755", "tmpfs", folder).CombinedOutput(); err != nil {
		_ = os.Remove(folder)
		return "", fmt.Errorf("mount: %w: %s", err, out)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if out, err := exec.CommandContext(ctx, "umount", "-l", folder).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
		_ = os.Remove(folder)
	})
	return folder, nil
}

// giveTo lets the user whom the server runs as own the folder.
func giveTo(t *testing.T, server *servicetest.PostgresServer, folder string) error {
	t.Helper()
	var data string
	if err := connect(t, server.URL("postgres")).QueryRow(t.Context(), `SHOW data_directory`).Scan(&data); err != nil {
		return err
	}
	out, err := exec.CommandContext(t.Context(), "chown", "--reference="+data, folder).CombinedOutput()
	if err != nil {
		return fmt.Errorf("chown: %w: %s", err, out)
	}
	return nil
}

// saysFull has the database say that its disk is full from the fifth write on.
func saysFull(t *testing.T) (url string, relieve func()) {
	t.Helper()
	url = fresh(t)
	conn := connect(t, url)
	_, err := conn.Exec(t.Context(), `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $f$
		BEGIN
			IF NEW.head > 5 THEN
				RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
			END IF;
			RETURN NEW;
		END $f$;
		CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON scopes FOR EACH ROW EXECUTE FUNCTION full_disk()`)
	if err != nil {
		t.Fatal(err)
	}
	return url, func() {
		if _, err := conn.Exec(t.Context(), `DROP TRIGGER full_disk ON scopes`); err != nil {
			t.Fatal(err)
		}
	}
}
