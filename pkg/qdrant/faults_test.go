package qdrant_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	api "github.com/qdrant/go-client/qdrant"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/qdrant/qdranttest"
	"github.com/rae-memory/rae/pkg/search"
)

// kites are enough memories that a query finds more than depth, in several scopes.
func (w *world) kites() {
	w.t.Helper()
	for _, scope := range []memory.Scope{here, {Tenant: "acme", Project: "other"}, {Tenant: "other", Project: "default"}} {
		for i := range depth + 20 {
			w.put(scope, memory.Memory{Content: fmt.Sprint("red kite ", scope, " number ", i)})
		}
		w.project(scope)
	}
}

func TestWhateverQdrantDoesTheAnswerIsRight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		faults   qdranttest.Faults
		degraded bool
		dropped  string // why rows were not taken; "" = none were
	}{
		{"it behaves", qdranttest.Faults{}, false, ""},
		{"it is away", qdranttest.Faults{Unavailable: true}, true, ""},
		{"it hangs", qdranttest.Faults{Hang: true}, true, ""},
		{"rows come in no order", qdranttest.Faults{Reorder: true}, false, ""},
		{"ten times the rows asked for", qdranttest.Faults{Rows: 10}, false, "surplus"},
		{"ten times the rows, twice each, in no order", qdranttest.Faults{Rows: 10, Duplicates: true, Reorder: true}, false, "duplicate"},
		{"every row twice, so that half are missing", qdranttest.Faults{Duplicates: true}, true, "duplicate"},
		{"a score that is no number", qdranttest.Faults{NaN: true}, true, "nan"},
		{"rows of other tenants and projects", qdranttest.Faults{Foreign: true}, true, "foreign"},
		{"rows that say nothing", qdranttest.Faults{Ghosts: []*api.PointStruct{{}}}, true, "foreign"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newFaultyWorld(t)
			w.kites()
			if c.faults.Hang {
				w.options.Timeout = 50 * time.Millisecond
				w.index, w.projector, w.leg = w.process(w.options)
			}
			w.drops()
			w.server.Break(c.faults)
			w.right(w.query("red kite number 7"), c.degraded)
			w.say("one more red kite number 7") // what Qdrant does not have comes from the feed all the same
			w.right(w.query("red kite number 7"), c.degraded)
			w.server.Break(qdranttest.Faults{})
			w.right(w.query("red kite number 7"), false)
			if dropped := w.drops(); c.dropped == "" && len(dropped) > 0 || c.dropped != "" && dropped[c.dropped] == 0 {
				t.Errorf("dropped %v, want %q", dropped, c.dropped)
			}
		})
	}
}

// TestGhostsNeverReachAnAnswer holds the whole search to it: the leg may offer what Qdrant has not forgotten, the answer
// never does.
func TestGhostsNeverReachAnAnswer(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	all := w.say("the red kite flew", "a red kite broke", "the red boiler flew")
	w.project()
	w.server.Break(qdranttest.Faults{LoseDeletes: true})
	w.remove(all[0])
	w.project()
	w.server.Break(qdranttest.Faults{})
	service := &search.Service{
		Legs: []search.Leg{w.leg}, Weights: search.Weights{"dense": 1}, Memories: w.db, Freshness: w.set, Embedder: w.model, Cache: search.NewCache(8),
	}
	hits, _ := w.retrieve(w.leg, w.query("the red kite flew"))
	if len(hits) != 3 || hits[0].ID != all[0].ID {
		t.Fatalf("the fault did not take: %v", hits)
	}
	request := search.Request{Scope: here, Query: "the red kite flew", Limit: 3, Mode: search.Dense}
	answer, err := service.Search(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Results) != 2 || answer.Results[0].Memory.ID != all[2].ID || len(answer.Degraded) > 0 {
		t.Errorf("found %d, first %q, degraded %v", len(answer.Results), answer.Results[0].Memory.Content, answer.Degraded)
	}
	w.server.Break(qdranttest.Faults{Unavailable: true})
	request.Limit = 2
	for range 2 { // the second could come from the cache
		answer, err = service.Search(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if len(answer.Results) != 2 || !reflect.DeepEqual(answer.Degraded, []string{"qdrant"}) || answer.Cached {
			t.Errorf("while it is away: found %d, degraded %v, cached %v", len(answer.Results), answer.Degraded, answer.Cached)
		}
	}
}

func TestWhatIsOnlyAcknowledgedIsNotTakenForDone(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	w.say("the red kite flew")
	w.project()
	w.server.Break(qdranttest.Faults{Late: true})
	m := w.say("a red kite broke")[0]
	if _, err := w.projector.CatchUp(t.Context(), here); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("caught up with a change that is only acknowledged: %v", err)
	}
	w.right(w.query("red kite"), false)
	w.remove(m)
	if _, err := w.projector.CatchUp(t.Context(), here); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("caught up with a deletion that is only acknowledged: %v", err)
	}
	w.right(w.query("red kite"), false)
	w.server.Settle()
	w.server.Break(qdranttest.Faults{})
	w.project()
	w.right(w.query("red kite"), false)
}

