package qdrant_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/qdrant"
	"github.com/rae-memory/rae/pkg/qdrant/qdranttest"
)

// differences are what Verify finds, and how many scopes it looked at.
func (w *world) differences() (drifted []qdrant.Comparison, scopes int) {
	w.t.Helper()
	err := w.projector.Verify(context.Background(), "", func(c qdrant.Comparison) error {
		scopes++
		if c.Drifted() || c.Behind > 0 || c.Stored != c.Indexed {
			drifted = append(drifted, c)
		}
		return nil
	})
	if err != nil {
		w.t.Fatalf("verify: %v", err)
	}
	return drifted, scopes
}

// TestWhateverHappensQdrantEndsAsTheStore plays random histories: writes, changes, late vectors, deletions and
// erasures, events in any order and number, with faults in between.
func TestWhateverHappensQdrantEndsAsTheStore(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	scopes := []memory.Scope{here, {Tenant: "acme", Project: "other"}, {Tenant: "other", Project: "default"}}
	rapid.Check(t, func(rt *rapid.T) {
		var standing []memory.Memory
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			scope := rapid.SampledFrom(scopes).Draw(rt, "scope")
			one := rapid.IntRange(0, 1<<20).Draw(rt, "which")
			switch step := rapid.SampledFrom([]string{"put", "put", "pending", "rewrite", "retag", "attach", "delete", "project", "project", "lose", "erase", "fail"}).Draw(rt, "step"); {
			case step == "put":
				standing = append(standing, w.put(scope, memory.Memory{Content: fmt.Sprint("kite ", memory.NewID())}))
			case step == "pending":
				w.write(scope, func(tx memory.Tx) error {
					m, _, err := tx.Put(rt.Context(), memory.Memory{Content: fmt.Sprint("kite ", memory.NewID())}, memory.Why{})
					standing = append(standing, m)
					return err
				})
			case step == "project":
				_, _ = w.projector.CatchUp(rt.Context(), scope)
			case step == "lose":
				w.server.Lose(w.index.Collection())
			case step == "erase":
				if _, err := w.db.EraseTenant(rt.Context(), scope.Tenant); err != nil {
					rt.Fatal(err)
				}
				if _, err := w.index.EraseTenant(rt.Context(), scope.Tenant); err != nil {
					rt.Fatal(err)
				}
			case step == "fail":
				w.server.Break(qdranttest.Faults{Unavailable: true})
				_, _ = w.projector.CatchUp(rt.Context(), scope)
				w.server.Break(qdranttest.Faults{})
			case len(standing) > 0:
				w.alter(step, standing[one%len(standing)])
			}
		}
		for _, scope := range scopes {
			w.untilCaughtUp(scope)
		}
		if drifted, _ := w.differences(); len(drifted) > 0 {
			rt.Fatalf("differs: %+v", drifted)
		}
		for _, scope := range scopes {
			q := w.query("kite")
			q.Scope = scope
			w.right(q, false)
		}
		if w.t.Failed() {
			rt.Fatal("wrong answers")
		}
	})
}

// alter changes one memory, if it still stands.
func (w *world) alter(step string, m memory.Memory) {
	w.t.Helper()
	w.write(m.Scope(), func(tx memory.Tx) error {
		ctx := context.Background()
		m, err := tx.Get(ctx, m.ID)
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		switch step {
		case "rewrite":
			m.Content += "!"
			_, err = tx.Replace(ctx, m, memory.Why{}, memory.Vector{Model: w.model.Model(), Values: w.vector(m.Content)})
		case "retag":
			m.Tags = append(m.Tags, "tagged")
			_, err = tx.Replace(ctx, m, memory.Why{})
		case "attach":
			_, err = tx.Attach(ctx, m.ID, m.Version, memory.Vector{Model: w.model.Model(), Values: w.vector(m.Content)})
		case "delete":
			err = tx.Delete(ctx, m.ID)
		}
		return err
	})
}

// untilCaughtUp calls CatchUp as a broker does: again when it asks for it.
func (w *world) untilCaughtUp(scope memory.Scope) {
	w.t.Helper()
	eventually(w.t, func() bool {
		_, err := w.projector.CatchUp(context.Background(), scope)
		return err == nil
	})
}

func TestCatchingUpTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	w.say("the red kite flew", "a red kite broke")
	w.project()
	upserts, deletes := w.server.Calls("Upsert"), w.server.Calls("Delete")
	for range 3 {
		w.project()
	}
	if w.server.Calls("Upsert") != upserts || w.server.Calls("Delete") != deletes {
		t.Error("an event that says nothing new wrote to Qdrant")
	}
}

func TestManyCatchUpsAtOnce(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	_, elsewhere, _ := w.process(w.options)
	var running sync.WaitGroup
	for n := range 8 {
		running.Go(func() {
			for i := range 10 {
				w.say(fmt.Sprint("red kite ", n, " of ", i))
				for _, p := range []*qdrant.Projector{w.projector, elsewhere} {
					if _, err := p.CatchUp(t.Context(), here); err != nil && fault.KindOf(err) != fault.Unavailable {
						t.Error(err)
					}
				}
			}
		})
	}
	running.Wait()
	w.untilCaughtUp(here)
	if drifted, _ := w.differences(); len(drifted) > 0 {
		t.Errorf("differs: %+v", drifted)
	}
	if points := w.server.Points(w.index.Collection()); len(points) != 80 {
		t.Errorf("%d points", len(points))
	}
}

func TestCatchingUpWaitsForNoOtherProcess(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	w.say("the red kite flew")
	w.project()
	w.say("a red kite broke")
	generation := w.server.Points(w.index.Collection())[0].GetPayload()["generation"].GetStringValue()
	_, err := w.db.Project(t.Context(), here, "qdrant/"+generation, func(after memory.Seq) (memory.Seq, error) {
		if _, err := w.projector.CatchUp(t.Context(), here); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("while another process is at it: %v", err)
		}
		return after, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.project()
	w.right(w.query("red kite"), false)
}

func TestErasedTenantsLeaveNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := memory.Scope{Tenant: "other", Project: "default"}
	w.say("the red kite flew", "a red kite broke")
	w.put(memory.Scope{Tenant: "acme", Project: "second"}, memory.Memory{Content: "a red kite"})
	w.put(other, memory.Memory{Content: "their red kite"})
	w.project(memory.Scope{Tenant: "acme", Project: "second"}, other)
	if _, err := w.db.EraseTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{3, 0} { // a second call finds nothing
		receipt, err := w.index.EraseTenant(t.Context(), "acme")
		if err != nil || receipt.Vectors != want || receipt.Tenant != "acme" {
			t.Errorf("receipt %+v, %v, want %d vectors", receipt, err, want)
		}
	}
	if drifted, scopes := w.differences(); len(drifted) > 0 || scopes != 1 {
		t.Errorf("%d scopes, %+v", scopes, drifted)
	}
	w.say("begun anew with a red kite") // before and after it is projected
	w.right(w.query("red kite"), false)
	w.project()
	w.right(w.query("red kite"), false)
	theirs := w.query("red kite")
	theirs.Scope = other
	w.right(theirs, false)
}

func TestAnErasureReachesEveryModelAndNoOtherDeployment(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	w.say("the red kite flew")
	w.project()
	neighbours := w.options
	neighbours.Prefix += "-2"
	_, theirs, _ := w.process(neighbours)
	olderModel := w.options
	olderModel.Model = "older"
	_, older, _ := w.process(olderModel)
	for _, p := range []*qdrant.Projector{theirs, older} {
		if _, err := p.CatchUp(t.Context(), here); err != nil {
			t.Fatal(err)
		}
	}
	receipt, err := w.index.EraseTenant(t.Context(), "acme")
	if err != nil || receipt.Vectors != 2 {
		t.Errorf("receipt %+v, %v", receipt, err)
	}
	left := map[string]int{}
	for _, name := range w.server.Collections() {
		left[name] = len(w.server.Points(name))
	}
	if len(left) != 3 || left[theirs.Index.Collection()] != 1 || left[older.Index.Collection()] != 0 || left[w.index.Collection()] != 0 {
		t.Errorf("left %v", left)
	}
}

func TestAnErasureThatCannotReachQdrantSaysSo(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	w.say("the red kite flew")
	w.project()
	for _, faults := range []qdranttest.Faults{{Unavailable: true}, {Late: true}} {
		w.server.Break(faults)
		if _, err := w.index.EraseTenant(t.Context(), "acme"); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%+v: %v", faults, err)
		}
	}
	w.server.Break(qdranttest.Faults{})
	if receipt, err := w.index.EraseTenant(t.Context(), "acme"); err != nil || receipt.Vectors != 1 {
		t.Errorf("%+v, %v", receipt, err)
	}
}

