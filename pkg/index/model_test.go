package index_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// two are vectors of the models "one" (two dimensions) and "two" (three), which turn a memory the other way about.
func two(n float32) []memory.Vector {
	sin, cos := math.Sincos(.3 * float64(n))
	return []memory.Vector{
		{Model: "one", Values: []float32{float32(cos), float32(sin)}},
		{Model: "two", Values: []float32{float32(sin), float32(cos), 0}},
	}
}

func TestAnIndexMovesToAnotherModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var model atomic.Value
	model.Store("one")
	w.set.ModelOf = func(context.Context, memory.Scope) (string, error) { return model.Load().(string), nil }
	leg := index.Dense{Set: w.set}
	say := func(content string, n float32) {
		w.write(func(tx memory.Tx) error {
			_, _, err := tx.Put(t.Context(), memory.Memory{Content: content, Layer: memory.Episodic}, memory.Why{}, two(n)...)
			return err
		})
	}
	for i := range 5 {
		say(fmt.Sprintf("memory %d", i), float32(i))
	}
	ask := func(model string, vector ...float32) []string {
		return w.find(leg, search.Query{Model: model, Vector: vector})[:1]
	}
	if got := ask("one", 0, 1); !slices.Equal(got, []string{"memory 4"}) {
		t.Errorf("by one: %q", got)
	}
	if _, err := leg.Retrieve(t.Context(), search.Query{Scope: here, Model: "two", Vector: []float32{0, 1, 0}}, 5); err == nil {
		t.Error("a model that is not at hand answers")
	}
	model.Store("two")
	if got := ask("two", 0, 1, 0); !slices.Equal(got, []string{"memory 0"}) {
		t.Errorf("by two: %q", got)
	}
	if got := w.set.Holding(here, "?"); got != "two" {
		t.Errorf("holds %q", got)
	}
	if got := ask("one", 0, 1); !slices.Equal(got, []string{"memory 4"}) { // a search that began before
		t.Errorf("by one, afterwards: %q", got)
	}
	say("memory 9", .001)
	if got := ask("two", 0, 1, 0); !slices.Equal(got, []string{"memory 0"}) || len(w.find(leg, search.Query{Model: "two", Vector: []float32{0, 1, 0}})) != 6 {
		t.Errorf("by two, after a write: %q", got)
	}
	w.now = w.now.Add(2 * time.Minute)
	if _, err := w.set.CatchUp(t.Context(), here); err != nil {
		t.Fatal(err)
	}
	if _, err := leg.Retrieve(t.Context(), search.Query{Scope: here, Model: "one", Vector: []float32{0, 1}}, 5); err == nil {
		t.Error("the model before is kept for ever")
	}
	model.Store("one")
	if got := w.find(leg, search.Query{Model: "one", Vector: []float32{1, 0}}); len(got) != 6 || got[0] != "memory 0" && got[0] != "memory 9" {
		t.Errorf("by one again: %q", got)
	}
}

func TestAnIndexMovesWithoutMakingAnybodyWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var model atomic.Value
	model.Store("one")
	feed := &held{Feed: w.db, holding: "two", reached: make(chan struct{}), goOn: make(chan struct{})}
	w.set.Feed = feed
	w.set.ModelOf = func(context.Context, memory.Scope) (string, error) { return model.Load().(string), nil }
	w.write(func(tx memory.Tx) error {
		_, _, err := tx.Put(t.Context(), memory.Memory{Content: "kite", Layer: memory.Episodic}, memory.Why{}, two(1)...)
		return err
	})
	leg := index.Dense{Set: w.set}
	w.find(leg, search.Query{Model: "one", Vector: []float32{1, 1}})
	model.Store("two")
	moved := make(chan error)
	go func() {
		_, err := w.set.CatchUp(t.Context(), here)
		moved <- err
	}()
	<-feed.reached
	if got := w.find(leg, search.Query{Model: w.set.Holding(here, "two"), Vector: []float32{1, 1}}); len(got) != 1 {
		t.Errorf("while it moves, found %q", got)
	}
	close(feed.goOn)
	if err := <-moved; err != nil {
		t.Fatal(err)
	}
	if got := w.set.Holding(here, "?"); got != "two" {
		t.Errorf("holds %q", got)
	}
}

// held is a feed that waits before it tells the changes with one model's vectors.
type held struct {
	memory.Feed
	holding       string
	reached, goOn chan struct{}
}

func (h *held) Changes(ctx context.Context, scope memory.Scope, model string, after memory.Seq, limit int) ([]memory.Change, error) {
	if model == h.holding {
		select {
		case h.reached <- struct{}{}:
			<-h.goOn
		case <-h.goOn:
		}
	}
	return h.Feed.Changes(ctx, scope, model, after, limit)
}

func TestAnIndexNoticesAnOlderStore(t *testing.T) {
	t.Parallel()
	for name, since := range map[string]int{
		"that ends before it": 0, "that was written to since": 3, "that ends where it does": 6, "that has come past it": 9,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.say("a kite", "b kite", "c kite", "d kite", "e kite", "f kite", "g kite", "h kite", "i kite", "j kite")
			lexical := index.Lexical{Set: w.set}
			if got := w.find(lexical, search.Query{Text: "kite"}); len(got) != 10 {
				t.Fatalf("found %q", got)
			}
			w.db = inmem.New(inmem.Options{Clock: func() time.Time { return w.now }}) // as it was restored
			w.set.Feed = w.db
			w.say("a kite", "b kite", "c kite", "d kite")
			for i := range since {
				w.say(fmt.Sprintf("new kite %d", i))
			}
			if since == 6 { // no number tells it apart, until something is written
				w.find(lexical, search.Query{Text: "kite"})
				w.say("last kite")
				since++
			}
			if got := w.find(lexical, search.Query{Text: "kite"}); len(got) != 4+since {
				t.Errorf("found %q, want %d", got, 4+since)
			}
		})
	}
}
