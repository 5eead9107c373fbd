package reflection_test

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

const day = 24 * time.Hour

func share(x float64) *float64 { return &x }

// forgets sets how acme forgets.
func (w *world) forgets(t testing.TB, p reflection.Policies) {
	t.Helper()
	if _, err := w.service.SetPolicies(t.Context(), acme, p, "ann"); err != nil {
		t.Fatal(err)
	}
}

func archives(after int) reflection.Policies {
	return reflection.Policies{Policies: []reflection.Policy{{Layer: memory.Episodic, Mode: reflection.Archive, AfterDays: after}}}
}

func deletes(after, grace int) reflection.Policies {
	return reflection.Policies{Policies: []reflection.Policy{{Layer: memory.Episodic, Mode: reflection.Delete, AfterDays: after}}, GraceDays: grace}
}

// forget runs the policies and returns the run as it ended.
func (w *world) forget(t testing.TB) reflection.Reflection {
	t.Helper()
	started, err := w.service.StartForgetting(t.Context(), acme, "ann", memory.Key{})
	if err != nil {
		t.Fatal(err)
	}
	return w.finish(t, started.ID)
}

func (w *world) finish(t testing.TB, id memory.ID) reflection.Reflection {
	t.Helper()
	r, err := w.service.Run(t.Context(), acme, id)
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != reflection.Succeeded {
		t.Fatalf("the run is %s: %s", r.Status, r.Error)
	}
	return r
}

func (w *world) undo(t testing.TB, run memory.ID) reflection.Reflection {
	t.Helper()
	started, err := w.service.Undo(t.Context(), acme, run, "ann", memory.Key{})
	if err != nil {
		t.Fatal(err)
	}
	return w.finish(t, started.ID)
}

// standing are the contents found, those archived, sorted.
func (w *world) standing(t testing.TB) (found, archived []string) {
	t.Helper()
	for _, m := range w.all(t, memory.WithArchived) {
		if m.ArchivedAt == nil {
			found = append(found, m.Content)
		} else {
			archived = append(archived, m.Content)
		}
	}
	slices.Sort(found)
	slices.Sort(archived)
	return found, archived
}

func (w *world) all(t testing.TB, a memory.Archived) (all []memory.Memory) {
	t.Helper()
	q := memory.Query{Filter: memory.Filter{Archived: a}, Limit: 1000}
	for {
		page, err := w.db.List(t.Context(), acme, q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Memories...)
		if q.After = page.Next; q.After == "" {
			return all
		}
	}
}

