package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/sqlite"
)

// childEnv names the file a child process writes to; the tests below start this test binary again with it set.
const childEnv = "RAE_SQLITE_TEST_CHILD"

// TestChildWrites is the child: sixteen goroutines that write until they are killed, or each twenty times, and print
// what was acknowledged, when it was. In the parent it has nothing to do.
func TestChildWrites(t *testing.T) {
	path, rounds, ok := strings.Cut(os.Getenv(childEnv), "|")
	if !ok {
		return
	}
	limit := 20
	if rounds == "forever" {
		limit = 1 << 30
	}
	db := openAt(t, path, sqlite.Options{})
	var out sync.Mutex
	say := func(word string, id memory.ID) {
		out.Lock()
		defer out.Unlock()
		fmt.Fprintln(os.Stdout, "ack", word, id) // one write of the system: a line is whole or absent
	}
	var writers sync.WaitGroup
	for n := range 16 {
		writers.Go(func() {
			for i := range limit {
				if err := childWrite(t.Context(), db, n, i, say); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
}

// childWrite stores one memory with a vector; every third is changed, and every fifth deleted, in a write of its own.
func childWrite(ctx context.Context, db *sqlite.DB, n, i int, say func(string, memory.ID)) error {
	var m memory.Memory
	err := db.Write(ctx, acme, func(tx memory.Tx) (err error) {
		m, _, err = tx.Put(ctx, memory.Memory{Content: fmt.Sprintf("%d/%d/%d", os.Getpid(), n, i), Tags: []string{"t"}},
			memory.Why{Actor: "child"}, memory.Vector{Model: "m", Values: []float32{1, 2, 3}})
		return err
	})
	if err != nil {
		return err
	}
	say("put", m.ID)
	if i%3 == 0 {
		err := db.Write(ctx, acme, func(tx memory.Tx) error {
			next := m
			next.Content += " changed"
			_, err := tx.Replace(ctx, next, memory.Why{Actor: "child"})
			return err
		})
		if err != nil {
			return err
		}
		say("changed", m.ID)
	}
	if i%5 == 0 {
		say("going", m.ID) // from here on either is right
		if err := db.Write(ctx, acme, func(tx memory.Tx) error { return tx.Delete(ctx, m.ID) }); err != nil {
			return err
		}
		say("gone", m.ID)
	}
	return nil
}

// startChild starts the child on the file; its standard output is a pipe that ends with it.
func startChild(t *testing.T, path, rounds string) (*exec.Cmd, io.Reader) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), executable, "-test.run=^TestChildWrites$", "-test.timeout=60s")
	child.Env = append(os.Environ(), childEnv+"="+path+"|"+rounds)
	child.Stderr = os.Stderr
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	return child, output
}

// collect reads what a child acknowledged last of each memory.
func collect(output io.Reader, acknowledged map[memory.ID]string) error {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 3 && words[0] == "ack" && len(words[2]) == 36 {
			acknowledged[memory.ID(words[2])] = words[1]
		}
	}
	return lines.Err()
}

func TestNoAcknowledgedWriteIsLostWhenTheProcessIsKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rae.db")
	total := 0
	for round := range 20 {
		child, output := startChild(t, path, "forever")
		killer := time.AfterFunc(time.Duration(100+rand.IntN(250))*time.Millisecond, func() { _ = child.Process.Kill() })
		acknowledged := make(map[memory.ID]string)
		if err := collect(output, acknowledged); err != nil {
			t.Fatal(err)
		}
		killer.Stop()
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		total += len(acknowledged)
		checkAcknowledged(t, path, acknowledged)
		if round%5 == 4 {
			checkWhole(t, path)
		}
		if t.Failed() {
			t.Fatalf("after round %d", round)
		}
	}
	if total < 100 {
		t.Errorf("only %d writes were acknowledged in all: the test proves little", total)
	}
}

// checkAcknowledged fails unless the file holds what was acknowledged.
func checkAcknowledged(t *testing.T, path string, acknowledged map[memory.ID]string) {
	t.Helper()
	db := sqlite.Open(path, sqlite.Options{})
	defer db.Close()
	var ids []memory.ID
	for id := range acknowledged {
		ids = append(ids, id)
	}
	found, err := db.Find(t.Context(), acme, ids, memory.View{})
	if err != nil {
		t.Fatal(err)
	}
	versions := make(map[memory.ID]int)
	for _, m := range found {
		versions[m.ID] = m.Version
	}
	for id, last := range acknowledged {
		version, there := versions[id]
		switch {
		case last == "put" && !there, last == "changed" && version != 2:
			t.Errorf("memory %s was acknowledged as %s, and has version %d", id, last, version)
		case last == "gone" && there:
			t.Errorf("memory %s was acknowledged as deleted, and is there", id)
		}
	}
}

