package qdrant_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/qdrant"
	"github.com/rae-memory/rae/pkg/qdrant/qdranttest"
	"github.com/rae-memory/rae/pkg/search"
)

// real is the address of a real Qdrant to run the tests against that need no faults; "" where there is none.
func real() string { return os.Getenv("RAE_TEST_QDRANT_URL") }

// TestWhichQdrant says what the tests of this package prove.
func TestWhichQdrant(t *testing.T) {
	if url := real(); url != "" {
		t.Run("tests of right answers ran against a real Qdrant; those of faults against the in-process server", func(t *testing.T) {
			t.Logf("RAE_TEST_QDRANT_URL=%s", url)
			w := newWorld(t)
			if err := w.index.Ping(t.Context()); err != nil {
				t.Fatalf("it does not answer: %v", err)
			}
		})
		return
	}
	t.Run("every test ran against the in-process server of package qdranttest, none against a real Qdrant", func(t *testing.T) {
		t.Log("set RAE_TEST_QDRANT_URL=grpc://host:6334 to run those of right answers against a real one")
	})
}

var (
	here  = memory.Scope{Tenant: "acme", Project: "default"}
	start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
)

// world is a store, an index in Qdrant that is kept up with it, and the leg over both.
type world struct {
	t      testing.TB
	server *qdranttest.Server // nil: a real one
	url    string
	db     *inmem.DB
	set    *index.Set
	model  *embed.Hash

	options   qdrant.Options
	index     *qdrant.Index
	projector *qdrant.Projector
	leg       *qdrant.Dense

	mu      sync.Mutex
	now     time.Time
	dropped map[string]int
}

// newWorld is a world against whichever Qdrant there is.
func newWorld(t testing.TB) *world {
	if url := real(); url != "" {
		return openWorld(t, nil, url)
	}
	return newFaultyWorld(t)
}

// newFaultyWorld is a world whose Qdrant can misbehave: the in-process one.
func newFaultyWorld(t testing.TB) *world {
	server := qdranttest.New(t)
	return openWorld(t, server, server.URL())
}

func openWorld(t testing.TB, server *qdranttest.Server, url string) *world {
	t.Helper()
	w := &world{t: t, server: server, url: url, model: new(embed.Hash), now: start, dropped: map[string]int{}}
	w.db = inmem.New(inmem.Options{Clock: w.clock})
	w.set = index.NewSet(w.db, w.model.Model())
	w.set.Clock = w.clock
	w.options = qdrant.Options{
		URL: url, Model: w.model.Model(), Dimensions: w.model.Dimensions(), Prefix: "test-" + uuid.NewString()[:8],
		Timeout: 2 * time.Second, RetryAfter: 20 * time.Millisecond, Dropped: w.drop,
	}
	w.index, w.projector, w.leg = w.process(w.options)
	if server == nil {
		t.Cleanup(func() { w.dropCollections() })
	}
	return w
}

// process is what another process of the same deployment would hold.
func (w *world) process(o qdrant.Options) (*qdrant.Index, *qdrant.Projector, *qdrant.Dense) {
	w.t.Helper()
	x, err := qdrant.Open(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = x.Close() })
	p := &qdrant.Projector{Index: x, Feed: w.db, Marks: w.db, Model: w.model.Model(), Scopes: w.db, Memories: w.db, Clock: w.clock}
	d := &qdrant.Dense{Index: x, Feed: w.db, Marks: w.db, Model: w.model.Model(), Fallback: index.Dense{Set: w.set}, Places: w.set, Clock: w.clock}
	return x, p, d
}

// dropCollections erases what a real Qdrant was given.
func (w *world) dropCollections() {
	for _, tenant := range []string{"acme", "other"} {
		if _, err := w.index.EraseTenant(context.Background(), tenant); err != nil {
			w.t.Errorf("clean up: %v", err)
		}
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) drop(reason string, rows int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropped[reason] += rows
}

func (w *world) drops() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.dropped
	w.dropped = map[string]int{}
	return was
}

func (w *world) vector(content string) []float32 {
	w.t.Helper()
	vectors, err := w.model.EmbedDocuments(context.Background(), []string{content})
	if err != nil {
		w.t.Fatal(err)
	}
	return vectors[0]
}

func (w *world) write(scope memory.Scope, do func(tx memory.Tx) error) {
	w.t.Helper()
	if err := w.db.Write(context.Background(), scope, do); err != nil {
		w.t.Fatal(err)
	}
}