func TestForgettingGoesByThePolicies(t *testing.T) {
	t.Parallel()
	w := newWorld()
	used := map[memory.ID]memory.Use{}
	w.service.Uses = uses(used)
	below := share(0.3)
	w.forgets(t, reflection.Policies{Policies: []reflection.Policy{
		{Layer: memory.Episodic, Mode: reflection.Archive, AfterDays: 10, BelowImportance: below, KeepTags: []string{"keep", "mine"}, KeepUsedWithinDays: 5},
		{Layer: memory.Semantic, Mode: reflection.Off, AfterDays: 1},
	}})
	stood := w.put(t, acme,
		memory.Memory{Content: "goes", Importance: 0.2, Tags: []string{"other"}},
		memory.Memory{Content: "goes, used long ago", Importance: 0.2},
		memory.Memory{Content: "important", Importance: 0.3},
		memory.Memory{Content: "tagged", Importance: 0.1, Tags: []string{"x", "mine"}},
		memory.Memory{Content: "used", Importance: 0.1},
		memory.Memory{Content: "told anew", Importance: 0.1},
		memory.Memory{Content: "semantic", Importance: 0.1, Layer: memory.Semantic},
		memory.Memory{Content: "working", Importance: 0.1, Layer: memory.Working},
	)
	w.put(t, memory.Scope{Tenant: "acme", Project: "other"}, memory.Memory{Content: "elsewhere", Importance: 0.1})
	w.pass(9*day + 23*time.Hour)
	w.put(t, acme, memory.Memory{Content: "young", Importance: 0.1})
	if r := w.forget(t); r.Forgetting.Archived != 0 {
		t.Errorf("too early it archived %+v", r.Forgetting)
	}
	w.change(t, stood[5], "a reason")
	w.pass(time.Hour)
	w.change(t, stood[0], "decay") // no telling
	longAgo, lately := w.clock().Add(-6*day), w.clock().Add(-5*day)
	used[stood[1].ID], used[stood[4].ID] = memory.Use{LastUsedAt: &longAgo}, memory.Use{LastUsedAt: &lately}

	told, err := w.service.RehearseForgetting(t.Context(), acme)
	if err != nil || told.Archive != 2 || told.Delete != 0 || !told.Whole || len(told.First) != 2 {
		t.Fatalf("rehearsed %+v, %v", told, err)
	}
	if want := "told 10 days ago, policy 10 days; importance 0.20, below 0.30; not used within 5 days"; told.First[0].Reason != want || told.First[0].Action != reflection.Archive {
		t.Errorf("the reason is %+v", told.First[0])
	}
	if _, archived := w.standing(t); archived != nil {
		t.Fatalf("a dry run archived %q", archived)
	}
	r := w.forget(t)
	if got, want := r.Forgetting, (reflection.ForgettingRun{By: "ann", Policies: r.Forgetting.Policies, Looked: 7, Archived: 2, Until: w.clock().Add(30 * day)}); !reflect.DeepEqual(*got, want) {
		t.Errorf("\n got %+v\nwant %+v", *got, want)
	}
	_, archived := w.standing(t)
	if want := []string{"goes", "goes, used long ago"}; !slices.Equal(archived, want) {
		t.Errorf("archived %q", archived)
	}
	if got, want := slices.Sorted(slices.Values(r.MemoryIDs)), ids(stood[:2]); !slices.Equal(got, want) {
		t.Errorf("names %v, want %v", got, want)
	}
	w.tell(t)
	if again := w.forget(t); again.Forgetting.Archived != 0 || len(w.tell(t)) != 2 { // reflection.due of the start and of the second part
		t.Errorf("again: %+v", again.Forgetting)
	}
}

