package memorytest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

func useClauses() []clause {
	return []clause{
		{"hits add up, and the last is the last", hitsAddUp},
		{"hits of what does not stand, or is another's, are passed over", hitsPassedOver},
		{"what is said adds up, and the last of it is kept", ratingsAddUp},
		{"what does not stand, or is another's, is not rated", ratingRefused},
		{"use is no change of a memory", useChangesNothing},
		{"use goes with its memory", useGoes},
		{"a write that fails rates nothing", ratingTakenBack},
		{"hits and what is said at once are all counted", usedAtOnce},
	}
}

// uses is the port; every store of memories is one.
func (w *world) uses(t tester) memory.Uses {
	t.Helper()
	uses, ok := w.store.(memory.Uses)
	if !ok {
		t.Fatalf("the store is no memory.Uses")
	}
	return uses
}

func (w *world) hit(t tester, scope memory.Scope, hits ...memory.Hits) {
	t.Helper()
	if err := w.uses(t).Hit(t.Context(), scope, hits); err != nil {
		t.Fatalf("hit: %v", err)
	}
}

func (w *world) rate(t tester, scope memory.Scope, id memory.ID, f memory.Feedback) (use memory.Use) {
	t.Helper()
	w.write(t, scope, func(tx memory.Tx) (err error) {
		use, err = tx.Rate(t.Context(), id, f)
		return err
	})
	return use
}

func (w *world) use(t tester, scope memory.Scope, ids ...memory.ID) map[memory.ID]memory.Use {
	t.Helper()
	uses, err := w.uses(t).Use(t.Context(), scope, ids)
	if err != nil {
		t.Fatalf("use: %v", err)
	}
	return uses
}

func hitsAddUp(t *testing.T, w *world) {
	a, b, c := w.add(t, acme, note("a")), w.add(t, acme, note("b")), w.add(t, acme, note("c"))
	later := start.Add(time.Hour)
	w.hit(t, acme, memory.Hits{ID: b.ID, N: 2, Last: later}, memory.Hits{ID: a.ID, N: 1, Last: start})
	w.hit(t, acme, memory.Hits{ID: b.ID, N: 40, Last: start})
	w.hit(t, acme)
	same(t, "use", w.use(t, acme, a.ID, b.ID, c.ID, "no id"), map[memory.ID]memory.Use{
		a.ID: {Hits: 1, LastUsedAt: &start, Recent: []memory.Feedback{}}, b.ID: {Hits: 42, LastUsedAt: &later, Recent: []memory.Feedback{}},
	})
	same(t, "of none", len(w.use(t, acme)), 0)
}

func hitsPassedOver(t *testing.T, w *world) {
	foreign := memory.Scope{Tenant: "evil", Project: acme.Project}
	m, gone, theirs := w.add(t, acme, note("a")), w.add(t, acme, note("gone")), w.add(t, foreign, note("theirs"))
	w.remove(t, acme, gone.ID)
	var hits []memory.Hits
	for _, id := range []memory.ID{gone.ID, theirs.ID, memory.NewID(), "no id", m.ID} {
		hits = append(hits, memory.Hits{ID: id, N: 1, Last: start})
	}
	w.hit(t, acme, hits...)
	same(t, "ours", len(w.use(t, acme, gone.ID, theirs.ID, m.ID)), 1)
	same(t, "theirs", len(w.use(t, foreign, gone.ID, theirs.ID, m.ID)), 0)
}

func ratingsAddUp(t *testing.T, w *world) {
	m := w.add(t, acme, note("a"))
	f := memory.Feedback{Score: -0.5, Query: "what?", RequestID: "r", Comment: "not \"it\"", By: "ann", At: start}
	use := w.rate(t, acme, m.ID, f)
	same(t, "told", use, memory.Use{Unhelpful: 1, Score: -0.5, Recent: []memory.Feedback{f}})
	w.hit(t, acme, memory.Hits{ID: m.ID, N: 3, Last: start})
	last := start
	for i := range memory.RecentFeedback + 5 {
		last = start.Add(time.Duration(i) * time.Minute)
		use = w.rate(t, acme, m.ID, memory.Feedback{Score: 1, Comment: fmt.Sprint(i), At: last})
	}
	same(t, "counted", []any{use.Helpful, use.Unhelpful, use.Score, use.Hits, use.LastUsedAt, len(use.Recent), use.Recent[0].Comment},
		[]any{memory.RecentFeedback + 5, 1, float64(memory.RecentFeedback+5) - 0.5, 3, last, memory.RecentFeedback, fmt.Sprint(memory.RecentFeedback + 4)})
	same(t, "read", w.use(t, acme, m.ID)[m.ID], use)
	w.hit(t, acme, memory.Hits{ID: m.ID, N: 1, Last: start})
	same(t, "last used", w.use(t, acme, m.ID)[m.ID].LastUsedAt, last)
}

