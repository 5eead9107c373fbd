// Package jobtest holds the contract of job.Store: every implementation runs it, and plays through crashes with it.
package jobtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Open returns a fresh store that reads the time from clock, and the outbox it writes to.
type Open func(t *testing.T, clock func() time.Time) (job.Store, outbox.Queue)

// lease of claims in the suite.
const lease = time.Minute

// Store runs the contract.
func Store(t *testing.T, open Open) {
	clauses := []struct {
		name string
		test func(*testing.T, *world)
	}{
		{"what was created is read back whole", createsWhole},
		{"a key creates once, and another request under it is a conflict", createsOnce},
		{"what is not fit is refused and not kept", refusesUnfit},
		{"another tenant and another project see nothing", keepsScopesApart},
		{"a list pages newest first and filters", lists},
		{"a queued job is claimed once until its lease ends", claims},
		{"what has been due longest comes next, of any scope and of the kinds asked for", claimsNext},
		{"saving keeps the step, tells its records and lets the lease begin anew", saves},
		{"progress starts the count of attempts anew", countsAttempts},
		{"a stale fence writes nothing and tells nobody", fences},
		{"a lease that ended unclaimed may still save and finish", finishesLate},
		{"finishing keeps what is the store's and tells its records", finishes},
		{"work given back waits as long as it was told to", waits},
		{"a parked job waits until its time, or until it is unparked", parks},
		{"a cancelled job is not worked on", cancels},
		{"what ended long enough ago is swept, and nothing else", sweeps},
		{"of many claiming at once each gets another job", claimsAtOnce},
		{"of many claiming one job at once one gets it", claimsOneAtOnce},
	}
	for _, clause := range clauses {
		t.Run(clause.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.store, w.outbox = open(t, w.clock)
			clause.test(t, w)
		})
	}
}

// world is one fresh store with a clock that stands still until told.
type world struct {
	store  job.Store
	outbox outbox.Queue
	mu     sync.Mutex
	now    time.Time
}

