package learn_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/learn"
	"github.com/rae-memory/rae/pkg/memory"
)

var scope = memory.Scope{Tenant: "acme", Project: "default"}

// world is a store of memories and facts, with a clock that stands still until it is moved.
type world struct {
	now     time.Time
	db      *inmem.DB
	facts   *inmem.Facts
	learner *learn.Learner
}

func newWorld(*testing.T) *world {
	w := &world{now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}
	w.db = inmem.New(inmem.Options{Clock: func() time.Time { return w.now }})
	w.facts = inmem.NewFacts(w.db)
	w.learner = &learn.Learner{Store: w.facts}
	return w
}

func (w *world) tell(t *testing.T, m memory.Memory) (stored memory.Memory) {
	t.Helper()
	err := w.db.Write(t.Context(), scope, func(tx memory.Tx) (err error) {
		m.ExternalID = string(memory.NewID()) // so that equal words are two memories
		stored, _, err = tx.Put(t.Context(), m, memory.Why{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// learnt learns statements from all of the memory's words.
func (w *world) learnt(t *testing.T, m memory.Memory, statements ...knowledge.Statement) learn.Learned {
	t.Helper()
	for i := range statements {
		if statements[i].End == 0 {
			statements[i].End = len(m.Content)
		}
	}
	return w.learn(t, knowledge.Extraction{MemoryID: m.ID, Version: m.Version, Statements: statements, Method: "rules", Edition: "rules/1"})
}

func (w *world) learn(t *testing.T, read ...knowledge.Extraction) learn.Learned {
	t.Helper()
	learned, err := w.learner.Learn(t.Context(), scope, read, memory.Why{Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return learned
}

func (w *world) list(t *testing.T, at memory.View) []knowledge.Fact {
	t.Helper()
	page, err := w.facts.List(t.Context(), scope, knowledge.FactQuery{View: at, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return page.Facts
}

func statement(subject, relation, object string) knowledge.Statement {
	return knowledge.Statement{
		Kind: knowledge.Told, Subject: knowledge.Mention{Name: subject}, Relation: relation, Object: knowledge.Mention{Name: object}, Confidence: .8,
	}
}
