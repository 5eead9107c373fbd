package memorytest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Facts is what an oracle knows of a script of facts: every version ever told, with the interval in which it was held.
// It never asks the store.
type Facts struct {
	Versions []memory.Version
	r        *rand.Rand
}

// Teller tells one fact or its correction to a store. It returns the id; a correction has the id of what it corrects.
type Teller func(ctx context.Context, m memory.Memory) (memory.ID, error)

// TellFacts tells n facts, and for every four of them a correction, at the times to which it moves the clock. Facts
// come late (true long before they are told) and early, overlap, have ends open on either side, and lie in any century;
// a correction gives a standing fact another valid interval and the tag of its version, "v2", and keeps its content.
// The script is a function of the seed.
func TellFacts(ctx context.Context, seed uint64, n int, clock func() time.Time, advance func(time.Duration) time.Time, tell Teller) (*Facts, error) {
	f := &Facts{r: rand.New(rand.NewPCG(seed, 17))}
	var standing []int // index of the newest version of each fact
	for told := 0; told < n || len(f.Versions) < n+n/4; {
		advance(f.pause())
		if correct := f.r.IntN(5) == 0 || told == n; correct && len(standing) > 0 {
			which := f.r.IntN(len(standing))
			old := &f.Versions[standing[which]]
			now := advance(time.Duration(1+f.r.IntN(3)) * time.Microsecond)
			next := old.Memory
			next.Version++
			next.Tags = []string{fmt.Sprint("v", next.Version)}
			f.interval(&next, now)
			if _, err := tell(ctx, next); err != nil {
				return nil, fmt.Errorf("correct fact %q: %w", next.Content, err)
			}
			old.RecordedTo = &now
			standing[which] = len(f.Versions)
			f.Versions = append(f.Versions, memory.Version{Memory: next, RecordedFrom: now})
			continue
		}
		m := memory.Memory{
			Content: fmt.Sprint("common fact number", told), Entities: []memory.Entity{{Name: "Common"}}, Tags: []string{"v1"}, Version: 1,
		}
		f.interval(&m, clock())
		var err error
		if m.ID, err = tell(ctx, m); err != nil {
			return nil, fmt.Errorf("tell fact %q: %w", m.Content, err)
		}
		standing = append(standing, len(f.Versions))
		f.Versions = append(f.Versions, memory.Version{Memory: m, RecordedFrom: clock()})
		told++
	}
	return f, nil
}

// pause is how long nothing is told: sometimes no time at all, sometimes the least a store tells apart.
func (f *Facts) pause() time.Duration {
	switch f.r.IntN(6) {
	case 0:
		return 0
	case 1:
		return time.Microsecond
	default:
		return time.Duration(f.r.Int64N(int64(48 * time.Hour))).Truncate(time.Microsecond)
	}
}

// interval draws when a fact told at now is true.
func (f *Facts) interval(m *memory.Memory, now time.Time) {
	from := now.Add(-time.Duration(f.r.Int64N(int64(3 * 365 * 24 * time.Hour)))).Truncate(time.Microsecond)
	switch f.r.IntN(10) {
	case 0: // in days to come
		from = now.Add(time.Duration(f.r.Int64N(int64(100 * 24 * time.Hour)))).Truncate(time.Microsecond)
	case 1:
		from = time.Date(1+f.r.IntN(2000), 5, 1, 0, 0, 0, 0, time.UTC)
	case 2:
		from = now
	}
	to := from.Add(time.Microsecond + time.Duration(f.r.Int64N(int64(2*365*24*time.Hour))).Truncate(time.Microsecond))
	switch f.r.IntN(10) {
	case 0:
		to = from.Add(time.Microsecond)
	case 1:
		to = time.Date(from.Year()+f.r.IntN(5000), 12, 31, 0, 0, 0, 0, time.UTC)
	}
	m.ValidFrom, m.ValidTo = &from, &to
	if f.r.IntN(5) == 0 {
		m.ValidFrom = nil
	}
	if f.r.IntN(3) == 0 {
		m.ValidTo = nil
	}
}

// Views draws n pairs of as_of and known_at: each absent, at a bound of some fact or just beside it, or anywhere.
func (f *Facts) Views(n int) []memory.View {
	views := make([]memory.View, n)
	for i := range views {
		v := f.any()
		views[i].AsOf = f.near(v.ValidFrom, v.ValidTo)
		v = f.any()
		views[i].KnownAt = f.near(&v.RecordedFrom, v.RecordedTo)
	}
	return views
}

func (f *Facts) any() *memory.Version { return &f.Versions[f.r.IntN(len(f.Versions))] }

// near draws a time at or around one of two bounds.
func (f *Facts) near(from, to *time.Time) *time.Time {
	bound := from
	if bound == nil || to != nil && f.r.IntN(2) == 0 {
		bound = to
	}
	if bound == nil || f.r.IntN(6) == 0 {
		return nil
	}
	beside := [...]time.Duration{0, 0, -time.Nanosecond, time.Nanosecond, -time.Microsecond, time.Microsecond,
		time.Duration(f.r.Int64N(int64(400*24*time.Hour))) - 200*24*time.Hour}
	return at(bound.Add(beside[f.r.IntN(len(beside))]))
}