// checkWhole fails when SQLite finds the file damaged, or when anything is there by half.
func checkWhole(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity: %s, %v", verdict, err)
	}
	for what, query := range map[string]string{
		"memories whose past is not complete": `SELECT count(*) FROM memories m WHERE m.version - 1 <> (SELECT count(*)
			FROM memory_versions v WHERE v.tenant = m.tenant AND v.project = m.project AND v.memory_id = m.id)`,
		"versions without their memory": `SELECT count(*) FROM memory_versions v WHERE NOT EXISTS (SELECT 1 FROM memories m
			WHERE m.tenant = v.tenant AND m.project = v.project AND m.id = v.memory_id)`,
		"memories without the events of all their versions": `SELECT count(*) FROM memories m WHERE m.version <> (SELECT count(*)
			FROM outbox o WHERE o.tenant = m.tenant AND o.project = m.project AND o.subject = m.id)`,
		"ready memories without a vector": `SELECT count(*) FROM memories m WHERE (m.embedding = 'ready') <> EXISTS (SELECT 1
			FROM memory_vectors v WHERE v.tenant = m.tenant AND v.project = m.project AND v.memory_id = m.id)`,
		"memories without their tag": `SELECT count(*) FROM memories m WHERE NOT EXISTS (SELECT 1 FROM memory_tags t
			WHERE t.tenant = m.tenant AND t.project = m.project AND t.tag = 't' AND t.memory_id = m.id)`,
		"vectors of nobody": `SELECT count(*) FROM memory_vectors v WHERE NOT EXISTS (SELECT 1 FROM memories m
			WHERE m.tenant = v.tenant AND m.project = v.project AND m.id = v.memory_id)`,
		"deletions without news": `SELECT count(*) FROM outbox o WHERE o.type = 'memory.deleted' AND NOT EXISTS (SELECT 1
			FROM tombstones t WHERE t.tenant = o.tenant AND t.project = o.project AND t.memory_id = o.subject)`,
		"feeds that do not end at their head": `SELECT count(*) FROM scopes s WHERE s.head <> (SELECT max(seq) FROM
			(SELECT tenant, project, seq FROM memories UNION ALL SELECT tenant, project, seq FROM memory_versions
			UNION ALL SELECT tenant, project, seq FROM tombstones) c WHERE c.tenant = s.tenant AND c.project = s.project)`,
	} {
		var count int
		if err := db.QueryRowContext(t.Context(), query).Scan(&count); err != nil || count != 0 {
			t.Errorf("%s: %d, %v", what, count, err)
		}
	}
}

func TestTwoProcessesShareANewFile(t *testing.T) {
	t.Parallel()
	for range 3 {
		path := filepath.Join(t.TempDir(), "rae.db")
		acknowledged := make(map[memory.ID]string)
		var mu sync.Mutex
		var running sync.WaitGroup
		for range 2 { // both open the file, and make its tables, at once
			child, output := startChild(t, path, "twenty")
			running.Go(func() {
				mine := make(map[memory.ID]string)
				if err := collect(output, mine); err != nil {
					t.Error(err)
				}
				if err := child.Wait(); err != nil {
					t.Errorf("a child failed: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				for id, last := range mine {
					acknowledged[id] = last
				}
			})
		}
		running.Wait()
		if len(acknowledged) != 2*16*20 {
			t.Errorf("%d memories were acknowledged", len(acknowledged))
		}
		checkAcknowledged(t, path, acknowledged)
		checkWhole(t, path)
	}
}

func TestAProcessThatWritesWithoutPauseLetsAnotherWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rae.db")
	child, output := startChild(t, path, "forever")
	if first, err := bufio.NewReader(output).ReadString('\n'); err != nil || !strings.HasPrefix(first, "ack ") {
		t.Fatalf("the child said %q, %v", first, err)
	}
	go func() { _, _ = io.Copy(io.Discard, output) }() // ends with the child
	db := openAt(t, path, sqlite.Options{})
	for i := range 20 {
		if err := put(t, db, fmt.Sprint("between ", i)); err != nil {
			t.Errorf("write %d: %v", i, err)
		}
	}
	_ = child.Process.Kill()
	if err := child.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
}
