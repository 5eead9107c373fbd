package memorytest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/rae-memory/rae/pkg/memory"
)

func concurrencyClauses() []clause {
	return []clause{
		{"of fifty equal puts at once, one creates and the others recognise", equalPutsAtOnce},
		{"fifty upserts at once are fifty versions or fewer, one after the other", upsertsAtOnce},
		{"of fifty equal requests at once, one is done and the others find its answer", requestsAtOnce},
		{"who fails over another's write finds it when reading", losersSeeWhatTheyLostTo},
		{"reads go on while writes do", readsBesideWrites},
	}
}

func equalPutsAtOnce(t *testing.T, w *world) {
	outcomes := make([]memory.Outcome, 50)
	atOnce(len(outcomes), func(i int) {
		err := w.store.Write(t.Context(), acme, func(tx memory.Tx) (err error) {
			_, outcomes[i], err = tx.Put(t.Context(), note("x"), asker)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	count := make(map[memory.Outcome]int)
	for _, o := range outcomes {
		count[o]++
	}
	same(t, "outcomes", count, map[memory.Outcome]int{memory.Created: 1, memory.Deduplicated: 49})
	same(t, "head", w.head(t, acme), 1)
}

func upsertsAtOnce(t *testing.T, w *world) {
	var id memory.ID
	atOnce(50, func(i int) {
		m := note(fmt.Sprint("v", i%25))
		m.ExternalID = "key"
		err := w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
			_, _, err := tx.Put(t.Context(), m, asker)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	listed := w.list(t, acme, memory.Query{}).Memories
	same(t, "memories", len(listed), 1)
	id = listed[0].ID
	versions := w.history(t, acme, id)
	for i, v := range versions {
		same(t, "version", v.Version, len(versions)-i)
	}
	same(t, "head", w.head(t, acme), len(versions))
}

// losersSeeWhatTheyLostTo lets writers number memories by what they read. One whose number is taken must find that
// number on its next read, or it would lose for ever.
func losersSeeWhatTheyLostTo(t *testing.T, w *world) {
	taken := errors.New("the number is taken")
	const writers = 32
	atOnce(writers, func(i int) {
		for range writers {
			stand, err := w.store.List(t.Context(), acme, memory.Query{Limit: 1000})
			if err != nil {
				t.Error(err)
				return
			}
			m := note(fmt.Sprint("by writer ", i))
			m.ExternalID = fmt.Sprint(len(stand.Memories))
			err = w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
				_, outcome, err := tx.Put(t.Context(), m, asker)
				if err == nil && outcome != memory.Created {
					return taken
				}
				return err
			})
			if err == nil {
				return
			}
			now, errList := w.store.List(t.Context(), acme, memory.Query{Limit: 1000})
			if !errors.Is(err, taken) || errList != nil || len(now.Memories) <= len(stand.Memories) {
				t.Errorf("lost number %d (%v) and sees %d memories (%v)", len(stand.Memories), err, len(now.Memories), errList)
				return
			}
		}
		t.Errorf("writer %d lost more often than there are others", i)
	})
	same(t, "memories", len(w.list(t, acme, memory.Query{Limit: 1000}).Memories), writers)
}

func requestsAtOnce(t *testing.T, w *world) {
	key := memory.Key{Route: "r", Key: "k", Fingerprint: "f"}
	answers := make([]string, 50)
	done := make([]bool, 50)
	atOnce(len(answers), func(i int) {
		err := w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
			done[i] = false
			answer, found, err := tx.Answered(t.Context(), key)
			if err != nil {
				return err
			}
			if !found {
				done[i] = true
				answer = fmt.Append(nil, "request ", i)
				if err := tx.Answer(t.Context(), key, answer); err != nil {
					return err
				}
			}
			answers[i] = string(answer)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	count := 0
	for i := range done {
		same(t, "answer", answers[i], answers[0])
		if done[i] {
			count++
		}
	}
	same(t, "done", count, 1)
}

func readsBesideWrites(t *testing.T, w *world) {
	m := w.add(t, acme, note("standing"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if got, err := w.store.Get(t.Context(), acme, m.ID, memory.View{}); err != nil || got.Content != "standing" {
					t.Errorf("read %q, %v", got.Content, err)
					return
				}
				page, err := w.store.List(t.Context(), acme, memory.Query{Limit: 1000})
				if err != nil || len(page.Memories)%5 != 1 { // written in fives: never a part of one
					t.Errorf("listed %d, %v", len(page.Memories), err)
					return
				}
			}
		})
	}
	for i := range 20 {
		w.write(t, acme, func(tx memory.Tx) error {
			for j := range 5 {
				if _, _, err := tx.Put(t.Context(), note(fmt.Sprint(i, " ", j)), asker); err != nil {
					return err
				}
			}
			return nil
		})
	}
	cancel()
	readers.Wait()
}

// atOnce runs n calls that all start together.
func atOnce(n int, do func(i int)) {
	var begin, running sync.WaitGroup
	begin.Add(1)
	for i := range n {
		running.Go(func() {
			begin.Wait()
			do(i)
		})
	}
	begin.Done()
	running.Wait()
}