// Shown returns the versions that the view shows, by fact, found by looking at every one.
func (f *Facts) Shown(view memory.View) map[memory.ID]memory.Version {
	shown := map[memory.ID]memory.Version{}
	for i := range f.Versions {
		v := &f.Versions[i]
		if view.KnownAt == nil && v.RecordedTo != nil {
			continue
		}
		if view.KnownAt != nil && (view.KnownAt.Before(v.RecordedFrom) || v.RecordedTo != nil && !view.KnownAt.Before(*v.RecordedTo)) {
			continue
		}
		if view.AsOf != nil && (v.ValidFrom != nil && view.AsOf.Before(*v.ValidFrom) || v.ValidTo != nil && !view.AsOf.Before(*v.ValidTo)) {
			continue
		}
		shown[v.ID] = *v
	}
	return shown
}

// IDs returns the ids of all facts, sorted.
func (f *Facts) IDs() []memory.ID {
	var ids []memory.ID
	for i := range f.Versions {
		if f.Versions[i].Version == 1 {
			ids = append(ids, f.Versions[i].ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// Tell is the Teller of a store's scope; vectors gives what is stored beside a content and may be nil.
func Tell(store memory.Store, scope memory.Scope, vectors func(content string) []memory.Vector) Teller {
	return func(ctx context.Context, m memory.Memory) (memory.ID, error) {
		var beside []memory.Vector
		if vectors != nil && m.Version == 1 { // a correction keeps the content, so its vector stays
			beside = vectors(m.Content)
		}
		err := store.Write(ctx, scope, func(tx memory.Tx) (err error) {
			told := m
			if m.Version == 1 {
				told, _, err = tx.Put(ctx, m, asker, beside...)
			} else {
				told, err = tx.Replace(ctx, m, asker)
			}
			if err == nil {
				m.ID = told.ID
			}
			return err
		})
		return m.ID, err
	}
}

// Near returns the facts that have a bound at one of the view's times, or within a microsecond of it, sorted: what a view
// shows wrongly, it shows wrongly of them.
func (f *Facts) Near(view memory.View) []memory.ID {
	near := func(bound, asked *time.Time) bool {
		return bound != nil && asked != nil && bound.Sub(*asked).Abs() <= time.Microsecond
	}
	var ids []memory.ID
	for i := range f.Versions {
		v := &f.Versions[i]
		if near(v.ValidFrom, view.AsOf) || near(v.ValidTo, view.AsOf) || near(&v.RecordedFrom, view.KnownAt) || near(v.RecordedTo, view.KnownAt) {
			ids = append(ids, v.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// factsOracle asks every read for what 500 pairs of times show of 1,000 facts. To get all of them one by one would take
// longer than all else: those are asked for that a view may get wrong, and in the end every one has been.
func factsOracle(t *testing.T, w *world) {
	facts, err := TellFacts(t.Context(), 3, 1000, w.clock, w.advance, Tell(w.store, acme, nil))
	if err != nil {
		t.Fatal(err)
	}
	ids := facts.IDs()
	for i, view := range facts.Views(500) {
		shown := facts.Shown(view)
		agree(t, "list", view, w.list(t, acme, memory.Query{View: view}).Memories, shown)
		asked := ids[i%4*250 : i%4*250+250]
		found, err := w.store.Find(t.Context(), acme, asked, view)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, "find", view, found, only(shown, asked))
		for _, id := range append(facts.Near(view), ids[i*2], ids[i*2+1]) {
			m, err := w.store.Get(t.Context(), acme, id, view)
			want, ok := shown[id]
			switch {
			case !ok:
				kind(t, err, fault.NotFound)
			case err != nil:
				t.Fatalf("get %s in %s: %v", id, render(view), err)
			default:
				agree(t, "get", view, []memory.Memory{m}, map[memory.ID]memory.Version{id: want})
			}
		}
	}
}

// only returns those of shown that were asked for.
func only(shown map[memory.ID]memory.Version, asked []memory.ID) map[memory.ID]memory.Version {
	some := map[memory.ID]memory.Version{}
	for _, id := range asked {
		if v, ok := shown[id]; ok {
			some[id] = v
		}
	}
	return some
}

// agree holds what a read showed against what it should: the facts, the version of each and its valid time.
func agree(t *testing.T, read string, view memory.View, got []memory.Memory, want map[memory.ID]memory.Version) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s in %s shows %d facts, want %d", read, render(view), len(got), len(want))
	}
	for i := range got {
		v, ok := want[got[i].ID]
		if !ok {
			t.Fatalf("%s in %s shows %q, which it should not", read, render(view), got[i].Content)
		}
		what := fmt.Sprintf("%s of %q in %s", read, v.Content, render(view))
		same(t, what, []any{got[i].Version, got[i].Tags, got[i].ValidFrom, got[i].ValidTo}, []any{v.Version, v.Tags, v.ValidFrom, v.ValidTo})
	}
}
