package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/postgres"
)

// put stores one memory with a vector, and says so in a record of its own.
func put(ctx context.Context, db *postgres.DB, scope memory.Scope, content string) (m memory.Memory, err error) {
	err = db.Write(ctx, scope, func(tx memory.Tx) (err error) {
		m, _, err = tx.Put(ctx, memory.Memory{Content: content}, memory.Why{Actor: "test"}, memory.Vector{Model: "m", Values: []float32{1, 2}})
		if err != nil {
			return err
		}
		return tx.Emit(ctx, outbox.Record{Type: outbox.JobDue, Data: []byte(content)})
	})
	return m, err
}

// effects counts what puts of the content have left behind.
func effects(t *testing.T, url, content string) (memories, records int) {
	t.Helper()
	err := connect(t, url).QueryRow(t.Context(), `SELECT (SELECT count(*) FROM memories WHERE content = $1),
		(SELECT count(*) FROM outbox WHERE type = 'job.due' AND data = $2)`, content, []byte(content)).Scan(&memories, &records)
	if err != nil {
		t.Fatal(err)
	}
	return memories, records
}

func wantEffects(t *testing.T, url, content string, want int) {
	t.Helper()
	if memories, records := effects(t, url, content); memories != want || records != want {
		t.Errorf("%q has left %d memories and %d records, want %d of each", content, memories, records, want)
	}
}

// refuse has the database raise the error for the first so many attempts to insert the content, and returns how many
// were refused so far. The sequence counts beyond what is rolled back.
func refuse(t *testing.T, url, code, content string, times int) (refused func() int) {
	t.Helper()
	conn := connect(t, url)
	_, err := conn.Exec(t.Context(), fmt.Sprintf(`CREATE SEQUENCE attempts; GRANT USAGE ON SEQUENCE attempts TO PUBLIC;
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $f$
		BEGIN
			IF NEW.content = '%s' AND nextval('attempts') <= %d THEN
				RAISE EXCEPTION 'refused by the test' USING ERRCODE = '%s';
			END IF;
			RETURN NEW;
		END $f$;
		CREATE TRIGGER refuse BEFORE INSERT ON memories FOR EACH ROW EXECUTE FUNCTION refuse()`, content, times, code))
	if err != nil {
		t.Fatal(err)
	}
	return func() (n int) {
		err := conn.QueryRow(t.Context(), `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM attempts`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

// wantAway fails unless the error tells the caller to come again: it is answered with 503 and Retry-After.
func wantAway(t *testing.T, what string, err error) {
	t.Helper()
	if problem := away(err); problem != "" {
		t.Errorf("%s: %v: %s", what, err, problem)
	}
}

// away says what the error is instead of Unavailable with a time to come again.
func away(err error) string {
	switch {
	case fault.KindOf(err) != fault.Unavailable:
		return "not Unavailable, but " + fault.KindOf(err).String()
	case fault.RetryAfterOf(err) < time.Second:
		return "it does not say when to come again"
	}
	return ""
}

func TestALostRaceIsRunAgain(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"40001", "40P01"} { // serialization_failure, deadlock_detected
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			url := fresh(t)
			db := openAt(t, url, postgres.Options{})
			refused := refuse(t, url, code, "unlucky", 3)
			if _, err := put(t.Context(), db, acme, "unlucky"); err != nil {
				t.Errorf("after 3 lost races: %v", err)
			}
			if n := refused(); n != 4 {
				t.Errorf("it was run %d times, want 4", n)
			}
			wantEffects(t, url, "unlucky", 1)
		})
		t.Run(code+" without end", func(t *testing.T) {
			t.Parallel()
			url := fresh(t)
			db := openAt(t, url, postgres.Options{})
			refused := refuse(t, url, code, "doomed", 1000)
			_, err := put(t.Context(), db, acme, "doomed")
			wantAway(t, "a write that loses every race", err)
			if n := refused(); n != 4 {
				t.Errorf("it was run %d times, want 4", n)
			}
			wantEffects(t, url, "doomed", 0)
			if _, err := put(t.Context(), db, acme, "another"); err != nil {
				t.Errorf("the next write: %v", err)
			}
			checkWhole(t, url)
		})
	}
}

// crowd has writers queue behind one that has its turn, and returns how each fared once all are through.
func crowd(t *testing.T, db *postgres.DB, contents []string) []error {
	t.Helper()
	errs := make([]error, len(contents))
	held, release := hold(t, db, acme)
	<-held
	var writers sync.WaitGroup
	for i, content := range contents {
		writers.Go(func() { _, errs[i] = put(t.Context(), db, acme, content) })
	}
	for db.Waiting(acme) < len(contents) {
		<-time.After(time.Millisecond)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	writers.Wait()
	return errs
}

// hold takes a turn in the scope, and with it a connection, until it is released.
func hold(t *testing.T, db *postgres.DB, scope memory.Scope) (held <-chan struct{}, release func() error) {
	t.Helper()
	begun, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		done <- db.Write(t.Context(), scope, func(tx memory.Tx) error {
			_, err := tx.Get(t.Context(), memory.NewID()) // the locks are taken
			once.Do(func() { close(begun) })
			<-goOn
			if fault.KindOf(err) == fault.NotFound {
				return nil
			}
			return err
		})
	}()
	release = sync.OnceValue(func() error {
		close(goOn)
		return <-done
	})
	t.Cleanup(func() { _ = release() })
	return begun, release
}

func TestAPoisonousWriteFailsAlone(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	var commits atomic.Int64
	db := openAt(t, url, postgres.Options{OnCommit: func() { commits.Add(1) }})
	refuse(t, url, "P0001", "content 7", 1000)
	var contents []string
	for i := range 16 {
		contents = append(contents, fmt.Sprint("content ", i))
	}
	for i, err := range crowd(t, db, contents) {
		switch {
		case i == 7 && fault.KindOf(err) != fault.Internal:
			t.Errorf("the poisonous write: %v", err)
		case i != 7 && err != nil:
			t.Errorf("its neighbour %d: %v", i, err)
		}
	}
	for i, content := range contents {
		wantEffects(t, url, content, map[bool]int{true: 0, false: 1}[i == 7])
	}
	if n := commits.Load(); n >= 15 {
		t.Errorf("15 writes took %d commits: they were no neighbours", n)
	}
	checkWhole(t, url)
}
