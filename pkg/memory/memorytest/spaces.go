package memorytest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// ModelledStore is a store that knows which models its vectors are of.
type ModelledStore interface {
	memory.Store
	memory.Modelled
}

// RunModelled holds a store to the contract of memory.Modelled. Every clause gets an empty store of its own, which tells
// the time by clock.
func RunModelled(t *testing.T, on string, open func(t *testing.T, clock func() time.Time) ModelledStore) {
	run := contract.Begin(t, "memorytest/models", on)
	for _, c := range []struct {
		name string
		run  func(*testing.T, *world, ModelledStore)
	}{
		{"where nothing was chosen, most of the vectors tell the model", modelsGuessed},
		{"what was chosen stands, per scope, whatever vectors there are", modelsChosen},
		{"a choice moves the head, a repetition does not", choiceMovesHead},
		{"a choice that fails changes nothing, and its error is returned unchanged", choiceFails},
		{"a scope cannot be without an active model", choiceNeedsActive},
		{"sixteen who choose at once each see what the one before chose", choicesInTurn},
		{"coverage counts what stands", coverageCounts},
		{"the models of memories are told, none of another scope", vectorModelsTold},
		{"a wanted model is not forgotten", forgetRefused},
		{"a model is forgotten in slices, and what has no vector left is pending", forgetInSlices},
		{"erasing a tenant forgets what it chose", choiceErased},
	} {
		run.Clause(t, c.name, func(t *testing.T) {
			w := &world{now: start}
			store := open(t, w.clock)
			w.store = store
			c.run(t, w, store)
		})
	}
}

func of(model string, values ...float32) memory.Vector {
	return memory.Vector{Model: model, Values: values}
}

func models(t tester, s ModelledStore, scope memory.Scope) memory.Models {
	t.Helper()
	m, err := s.Models(t.Context(), scope)
	if err != nil {
		t.Fatalf("models: %v", err)
	}
	return m
}

func choose(t tester, s ModelledStore, scope memory.Scope, m memory.Models) {
	t.Helper()
	got, err := s.ChooseModels(t.Context(), scope, func(memory.Models) (memory.Models, error) { return m, nil })
	if err != nil || got != m {
		t.Fatalf("chose %+v, %v", got, err)
	}
}

func modelsGuessed(t *testing.T, w *world, s ModelledStore) {
	same(t, "of nothing", models(t, s, acme), memory.Models{})
	w.add(t, acme, note("pending"))
	same(t, "without a vector", models(t, s, acme), memory.Models{})
	w.add(t, acme, note("a"), of("new", 1, 2))
	w.add(t, acme, note("b"), of("old", 1))
	w.add(t, acme, note("c"), of("old", 1))
	w.add(t, memory.Scope{Tenant: "acme", Project: "other"}, note("d"), of("third", 1))
	same(t, "most", models(t, s, acme), memory.Models{Active: "old"})
}

