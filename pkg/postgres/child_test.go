package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
)

// childEnv names the database a child process writes to; tests start this test binary again with it set.
const childEnv = "RAE_POSTGRES_TEST_CHILD"

// TestChildWrites is the child: sixteen goroutines that write to three scopes until they are killed, and print what was
// acknowledged, when it was. A database that is away is asked again. In the parent it has nothing to do.
func TestChildWrites(t *testing.T) {
	url := os.Getenv(childEnv)
	if url == "" {
		return
	}
	db := openAt(t, url, postgres.Options{})
	var out sync.Mutex
	say := func(word string, id memory.ID) {
		out.Lock()
		defer out.Unlock()
		fmt.Fprintln(os.Stdout, "ack", word, id) // one write of the system: a line is whole or absent
	}
	var writers sync.WaitGroup
	for n := range 16 {
		writers.Go(func() {
			for i := 0; t.Context().Err() == nil; i++ {
				if err := childWrite(t.Context(), db, n, i, say); err != nil {
					<-time.After(10 * time.Millisecond)
				}
			}
		})
	}
	writers.Wait()
}

// childWrite stores one memory with a vector; every third is changed, and every fifth deleted, in a write of its own.
func childWrite(ctx context.Context, db *postgres.DB, n, i int, say func(string, memory.ID)) error {
	scope := memory.Scope{Tenant: "acme", Project: fmt.Sprint("p", n%3)}
	var m memory.Memory
	err := db.Write(ctx, scope, func(tx memory.Tx) (err error) {
		m, _, err = tx.Put(ctx, memory.Memory{Content: fmt.Sprintf("%d/%d/%d", os.Getpid(), n, i), Tags: []string{"t"}},
			memory.Why{Actor: "child"}, memory.Vector{Model: "m", Values: []float32{1, 2, 3}})
		return err
	})
	if err != nil {
		return err
	}
	say("put", m.ID)
	if i%3 == 0 {
		err := db.Write(ctx, scope, func(tx memory.Tx) error {
			next := m
			next.Content += " changed"
			_, err := tx.Replace(ctx, next, memory.Why{Actor: "child"}, memory.Vector{Model: "m", Values: []float32{1, 2, 4}})
			return err
		})
		if err != nil {
			return err
		}
		say("changed", m.ID)
	}
	if i%5 == 0 {
		say("going", m.ID) // from here on either is right
		if err := db.Write(ctx, scope, func(tx memory.Tx) error { return tx.Delete(ctx, m.ID) }); err != nil {
			return err
		}
		say("gone", m.ID)
	}
	return nil
}

// child is a process that writes, and what is heard of it.
type child struct {
	process *exec.Cmd
	words   chan struct{} // holds one token when something was acknowledged since it was last taken
	heard   chan struct{} // closed when all it said has been read
}

// startChild starts a child. What it acknowledges last of each memory is in acknowledged once it has been killed.
func startChild(t *testing.T, url string, acknowledged map[memory.ID]string) *child {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{
		process: exec.CommandContext(t.Context(), executable, "-test.run=^TestChildWrites$", "-test.timeout=300s"),
		words:   make(chan struct{}, 1), heard: make(chan struct{}),
	}
	c.process.Env = append(os.Environ(), childEnv+"="+url)
	c.process.Stderr = os.Stderr
	output, err := c.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.process.Start(); err != nil {
		t.Fatal(err)
	}
	go c.listen(output, acknowledged)
	return c
}

func (c *child) listen(output io.Reader, acknowledged map[memory.ID]string) {
	defer close(c.heard)
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) != 3 || words[0] != "ack" || len(words[2]) != 36 {
			continue
		}
		acknowledged[memory.ID(words[2])] = words[1]
		select {
		case c.words <- struct{}{}:
		default:
		}
	}
}

// awaitWord waits until the child has acknowledged something that it had not when this was last asked.
func (c *child) awaitWord(t *testing.T) {
	t.Helper()
	select { // one may be left from before
	case <-c.words:
	default:
	}
	select {
	case <-c.words:
	case <-c.heard:
		t.Fatal("the child ended by itself")
	case <-time.After(30 * time.Second):
		t.Fatal("the child acknowledges nothing for 30 s")
	}
}

// kill ends the child where it is, and reads what it had said.
func (c *child) kill(t *testing.T) {
	t.Helper()
	_ = c.process.Process.Kill()
	<-c.heard
	if err := c.process.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
}