func ratingRefused(t *testing.T, w *world) {
	foreign := memory.Scope{Tenant: "evil", Project: acme.Project}
	m := w.add(t, acme, note("a"))
	brief := note("brief")
	brief.ExpiresAt = at(start.Add(time.Minute))
	brief = w.add(t, foreign, brief)
	w.advance(time.Hour)
	for _, id := range []memory.ID{m.ID, brief.ID, memory.NewID(), "no id"} {
		kind(t, w.store.Write(t.Context(), foreign, func(tx memory.Tx) error {
			_, err := tx.Rate(t.Context(), id, memory.Feedback{Score: 1, At: start})
			return err
		}), fault.NotFound)
	}
	same(t, "use", len(w.use(t, acme, m.ID)), 0)
}

func useChangesNothing(t *testing.T, w *world) {
	m := w.add(t, acme, note("a"))
	head := w.head(t, acme)
	w.hit(t, acme, memory.Hits{ID: m.ID, N: 1, Last: start})
	w.rate(t, acme, m.ID, memory.Feedback{Score: 1, At: start})
	same(t, "head", w.head(t, acme), head)
	same(t, "read", w.get(t, acme, m.ID, memory.View{}), m)
	m.Tags = []string{"changed"}
	w.replace(t, acme, m)
	w.archive(t, acme, run, m.ID)
	same(t, "use of the next version, archived", w.use(t, acme, m.ID)[m.ID].Hits, 1)
}

func useGoes(t *testing.T, w *world) {
	id := memory.ID("018f0000-0000-7000-8000-0000000000aa")
	m := note("a")
	m.ID = id
	w.add(t, acme, m)
	w.hit(t, acme, memory.Hits{ID: id, N: 1, Last: start})
	w.remove(t, acme, id)
	w.add(t, acme, m)
	same(t, "use", len(w.use(t, acme, id)), 0)
	w.hit(t, acme, memory.Hits{ID: id, N: 1, Last: start})
	if _, err := w.store.EraseTenant(t.Context(), acme.Tenant); err != nil {
		t.Fatal(err)
	}
	w.add(t, acme, m)
	same(t, "use after an erasure", len(w.use(t, acme, id)), 0)
}

func ratingTakenBack(t *testing.T, w *world) {
	m := w.add(t, acme, note("a"))
	kind(t, w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		if _, err := tx.Rate(t.Context(), m.ID, memory.Feedback{Score: 1, At: start}); err != nil {
			return err
		}
		return fault.New(fault.Unsupported, "no")
	}), fault.Unsupported)
	same(t, "use", len(w.use(t, acme, m.ID)), 0)
}

func usedAtOnce(t *testing.T, w *world) {
	var ids []memory.ID
	for i := range 5 {
		ids = append(ids, w.add(t, acme, note(fmt.Sprint(i))).ID)
	}
	const each = 10
	var running sync.WaitGroup
	for i := range 4 {
		running.Go(func() {
			for range each {
				var hits []memory.Hits
				for j := range ids {
					hits = append(hits, memory.Hits{ID: ids[(i+j)%len(ids)], N: 1, Last: start})
				}
				if err := w.uses(t).Hit(t.Context(), acme, hits); err != nil {
					t.Error(err)
				}
				err := w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
					_, err := tx.Rate(t.Context(), ids[i], memory.Feedback{Score: 1, At: start})
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	uses := w.use(t, acme, ids...)
	for i, id := range ids {
		want := []int64{4 * each, each}
		if i == 4 {
			want[1] = 0
		}
		same(t, "counted", []int64{uses[id].Hits, uses[id].Helpful}, want)
	}
}
