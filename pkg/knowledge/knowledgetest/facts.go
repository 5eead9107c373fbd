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

// move tells that Ann lives in Paris, and then that she lives in Rome.
func (w *factWorld) move(t *testing.T) (paris, rome memory.Memory) {
	t.Helper()
	paris = w.says(t, "Ann lives in Paris.", statement("Ann", "lives_in", "Paris"))
	rome = w.says(t, "Ann lives in Rome.", statement("Ann", "lives_in", "Rome"))
	now := w.clock()
	w.same(t, "moved", w.facts(t, knowledge.FactQuery{View: memory.View{AsOf: &now}}), []string{"Ann lives_in Rome"})
	return paris, rome
}

// forgot checks that only Paris is left, and that there is no sign of Rome.
func (w *factWorld) forgot(t *testing.T) {
	t.Helper()
	now := w.clock()
	w.same(t, "left", w.facts(t, knowledge.FactQuery{View: memory.View{AsOf: &now}}), []string{"Ann lives_in Paris"})
	w.same(t, "left of all", w.facts(t, knowledge.FactQuery{}), []string{"Ann lives_in Paris"})
	page, err := w.List(t.Context(), w.scope, knowledge.FactQuery{Limit: 10})
	w.must(t, err)
	history, err := w.History(t.Context(), w.scope, page.Facts[0].ID)
	w.must(t, err)
	if len(history) != 1 || history[0].ValidTo != nil || history[0].ClosedBy != "" {
		t.Fatalf("history %v", history)
	}
	operations, err := w.Operations(t.Context(), w.scope, knowledge.OperationQuery{Limit: 10})
	w.must(t, err)
	if len(operations.Operations) != 1 {
		t.Fatalf("%d operations", len(operations.Operations))
	}
}

func deletedForgotten(t *testing.T, w *factWorld) {
	paris := w.says(t, "Ann lives in Paris.", statement("Ann", "lives_in", "Paris"))
	before := w.rows(t)
	rome := w.says(t, "Ann lives in Rome.", statement("Ann", "lives_in", "Rome"))
	w.write(t, func(tx memory.Tx) error { return tx.Delete(t.Context(), rome.ID) })
	w.forgot(t)
	if after := w.rows(t); after != before {
		t.Fatalf("rows are\n%s\nand were\n%s", after, before)
	}
	w.write(t, func(tx memory.Tx) error { return tx.Delete(t.Context(), paris.ID) })
	w.same(t, "all", w.facts(t, knowledge.FactQuery{}), []string{})
	operations, err := w.Operations(t.Context(), w.scope, knowledge.OperationQuery{Limit: 10})
	w.must(t, err)
	if len(operations.Operations) != 0 {
		t.Fatalf("%d operations", len(operations.Operations))
	}
}

func sweptForgotten(t *testing.T, w *factWorld) {
	w.says(t, "Ann lives in Paris.", statement("Ann", "lives_in", "Paris"))
	tagged := w.tell(t, memory.Memory{Content: "Ann lives in Rome.", Tags: []string{"doomed"}})
	w.learn(t, tagged, statement("Ann", "lives_in", "Rome"))
	w.write(t, func(tx memory.Tx) error {
		_, err := tx.DeleteWhere(t.Context(), memory.Filter{Tags: []string{"doomed"}}, 10)
		return err
	})
	w.forgot(t)
	ends := w.clock().Add(48 * time.Hour)
	expiring := w.tell(t, memory.Memory{Content: "Ann lives in Oslo.", ExpiresAt: &ends})
	w.learn(t, expiring, statement("Ann", "lives_in", "Oslo"))
	w.advance(72 * time.Hour)
	swept, err := w.Memories.Sweep(t.Context(), 10)
	w.must(t, err)
	if swept != 1 {
		t.Fatalf("swept %d", swept)
	}
	w.forgot(t)
}

func replacedForgotten(t *testing.T, w *factWorld) {
	_, rome := w.move(t)
	w.advance(time.Hour)
	rome.Content = "Ann thinks of Rome."
	w.write(t, func(tx memory.Tx) error {
		_, err := tx.Replace(t.Context(), rome, memory.Why{})
		return err
	})
	w.forgot(t)
	m := w.tell(t, memory.Memory{Content: "Ann lives in Oslo.", ExternalID: "x"})
	w.learn(t, m, statement("Ann", "lives_in", "Oslo"))
	w.tell(t, memory.Memory{Content: "Ann thinks of Oslo.", ExternalID: "x"})
	w.forgot(t)
}

