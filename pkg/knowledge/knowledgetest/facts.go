package knowledgetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/learn"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/memory/memorytest"
)

// Kept is a store of facts and the memories beside them.
type Kept struct {
	knowledge.FactStore
	Memories memory.Store
}

// RunFacts holds a store to the contract of knowledge.FactStore. Every clause gets an empty store of its own, which tells the
// time by clock.
func RunFacts(t *testing.T, on string, open func(t *testing.T, clock func() time.Time) Kept) {
	run := contract.Begin(t, "knowledgetest/facts", on)
	for _, c := range []struct {
		name string
		run  func(*testing.T, *factWorld)
	}{
		{"rows come back as they were saved", rowsKept},
		{"records are found by slot, memory, id and operation", recordsFound},
		{"facts are found by either entity, by relation, memory and user", factsFound},
		{"facts come in pages", factsPaged},
		{"what is asked wrongly is refused, and what is not there not found", factsRefused},
		{"a change that fails leaves nothing", changesWhole},
		{"a view shows what was true and known then: 1,000 facts at 500 pairs of times", factsOracle},
		{"operations are found, replaced, listed newest first, and dropped", operationsKept},
		{"what a deleted memory said is known no more, and ends nothing", deletedForgotten},
		{"the same when it is deleted by a filter, or swept", sweptForgotten},
		{"a memory that says something else is no evidence for what it said", replacedForgotten},
		{"a memory that is told again as it is stays evidence", retoldKept},
		{"what two memories say is known while one stands", otherEvidenceKept},
		{"a deletion that is taken back takes nothing", deletionTakenBack},
		{"undoing an operation brings back the same rows", undoneToTheByte},
		{"scopes are apart", factScopesApart},
		{"erasing a tenant erases its facts, and counts them", factsErased},
		{"thousands of facts about one thing", factsMany},
	} {
		run.Clause(t, c.name, func(t *testing.T) {
			w := &factWorld{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), scope: memory.Scope{Tenant: "acme", Project: "default"}}
			w.Kept = open(t, w.clock)
			c.run(t, w)
		})
	}
}

// factWorld is one store, with a clock that stands still until it is moved.
type factWorld struct {
	Kept
	scope memory.Scope

	mu  sync.Mutex
	now time.Time
}

func (w *factWorld) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *factWorld) advance(by time.Duration) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(by)
	return w.now
}

func (w *factWorld) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *factWorld) kind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != want {
		t.Fatalf("%v, want %s", err, want)
	}
}

// same compares whole values by their JSON.
func (w *factWorld) same(t *testing.T, what string, got, want any) {
	t.Helper()
	g, _ := json.Marshal(got)
	e, _ := json.Marshal(want)
	if !bytes.Equal(g, e) {
		t.Fatalf("%s:\n got %s\nwant %s", what, g, e)
	}
}

func (w *factWorld) change(t *testing.T, do func(tx knowledge.FactTx) error) {
	t.Helper()
	w.must(t, w.Change(t.Context(), w.scope, do))
}

// tell stores a memory, an hour after the one before.
func (w *factWorld) tell(t *testing.T, m memory.Memory) (told memory.Memory) {
	t.Helper()
	w.advance(time.Hour)
	w.write(t, func(tx memory.Tx) (err error) {
		told, _, err = tx.Put(t.Context(), m, memory.Why{})
		return err
	})
	return told
}

func (w *factWorld) write(t *testing.T, do func(tx memory.Tx) error) {
	t.Helper()
	w.must(t, w.Memories.Write(t.Context(), w.scope, do))
}

// says stores a memory that says the statements, and learns them.
func (w *factWorld) says(t *testing.T, content string, statements ...knowledge.Statement) memory.Memory {
	t.Helper()
	m := w.tell(t, memory.Memory{Content: content})
	w.learn(t, m, statements...)
	return m
}