// put stores a memory with its vector.
func (w *world) put(scope memory.Scope, m memory.Memory) memory.Memory {
	w.t.Helper()
	w.write(scope, func(tx memory.Tx) (err error) {
		m, _, err = tx.Put(context.Background(), m, memory.Why{}, memory.Vector{Model: w.model.Model(), Values: w.vector(m.Content)})
		return err
	})
	return m
}

// say stores contents in scope here.
func (w *world) say(contents ...string) (all []memory.Memory) {
	w.t.Helper()
	for _, c := range contents {
		all = append(all, w.put(here, memory.Memory{Content: c}))
	}
	return all
}

// rewrite gives a memory other content, with its vector.
func (w *world) rewrite(m memory.Memory, content string) memory.Memory {
	w.t.Helper()
	m.Content = content
	w.write(m.Scope(), func(tx memory.Tx) (err error) {
		m, err = tx.Replace(context.Background(), m, memory.Why{}, memory.Vector{Model: w.model.Model(), Values: w.vector(content)})
		return err
	})
	return m
}

func (w *world) remove(m memory.Memory) {
	w.t.Helper()
	w.write(m.Scope(), func(tx memory.Tx) error { return tx.Delete(context.Background(), m.ID) })
}

// project brings Qdrant up to the head of the scopes.
func (w *world) project(scopes ...memory.Scope) {
	w.t.Helper()
	for _, scope := range append(scopes, here) {
		if _, err := w.projector.CatchUp(context.Background(), scope); err != nil {
			w.t.Fatalf("catch up %s: %v", scope, err)
		}
	}
}

func (w *world) query(text string) search.Query {
	w.t.Helper()
	v, err := w.model.EmbedQuery(context.Background(), text)
	if err != nil {
		w.t.Fatal(err)
	}
	return search.Query{Scope: here, Text: text, Vector: v}
}

const depth = 50

// retrieve asks the leg. Degraded tells whether it had to do without Qdrant.
func (w *world) retrieve(leg *qdrant.Dense, q search.Query) (hits []search.Hit, degraded bool) {
	w.t.Helper()
	if _, err := w.set.CatchUp(context.Background(), q.Scope); err != nil { // as a search does before it asks its legs
		w.t.Fatal(err)
	}
	hits, err := leg.Retrieve(context.Background(), q, depth)
	var without *search.Degraded
	if errors.As(err, &without) {
		if without.Stage != "qdrant" {
			w.t.Errorf("did without %q", without.Stage)
		}
		return hits, true
	}
	if err != nil {
		w.t.Fatalf("retrieve: %v", err)
	}
	return hits, false
}

// right fails unless the leg answers as the exact scan in this process does, and as degraded as wanted.
func (w *world) right(q search.Query, degraded bool) {
	w.t.Helper()
	w.rightBy(w.leg, q, degraded)
}

func (w *world) rightBy(leg *qdrant.Dense, q search.Query, degraded bool) {
	w.t.Helper()
	got, was := w.retrieve(leg, q)
	w.same(got, q)
	if was != degraded {
		w.t.Errorf("degraded %v, want %v", was, degraded)
	}
}

// same compares with the exact scan: the same memories at the same places with the same scores, as far as a float tells.
func (w *world) same(got []search.Hit, q search.Query) {
	w.t.Helper()
	want, err := index.Dense{Set: w.set}.Retrieve(context.Background(), q, depth)
	if err != nil {
		w.t.Fatal(err)
	}
	places := map[memory.ID]search.Hit{}
	for _, hit := range want {
		places[hit.ID] = hit
	}
	if len(got) != len(want) {
		w.t.Errorf("%d hits %s\nwant %d %s", len(got), w.contents(q.Scope, got), len(want), w.contents(q.Scope, want))
		return
	}
	for i, hit := range got {
		twin, found := places[hit.ID]
		delete(places, hit.ID)
		cut := len(want) == depth && abs(hit.Score-want[depth-1].Score) <= 1e-5
		if !found && cut {
			continue // of equals at the end of the list, either may be left out
		}
		if !found || hit.Place != twin.Place || abs(hit.Score-twin.Score) > 1e-5 || abs(hit.Score-want[i].Score) > 1e-5 {
			w.t.Errorf("hit %d is %+v, want %+v (found by the scan: %v)", i, hit, twin, found)
		}
	}
}

func abs(x float64) float64 { return max(x, -x) }

func (w *world) contents(scope memory.Scope, hits []search.Hit) string {
	var all []string
	for _, hit := range hits {
		m, err := w.db.Find(context.Background(), scope, []memory.ID{hit.ID}, memory.View{})
		if err != nil || len(m) == 0 {
			all = append(all, "(gone)")
			continue
		}
		all = append(all, m[0].Content)
	}
	return strings.Join(all, "; ")
}