func retoldKept(t *testing.T, w *factWorld) {
	_, rome := w.move(t)
	before := w.rows(t)
	rome.Tags = []string{"new"}
	w.write(t, func(tx memory.Tx) error {
		_, err := tx.Replace(t.Context(), rome, memory.Why{})
		return err
	})
	if after := w.rows(t); after != before {
		t.Fatalf("rows are\n%s\nand were\n%s", after, before)
	}
}

func otherEvidenceKept(t *testing.T, w *factWorld) {
	_, rome := w.move(t)
	again := w.says(t, "Ann is in Rome for good.", statement("Ann", "lives_in", "Rome"))
	w.advance(time.Hour)
	w.write(t, func(tx memory.Tx) error { return tx.Delete(t.Context(), rome.ID) })
	now := w.clock()
	page, err := w.List(t.Context(), w.scope, knowledge.FactQuery{View: memory.View{AsOf: &now}, Limit: 10})
	w.must(t, err)
	if len(page.Facts) != 1 || page.Facts[0].Object.Name != "Rome" || len(page.Facts[0].Evidence) != 1 || page.Facts[0].Evidence[0].MemoryID != again.ID || page.Facts[0].Confidence > .81 {
		t.Fatalf("facts %v", page.Facts)
	}
	past, err := w.List(t.Context(), w.scope, knowledge.FactQuery{Entities: []string{w.entity("Paris")}, Limit: 10})
	w.must(t, err)
	if to := past.Facts[0].ValidTo; to == nil || !to.Equal(again.CreatedAt) || past.Facts[0].ClosedBy != page.Facts[0].ID {
		t.Fatalf("Paris ends %v, by %s; the memory that is left was told %s", to, past.Facts[0].ClosedBy, again.CreatedAt)
	}
}

func deletionTakenBack(t *testing.T, w *factWorld) {
	_, rome := w.move(t)
	before := w.rows(t)
	refused := fault.New(fault.Conflict, "no")
	err := w.Memories.Write(t.Context(), w.scope, func(tx memory.Tx) error {
		w.must(t, tx.Delete(t.Context(), rome.ID))
		return refused
	})
	w.kind(t, err, fault.Conflict)
	if after := w.rows(t); after != before {
		t.Fatalf("rows are\n%s\nand were\n%s", after, before)
	}
}

func undoneToTheByte(t *testing.T, w *factWorld) {
	w.move(t)
	w.says(t, "Ann likes tea and works at Acme.", statement("Ann", "likes", "tea"), statement("Ann", "works_at", "Acme"))
	before, asked := w.rows(t), w.clock()
	views := func() (seen []string) {
		for _, known := range []time.Duration{0, time.Minute, 2 * time.Hour} {
			for _, of := range []time.Duration{-3 * time.Hour, 0, 2 * time.Hour} {
				k, a := asked.Add(known), asked.Add(of)
				seen = append(seen, w.facts(t, knowledge.FactQuery{View: memory.View{AsOf: &a, KnownAt: &k}})...)
			}
		}
		return seen
	}
	seen := views()
	tea := statement("Ann", "likes", "tea")
	tea.Negated = true
	m := w.tell(t, memory.Memory{Content: "Ann no longer likes tea, and lives in Oslo and works at Globex. Bob, too."})
	learned := w.learn(t, m, tea, statement("Ann", "lives_in", "Oslo"), statement("Ann", "works_at", "Globex"), statement("Bob", "works_at", "Globex"))
	if len(learned.Operations) != 1 || learned.Closed != 3 || learned.Opened != 4 {
		t.Fatalf("learned %+v", learned)
	}
	if w.rows(t) == before || slices.Equal(views(), seen) {
		t.Fatal("nothing was learned")
	}
	learner := learn.Learner{Store: w.FactStore}
	for range 2 {
		w.advance(time.Hour)
		o, err := learner.Undo(t.Context(), w.scope, learned.Operations[0].ID)
		w.must(t, err)
		if o.State != knowledge.Undone || o.UndoneAt == nil {
			t.Fatalf("operation %+v", o)
		}
		if after := w.rows(t); after != before {
			t.Fatalf("rows are\n%s\nand were\n%s", after, before)
		}
	}
	w.same(t, "views", views(), seen)
	again, err := learner.Learn(t.Context(), w.scope, []knowledge.Extraction{{MemoryID: m.ID, Version: 1, Statements: []knowledge.Statement{tea}}}, memory.Why{})
	w.must(t, err)
	if after := w.rows(t); after != before || again.Dropped[learn.Undone] != 1 {
		t.Fatalf("what was undone is learned again: %+v", again)
	}
}

