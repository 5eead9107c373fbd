package memorytest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Followed is a store that lists its scopes and keeps the marks of projections made from its feed.
type Followed interface {
	memory.Store
	memory.Directory
	memory.Watermarks
}

// RunFollowed holds a store to the contracts of memory.Directory and memory.Watermarks. Every clause gets an empty store
// of its own, which tells the time by clock.
func RunFollowed(t *testing.T, open func(t *testing.T, clock func() time.Time) Followed) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, *world, Followed)
	}{
		{"scopes come in order, page by page, and go with their tenant", scopesListed},
		{"a limit below 1 is refused", scopesLimited},
		{"a mark moves with what do returns, up and down, per scope and name", markMoves},
		{"a failure of do is returned unchanged and moves nothing", markStays},
		{"one at a time: while somebody projects, others get the standing mark at once", projectAlone},
		{"sixteen at once never overlap", projectUnderContention},
		{"a lock that was never given back runs out, and who held it keeps no mark", lockRunsOut},
		{"a panic gives the lock back", lockAfterPanic},
		{"erasing a tenant forgets its marks, also of a projection that is being made", marksErased},
		{"moving a mark changes nothing that is remembered", marksLeaveFeed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := &world{now: start}
			store := open(t, w.clock)
			w.store = store
			c.run(t, w, store)
		})
	}
}

const projected = "index/1"

func mark(t tester, s Followed, scope memory.Scope, name string) memory.Seq {
	t.Helper()
	seq, err := s.Projected(t.Context(), scope, name)
	if err != nil {
		t.Fatalf("projected: %v", err)
	}
	return seq
}

// project moves the mark and returns what Project returned; ran tells whether do ran.
func project(t tester, s Followed, scope memory.Scope, name string, to memory.Seq) (seq memory.Seq, ran bool) {
	t.Helper()
	seq, err := s.Project(t.Context(), scope, name, func(memory.Seq) (memory.Seq, error) {
		ran = true
		return to, nil
	})
	if err != nil {
		t.Fatalf("project: %v", err)
	}
	return seq, ran
}