func modelsChosen(t *testing.T, w *world, s ModelledStore) {
	other := memory.Scope{Tenant: "acme", Project: "other"}
	w.add(t, acme, note("a"), of("old", 1))
	for _, m := range []memory.Models{
		{Active: "old", Next: "new"}, {Active: "new", Previous: "old", Chosen: true}, {Active: "new"},
	} {
		before, handed := models(t, s, acme), memory.Models{}
		_, err := s.ChooseModels(t.Context(), acme, func(stands memory.Models) (memory.Models, error) {
			handed = stands
			return m, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "handed", handed, before)
		same(t, "stands", models(t, s, acme), m)
	}
	choose(t, s, other, memory.Models{Active: "third"})
	same(t, "each its own", []memory.Models{models(t, s, acme), models(t, s, other)}, []memory.Models{{Active: "new"}, {Active: "third"}})
	same(t, "nobody wrote", w.head(t, other), 0)
}

func choiceMovesHead(t *testing.T, w *world, s ModelledStore) {
	w.add(t, acme, note("a"), of("old", 1))
	before := w.changes(t, acme, 0)
	choose(t, s, acme, memory.Models{Active: "new", Previous: "old"})
	same(t, "head", w.head(t, acme), 2)
	same(t, "changes", w.changes(t, acme, 0), before)
	choose(t, s, acme, memory.Models{Active: "new", Previous: "old"})
	same(t, "head after a repetition", w.head(t, acme), 2)
	w.add(t, acme, note("b"))
	same(t, "the next change", w.changes(t, acme, 2)[0].Seq, 3)
}

func choiceFails(t *testing.T, w *world, s ModelledStore) {
	w.add(t, acme, note("a"), of("old", 1))
	broken := errors.New("not now")
	_, err := s.ChooseModels(t.Context(), acme, func(memory.Models) (memory.Models, error) { return memory.Models{Active: "new"}, broken })
	if err != broken { //nolint:errorlint // unchanged is the contract
		t.Fatalf("error %v", err)
	}
	same(t, "stands", models(t, s, acme), memory.Models{Active: "old"})
	same(t, "head", w.head(t, acme), 1)
}

func choiceNeedsActive(t *testing.T, w *world, s ModelledStore) {
	w.add(t, acme, note("a"), of("old", 1))
	_, err := s.ChooseModels(t.Context(), acme, func(memory.Models) (memory.Models, error) { return memory.Models{Next: "new"}, nil })
	kind(t, err, fault.Invalid)
	same(t, "stands", models(t, s, acme), memory.Models{Active: "old"})
}

func choicesInTurn(t *testing.T, w *world, s ModelledStore) {
	w.add(t, acme, note("a"))
	choose(t, s, acme, memory.Models{Active: "x"})
	var running sync.WaitGroup
	for range 16 {
		running.Go(func() {
			_, err := s.ChooseModels(t.Context(), acme, func(m memory.Models) (memory.Models, error) {
				m.Active += "x"
				return m, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	same(t, "one x for each", len(models(t, s, acme).Active), 17)
	same(t, "head", w.head(t, acme), 18)
}

func coverageCounts(t *testing.T, w *world, s ModelledStore) {
	m := w.add(t, acme, note("a"), of("old", 1), of("new", 1, 2))
	w.add(t, acme, note("b"), of("old", 1))
	gone := w.add(t, acme, note("c"), of("new", 1, 2))
	w.remove(t, acme, gone.ID)
	brief := note("d")
	brief.ExpiresAt = at(start.Add(time.Minute))
	w.add(t, acme, brief, of("new", 1, 2))
	w.add(t, memory.Scope{Tenant: "acme", Project: "other"}, note("e"), of("new", 1, 2))
	w.replace(t, acme, m)
	cover := func(model string) memory.Coverage {
		c, err := s.Coverage(t.Context(), acme, model)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	same(t, "new", cover("new"), memory.Coverage{Memories: 3, Vectors: 2})
	same(t, "none", cover("none"), memory.Coverage{Memories: 3})
	w.advance(time.Hour)
	same(t, "after one expired", cover("new"), memory.Coverage{Memories: 2, Vectors: 1})
}

func vectorModelsTold(t *testing.T, w *world, s ModelledStore) {
	a := w.add(t, acme, note("a"), of("old", 1), of("new", 1, 2))
	b := w.add(t, acme, note("b"))
	c := w.add(t, memory.Scope{Tenant: "acme", Project: "other"}, note("c"), of("old", 1))
	got, err := s.VectorModels(t.Context(), acme, []memory.ID{a.ID, b.ID, c.ID, memory.NewID(), "none"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "models", got, map[memory.ID][]string{a.ID: {"new", "old"}})
}

func forgetRefused(t *testing.T, w *world, s ModelledStore) {
	w.add(t, acme, note("a"), of("a", 1), of("n", 1), of("p", 1))
	choose(t, s, acme, memory.Models{Active: "a", Next: "n", Previous: "p"})
	for _, model := range []string{"a", "n", "p"} {
		_, err := s.ForgetModel(t.Context(), acme, model, 10)
		kind(t, err, fault.Conflict)
	}
}

func forgetInSlices(t *testing.T, w *world, s ModelledStore) {
	other := memory.Scope{Tenant: "acme", Project: "other"}
	choose(t, s, acme, memory.Models{Active: "new"})
	var ids []memory.ID
	for i := range 5 {
		vectors := []memory.Vector{of("old", float32(i+1)), of("new", 1, 2)}
		ids = append(ids, w.add(t, acme, note(fmt.Sprint(i)), vectors[:1+min(i, 1)]...).ID) // the first has but the old one
	}
	kept := w.add(t, other, note("kept"), of("old", 1))
	var removed []int
	for !slices.Contains(removed, 0) {
		n, err := s.ForgetModel(t.Context(), acme, "old", 2)
		if err != nil {
			t.Fatal(err)
		}
		removed = append(removed, n)
	}
	same(t, "removed", removed, []int{2, 2, 1, 0})
	got, err := s.VectorModels(t.Context(), acme, ids)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "with a vector", len(got), 4)
	for i, id := range ids {
		state := memory.EmbeddingReady
		if i == 0 {
			state = memory.EmbeddingPending
		}
		same(t, "embedding", w.get(t, acme, id, memory.View{}).Embedding, state)
	}
	same(t, "another project's", w.get(t, other, kept.ID, memory.View{}).Embedding, memory.EmbeddingReady)
}

func choiceErased(t *testing.T, w *world, s ModelledStore) {
	other := memory.Scope{Tenant: "other", Project: "default"}
	w.add(t, acme, note("a"), of("old", 1))
	for _, scope := range []memory.Scope{acme, other} {
		choose(t, s, scope, memory.Models{Active: "new", Chosen: true})
	}
	receipt, err := s.EraseTenant(t.Context(), acme.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "counted", receipt.Other, 0)
	same(t, "stands", []memory.Models{models(t, s, acme), models(t, s, other)}, []memory.Models{{}, {Active: "new", Chosen: true}})
}
