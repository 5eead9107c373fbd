// Package searchtest is the contract suite of what search stands on: search.Leg, search.Neighbourhood,
// search.Freshness and search.Reranker, over the store whose memories they find. An engine may lack parts; their
// clauses are then left out by name.
package searchtest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Engine is a store and the parts that search it. Lexical, Dense and Graph carry these names in lower case. A nil part
// is one the engine lacks; a nil Freshness says that the parts need no catching up.
type Engine struct {
	Store         memory.Store
	Lexical       search.Leg
	Dense         search.Leg // over the vectors of Model
	Graph         search.Leg
	Mentions      search.Mentions    // what Graph follows
	Names         knowledge.Register // who is one with whom, as Graph is told
	Neighbourhood search.Neighbourhood
	Freshness     search.Freshness
	Reranker      search.Reranker
}

// Open returns an engine over an empty store; everything in it tells the time by clock.
type Open func(t *testing.T, clock func() time.Time) Engine

// The space of the vectors that the suite writes: unit vectors, of which an engine may keep half floats.
const (
	Model      = "searchtest-32"
	Dimensions = 32
)

// clause is one thing an engine must do, in words.
type clause struct {
	name string
	run  func(*testing.T, *world)
}

// legClause is one thing every leg must do.
type legClause struct {
	name string
	run  func(*testing.T, *world, search.Leg)
}

// subject is a part of an engine and what is asked of it.
type subject struct {
	name    string
	has     func(*Engine) bool
	clauses []clause
}

// Run holds the engine named by on to the contract. Every clause gets an engine of its own.
func Run(t *testing.T, on string, open Open) {
	run := contract.Begin(t, "searchtest", on)
	has := open(t, time.Now)
	for _, s := range []subject{
		{"lexical", func(e *Engine) bool { return e.Lexical != nil },
			slices.Concat(everyLeg(func(e *Engine) search.Leg { return e.Lexical }), lexicalClauses())},
		{"dense", func(e *Engine) bool { return e.Dense != nil },
			slices.Concat(everyLeg(func(e *Engine) search.Leg { return e.Dense }), denseClauses())},
		{"graph", func(e *Engine) bool { return e.Graph != nil },
			slices.Concat(everyLeg(func(e *Engine) search.Leg { return e.Graph }), graphClauses())},
		{"neighbourhood", func(e *Engine) bool { return e.Neighbourhood != nil && e.Lexical != nil }, neighbourhoodClauses()},
		{"freshness", func(e *Engine) bool { return e.Freshness != nil }, freshnessClauses()},
		{"reranker", func(e *Engine) bool { return e.Reranker != nil }, rerankerClauses()},
	} {
		if !s.has(&has) {
			run.Without(s.name, len(s.clauses))
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range s.clauses {
				run.Clause(t, c.name, func(t *testing.T) {
					w := &world{now: start}
					w.Engine = open(t, w.clock)
					c.run(t, w)
				})
			}
		})
	}
}

// everyLeg asks of one leg what is asked of all.
func everyLeg(pick func(*Engine) search.Leg) []clause {
	var clauses []clause
	for _, c := range slices.Concat(legClauses(), viewClauses(), isolationClauses()) {
		clauses = append(clauses, clause{c.name, func(t *testing.T, w *world) { c.run(t, w, pick(&w.Engine)) }})
	}
	return clauses
}

var (
	start = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	acme  = memory.Scope{Tenant: "acme", Project: "default"}
	asker = memory.Why{Actor: "user:ann", Reason: "told me so"}
)

// world is one engine, with a clock that stands still until it is moved.
type world struct {
	Engine

	mu  sync.Mutex
	now time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// advance moves the clock and returns the new time.
func (w *world) advance(d time.Duration) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
	return w.now
}

// tester is what *testing.T and *rapid.T share.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Context() context.Context
}

