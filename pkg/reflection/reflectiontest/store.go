// Package reflectiontest holds the contract of reflection.Store: every implementation runs it.
package reflectiontest

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

// Open returns a fresh store that reads the time from clock, and the outbox it writes to.
type Open func(t *testing.T, clock func() time.Time) (reflection.Store, outbox.Queue)

// lease of claims in the suite.
const lease = time.Minute

// Run holds the store named by on to its contract.
func Run(t *testing.T, on string, open Open) {
	run := contract.Begin(t, "reflectiontest", on)
	clauses := []struct {
		name string
		test func(*testing.T, *world)
	}{
		{"what was created is read back whole", createsWhole},
		{"a key creates once, and another request under it is a conflict", createsOnce},
		{"another tenant and another project see nothing", keepsScopesApart},
		{"a list pages newest first and filters", lists},
		{"a queued reflection is claimed once until its lease ends", claims},
		{"the oldest due reflection of any scope comes next", claimsNext},
		{"a stale fence finishes nothing and tells nobody", fences},
		{"a lease that ended unclaimed may still finish", finishesLate},
		{"finishing keeps what is the store's and tells its records", finishes},
		{"work given back is claimed again with its progress", givesBack},
		{"what waits for its time is claimed from then on", waits},
		{"what is parked is claimed when its time comes or it is resumed", parks},
		{"a cancelled reflection is not worked on", cancels},
		{"an event counts once and every so many queue one reflection", gathers},
		{"events told together count as if told one by one", gathersTogether},
		{"a scope whose reflection waits is given no second one", gathersBehindQueued},
		{"a scope that has not rested queues without a word", gathersInRest},
		{"memories wait together, and are due when there are enough", awaits},
		{"what has been read waits no more, unless it is changed", reads},
		{"scopes that gathered are listed in order", listsScopes},
		{"policies are kept as told, in their own scope", keepsPolicies},
		{"scopes with policies are listed in order", listsPolicyScopes},
		{"of many claiming at once each gets another reflection", claimsAtOnce},
	}
	for _, clause := range clauses {
		run.Clause(t, clause.name, func(t *testing.T) {
			w := &world{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
			w.store, w.outbox = open(t, w.clock)
			clause.test(t, w)
		})
	}
}

// world is one fresh store with a clock that stands still until told.
type world struct {
	store  reflection.Store
	outbox outbox.Queue
	mu     sync.Mutex
	now    time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

var acme = memory.Scope{Tenant: "acme", Project: "support"}

// queued is a fresh reflection, created now.
func (w *world) queued(kind reflection.Kind) reflection.Reflection {
	return reflection.Reflection{
		ID: memory.NewID(), Kind: kind, Status: reflection.Queued, Method: reflection.Extractive, CreatedAt: w.clock(),
		Degraded: []string{}, Sources: []memory.Citation{}, MemoryIDs: []memory.ID{},
	}
}

// create stores a fresh reflection and returns it as it stands.
func (w *world) create(t *testing.T, scope memory.Scope, r reflection.Reflection) reflection.Reflection {
	t.Helper()
	made, fresh, err := w.store.Create(t.Context(), scope, r, memory.Key{})
	if err != nil || !fresh {
		t.Fatalf("create: fresh %v, %v", fresh, err)
	}
	return made
}

func (w *world) claim(t *testing.T, id memory.ID) reflection.Claim {
	t.Helper()
	c, err := w.store.Claim(t.Context(), acme, id, lease)
	if err != nil {
		t.Fatalf("claim %s: %v", id, err)
	}
	return c
}

// told returns type and subject of every record in the outbox, sorted.
func (w *world) told(t *testing.T) []string {
	t.Helper()
	records, err := w.outbox.Claim(t.Context(), 1000, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	told := []string{}
	for _, r := range records {
		told = append(told, fmt.Sprintf("%s/%s %s %s", r.Tenant, r.Project, r.Type, r.Subject))
	}
	slices.Sort(told)
	return told
}

func wantKind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != want {
		t.Errorf("got error %v, want kind %s", err, want)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func createsWhole(t *testing.T, w *world) {
	since, until := w.clock().Add(-time.Hour), w.clock()
	r := w.queued(reflection.Consolidate)
	r.Filters = memory.Filter{Layers: []memory.Layer{memory.Episodic}, Tags: []string{"a", "ż"}, SessionID: "s", MinImportance: 0.25}
	r.Since, r.Until = &since, &until
	r.Degraded = []string{"window"}
	r.Sources = []memory.Citation{{MemoryID: memory.NewID(), Start: 3, End: 9}}
	r.MemoryIDs = []memory.ID{memory.NewID()}
	r.Forgetting = &reflection.ForgettingRun{By: "ann", Policies: policies(w.clock()), UndoOf: memory.NewID(), Looked: 5, Archived: 4,
		Deleted: 3, Restored: 2, Until: w.clock()}
	r.Calls, r.TokensIn, r.TokensOut, r.Cost = 1, 2, 3, 1_234_567_891
	r.Error, r.Cursor, r.Attempts = "why", "here", 2
	made, fresh, err := w.store.Create(t.Context(), acme, r, memory.Key{}, outbox.Record{Type: outbox.ReflectionDue, Data: []byte("{}")})
	if err != nil || !fresh {
		t.Fatalf("create: fresh %v, %v", fresh, err)
	}
	want := r
	want.TenantID, want.ProjectID = acme.Tenant, acme.Project
	same(t, made, want)
	got, err := w.store.Get(t.Context(), acme, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
	same(t, w.told(t), []string{"acme/support reflection.due "})
	got.MemoryIDs[0] = "" // what was handed out is the caller's
	again, _ := w.store.Get(t.Context(), acme, r.ID)
	same(t, again, want)
}

func createsOnce(t *testing.T, w *world) {
	key := memory.Key{Route: "POST /v1/reflections", Key: "k", Fingerprint: "f"}
	due := outbox.Record{Type: outbox.ReflectionDue, Data: []byte("{}")}
	first, fresh, err := w.store.Create(t.Context(), acme, w.queued(reflection.Insight), key, due)
	if err != nil || !fresh {
		t.Fatalf("first: fresh %v, %v", fresh, err)
	}
	second, fresh, err := w.store.Create(t.Context(), acme, w.queued(reflection.Insight), key, due)
	if err != nil || fresh {
		t.Fatalf("second: fresh %v, %v", fresh, err)
	}
	same(t, second, first)
	same(t, len(w.told(t)), 1)

	other := key
	other.Fingerprint = "g"
	_, _, err = w.store.Create(t.Context(), acme, w.queued(reflection.Insight), other)
	wantKind(t, err, fault.Conflict)

	for name, k := range map[string]struct {
		scope memory.Scope
		key   memory.Key
	}{
		"another scope": {memory.Scope{Tenant: "acme", Project: "sales"}, other},
		"another route": {acme, memory.Key{Route: "clock", Key: "k", Fingerprint: "g"}},
		"no key":        {acme, memory.Key{}},
		"no key again":  {acme, memory.Key{}},
	} {
		if _, fresh, err := w.store.Create(t.Context(), k.scope, w.queued(reflection.Insight), k.key); err != nil || !fresh {
			t.Errorf("%s: fresh %v, %v", name, fresh, err)
		}
	}
}

func keepsScopesApart(t *testing.T, w *world) {
	r := w.create(t, acme, w.queued(reflection.Insight))
	for _, stranger := range []memory.Scope{{Tenant: "acme", Project: "sales"}, {Tenant: "other", Project: "support"}} {
		_, err := w.store.Get(t.Context(), stranger, r.ID)
		wantKind(t, err, fault.NotFound)
		_, err = w.store.Claim(t.Context(), stranger, r.ID, lease)
		wantKind(t, err, fault.NotFound)
		_, err = w.store.Cancel(t.Context(), stranger, r.ID)
		wantKind(t, err, fault.NotFound)
		wantKind(t, w.store.Finish(t.Context(), stranger, r, 1), fault.NotFound)
		page, err := w.store.List(t.Context(), stranger, reflection.Query{Limit: 10})
		if err != nil || len(page.Reflections) != 0 || page.Next != "" {
			t.Errorf("%s lists %+v, %v", stranger, page, err)
		}
	}
	got, err := w.store.Get(t.Context(), acme, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, r)
}

func lists(t *testing.T, w *world) {
	var all []reflection.Reflection
	for i := range 7 {
		all = append(all, w.create(t, acme, w.queued(reflection.Kinds()[i%2])))
	}
	slices.SortFunc(all, func(a, b reflection.Reflection) int { return cmp.Compare(b.ID, a.ID) })
	var got []reflection.Reflection
	q := reflection.Query{Limit: 3}
	for pages := 1; ; pages++ {
		page, err := w.store.List(t.Context(), acme, q)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Reflections...)
		if page.Next == "" {
			same(t, pages, 3)
			break
		}
		if len(page.Reflections) != q.Limit || pages > 3 {
			t.Fatalf("page %d has %d", pages, len(page.Reflections))
		}
		q.After = page.Next
	}
	same(t, got, all)

	w.claim(t, all[0].ID)
	for _, tt := range []struct {
		name  string
		query reflection.Query
		want  int
	}{
		{"kind", reflection.Query{Kind: reflection.Insight, Limit: 10}, 4},
		{"status", reflection.Query{Status: reflection.Running, Limit: 10}, 1},
		{"both", reflection.Query{Kind: reflection.Decay, Status: reflection.Queued, Limit: 10}, 0},
		{"exactly a page", reflection.Query{Limit: 7}, 7},
	} {
		page, err := w.store.List(t.Context(), acme, tt.query)
		if err != nil || len(page.Reflections) != tt.want || page.Next != "" {
			t.Errorf("%s: %d reflections, next %q, %v; want %d", tt.name, len(page.Reflections), page.Next, err, tt.want)
		}
	}
}

func claimsAtOnce(t *testing.T, w *world) {
	const n = 20
	for range n {
		w.create(t, acme, w.queued(reflection.Insight))
	}
	claimed := make(chan memory.ID, 2*n)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for {
				c, found, err := w.store.Next(t.Context(), lease)
				if err != nil {
					t.Error(err)
				}
				if err != nil || !found {
					return
				}
				claimed <- c.ID
			}
		})
	}
	workers.Wait()
	close(claimed)
	seen := map[memory.ID]int{}
	for id := range claimed {
		seen[id]++
	}
	if len(seen) != n {
		t.Errorf("%d of %d were claimed", len(seen), n)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s was claimed %d times", id, times)
		}
	}
}
