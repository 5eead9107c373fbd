package memorytest

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

func archiveClauses() []clause {
	return []clause{
		{"what is archived stands, and only who asks for it finds it", archivedStands},
		{"what is brought back is as it was, to the byte", unarchivedIsSame},
		{"only what stands and is not archived is archived, in the order asked", archiveOnlyStanding},
		{"only what was archived by the one named is brought back", unarchiveOnlyTheirs},
		{"no next version has the mark", nextVersionIsNotArchived},
		{"a view of a time before shows no mark", archivedLaterThan},
		{"the feed tells of the mark, with the vector, and is announced", archiveOnTheFeed},
		{"a write that fails archives nothing", archiveTakenBack},
		{"what is archived is still recognised, deleted and erased", archivedIsHeld},
		{"nobody archives what is another's", archiveIsolated},
	}
}

const (
	run     = memory.ID("018f0000-0000-7000-8000-000000000001")
	another = memory.ID("018f0000-0000-7000-8000-000000000002")
)

func (w *world) archive(t tester, scope memory.Scope, by memory.ID, ids ...memory.ID) (marked []memory.ID) {
	t.Helper()
	w.write(t, scope, func(tx memory.Tx) (err error) {
		marked, err = tx.Archive(t.Context(), ids, by)
		return err
	})
	return marked
}

func (w *world) unarchive(t tester, scope memory.Scope, by memory.ID, ids ...memory.ID) (marked []memory.ID) {
	t.Helper()
	w.write(t, scope, func(tx memory.Tx) (err error) {
		marked, err = tx.Unarchive(t.Context(), ids, by)
		return err
	})
	return marked
}

func archivedStands(t *testing.T, w *world) {
	m, other := w.add(t, acme, full()), w.add(t, acme, note("stays"))
	now := w.advance(time.Hour)
	same(t, "marked", w.archive(t, acme, run, m.ID), []memory.ID{m.ID})
	want := m
	want.ArchivedAt, want.ArchivedBy = &now, run
	same(t, "read", w.get(t, acme, m.ID, memory.View{}), want)
	for _, c := range []struct {
		archived memory.Archived
		want     []memory.Memory
	}{{memory.WithoutArchived, []memory.Memory{other}}, {memory.WithArchived, []memory.Memory{other, want}}, {memory.OnlyArchived, []memory.Memory{want}}} {
		same(t, "listed "+string(c.archived), w.list(t, acme, memory.Query{Filter: memory.Filter{Archived: c.archived}}).Memories, c.want)
	}
	tagged := memory.Filter{Tags: m.Tags[:1]}
	same(t, "listed by tag", w.list(t, acme, memory.Query{Filter: tagged}).Memories, []memory.Memory{})
	tagged.Archived = memory.OnlyArchived
	same(t, "listed by tag and mark", w.list(t, acme, memory.Query{Filter: tagged}).Memories, []memory.Memory{want})
	history := w.history(t, acme, m.ID)
	same(t, "versions", len(history), 1)
	same(t, "history", history[0].Memory, want)
}

func unarchivedIsSame(t *testing.T, w *world) {
	m := w.add(t, acme, full(), vector(1))
	w.advance(time.Hour)
	m.Content = "changed"
	m = w.replace(t, acme, m, vector(2))
	before := w.history(t, acme, m.ID)
	w.advance(time.Hour)
	w.archive(t, acme, run, m.ID)
	w.advance(time.Hour)
	same(t, "brought back", w.unarchive(t, acme, run, m.ID), []memory.ID{m.ID})
	same(t, "history", w.history(t, acme, m.ID), before)
	same(t, "listed", w.list(t, acme, memory.Query{}).Memories, []memory.Memory{m})
}

func archiveOnlyStanding(t *testing.T, w *world) {
	a, b, gone := w.add(t, acme, note("a")), w.add(t, acme, note("b")), w.add(t, acme, note("gone"))
	w.remove(t, acme, gone.ID)
	brief := note("brief")
	brief.ExpiresAt = at(start.Add(time.Minute))
	brief = w.add(t, acme, brief)
	w.advance(time.Hour)
	same(t, "marked", w.archive(t, acme, run, b.ID, gone.ID, memory.NewID(), "no id", brief.ID, a.ID, b.ID), []memory.ID{b.ID, a.ID})
	head := w.head(t, acme)
	same(t, "marked again", w.archive(t, acme, another, a.ID, b.ID), []memory.ID{})
	same(t, "head", w.head(t, acme), head)
	same(t, "by", w.get(t, acme, a.ID, memory.View{}).ArchivedBy, run)
	kind(t, w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		_, err := tx.Archive(t.Context(), []memory.ID{a.ID}, "")
		return err
	}), fault.Invalid)
	kind(t, w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		_, err := tx.Archive(t.Context(), make([]memory.ID, memory.MaxArchive+1), run)
		return err
	}), fault.Invalid)
}

func unarchiveOnlyTheirs(t *testing.T, w *world) {
	a, b, c := w.add(t, acme, note("a")), w.add(t, acme, note("b")), w.add(t, acme, note("c"))
	w.archive(t, acme, run, a.ID)
	w.archive(t, acme, another, b.ID)
	all := []memory.ID{a.ID, b.ID, c.ID}
	same(t, "by one", w.unarchive(t, acme, run, all...), []memory.ID{a.ID})
	same(t, "by one again", w.unarchive(t, acme, run, all...), []memory.ID{})
	same(t, "by anybody", w.unarchive(t, acme, "", all...), []memory.ID{b.ID})
}