func newWorld() *world { return &world{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

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

var (
	acme  = memory.Scope{Tenant: "acme", Project: "support"}
	kinds = []string{"count"}
)

// order is a fresh job to create.
func order() job.Job {
	return job.Job{ID: memory.NewID(), Kind: "count", Arguments: json.RawMessage(`{"to":3}`)}
}

// create stores a fresh job and returns it as it stands.
func (w *world) create(t *testing.T, scope memory.Scope, j job.Job) job.Job {
	t.Helper()
	made, fresh, err := w.store.Create(t.Context(), scope, j, memory.Key{})
	if err != nil || !fresh {
		t.Fatalf("create: fresh %v, %v", fresh, err)
	}
	return made
}

func (w *world) claim(t *testing.T, id memory.ID) job.Claim {
	t.Helper()
	c, err := w.store.Claim(t.Context(), acme, id, lease)
	if err != nil {
		t.Fatalf("claim %s: %v", id, err)
	}
	return c
}

func (w *world) get(t *testing.T, id memory.ID) job.Job {
	t.Helper()
	j, err := w.store.Get(t.Context(), acme, id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (w *world) save(t *testing.T, c job.Claim, s job.Step, records ...outbox.Record) {
	t.Helper()
	if err := w.store.Save(t.Context(), acme, c.ID, c.Fence, s, lease, records...); err != nil {
		t.Fatal(err)
	}
}

func (w *world) finish(t *testing.T, c job.Claim, end job.End, records ...outbox.Record) job.Job {
	t.Helper()
	j, err := w.store.Finish(t.Context(), acme, c.ID, c.Fence, end, records...)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// idle makes sure that nothing is due.
func (w *world) idle(t *testing.T, when string) {
	t.Helper()
	if c, found, err := w.store.Next(t.Context(), kinds, lease); found || err != nil {
		t.Errorf("%s: came next: %+v, %v", when, c, err)
	}
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

// step is the n-th of three.
func step(n int64) job.Step {
	return job.Step{Cursor: json.RawMessage(fmt.Sprintf(`{"at":%d}`, n)), Progress: job.Progress{Done: n, Total: 3}}
}

// derived is a record of work that must be told only if its claim holds.
func derived(subject string) outbox.Record {
	return outbox.Record{Type: outbox.MemoryDerived, Subject: subject, Data: []byte("{}")}
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
	j := order()
	j.Arguments = json.RawMessage(`{"z":1, "a":["ż",1.50]}`)
	j.Cursor = json.RawMessage(`{"b":1,  "a":2}`)
	j.Progress = job.Progress{Done: 1, Total: 1 << 40}
	j.Status, j.Attempts, j.Error, j.CreatedAt = job.Failed, 7, "not read", time.Unix(1, 0)
	made, fresh, err := w.store.Create(t.Context(), acme, j, memory.Key{}, outbox.Record{Type: outbox.JobDue, Subject: string(j.ID), Data: []byte("{}")})
	if err != nil || !fresh {
		t.Fatalf("create: fresh %v, %v", fresh, err)
	}
	want := job.Job{
		ID: j.ID, TenantID: acme.Tenant, ProjectID: acme.Project, Kind: j.Kind, Status: job.Queued, Arguments: j.Arguments,
		Cursor: j.Cursor, Progress: j.Progress, CreatedAt: w.clock(), UpdatedAt: w.clock(),
	}
	want = want.Clone()
	same(t, made, want)
	j.Arguments[2] = 'X' // what was handed in is the caller's
	got := w.get(t, j.ID)
	same(t, got, want)
	same(t, w.told(t), []string{"acme/support job.due " + string(j.ID)})
	got.Arguments[2] = 'X' // and so is what was handed out
	same(t, w.get(t, j.ID), want)

	bare := w.create(t, acme, job.Job{ID: memory.NewID(), Kind: "count"})
	if string(bare.Arguments) != "{}" || bare.Cursor != nil {
		t.Errorf("without arguments: %+v", bare)
	}
	same(t, w.get(t, bare.ID), bare)
	_, _, err = w.store.Create(t.Context(), acme, bare, memory.Key{})
	wantKind(t, err, fault.Conflict)
}

func createsOnce(t *testing.T, w *world) {
	key := memory.Key{Route: "reembed", Key: "k", Fingerprint: "f"}
	due := outbox.Record{Type: outbox.JobDue, Data: []byte("{}")}
	first, fresh, err := w.store.Create(t.Context(), acme, order(), key, due)
	if err != nil || !fresh {
		t.Fatalf("first: fresh %v, %v", fresh, err)
	}
	w.finish(t, w.claim(t, first.ID), job.End{Step: step(1), Status: job.Succeeded})
	second, fresh, err := w.store.Create(t.Context(), acme, order(), key, due)
	if err != nil || fresh {
		t.Fatalf("second: fresh %v, %v", fresh, err)
	}
	same(t, second, w.get(t, first.ID))
	same(t, len(w.told(t)), 1)

	other := key
	other.Fingerprint = "g"
	_, _, err = w.store.Create(t.Context(), acme, order(), other)
	wantKind(t, err, fault.Conflict)

	for name, k := range map[string]struct {
		scope memory.Scope
		key   memory.Key
	}{
		"another scope": {memory.Scope{Tenant: "acme", Project: "sales"}, other},
		"another route": {acme, memory.Key{Route: "clock", Key: "k", Fingerprint: "g"}},
		"no key":        {acme, memory.Key{Route: "reembed"}},
		"no key again":  {acme, memory.Key{Route: "reembed"}},
	} {
		if _, fresh, err := w.store.Create(t.Context(), k.scope, order(), k.key); err != nil || !fresh {
			t.Errorf("%s: fresh %v, %v", name, fresh, err)
		}
	}
}

func refusesUnfit(t *testing.T, w *world) {
	for name, tt := range map[string]struct {
		scope memory.Scope
		spoil func(*job.Job)
	}{
		"no tenant":          {memory.Scope{Project: "p"}, func(*job.Job) {}},
		"no project":         {memory.Scope{Tenant: "t"}, func(*job.Job) {}},
		"no id":              {acme, func(j *job.Job) { j.ID = "" }},
		"no kind":            {acme, func(j *job.Job) { j.Kind = "" }},
		"a long kind":        {acme, func(j *job.Job) { j.Kind = strings.Repeat("k", job.MaxKind+1) }},
		"arguments: a list":  {acme, func(j *job.Job) { j.Arguments = json.RawMessage(`[]`) }},
		"arguments: broken":  {acme, func(j *job.Job) { j.Arguments = json.RawMessage(`{`) }},
		"arguments: long":    {acme, func(j *job.Job) { j.Arguments = json.RawMessage(`{"a":"` + strings.Repeat("a", job.MaxJSON) + `"}`) }},
		"cursor: broken":     {acme, func(j *job.Job) { j.Cursor = json.RawMessage(`x`) }},
		"progress: negative": {acme, func(j *job.Job) { j.Progress.Done = -1 }},
	} {
		j := order()
		tt.spoil(&j)
		_, _, err := w.store.Create(t.Context(), tt.scope, j, memory.Key{}, derived("m"))
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.idle(t, "after refusals")
	same(t, w.told(t), []string{})
	if _, _, err := w.store.Create(t.Context(), job.Operator, order(), memory.Key{}); err != nil {
		t.Errorf("the operator's own: %v", err)
	}
}

func keepsScopesApart(t *testing.T, w *world) {
	j := w.create(t, acme, order())
	for _, stranger := range []memory.Scope{{Tenant: "acme", Project: "sales"}, {Tenant: "other", Project: "support"}} {
		_, err := w.store.Get(t.Context(), stranger, j.ID)
		wantKind(t, err, fault.NotFound)
		_, err = w.store.Claim(t.Context(), stranger, j.ID, lease)
		wantKind(t, err, fault.NotFound)
		wantKind(t, w.store.Save(t.Context(), stranger, j.ID, 0, step(1), lease), fault.NotFound)
		_, err = w.store.Finish(t.Context(), stranger, j.ID, 0, job.End{Status: job.Succeeded})
		wantKind(t, err, fault.NotFound)
		_, err = w.store.Cancel(t.Context(), stranger, j.ID)
		wantKind(t, err, fault.NotFound)
		_, err = w.store.Unpark(t.Context(), stranger, j.ID)
		wantKind(t, err, fault.NotFound)
		page, err := w.store.List(t.Context(), stranger, job.Query{Limit: 10})
		if err != nil || len(page.Jobs) != 0 || page.Next != "" {
			t.Errorf("%s lists %+v, %v", stranger, page, err)
		}
	}
	same(t, w.get(t, j.ID), j)
}

func lists(t *testing.T, w *world) {
	var all []job.Job
	for i := range 7 {
		j := order()
		j.Kind = []string{"count", "sum"}[i%2]
		all = append(all, w.create(t, acme, j))
	}
	slices.SortFunc(all, func(a, b job.Job) int { return cmp.Compare(b.ID, a.ID) })
	var got []job.Job
	q := job.Query{Limit: 3}
	for pages := 1; ; pages++ {
		page, err := w.store.List(t.Context(), acme, q)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Jobs...)
		if page.Next == "" {
			same(t, pages, 3)
			break
		}
		if len(page.Jobs) != q.Limit || pages > 3 {
			t.Fatalf("page %d has %d", pages, len(page.Jobs))
		}
		q.After = page.Next
	}
	same(t, got, all)

	w.claim(t, all[0].ID)
	for _, tt := range []struct {
		name  string
		query job.Query
		want  int
	}{
		{"kind", job.Query{Kind: "count", Limit: 10}, 4},
		{"status", job.Query{Status: job.Running, Limit: 10}, 1},
		{"both", job.Query{Kind: "sum", Status: job.Running, Limit: 10}, 0},
		{"exactly a page", job.Query{Limit: 7}, 7},
	} {
		page, err := w.store.List(t.Context(), acme, tt.query)
		if err != nil || len(page.Jobs) != tt.want || page.Next != "" {
			t.Errorf("%s: %d jobs, next %q, %v; want %d", tt.name, len(page.Jobs), page.Next, err, tt.want)
		}
	}
}