func TestAQdrantThatFailsIsLeftAloneAndTriedAgain(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	w.options.RetryAfter = time.Hour
	w.index, _, w.leg = w.process(w.options)
	w.say("the red kite flew")
	w.project()
	q := w.query("red kite")
	w.right(q, false)
	w.server.Break(qdranttest.Faults{Unavailable: true})
	asked := w.server.Calls("Query")
	for range 20 {
		w.right(q, true)
	}
	if n := w.server.Calls("Query") - asked; n == 0 || n > 5 {
		t.Errorf("asked %d times while it failed, want at most 5", n)
	}
	if !w.index.Away() {
		t.Error("not said to be away")
	}

	w.options.RetryAfter = 5 * time.Millisecond
	w.index, _, w.leg = w.process(w.options)
	for range 6 {
		w.right(q, true)
	}
	w.server.Break(qdranttest.Faults{})
	w.untilBack(q)
	w.right(q, false)
}

// untilBack searches until Qdrant takes part again.
func (w *world) untilBack(q search.Query) {
	w.t.Helper()
	eventually(w.t, func() bool {
		_, degraded := w.retrieve(w.leg, q)
		return !degraded
	})
}

// eventually asks again until it holds, for ten seconds.
func eventually(t testing.TB, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it never came to hold")
		}
	}
}

func TestAQdrantThatIsRestartedIsFoundAgain(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	w.say("the red kite flew")
	w.project()
	q := w.query("red kite")
	w.right(q, false)
	w.server.Stop()
	w.right(q, true)
	w.say("a red kite broke")
	if _, err := w.projector.CatchUp(t.Context(), here); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("caught up with nobody there: %v", err)
	}
	w.right(q, true)
	w.server.Start()
	w.untilBack(q)
	w.right(q, false)
	w.project()
	w.right(q, false)
}

func TestACallerWhoLeavesIsNoFailureOfQdrant(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	w.say("the red kite flew")
	w.project()
	q := w.query("red kite")
	w.right(q, false)
	w.server.Break(qdranttest.Faults{Hang: true})
	for range 10 {
		asked := w.server.Calls("Query")
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			for w.server.Calls("Query") == asked && ctx.Err() == nil {
				<-time.After(time.Millisecond)
			}
			leave()
		}()
		if _, err := w.leg.Retrieve(ctx, q, depth); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
	if w.index.Away() {
		t.Error("ten callers left, and Qdrant is said to be away")
	}
}

func TestALostCollectionIsMadeAnew(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	other := memory.Scope{Tenant: "other", Project: "default"}
	w.kites()
	q := w.query("red kite number 7")
	w.right(q, false)
	w.server.Lose(w.index.Collection())
	w.right(q, true)
	w.say("one more red kite")
	w.project()
	w.right(q, false)
	theirs := q
	theirs.Scope = other
	if hits, _ := w.retrieve(w.leg, theirs); len(hits) != depth {
		t.Errorf("a scope that was not projected since: %d hits", len(hits))
	}
	w.right(theirs, false) // from the feed: few enough
	w.project(other)
	w.right(theirs, false)
}

// TestACollectionBegunAnewByOthersIsNoticed plays the process that was not there when the collection was lost and made
// anew: it knows the old one's marks.
func TestACollectionBegunAnewByOthersIsNoticed(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	_, oldProjector, oldLeg := w.process(w.options)
	w.kites()
	q := w.query("red kite number 7")
	w.rightBy(oldLeg, q, false)
	w.server.Lose(w.index.Collection())
	w.say("one more red kite")
	w.index, w.projector, w.leg = w.process(w.options)
	w.project(memory.Scope{Tenant: "other", Project: "default"})
	w.right(q, false)
	w.rightBy(oldLeg, q, true) // rows of another generation
	w.rightBy(oldLeg, q, false)

	hers := q
	hers.Scope = memory.Scope{Tenant: "acme", Project: "other"}
	w.project(hers.Scope)
	_, _, oldLeg = w.process(w.options)
	w.rightBy(oldLeg, hers, false)
	w.server.Lose(w.index.Collection())
	w.index, w.projector, w.leg = w.process(w.options)
	w.project(memory.Scope{Tenant: "other", Project: "default"})
	w.rightBy(oldLeg, hers, true) // nothing of it is in the new collection
	w.rightBy(oldLeg, hers, false)
	if _, err := oldProjector.CatchUp(t.Context(), hers.Scope); err != nil {
		t.Fatal(err)
	}
	w.right(hers, false)
}