// change writes the next version of a memory, for a reason.
func (w *world) change(t testing.TB, m memory.Memory, reason string) {
	t.Helper()
	err := w.db.Write(t.Context(), acme, func(tx memory.Tx) error {
		standing, err := tx.Get(t.Context(), m.ID)
		if err != nil {
			return err
		}
		standing.Metadata = memory.Metadata{"changed": reason}
		_, err = tx.Replace(t.Context(), standing, memory.Why{Reason: reason})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

type uses map[memory.ID]memory.Use

func (u uses) Hit(context.Context, memory.Scope, []memory.Hits) error { return nil }

func (u uses) Use(context.Context, memory.Scope, []memory.ID) (map[memory.ID]memory.Use, error) {
	return u, nil
}

func TestUndoRestoresTheSameRows(t *testing.T) {
	t.Parallel()
	w := newWorld()
	stood := w.put(t, acme, turns(t)...)
	w.change(t, stood[3], "a reason")
	before := w.all(t, memory.WithoutArchived)
	w.forgets(t, archives(1))
	w.pass(2 * day)
	run := w.forget(t)
	if found, archived := w.standing(t); len(found) != 0 || len(archived) != len(stood) || run.Forgetting.Archived != len(stood) {
		t.Fatalf("%d found, %d archived, %+v", len(found), len(archived), run.Forgetting)
	}
	undone := w.undo(t, run.ID)
	if undone.Forgetting.Restored != len(stood) || undone.Forgetting.UndoOf != run.ID {
		t.Errorf("undone: %+v", undone.Forgetting)
	}
	if after := w.all(t, memory.WithArchived); !reflect.DeepEqual(after, before) {
		t.Errorf("\n got %+v\nwant %+v", after[0], before[0])
	}
	if again := w.undo(t, run.ID); again.Forgetting.Restored != 0 {
		t.Errorf("undone again: %+v", again.Forgetting)
	}
	if _, err := w.service.Undo(t.Context(), acme, undone.ID, "ann", memory.Key{}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an undoing is undone: %v", err)
	}
	if _, err := w.service.Undo(t.Context(), memory.Scope{Tenant: "evil", Project: acme.Project}, run.ID, "eve", memory.Key{}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a foreign run is undone: %v", err)
	}
}

func TestUndoBringsBackItsOwnRunAlone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.forgets(t, archives(1))
	w.put(t, acme, said("first")...)
	w.pass(2 * day)
	first := w.forget(t)
	w.put(t, acme, said("second")...)
	w.pass(2 * day)
	w.forget(t)
	w.undo(t, first.ID)
	if found, archived := w.standing(t); !slices.Equal(found, []string{"first"}) || !slices.Equal(archived, []string{"second"}) {
		t.Errorf("found %q, archived %q", found, archived)
	}
}

func TestWhatIsToBeDeletedIsArchivedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.forgets(t, deletes(1, 7))
	w.put(t, acme, said("a", "b")...)
	w.pass(2 * day)
	first := w.forget(t)
	if first.Forgetting.Archived != 2 || first.Forgetting.Deleted != 0 {
		t.Fatalf("first: %+v", first.Forgetting)
	}
	w.pass(7*day - time.Microsecond)
	if r := w.forget(t); r.Forgetting.Deleted != 0 {
		t.Errorf("within the grace period it deleted: %+v", r.Forgetting)
	}
	w.undo(t, first.ID)
	if found, archived := w.standing(t); len(found) != 2 || len(archived) != 0 {
		t.Errorf("found %q, archived %q", found, archived)
	}
	second := w.forget(t)
	w.pass(7 * day)
	// Who has thought better of it deletes nothing any more.
	w.forgets(t, archives(1))
	if told, err := w.service.RehearseForgetting(t.Context(), acme); err != nil || told.Delete != 0 {
		t.Errorf("rehearsed %+v, %v", told, err)
	}
	if r := w.forget(t); r.Forgetting.Deleted != 0 {
		t.Errorf("a policy that archives deleted: %+v", r.Forgetting)
	}
	w.forgets(t, deletes(1, 7))
	told, err := w.service.RehearseForgetting(t.Context(), acme)
	if err != nil || told.Delete != 2 || told.First[0].Reason != fmt.Sprintf("archived 7 days ago by run %s, grace period 7 days", second.ID) {
		t.Errorf("rehearsed %+v, %v", told, err)
	}
	w.tell(t)
	if r := w.forget(t); r.Forgetting.Deleted != 2 {
		t.Errorf("after the grace period: %+v", r.Forgetting)
	}
	deleted := 0
	for _, record := range w.tell(t) {
		if record.Type == outbox.MemoryDeleted {
			deleted++
		}
	}
	if found, archived := w.standing(t); found != nil || archived != nil || deleted != 2 {
		t.Errorf("found %q, archived %q, %d told", found, archived, deleted)
	}
	if r := w.undo(t, second.ID); r.Forgetting.Restored != 0 {
		t.Errorf("brought back from nowhere: %+v", r.Forgetting)
	}
}

// interrupted loses the end of the first parts of work.
type interrupted struct {
	reflection.Store
	left int
}

func (s *interrupted) Finish(ctx context.Context, scope memory.Scope, r reflection.Reflection, fence int64, records ...outbox.Record) error {
	if s.left > 0 && r.Status == reflection.Queued && strings.HasPrefix(r.Cursor, "archive:") && r.Cursor != "archive:" {
		s.left--
		return fault.New(fault.Unavailable, "killed")
	}
	return s.Store.Finish(ctx, scope, r, fence, records...)
}

// counting counts transactions, and the most memories that one archives.
type counting struct {
	reflection.Writer
	most, writes int
}

func (c *counting) Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error {
	c.writes++
	return c.Writer.Write(ctx, scope, func(tx memory.Tx) error { return do(countingTx{tx, c}) })
}

type countingTx struct {
	memory.Tx
	c *counting
}

func (t countingTx) Archive(ctx context.Context, ids []memory.ID, by memory.ID) ([]memory.ID, error) {
	t.c.most = max(t.c.most, len(ids))
	return t.Tx.Archive(ctx, ids, by)
}

func TestALongRunStaysInSlicesAndCountsWhatWasDoneTwiceOnce(t *testing.T) {
	t.Parallel()
	w := newWorld()
	const n = 9_000
	for i := range n / 1000 {
		var part []memory.Memory
		for j := range 1000 {
			part = append(part, memory.Memory{Content: fmt.Sprint("memory ", i*1000+j)})
		}
		w.put(t, acme, part...)
	}
	w.forgets(t, archives(1))
	w.pass(2 * day)
	w.service.Store = &interrupted{w.store, 2}
	counted := &counting{Writer: w.db}
	w.service.Writer = counted
	started, err := w.service.StartForgetting(t.Context(), acme, "ann", memory.Key{})
	if err != nil {
		t.Fatal(err)
	}
	var r reflection.Reflection
	for range 10 {
		if r, err = w.service.Run(t.Context(), acme, started.ID); err == nil && r.Status.Final() {
			break
		}
		w.pass(time.Minute) // the lease of who was killed ends
	}
	if r.Status != reflection.Succeeded || r.Forgetting.Archived != n || len(r.MemoryIDs) != 1000 {
		t.Errorf("%s %q: %+v, %d named", r.Status, r.Error, r.Forgetting, len(r.MemoryIDs))
	}
	if counted.most > 200 || counted.writes < n/200 {
		t.Errorf("%d transactions, up to %d memories each", counted.writes, counted.most)
	}
}

func TestARunForgetsNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := archives(1)
	p.MaxPerRun = 3
	w.forgets(t, p)
	w.put(t, acme, said("a", "b", "c", "d", "e")...)
	w.pass(2 * day)
	for _, want := range []int{3, 2, 0} {
		r := w.forget(t)
		if r.Forgetting.Archived != want || slices.Contains(r.Degraded, "max_per_run") != (want == 3) {
			t.Errorf("archived %d, degraded %v; want %d", r.Forgetting.Archived, r.Degraded, want)
		}
	}
}