func (w *factWorld) learn(t *testing.T, m memory.Memory, statements ...knowledge.Statement) learn.Learned {
	t.Helper()
	for i := range statements {
		statements[i].End = len(m.Content)
	}
	learned, err := (&learn.Learner{Store: w.FactStore}).Learn(t.Context(), w.scope, []knowledge.Extraction{{
		MemoryID: m.ID, Version: m.Version, Statements: statements, Method: "rules", Edition: "rules/1",
	}}, memory.Why{Actor: "test"})
	w.must(t, err)
	if len(learned.Dropped) > 0 {
		t.Fatalf("dropped %v", learned.Dropped)
	}
	return learned
}

func statement(subject, relation, object string) knowledge.Statement {
	return knowledge.Statement{
		Kind: knowledge.Told, Subject: knowledge.Mention{Name: subject}, Relation: relation, Object: knowledge.Mention{Name: object}, Confidence: .8,
	}
}

// facts lists what the query selects, as lines: "Ann lives_in Paris".
func (w *factWorld) facts(t *testing.T, q knowledge.FactQuery) []string {
	t.Helper()
	lines := []string{}
	q.Limit = 1000
	page, err := w.List(t.Context(), w.scope, q)
	w.must(t, err)
	for i := range page.Facts {
		f := &page.Facts[i]
		lines = append(lines, f.Subject.Name+" "+f.Relation+" "+f.Object.Name)
	}
	slices.Sort(lines)
	return lines
}

func (w *factWorld) entity(name string) string { return knowledge.ThingID(w.scope, name) }

// rows are all that the store has of facts in the scope.
func (w *factWorld) rows(t *testing.T) string {
	t.Helper()
	ids := []memory.ID{}
	page, err := w.List(t.Context(), w.scope, knowledge.FactQuery{Limit: 1000})
	w.must(t, err)
	for i := range page.Facts {
		ids = append(ids, page.Facts[i].ID)
	}
	var rows []byte
	w.change(t, func(tx knowledge.FactTx) error {
		records, err := tx.Records(t.Context(), knowledge.RecordQuery{IDs: ids})
		if err == nil {
			rows, err = json.MarshalIndent(records, "", " ")
		}
		return err
	})
	return string(rows)
}

// fact is a record of two versions; the number tells its relation and object.
func (w *factWorld) fact(n int, m memory.ID) knowledge.Record {
	from, to := w.clock().AddDate(-1, 0, -n), w.clock().AddDate(0, 0, n)
	f := knowledge.Fact{
		TenantID: w.scope.Tenant, ProjectID: w.scope.Project, Kind: knowledge.Preference, UserID: "u", Relation: fmt.Sprint("r", n%3),
		Subject: knowledge.Thing{ID: w.entity("Ann"), Name: "Ann", Type: "person"},
		Object:  knowledge.Thing{ID: w.entity(fmt.Sprint("thing ", n)), Name: fmt.Sprint("Thing ", n)}, Confidence: .5, Observed: w.clock(),
		Method: "llm", Edition: "extract/3", Operation: knowledge.OperationID(w.scope, m, n, "llm", "extract/3"), Version: 1, RecordedFrom: w.clock(),
	}
	f.ID = knowledge.FactID(w.scope, "u", f.Subject.ID, f.Relation, f.Object.ID, false, 0)
	ended := f
	ended.ValidFrom, ended.ValidTo, ended.ClosedBy, ended.Version, ended.Negated = &from, &to, f.ID, 2, false
	ended.RecordedFrom = w.clock().Add(time.Microsecond)
	f.RecordedTo = &ended.RecordedFrom
	return knowledge.Record{Versions: []knowledge.Fact{f, ended}, Evidence: []knowledge.Evidence{{
		Citation: memory.Citation{MemoryID: m, Start: 1, End: 5}, Version: 3, Told: w.clock(), From: &from, Confidence: .5, Closes: n%2 == 0,
		Method: "llm", Edition: "extract/3", Operation: f.Operation, RecordedAt: w.clock(),
	}}}
}

