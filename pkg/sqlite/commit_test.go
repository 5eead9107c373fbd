package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/sqlite"
)

var acme = memory.Scope{Tenant: "acme", Project: "default"}

// queueBehind starts a write that stays in its transaction until all of the given writes wait behind it, so that they
// form groups. It returns when every one has ended; a write may end its goroutine.
func queueBehind(t *testing.T, db *sqlite.DB, writes ...func()) {
	t.Helper()
	entered := make(chan struct{})
	enter := sync.OnceFunc(func() { close(entered) }) // it may run again, with the group
	want := db.Stats().Writes + int64(len(writes)) + 1
	var running sync.WaitGroup
	running.Go(func() {
		err := db.WriteSQL(t.Context(), func(*sql.Tx) error {
			enter()
			for db.Stats().Writes < want && t.Context().Err() == nil {
				runtime.Gosched()
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-entered
	for _, write := range writes {
		running.Go(write)
	}
	running.Wait()
}

func put(t testing.TB, db *sqlite.DB, content string) error {
	return db.Write(t.Context(), acme, func(tx memory.Tx) error {
		_, _, err := tx.Put(t.Context(), memory.Memory{Content: content}, memory.Why{})
		return err
	})
}

// stored lists every content, sorted.
func stored(t *testing.T, db *sqlite.DB) []string {
	t.Helper()
	page, err := db.List(t.Context(), acme, memory.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var contents []string
	for _, m := range page.Memories {
		contents = append(contents, m.Content)
	}
	slices.Sort(contents)
	return contents
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestConcurrentWritesShareCommits(t *testing.T) {
	t.Parallel()
	db := open(t, sqlite.Options{})
	if err := db.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := db.Stats()
	var writes []func()
	var want []string
	for i := range 64 {
		content := fmt.Sprintf("%02d", i)
		want = append(want, content)
		writes = append(writes, func() {
			if err := put(t, db, content); err != nil {
				t.Error(err)
			}
		})
	}
	queueBehind(t, db, writes...)
	same(t, "stored", stored(t, db), want)
	if commits := db.Stats().Commits - before.Commits; commits > 32 {
		t.Errorf("64 concurrent writes took %d commits", commits)
	}
}

func TestOneMemberOfAGroupNeverHarmsItsNeighbours(t *testing.T) {
	t.Parallel()
	failure := errors.New("failed")
	for name, misbehave := range map[string]func(t *testing.T, tx *sql.Tx) error{
		"it fails":  func(*testing.T, *sql.Tx) error { return failure },
		"it panics": func(*testing.T, *sql.Tx) error { panic(failure) },
		"it leaves its goroutine": func(*testing.T, *sql.Tx) error {
			runtime.Goexit()
			return nil
		},
		"it breaks the transaction and says so": func(t *testing.T, tx *sql.Tx) error {
			if _, err := tx.ExecContext(t.Context(), "ROLLBACK"); err != nil {
				t.Error(err)
			}
			return failure
		},
		"it breaks the transaction and says nothing": func(t *testing.T, tx *sql.Tx) error {
			if _, err := tx.ExecContext(t.Context(), "ROLLBACK"); err != nil {
				t.Error(err)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t, sqlite.Options{})
			var writes []func()
			var want []string
			for i := range 20 {
				if i%5 == 2 {
					writes = append(writes, func() {
						defer func() { _ = recover() }()
						err := db.WriteSQL(t.Context(), func(tx *sql.Tx) error {
							_, err := tx.ExecContext(t.Context(), `INSERT INTO scopes VALUES ('acme', ?, 7, 0)`, fmt.Sprint("bad", i))
							if err != nil {
								return err
							}
							return misbehave(t, tx)
						})
						if err == nil {
							t.Error("the write that misbehaved succeeded")
						}
					})
					continue
				}
				content := fmt.Sprintf("%02d", i)
				want = append(want, content)
				writes = append(writes, func() {
					if err := put(t, db, content); err != nil {
						t.Error(err)
					}
				})
			}
			queueBehind(t, db, writes...)
			same(t, "stored", stored(t, db), want)
			for i := range 20 {
				head, err := db.Head(t.Context(), memory.Scope{Tenant: "acme", Project: fmt.Sprint("bad", i)})
				if err != nil || head != 0 {
					t.Errorf("of the write that misbehaved remains %d, %v", head, err)
				}
			}
			if err := put(t, db, "afterwards"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAWriterWhoseTimeIsUpLeavesTheQueue(t *testing.T) {
	t.Parallel()
	db := open(t, sqlite.Options{})
	entered, finish := make(chan struct{}), make(chan struct{})
	var holding sync.WaitGroup
	holding.Go(func() {
		err := db.WriteSQL(t.Context(), func(*sql.Tx) error {
			close(entered)
			<-finish
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := db.Write(ctx, acme, func(memory.Tx) error {
		t.Error("it ran all the same")
		return nil
	})
	if fault.KindOf(err) != fault.Timeout {
		t.Errorf("got %v, want a timeout", err)
	}
	close(finish)
	holding.Wait()
	if err := put(t, db, "afterwards"); err != nil {
		t.Error(err)
	}
}

func TestErrorsOfTheCallerComeBackUnchanged(t *testing.T) {
	t.Parallel()
	db := open(t, sqlite.Options{})
	failure := errors.New("the caller's own")
	err := db.Write(t.Context(), acme, func(memory.Tx) error { return failure })
	if err != failure { //nolint:errorlint // the very same error
		t.Errorf("got %v", err)
	}
}

func TestACommitThatAnnouncesSomethingWakesTheRelay(t *testing.T) {
	t.Parallel()
	woken := make(chan struct{}, 10)
	db := open(t, sqlite.Options{OnCommit: func() { woken <- struct{}{} }})
	if err := db.Write(t.Context(), acme, func(memory.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if len(woken) != 0 {
		t.Error("a write that told nothing woke the relay")
	}
	if err := put(t, db, "x"); err != nil {
		t.Fatal(err)
	}
	if len(woken) != 1 {
		t.Errorf("a write that announced a memory woke the relay %d times", len(woken))
	}
	records, err := db.Claim(t.Context(), 10, time.Minute)
	if err != nil || len(records) != 1 {
		t.Fatalf("claimed %d, %v", len(records), err)
	}
	if len(woken) != 1 {
		t.Error("the relay's own work woke it again")
	}
}

func TestWhoFailsOverAWriteOfItsOwnGroupFindsItWhenReading(t *testing.T) {
	t.Parallel()
	db := open(t, sqlite.Options{})
	lost := errors.New("somebody was first")
	var writes []func()
	for range 40 {
		writes = append(writes, func() {
			err := db.Write(t.Context(), acme, func(tx memory.Tx) error {
				_, outcome, err := tx.Put(t.Context(), memory.Memory{Content: "first"}, memory.Why{})
				if err == nil && outcome != memory.Created {
					return lost
				}
				return err
			})
			if err != nil && !errors.Is(err, lost) {
				t.Error(err)
			}
			if got := stored(t, db); len(got) != 1 {
				t.Errorf("answered %v, then read %q", err, got)
			}
		})
	}
	queueBehind(t, db, writes...)
}

// TestALeaderWhoseTimeIsUpAtOnceStillWrites is the machine that holds a leader up between beginning its transaction and
// looking at the clock: answered without a turn, it would believe its write done.
func TestALeaderWhoseTimeIsUpAtOnceStillWrites(t *testing.T) {
	t.Parallel()
	db := openIn(t, nil)
	db.GroupTime(1)
	var writers sync.WaitGroup
	var want []string
	for i := range 8 {
		content := fmt.Sprint("held up ", i)
		want = append(want, content)
		writers.Go(func() {
			if err := put(t, db, content); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if got := stored(t, db); !slices.Equal(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
}