func TestARunThatIsWorkedOnIsNotUndoneAndOneCalledOffStops(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.forgets(t, archives(1))
	w.put(t, acme, said("a", "b")...)
	w.pass(2 * day)
	run, err := w.service.StartForgetting(t.Context(), acme, "ann", memory.Key{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Claim(t.Context(), acme, run.ID, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.Undo(t.Context(), acme, run.ID, "ann", memory.Key{}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("undone while worked on: %v", err)
	}
	w.pass(2 * time.Minute)
	w.service.Memories = cancelling{w.db, func() {
		if _, err := w.store.Cancel(t.Context(), acme, run.ID); err != nil {
			t.Error(err)
		}
	}}
	if r, err := w.service.Run(t.Context(), acme, run.ID); err != nil || r.Status != reflection.Cancelled {
		t.Errorf("%s, %v", r.Status, err)
	}
	if found, archived := w.standing(t); len(found) != 2 || len(archived) != 0 {
		t.Errorf("called off, and archived %q", archived)
	}
	queued, err := w.service.StartForgetting(t.Context(), acme, "ann", memory.Key{})
	if err != nil {
		t.Fatal(err)
	}
	w.service.Memories = w.db
	w.undo(t, queued.ID)
	if r, err := w.service.Run(t.Context(), acme, queued.ID); err != nil || r.Status != reflection.Cancelled {
		t.Errorf("what waited and was undone is %s, %v", r.Status, err)
	}
}

// cancelling does something whenever a list is read.
type cancelling struct {
	reflection.Reader
	then func()
}

func (c cancelling) List(ctx context.Context, scope memory.Scope, q memory.Query) (memory.Page, error) {
	page, err := c.Reader.List(ctx, scope, q)
	c.then()
	return page, err
}

func TestTheClockForgetsOnceADayWhereItIsWanted(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.put(t, acme, said("a")...)
	other := memory.Scope{Tenant: "rival", Project: "p"}
	if _, err := w.service.SetPolicies(t.Context(), other, reflection.Policies{}, "eve"); err != nil {
		t.Fatal(err)
	}
	w.forgets(t, archives(1))
	for _, c := range []struct {
		after  time.Duration
		within memory.Scope
		want   int
	}{{0, memory.Scope{Tenant: "rival"}, 0}, {0, memory.Scope{}, 1}, {time.Hour, memory.Scope{}, 0}, {day, memory.Scope{Tenant: "acme"}, 1}, {day, memory.Scope{}, 1}} {
		w.pass(c.after)
		n, err := w.service.ForgetScopes(t.Context(), c.within)
		if err != nil || n != c.want {
			t.Errorf("after %s within %v: %d queued, %v", c.after, c.within, n, err)
		}
		if _, err := w.service.RunQueued(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
	}
	if _, archived := w.standing(t); len(archived) != 1 {
		t.Errorf("archived %q", archived)
	}
}

func TestPoliciesThatCannotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld()
	one := func(change func(*reflection.Policy)) reflection.Policies {
		p := archives(10)
		change(&p.Policies[0])
		return p
	}
	for field, p := range map[string]reflection.Policies{
		"body.policies":                          {Policies: make([]reflection.Policy, 7)},
		"body.policies[0].layer":                 one(func(p *reflection.Policy) { p.Layer = "eternal" }),
		"body.policies[1].layer":                 {Policies: append(archives(1).Policies, archives(2).Policies...)},
		"body.policies[0].mode":                  one(func(p *reflection.Policy) { p.Mode = "shred" }),
		"body.policies[0].after_days":            one(func(p *reflection.Policy) { p.AfterDays = 0 }),
		"body.policies[0].after_days ":           one(func(p *reflection.Policy) { p.AfterDays = -1 }),
		"body.policies[0].after_days  ":          one(func(p *reflection.Policy) { p.AfterDays = math.MaxInt }),
		"body.policies[0].below_importance":      one(func(p *reflection.Policy) { p.BelowImportance = share(math.NaN()) }),
		"body.policies[0].below_importance ":     one(func(p *reflection.Policy) { p.BelowImportance = share(-0.1) }),
		"body.policies[0].below_importance  ":    one(func(p *reflection.Policy) { p.BelowImportance = share(math.Inf(1)) }),
		"body.policies[0].keep_used_within_days": one(func(p *reflection.Policy) { p.KeepUsedWithinDays = -5 }),
		"body.policies[0].keep_tags":             one(func(p *reflection.Policy) { p.KeepTags = make([]string, 65) }),
		"body.policies[0].keep_tags[0]":          one(func(p *reflection.Policy) { p.KeepTags = []string{""} }),
		"body.policies[0].half_life_days":        one(func(p *reflection.Policy) { p.HalfLifeDays = share(math.Inf(1)) }),
		"body.policies[0].half_life_days ":       one(func(p *reflection.Policy) { p.HalfLifeDays = share(-1) }),
		"body.policies[0].floor":                 one(func(p *reflection.Policy) { p.Floor = share(1.5) }),
		"body.grace_days":                        {GraceDays: -1},
		"body.grace_days ":                       {GraceDays: 366},
		"body.max_per_run":                       {MaxPerRun: -1},
		"body.max_per_run ":                      {MaxPerRun: 100_001},
	} {
		_, err := w.service.SetPolicies(t.Context(), acme, p, "ann")
		fields := fault.FieldsOf(err)
		if fault.KindOf(err) != fault.Invalid || len(fields) != 1 || fields[0].Location != strings.TrimSpace(field) {
			t.Errorf("%s: %v %v", field, err, fields)
		}
	}
	if p, err := w.service.Policies(t.Context(), acme); err != nil || len(p.Policies) != 6 || p.UpdatedAt != nil || p.GraceDays != 30 || p.MaxPerRun != 10_000 {
		t.Errorf("policies nobody set: %+v, %v", p, err)
	}
}

func TestFadingGoesByThePolicies(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := reflection.Policies{Policies: []reflection.Policy{
		{Layer: memory.Episodic, HalfLifeDays: share(2), Floor: share(0.2)}, {Layer: memory.Semantic, HalfLifeDays: share(0)}},
	}
	w.forgets(t, p)
	w.put(t, acme, memory.Memory{Content: "episodic", Importance: 0.8}, memory.Memory{Content: "semantic", Importance: 0.8, Layer: memory.Semantic})
	w.pass(4 * day)
	w.run(t, acme, reflection.Request{Kind: reflection.Decay})
	w.pass(1000 * day)
	got := map[string]float64{}
	for _, m := range w.all(t, memory.WithoutArchived) {
		got[m.Content] = m.Importance
	}
	if want := map[string]float64{"episodic": 0.5, "semantic": 0.8}; !reflect.DeepEqual(got, want) {
		t.Errorf("after four days: %v", got)
	}
	w.run(t, acme, reflection.Request{Kind: reflection.Decay})
	for _, m := range w.all(t, memory.WithoutArchived) {
		if m.Content == "episodic" && m.Importance != 0.2 {
			t.Errorf("in the end: %v", m.Importance)
		}
	}
}