func (w *factWorld) save(t *testing.T, records ...knowledge.Record) {
	t.Helper()
	w.change(t, func(tx knowledge.FactTx) error {
		for _, r := range records {
			if err := tx.Save(t.Context(), knowledge.Record{}, r); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *factWorld) records(t *testing.T, q knowledge.RecordQuery) (records []knowledge.Record) {
	t.Helper()
	w.change(t, func(tx knowledge.FactTx) (err error) {
		records, err = tx.Records(t.Context(), q)
		return err
	})
	return records
}

func rowsKept(t *testing.T, w *factWorld) {
	first, second := w.tell(t, memory.Memory{Content: "first"}), w.tell(t, memory.Memory{Content: "second"})
	before := w.fact(1, first.ID)
	literal := w.fact(2, second.ID)
	for i := range literal.Versions {
		literal.Versions[i].Literal, literal.Versions[i].Object.ID = true, ""
		literal.Versions[i].Negated = true
	}
	w.save(t, before, literal)
	by := knowledge.RecordQuery{IDs: []memory.ID{before.ID()}}
	w.same(t, "records", w.records(t, by), []knowledge.Record{before})
	w.same(t, "literal", w.records(t, knowledge.RecordQuery{IDs: []memory.ID{literal.ID()}}), []knowledge.Record{literal})

	after := before.Clone()
	after.Versions = after.Versions[:1]
	after.Versions[0].RecordedTo, after.Versions[0].Confidence = nil, .75
	after.Evidence = append(after.Evidence, after.Evidence[0])
	after.Evidence[1].MemoryID, after.Evidence[1].Told = second.ID, after.Evidence[0].Told.Add(-time.Hour)
	w.change(t, func(tx knowledge.FactTx) error { return tx.Save(t.Context(), before, after) })
	after.Sort()
	w.same(t, "changed", w.records(t, by), []knowledge.Record{after})
	want, _ := after.In(memory.View{})
	got, err := w.Get(t.Context(), w.scope, after.ID(), memory.View{})
	w.must(t, err)
	w.same(t, "get", got, want)
	history, err := w.History(t.Context(), w.scope, literal.ID())
	w.must(t, err)
	w.same(t, "history", history, literal.History())

	w.change(t, func(tx knowledge.FactTx) error { return tx.Save(t.Context(), after, knowledge.Record{}) })
	if left := w.records(t, by); len(left) > 0 {
		t.Fatalf("left %v", left)
	}
	_, err = w.Get(t.Context(), w.scope, after.ID(), memory.View{})
	w.kind(t, err, fault.NotFound)
}

func recordsFound(t *testing.T, w *factWorld) {
	m, other := w.tell(t, memory.Memory{Content: "m"}), w.tell(t, memory.Memory{Content: "other"})
	var all []knowledge.Record
	for n := range 6 {
		all = append(all, w.fact(n, [2]memory.ID{m.ID, other.ID}[n%2]))
	}
	w.save(t, all...)
	for name, c := range map[string]struct {
		q    knowledge.RecordQuery
		want []int
	}{
		"slot":           {knowledge.RecordQuery{Slots: []knowledge.Slot{{UserID: "u", Subject: w.entity("Ann"), Relation: "r1"}}}, []int{1, 4}},
		"object":         {knowledge.RecordQuery{Slots: []knowledge.Slot{{UserID: "u", Subject: w.entity("Ann"), Relation: "r1", Object: w.entity("thing 4")}}}, []int{4}},
		"two slots":      {knowledge.RecordQuery{Slots: []knowledge.Slot{{UserID: "u", Subject: w.entity("Ann"), Relation: "r1"}, {UserID: "u", Subject: w.entity("Ann"), Relation: "r2"}}}, []int{1, 2, 4, 5}},
		"other user":     {knowledge.RecordQuery{Slots: []knowledge.Slot{{UserID: "v", Subject: w.entity("Ann"), Relation: "r1"}}}, nil},
		"memory":         {knowledge.RecordQuery{Memories: []memory.ID{other.ID}}, []int{1, 3, 5}},
		"operation":      {knowledge.RecordQuery{Operations: []memory.ID{all[2].Versions[0].Operation}}, []int{2}},
		"id, and either": {knowledge.RecordQuery{IDs: []memory.ID{all[0].ID()}, Operations: []memory.ID{all[0].Versions[0].Operation, all[2].Versions[0].Operation}}, []int{0, 2}},
		"nothing":        {knowledge.RecordQuery{}, nil},
		"strangers":      {knowledge.RecordQuery{IDs: []memory.ID{memory.NewID(), "no id"}, Memories: []memory.ID{"no id"}}, nil},
	} {
		var want, got []memory.ID
		for _, n := range c.want {
			want = append(want, all[n].ID())
		}
		slices.Sort(want)
		for _, r := range w.records(t, c.q) {
			got = append(got, r.ID())
			if len(r.Versions) != 2 || len(r.Evidence) != 1 {
				t.Errorf("%s: %d versions and %d pieces of evidence", name, len(r.Versions), len(r.Evidence))
			}
		}
		w.same(t, name, got, want)
	}
}

func factsFound(t *testing.T, w *factWorld) {
	first := w.says(t, "Ann lives in Paris.", statement("Ann", "lives_in", "Paris"))
	w.says(t, "Bob knows Ann.", statement("Bob", "knows", "Ann"))
	diet := statement("Bob", "diet", "Ann")
	diet.Literal = true
	w.says(t, "Bob is on the diet called Ann.", diet)
	m := w.tell(t, memory.Memory{Content: "Paris is nice.", UserID: "eve"})
	w.learn(t, m, statement("Paris", "is", "Nice"))
	for name, c := range map[string]struct {
		q    knowledge.FactQuery
		want []string
	}{
		"all":          {knowledge.FactQuery{}, []string{"Ann lives_in Paris", "Bob diet Ann", "Bob knows Ann", "Paris is Nice"}},
		"either":       {knowledge.FactQuery{Entities: []string{w.entity("Ann")}}, []string{"Ann lives_in Paris", "Bob knows Ann"}},
		"any of two":   {knowledge.FactQuery{Entities: []string{w.entity("Nice"), w.entity("Bob")}}, []string{"Bob diet Ann", "Bob knows Ann", "Paris is Nice"}},
		"relation":     {knowledge.FactQuery{Relations: []string{"knows", "is"}}, []string{"Bob knows Ann", "Paris is Nice"}},
		"both":         {knowledge.FactQuery{Entities: []string{w.entity("Paris")}, Relations: []string{"lives_in"}}, []string{"Ann lives_in Paris"}},
		"memory":       {knowledge.FactQuery{Memory: first.ID}, []string{"Ann lives_in Paris"}},
		"user":         {knowledge.FactQuery{UserID: "eve"}, []string{"Paris is Nice"}},
		"nobody":       {knowledge.FactQuery{Entities: []string{w.entity("Zoe"), "no id"}}, []string{}},
		"no memory":    {knowledge.FactQuery{Memory: memory.NewID()}, []string{}},
		"foreign name": {knowledge.FactQuery{Memory: "no id"}, []string{}},
	} {
		w.same(t, name, w.facts(t, c.q), c.want)
	}
}

func factsPaged(t *testing.T, w *factWorld) {
	var statements []knowledge.Statement
	for n := range 7 {
		statements = append(statements, statement("Ann", "likes", fmt.Sprint("thing ", n)))
	}
	w.says(t, "Ann likes things.", statements...)
	all, err := w.List(t.Context(), w.scope, knowledge.FactQuery{Limit: 7})
	w.must(t, err)
	if len(all.Facts) != 7 || all.Next != "" {
		t.Fatalf("%d facts, next %q", len(all.Facts), all.Next)
	}
	var paged []knowledge.Fact
	q := knowledge.FactQuery{Limit: 3, Entities: []string{w.entity("Ann")}}
	for pages := 1; ; pages++ {
		page, err := w.List(t.Context(), w.scope, q)
		w.must(t, err)
		paged = append(paged, page.Facts...)
		if q.After = page.Next; q.After == "" {
			if pages != 3 {
				t.Fatalf("%d pages", pages)
			}
			break
		}
	}
	w.same(t, "pages", paged, all.Facts)
}

func factsRefused(t *testing.T, w *factWorld) {
	for _, q := range []knowledge.FactQuery{
		{}, {Limit: 1001}, {Limit: 1, Entities: make([]string, knowledge.MaxAsked+1)}, {Limit: 1, Relations: make([]string, knowledge.MaxAsked+1)},
	} {
		_, err := w.List(t.Context(), w.scope, q)
		w.kind(t, err, fault.Invalid)
	}
	_, err := w.Operations(t.Context(), w.scope, knowledge.OperationQuery{})
	w.kind(t, err, fault.Invalid)
	for _, id := range []memory.ID{memory.NewID(), "no id", ""} {
		_, err := w.Get(t.Context(), w.scope, id, memory.View{})
		w.kind(t, err, fault.NotFound)
		_, err = w.History(t.Context(), w.scope, id)
		w.kind(t, err, fault.NotFound)
		_, err = w.Operation(t.Context(), w.scope, id)
		w.kind(t, err, fault.NotFound)
	}
	w.kind(t, w.Change(t.Context(), memory.Scope{Tenant: "t", Project: "*"}, func(knowledge.FactTx) error { return nil }), fault.Invalid)
}

func changesWhole(t *testing.T, w *factWorld) {
	m := w.tell(t, memory.Memory{Content: "m"})
	refused := fault.New(fault.Conflict, "no")
	r := w.fact(1, m.ID)
	err := w.Change(t.Context(), w.scope, func(tx knowledge.FactTx) error {
		w.must(t, tx.Save(t.Context(), knowledge.Record{}, r))
		w.must(t, tx.Keep(t.Context(), knowledge.Operation{ID: memory.NewID(), MemoryID: m.ID, At: tx.Now()}))
		found, err := tx.Records(t.Context(), knowledge.RecordQuery{IDs: []memory.ID{r.ID()}})
		if err != nil || len(found) != 1 {
			t.Errorf("inside: %d records, %v", len(found), err)
		}
		told, err := tx.Told(t.Context(), []memory.ID{m.ID, memory.NewID(), "no id"})
		if err != nil || len(told) != 1 || told[0].Content != "m" {
			t.Errorf("told %v, %v", told, err)
		}
		return refused
	})
	if err != refused { //nolint:errorlint // it is to be the same
		t.Fatalf("%v, want %v", err, refused)
	}
	if left := w.records(t, knowledge.RecordQuery{IDs: []memory.ID{r.ID()}}); len(left) > 0 {
		t.Fatal("the record is there")
	}
	page, err := w.Operations(t.Context(), w.scope, knowledge.OperationQuery{Limit: 10})
	w.must(t, err)
	if len(page.Operations) > 0 {
		t.Fatal("the operation is there")
	}
}

// factsOracle saves a script of facts and corrections and asks for what pairs of times show of it.
func factsOracle(t *testing.T, w *factWorld) {
	m := w.tell(t, memory.Memory{Content: "m"})
	standing := map[memory.ID]knowledge.Record{}
	told := 0
	tell := func(ctx context.Context, v memory.Memory) (memory.ID, error) {
		before := standing[v.ID]
		after := before.Clone()
		if v.Version == 1 {
			after = w.fact(told, m.ID)
			told++
			after.Versions = after.Versions[:1]
		} else {
			now := w.clock()
			after.Current().RecordedTo = &now
			after.Versions = append(after.Versions, *after.Current())
		}
		next := after.Current()
		next.Version, next.ValidFrom, next.ValidTo, next.RecordedFrom, next.RecordedTo = v.Version, v.ValidFrom, v.ValidTo, w.clock(), nil
		after.Evidence[0].RecordedAt = after.Versions[0].RecordedFrom
		standing[after.ID()] = after
		return after.ID(), w.Change(ctx, w.scope, func(tx knowledge.FactTx) error { return tx.Save(ctx, before, after) })
	}
	facts, err := memorytest.TellFacts(t.Context(), 5, 1000, w.clock, w.advance, tell)
	w.must(t, err)
	for i, view := range facts.Views(500) {
		want := map[memory.ID]int{}
		for id, v := range facts.Shown(view) {
			want[id] = v.Version
		}
		got := map[memory.ID]int{}
		q := knowledge.FactQuery{View: view, Entities: []string{w.entity("Ann")}, Limit: 1000}
		page, err := w.List(t.Context(), w.scope, q)
		w.must(t, err)
		for j := range page.Facts {
			got[page.Facts[j].ID] = page.Facts[j].Version
		}
		w.same(t, fmt.Sprintf("view %d", i), got, want)
		for _, id := range facts.Near(view) {
			f, err := w.Get(t.Context(), w.scope, id, view)
			if version, shown := want[id]; shown != (err == nil) || shown && f.Version != version {
				t.Fatalf("get %s in view %d: version %d, %v; want %d", id, i, f.Version, err, version)
			}
		}
	}
}

func operationsKept(t *testing.T, w *factWorld) {
	m := w.tell(t, memory.Memory{Content: "m"})
	var all []knowledge.Operation
	for n := range 7 {
		o := knowledge.Operation{
			ID: knowledge.OperationID(w.scope, m.ID, n, "rules", "1"), State: knowledge.Done, MemoryID: m.ID, Version: n, Method: "rules", Edition: "1",
			TenantID: w.scope.Tenant, ProjectID: w.scope.Project, Why: memory.Why{Actor: "a", Reason: "r"}, At: w.clock(), Opened: []memory.ID{memory.NewID()}, Closed: []memory.ID{},
		}
		if n%3 == 0 {
			o.Closed = []memory.ID{memory.NewID(), memory.NewID()}
		}
		if n == 1 {
			o.State, o.Reason, o.UndoneAt = knowledge.Held, "too many", &o.At
		}
		if n%2 == 1 { // two each at one time
			w.advance(time.Microsecond)
		}
		w.change(t, func(tx knowledge.FactTx) error { return tx.Keep(t.Context(), o) })
		all = append(all, o)
		got, err := w.Operation(t.Context(), w.scope, o.ID)
		w.must(t, err)
		w.same(t, "operation", got, o)
	}
	slices.SortFunc(all, func(a, b knowledge.Operation) int {
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		return bytes.Compare([]byte(b.ID), []byte(a.ID))
	})
	list := func(closing bool, limit int) (listed []knowledge.Operation) {
		q := knowledge.OperationQuery{Closing: closing, Limit: limit}
		for {
			page, err := w.Operations(t.Context(), w.scope, q)
			w.must(t, err)
			listed = append(listed, page.Operations...)
			if q.After = page.Next; q.After.ID == "" {
				return listed
			}
		}
	}
	w.same(t, "all", list(false, 3), all)
	closing := slices.DeleteFunc(slices.Clone(all), func(o knowledge.Operation) bool { return !o.Closing() })
	w.same(t, "closing", list(true, 2), closing)
	w.change(t, func(tx knowledge.FactTx) error {
		all[0].State = knowledge.Undone
		w.must(t, tx.Keep(t.Context(), all[0]))
		known, err := tx.Known(t.Context(), knowledge.KnownQuery{IDs: []memory.ID{all[0].ID, "no id"}})
		w.must(t, err)
		w.same(t, "known", known, all[:1])
		known, err = tx.Known(t.Context(), knowledge.KnownQuery{Memories: []memory.ID{m.ID}})
		w.must(t, err)
		if len(known) != 7 {
			t.Errorf("%d of the memory", len(known))
		}
		return tx.Drop(t.Context(), []memory.ID{all[0].ID, all[1].ID})
	})
	w.same(t, "after", list(false, 10), all[2:])
}
