package postgres_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/search"
)

// Ten thousand tenants cost the one that searches nothing: they share the indexes there are, nobody runs out of locks,
// and a search goes the same ways over as many pages. Pages are counted; how long they take is the benchmark's to tell.
func TestTenThousandTenants(t *testing.T) {
	t.Parallel()
	const tenants, few, observed = 10_000, 50, 1000
	url := fresh(t)
	var locks string
	askDatabase(t, url, `SHOW max_locks_per_transaction`, &locks)
	db := openAt(t, url, postgres.Options{Connections: 8})
	l, scope := newLibrary(), sized(observed)
	l.fill(t, db, scope, observed, newCloud(20, 16))
	settleTenants(t, db, 0, few)
	analyze(t, url)
	questions := askedOften(l)
	indexed, before := indexes(t, url), plansOf(t, url, scope, questions)

	settleTenants(t, db, few, tenants)
	var there int
	askDatabase(t, url, `SELECT count(DISTINCT tenant) FROM memories`, &there)
	if there != tenants+1 {
		t.Fatalf("%d tenants", there)
	}
	analyze(t, url)
	if now := indexes(t, url); now != indexed {
		t.Errorf("%d indexes, %d before", now, indexed)
	}
	after := plansOf(t, url, scope, questions)
	if len(after) != len(before) {
		t.Fatalf("%d statements, %d before", len(after), len(before))
	}
	read, was := 0, 0
	for i, p := range after {
		read, was = read+p.pages, was+before[i].pages
		if p.paths != before[i].paths {
			t.Errorf("by %s, and before by %s:\n%s", p.paths, before[i].paths, p.query)
		}
	}
	t.Logf("%d statements read %d pages, %d before; max_locks_per_transaction is %s", len(after), read, was, locks)
	// Indexes grow a level, and a plan that fetches rows one by one counts the page of two neighbours twice. Reading a
	// tenant's rows for a few of them, or another tenant's for none, is five times as much and more.
	if read > was+was/2 {
		t.Errorf("%d pages are read, %d before", read, was)
	}
}

// settleTenants stores three memories of each tenant from one number up to another, by eight writers.
func settleTenants(t *testing.T, db *postgres.DB, from, to int) {
	t.Helper()
	next := atomic.Int64{}
	next.Store(int64(from))
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for n := next.Add(1); n <= int64(to); n = next.Add(1) {
				err := db.Write(t.Context(), memory.Scope{Tenant: fmt.Sprint("tenant", n), Project: "default"}, func(tx memory.Tx) error {
					var entries []memory.Entry
					for i := range 3 {
						m := memory.Memory{Content: fmt.Sprintf("w%dk is note %d of tenant %d.", (int(n)*7+i)%200, i, n), SessionID: "s"}
						entries = append(entries, memory.Entry{Memory: m, Vectors: []memory.Vector{{Model: model, Values: []float32{1, float32(n), float32(i)}}}})
					}
					return putAll(t.Context(), tx, entries)
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// askedOften are questions of a search.
func askedOften(l *library) []search.Query {
	vectors := newCloud(20, 16)
	questions := make([]search.Query, 8)
	for i := range questions {
		questions[i] = search.Query{Text: l.say(6), Vector: vectors.vector()}
		if i%2 == 1 {
			questions[i].Filter.Layers = memory.Layers()
		}
	}
	return questions
}

// plansOf returns how the questions are answered in the scope, once plans are kept that will be.
func plansOf(t *testing.T, url string, scope memory.Scope, questions []search.Query) []plan {
	t.Helper()
	db, told := explained(t, url)
	for range 3 {
		told.take(t)
		for _, q := range questions {
			q.Scope = scope
			askLegs(t, db, q)
		}
	}
	plans := told.take(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if len(plans) < 8*len(questions) {
		t.Fatalf("only %d statements were explained", len(plans))
	}
	return plans
}