func scopesListed(t *testing.T, w *world, s Followed) {
	all := []memory.Scope{
		{Tenant: "Zoo", Project: "b"}, {Tenant: "a", Project: "default"}, {Tenant: "a", Project: "x"},
		{Tenant: "a-b", Project: "default"}, {Tenant: "aa", Project: "a"}, {Tenant: "b", Project: "B"}, {Tenant: "b", Project: "b"},
	}
	for i := range all { // not in order
		w.add(t, all[(i*3)%len(all)], note("x"))
	}
	w.write(t, memory.Scope{Tenant: "nobody", Project: "wrote"}, func(memory.Tx) error { return nil })
	for size := 1; size <= len(all)+1; size++ {
		var got []memory.Scope
		for after := (memory.Scope{}); ; {
			page, err := s.Scopes(t.Context(), after, size)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			if len(page) > size {
				t.Fatalf("%d scopes under a limit of %d", len(page), size)
			}
			got = append(got, page...)
			after = page[len(page)-1]
		}
		same(t, fmt.Sprint("by ", size), got, all)
	}
	if _, err := s.EraseTenant(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	got, err := s.Scopes(t.Context(), memory.Scope{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "after an erasure", got, append(all[:1:1], all[3:]...))
}

func scopesLimited(t *testing.T, _ *world, s Followed) {
	_, err := s.Scopes(t.Context(), memory.Scope{}, 0)
	kind(t, err, fault.Invalid)
}

func markMoves(t *testing.T, _ *world, s Followed) {
	other := memory.Scope{Tenant: "acme", Project: "other"}
	same(t, "at first", mark(t, s, acme, projected), 0)
	for _, to := range []memory.Seq{5, 900, 7, 0} {
		before := mark(t, s, acme, projected)
		seq, err := s.Project(t.Context(), acme, projected, func(after memory.Seq) (memory.Seq, error) {
			same(t, "handed", after, before)
			return to, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "returned", seq, to)
		same(t, "standing", mark(t, s, acme, projected), to)
	}
	project(t, s, acme, projected, 3)
	project(t, s, acme, "index/2", 4)
	project(t, s, other, projected, 5)
	same(t, "each its own", []memory.Seq{mark(t, s, acme, projected), mark(t, s, acme, "index/2"), mark(t, s, other, projected), mark(t, s, other, "index/2")}, []memory.Seq{3, 4, 5, 0})
}

func markStays(t *testing.T, _ *world, s Followed) {
	project(t, s, acme, projected, 3)
	broken := errors.New("index away")
	_, err := s.Project(t.Context(), acme, projected, func(memory.Seq) (memory.Seq, error) { return 9, broken })
	if err != broken { //nolint:errorlint // unchanged is the contract
		t.Fatalf("error %v", err)
	}
	same(t, "standing", mark(t, s, acme, projected), 3)
	_, ran := project(t, s, acme, projected, 4)
	same(t, "the lock is free", ran, true)
}

func projectAlone(t *testing.T, _ *world, s Followed) {
	project(t, s, acme, projected, 3)
	_, err := s.Project(t.Context(), acme, projected, func(memory.Seq) (memory.Seq, error) {
		seq, ran := project(t, s, acme, projected, 100)
		same(t, "while it is held: the mark", seq, 3)
		same(t, "while it is held: ran", ran, false)
		same(t, "while it is held: read", mark(t, s, acme, projected), 3)
		_, ran = project(t, s, acme, "index/2", 1)
		same(t, "another name: ran", ran, true)
		_, ran = project(t, s, memory.Scope{Tenant: "acme", Project: "other"}, projected, 1)
		same(t, "another scope: ran", ran, true)
		return 4, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	seq, ran := project(t, s, acme, projected, 5)
	same(t, "after it", []any{seq, ran}, []any{5, true})
}

func projectUnderContention(t *testing.T, _ *world, s Followed) {
	var inside, overlaps, ran atomic.Int64
	var running sync.WaitGroup
	for range 16 {
		running.Go(func() {
			for range 20 {
				_, err := s.Project(t.Context(), acme, projected, func(after memory.Seq) (memory.Seq, error) {
					if inside.Add(1) > 1 {
						overlaps.Add(1)
					}
					defer inside.Add(-1)
					ran.Add(1)
					return after + 1, nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	same(t, "overlaps", overlaps.Load(), 0)
	same(t, "the mark counts the runs", int64(mark(t, s, acme, projected)), ran.Load())
	if ran.Load() == 0 {
		t.Error("nobody ran")
	}
}

func lockRunsOut(t *testing.T, w *world, s Followed) {
	_, err := s.Project(t.Context(), acme, projected, func(memory.Seq) (memory.Seq, error) {
		w.advance(memory.ProjectFor - time.Second)
		if _, ran := project(t, s, acme, projected, 7); ran {
			t.Error("taken over before its time")
		}
		w.advance(2 * time.Second)
		if _, ran := project(t, s, acme, projected, 7); !ran {
			t.Error("not taken over in time")
		}
		return 3, nil
	})
	kind(t, err, fault.Conflict)
	same(t, "the mark of who took over", mark(t, s, acme, projected), 7)
}

func lockAfterPanic(t *testing.T, _ *world, s Followed) {
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Project(t.Context(), acme, projected, func(memory.Seq) (memory.Seq, error) { panic("index out of range") })
	}()
	_, ran := project(t, s, acme, projected, 1)
	same(t, "ran", ran, true)
}

func marksErased(t *testing.T, w *world, s Followed) {
	other := memory.Scope{Tenant: "other", Project: "default"}
	w.add(t, acme, note("x"))
	project(t, s, acme, projected, 1)
	project(t, s, other, projected, 2)
	_, err := s.Project(t.Context(), acme, projected, func(memory.Seq) (memory.Seq, error) {
		_, err := s.EraseTenant(t.Context(), acme.Tenant)
		return 5, err
	})
	kind(t, err, fault.Conflict)
	same(t, "marks", []memory.Seq{mark(t, s, acme, projected), mark(t, s, other, projected)}, []memory.Seq{0, 2})
	_, ran := project(t, s, acme, projected, 1)
	same(t, "the lock is free", ran, true)
}

func marksLeaveFeed(t *testing.T, w *world, s Followed) {
	w.add(t, acme, note("x"))
	before := w.changes(t, acme, 0)
	project(t, s, acme, projected, 1)
	same(t, "head", w.head(t, acme), 1)
	same(t, "changes", w.changes(t, acme, 0), before)
	empty := memory.Scope{Tenant: "empty", Project: "default"}
	project(t, s, empty, projected, 0)
	scopes, err := s.Scopes(t.Context(), memory.Scope{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "scopes", scopes, []memory.Scope{acme})
}