func (w *world) write(t tester, scope memory.Scope, do func(memory.Tx) error) {
	t.Helper()
	if err := w.Store.Write(t.Context(), scope, do); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// put stores memories that must be new, with the vectors of their contents, a thousand to a transaction.
func (w *world) put(t tester, scope memory.Scope, memories ...memory.Memory) []memory.Memory {
	t.Helper()
	var all []memory.Memory
	for part := range slices.Chunk(memories, 1000) {
		var stored []memory.Memory
		w.write(t, scope, func(tx memory.Tx) error {
			stored = nil
			for _, m := range part {
				kept, outcome, err := tx.Put(t.Context(), m, asker, vectorOf(m.Content))
				if err != nil {
					return err
				}
				if outcome != memory.Created {
					t.Fatalf("put %q: %s, want created", m.Content, outcome)
				}
				stored = append(stored, kept)
			}
			return nil
		})
		all = append(all, stored...)
	}
	return all
}

// say stores contents in acme.
func (w *world) say(t tester, contents ...string) []memory.Memory {
	t.Helper()
	memories := make([]memory.Memory, len(contents))
	for i := range contents {
		memories[i] = memory.Memory{Content: contents[i]}
	}
	return w.put(t, acme, memories...)
}

// replace writes the next version of m with the vector of its content.
func (w *world) replace(t tester, m memory.Memory) (stored memory.Memory) {
	t.Helper()
	w.write(t, m.Scope(), func(tx memory.Tx) (err error) {
		stored, err = tx.Replace(t.Context(), m, asker, vectorOf(m.Content))
		return err
	})
	return stored
}

func (w *world) remove(t tester, m memory.Memory) {
	t.Helper()
	w.write(t, m.Scope(), func(tx memory.Tx) error { return tx.Delete(t.Context(), m.ID) })
}

// catchUp does what a search does before it asks a part.
func (w *world) catchUp(t tester, scope memory.Scope) memory.Seq {
	t.Helper()
	if w.Freshness == nil {
		return 0
	}
	seq, err := w.Freshness.CatchUp(t.Context(), scope)
	if err != nil {
		t.Fatalf("catch up: %v", err)
	}
	return seq
}

// retrieve asks a leg as search does. The scope defaults to acme, the vector to that of the text.
func (w *world) retrieve(t tester, leg search.Leg, q search.Query, depth int) []search.Hit {
	t.Helper()
	q = ready(q)
	w.catchUp(t, q.Scope)
	hits, err := leg.Retrieve(t.Context(), q, depth)
	if err != nil {
		t.Fatalf("%s: %v", leg.Name(), err)
	}
	return hits
}

func ready(q search.Query) search.Query {
	if q.Scope == (memory.Scope{}) {
		q.Scope = acme
	}
	if q.Vector == nil {
		q.Vector = vectorOf(q.Text).Values
	}
	return q
}

// ids asks a leg for everything and returns the ids, sorted.
func (w *world) ids(t tester, leg search.Leg, q search.Query) []memory.ID {
	t.Helper()
	hits := w.retrieve(t, leg, q, 10_000)
	list := idsOf(hits)
	slices.Sort(list)
	return list
}

func idsOf(hits []search.Hit) []memory.ID {
	list := make([]memory.ID, len(hits))
	for i := range hits {
		list[i] = hits[i].ID
	}
	return list
}

func idsOfMemories(memories ...memory.Memory) []memory.ID {
	list := make([]memory.ID, len(memories))
	for i := range memories {
		list[i] = memories[i].ID
	}
	slices.Sort(list)
	return list
}

// found asks a leg and returns the contents that the store shows in the same view, best first.
func (w *world) found(t tester, leg search.Leg, q search.Query) []string {
	t.Helper()
	hits := w.retrieve(t, leg, q, 100)
	memories, err := w.Store.Find(t.Context(), ready(q).Scope, idsOf(hits), q.View)
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	if len(memories) != len(hits) {
		t.Fatalf("%s found %d memories of which the store shows %d", leg.Name(), len(hits), len(memories))
	}
	contents := make([]string, len(memories))
	for i := range memories {
		contents[i] = memories[i].Content
	}
	return contents
}

// same compares lists; an empty one is as good as none.
func same[T cmp.Ordered](t tester, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// common is a memory every leg finds by the question "common".
func common(content string) memory.Memory {
	return memory.Memory{Content: "common " + content, Entities: []memory.Entity{{Name: "Common"}}}
}

func at(t time.Time) *time.Time { return &t }