func nextVersionIsNotArchived(t *testing.T, w *world) {
	m := w.add(t, acme, note("a"))
	w.archive(t, acme, run, m.ID)
	w.advance(time.Hour)
	m = w.get(t, acme, m.ID, memory.View{})
	m.Tags = []string{"told anew"}
	next := w.replace(t, acme, m)
	same(t, "mark of what Replace returns", next.ArchivedAt, nil)
	same(t, "mark", w.get(t, acme, m.ID, memory.View{}).ArchivedAt, nil)
	for _, v := range w.history(t, acme, m.ID) {
		same(t, "mark of a version", v.ArchivedAt, nil)
	}
	keyed := note("keyed")
	keyed.ExternalID = "key"
	keyed = w.add(t, acme, keyed)
	w.archive(t, acme, run, keyed.ID)
	keyed.Content, keyed.ID = "keyed, and told anew", ""
	_, outcome := w.put(t, acme, keyed)
	same(t, "outcome", outcome, memory.Updated)
	same(t, "archived", len(w.list(t, acme, memory.Query{Filter: memory.Filter{Archived: memory.OnlyArchived}}).Memories), 0)
}

func archivedLaterThan(t *testing.T, w *world) {
	m := w.add(t, acme, note("a"))
	archived := w.advance(time.Hour)
	w.archive(t, acme, run, m.ID)
	for _, c := range []struct {
		at   time.Time
		mark *time.Time
	}{{start, nil}, {archived.Add(-time.Microsecond), nil}, {archived, &archived}, {archived.Add(time.Hour), &archived}} {
		view := memory.View{KnownAt: &c.at}
		same(t, "mark", w.get(t, acme, m.ID, view).ArchivedAt, c.mark)
		for _, f := range []memory.Archived{memory.WithoutArchived, memory.WithArchived, memory.OnlyArchived} {
			want := 0
			if f.Passes(c.mark != nil) {
				want = 1
			}
			same(t, "listed", len(w.list(t, acme, memory.Query{Filter: memory.Filter{Archived: f}, View: view}).Memories), want)
		}
	}
	same(t, "mark now", w.get(t, acme, m.ID, memory.View{}).ArchivedAt, &archived)
}

func archiveOnTheFeed(t *testing.T, w *world) {
	m := w.add(t, acme, note("a"), vector(1))
	head := w.head(t, acme)
	queue, queued := w.queue()
	announced := func(kind string) {
		t.Helper()
		if !queued {
			return
		}
		records, err := queue.Claim(t.Context(), 100, time.Minute)
		if err != nil || len(records) != 1 || records[0].Type != kind || records[0].Subject != string(m.ID) {
			t.Fatalf("announced %s, %v", render(records), err)
		}
		if err := queue.Done(t.Context(), []string{records[0].ID}); err != nil {
			t.Fatal(err)
		}
	}
	announced(outbox.MemoryStored)
	for _, marked := range []bool{true, false} {
		if marked {
			w.archive(t, acme, run, m.ID)
		} else {
			w.unarchive(t, acme, run, m.ID)
		}
		changes := w.changes(t, acme, head)
		if len(changes) != 1 || changes[0].Version.ID != m.ID || (changes[0].Version.ArchivedAt != nil) != marked || len(changes[0].Vector) != 1 {
			t.Fatalf("the feed tells %s", render(changes))
		}
		head++
		same(t, "head", w.head(t, acme), head)
		announced(outbox.MemoryUpdated)
	}
}

func archiveTakenBack(t *testing.T, w *world) {
	m := w.add(t, acme, note("a"))
	no := fault.New(fault.Unsupported, "no")
	err := w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		if marked, err := tx.Archive(t.Context(), []memory.ID{m.ID}, run); err != nil || len(marked) != 1 {
			t.Errorf("marked %v, %v", marked, err)
		}
		if inside, err := tx.Get(t.Context(), m.ID); err != nil || inside.ArchivedBy != run {
			t.Errorf("inside the transaction: by %q, %v", inside.ArchivedBy, err)
		}
		return no
	})
	kind(t, err, fault.Unsupported)
	same(t, "read", w.get(t, acme, m.ID, memory.View{}), m)
}

func archivedIsHeld(t *testing.T, w *world) {
	m, other := w.add(t, acme, note("a")), w.add(t, acme, note("b"))
	w.archive(t, acme, run, m.ID, other.ID)
	again, outcome := w.put(t, acme, note("a"))
	same(t, "outcome", outcome, memory.Deduplicated)
	same(t, "recognised", []any{again.ID, again.ArchivedBy}, []any{m.ID, run})
	w.remove(t, acme, m.ID)
	w.missing(t, acme, m.ID, memory.View{})
	w.write(t, acme, func(tx memory.Tx) error {
		ids, err := tx.DeleteWhere(t.Context(), memory.Filter{Layers: memory.Layers()}, 10)
		same(t, "deleted without asking for it", ids, []memory.ID{})
		return err
	})
	w.write(t, acme, func(tx memory.Tx) error {
		ids, err := tx.DeleteWhere(t.Context(), memory.Filter{Archived: memory.OnlyArchived}, 10)
		same(t, "deleted", ids, []memory.ID{other.ID})
		return err
	})
}

func archiveIsolated(t *testing.T, w *world) {
	foreign := memory.Scope{Tenant: "evil", Project: acme.Project}
	m, n := w.add(t, acme, note("a")), w.add(t, foreign, note("a"))
	same(t, "marked", w.archive(t, foreign, run, m.ID, n.ID), []memory.ID{n.ID})
	same(t, "read", w.get(t, acme, m.ID, memory.View{}), m)
	w.archive(t, acme, run, m.ID)
	same(t, "brought back", w.unarchive(t, acme, run, m.ID, n.ID), []memory.ID{m.ID})
	same(t, "theirs", w.get(t, foreign, n.ID, memory.View{}).ArchivedBy, run)
}