func factScopesApart(t *testing.T, w *factWorld) {
	w.move(t)
	page, err := w.List(t.Context(), w.scope, knowledge.FactQuery{Limit: 10})
	w.must(t, err)
	operations, err := w.Operations(t.Context(), w.scope, knowledge.OperationQuery{Limit: 10})
	w.must(t, err)
	for _, other := range []memory.Scope{{Tenant: "acme", Project: "other"}, {Tenant: "other", Project: "default"}} {
		f := &page.Facts[0]
		_, err := w.Get(t.Context(), other, f.ID, memory.View{})
		w.kind(t, err, fault.NotFound)
		_, err = w.History(t.Context(), other, f.ID)
		w.kind(t, err, fault.NotFound)
		_, err = w.Operation(t.Context(), other, operations.Operations[0].ID)
		w.kind(t, err, fault.NotFound)
		none, err := w.List(t.Context(), other, knowledge.FactQuery{Limit: 10, Entities: []string{f.Subject.ID}})
		w.must(t, err)
		nothing, err := w.Operations(t.Context(), other, knowledge.OperationQuery{Limit: 10})
		w.must(t, err)
		if len(none.Facts)+len(nothing.Operations) > 0 {
			t.Fatalf("%s sees %v %v", other, none, nothing)
		}
		w.must(t, w.Change(t.Context(), other, func(tx knowledge.FactTx) error {
			told, err := tx.Told(t.Context(), []memory.ID{f.Evidence[0].MemoryID})
			w.must(t, err)
			records, err := tx.Records(t.Context(), knowledge.RecordQuery{IDs: []memory.ID{f.ID}, Memories: []memory.ID{f.Evidence[0].MemoryID}, Operations: []memory.ID{f.Operation}})
			w.must(t, err)
			known, err := tx.Known(t.Context(), knowledge.KnownQuery{IDs: []memory.ID{f.Operation}, Memories: []memory.ID{f.Evidence[0].MemoryID}})
			w.must(t, err)
			if len(told)+len(records)+len(known) > 0 {
				t.Errorf("%s sees %v %v %v", other, told, records, known)
			}
			return nil
		}))
		_, err = (&learn.Learner{Store: w.FactStore}).Undo(t.Context(), other, f.Operation)
		w.kind(t, err, fault.NotFound)
		learned, err := (&learn.Learner{Store: w.FactStore}).Learn(t.Context(), other, []knowledge.Extraction{{
			MemoryID: f.Evidence[0].MemoryID, Version: 1, Statements: []knowledge.Statement{statement("Ann", "likes", "tea")},
		}}, memory.Why{})
		w.must(t, err)
		if learned.Dropped[learn.Gone] != 1 || learned.Opened != 0 {
			t.Fatalf("%s learns from a foreign memory: %+v", other, learned)
		}
	}
}

func factsErased(t *testing.T, w *factWorld) {
	w.move(t)
	receipt, err := w.Memories.EraseTenant(t.Context(), w.scope.Tenant)
	w.must(t, err)
	if receipt.Other != 7 { // three versions of facts, two pieces of evidence, two operations
		t.Errorf("%d other rows", receipt.Other)
	}
	w.same(t, "left", w.facts(t, knowledge.FactQuery{}), []string{})
	operations, err := w.Operations(t.Context(), w.scope, knowledge.OperationQuery{Limit: 10})
	w.must(t, err)
	if len(operations.Operations) > 0 {
		t.Error("operations are left")
	}
}

func factsMany(t *testing.T, w *factWorld) {
	const memories, each = 20, 250
	var last memory.Memory
	for n := range memories {
		var statements []knowledge.Statement
		for i := range each {
			statements = append(statements, statement("Ann", "likes", fmt.Sprint("thing ", n*each+i)))
		}
		last = w.says(t, fmt.Sprint("Ann likes much, ", n), statements...)
	}
	found := 0
	q := knowledge.FactQuery{Entities: []string{w.entity("Ann")}, Limit: 1000}
	for {
		page, err := w.List(t.Context(), w.scope, q)
		w.must(t, err)
		found += len(page.Facts)
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if found != memories*each {
		t.Fatalf("found %d", found)
	}
	w.write(t, func(tx memory.Tx) error { return tx.Delete(t.Context(), last.ID) })
	w.same(t, "of the last", w.facts(t, knowledge.FactQuery{Memory: last.ID}), []string{})
}