// slowFeed lets something happen between the reading of changes and what is made of them.
type slowFeed struct {
	memory.Feed
	between func()
}

func (f *slowFeed) Changes(ctx context.Context, scope memory.Scope, model string, after memory.Seq, limit int) ([]memory.Change, error) {
	changes, err := f.Feed.Changes(ctx, scope, model, after, limit)
	if between := f.between; between != nil {
		f.between = nil
		between()
	}
	return changes, err
}

func TestATenantErasedWhileItIsProjectedLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(*world){
		"and gone for good": func(*world) {},
		"and begun anew":    func(w *world) { w.say("begun anew with a red kite") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFaultyWorld(t)
			w.say("the red kite flew", "a red kite broke")
			w.projector.Feed = &slowFeed{Feed: w.db, between: func() {
				if _, err := w.db.EraseTenant(t.Context(), "acme"); err != nil {
					t.Error(err)
				}
				if _, err := w.index.EraseTenant(t.Context(), "acme"); err != nil {
					t.Error(err)
				}
				then(w)
			}}
			if _, err := w.projector.CatchUp(t.Context(), here); err == nil {
				t.Error("no error")
			}
			if points := w.server.Points(w.index.Collection()); len(points) != 0 {
				t.Errorf("%d points of an erased tenant are left", len(points))
			}
			w.right(w.query("red kite"), false)
			w.project()
			w.right(w.query("red kite"), false)
		})
	}
}

func TestAVectorOfAnotherModelIsLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say("the red kite flew")
	w.write(here, func(tx memory.Tx) error {
		_, _, err := tx.Put(t.Context(), memory.Memory{Content: "a red kite broke"}, memory.Why{}, memory.Vector{Model: w.model.Model(), Values: []float32{1, 2, 3}})
		return err
	})
	w.right(w.query("red kite"), true)
	w.project()
	if n := w.drops()["dimensions"]; n != 1 {
		t.Errorf("%d said to be left out", n)
	}
	w.right(w.query("red kite"), false)
}

func TestAStoreThatFailsIsNotQdrantsFault(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	w.say("the red kite flew")
	w.project()
	broken := errors.New("store away")
	w.leg.Fallback = failing{broken}
	w.server.Break(qdranttest.Faults{Unavailable: true})
	if _, err := w.leg.Retrieve(t.Context(), w.query("red kite"), depth); !errors.Is(err, broken) {
		t.Errorf("both away: %v", err)
	}
}

func TestWhoFollowsIsNotHeldUpByAQdrantThatIsAway(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	scopes := []memory.Scope{here, {Tenant: "acme", Project: "other"}, {Tenant: "other", Project: "default"}}
	w.project(scopes...)
	w.server.Break(qdranttest.Faults{Unavailable: true})
	for range 4 { // the circuit opens meanwhile
		for _, scope := range scopes {
			w.put(scope, memory.Memory{Content: fmt.Sprint("red kite ", memory.NewID())})
			if err := w.projector.Follow(t.Context(), scope); err != nil {
				t.Errorf("%s: %v", scope, err)
			}
		}
	}
	if n := w.projector.Behind(); n != len(scopes) {
		t.Errorf("%d scopes behind, want %d", n, len(scopes))
	}
	w.server.Break(qdranttest.Faults{})
	eventually(t, func() bool { // one scope's change makes up for all
		if err := w.projector.Follow(t.Context(), here); err != nil {
			t.Error(err)
		}
		return w.projector.Behind() == 0
	})
	if drifted, compared := w.differences(); len(drifted) > 0 || compared != len(scopes) {
		t.Errorf("%d scopes, %+v", compared, drifted)
	}
}

func TestWhoFollowsIsToldToComeAgainWhileAnotherProcessIsAtIt(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	w.say("the red kite flew")
	w.project()
	w.say("a red kite broke")
	generation := w.server.Points(w.index.Collection())[0].GetPayload()["generation"].GetStringValue()
	_, err := w.db.Project(t.Context(), here, "qdrant/"+generation, func(after memory.Seq) (memory.Seq, error) {
		if err := w.projector.Follow(t.Context(), here); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("told %v", err)
		}
		return after, nil
	})
	if err != nil || w.projector.Behind() != 0 {
		t.Errorf("%v, %d behind", err, w.projector.Behind())
	}
}
