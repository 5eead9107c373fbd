package knowledgetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/learn"
	"github.com/rae-memory/rae/pkg/memory"
)

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
