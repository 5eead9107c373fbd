package backuptest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/backup"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Fill writes a history into the scope as its users would: versions, deletions, expiries, vectors of two models, answers
// and events.
func Fill(t *testing.T, s memory.Store, scope memory.Scope) {
	t.Helper()
	why := memory.Why{Actor: "user:Zoë", Reason: "told me so"}
	later := time.Date(2191, 2, 3, 4, 5, 6, 7000, time.UTC)
	early := time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC)
	err := s.Write(t.Context(), scope, func(tx memory.Tx) error {
		for i := range 40 {
			m := memory.Memory{
				Content: fmt.Sprintf("Ann %d 日本語 visited Zoë in Oslo, day %d", i, i%7), Layer: memory.Episodic, Importance: float64(i) / 40,
				Tags: []string{"travel", fmt.Sprint("t", i%3)}, Metadata: memory.Metadata{"n": i, "wörd": "\u2028"}, Source: "chat",
				SessionID: fmt.Sprint("s", i%4), UserID: "ann", ExternalID: fmt.Sprint("x", i), OccurredAt: &early, ExpiresAt: &later,
				Entities: []memory.Entity{{Name: "Zoë", Type: "person"}},
			}
			m, _, err := tx.Put(t.Context(), m, why, memory.Vector{Model: "a", Values: []float32{1, float32(i), 0.25}})
			if err != nil {
				return err
			}
			if _, err := tx.Attach(t.Context(), m.ID, 1, memory.Vector{Model: "b", Values: []float32{float32(i), -1}}); err != nil {
				return err
			}
			switch {
			case i%5 == 0:
				m.Content += ", and came back"
				_, err = tx.Replace(t.Context(), m, why)
			case i%7 == 0:
				err = tx.Delete(t.Context(), m.ID)
			}
			if err != nil {
				return err
			}
		}
		if _, err := tx.Once(t.Context(), "c", "s", "e"); err != nil {
			return err
		}
		return tx.Answer(t.Context(), memory.Key{Route: "r", Key: "k", Fingerprint: "f"}, []byte(`{"a":1}`))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Answers is all that a reader is told of a scope.
type Answers struct {
	Head      memory.Seq
	Page      memory.Page
	Tagged    memory.Page
	Histories [][]memory.Version
	Changes   map[string][]memory.Change // by model
}

// Ask asks a store all of it.
func Ask(t *testing.T, s memory.Store, scope memory.Scope) (a Answers) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	a.Head, err = s.Head(t.Context(), scope)
	must(err)
	a.Page, err = s.List(t.Context(), scope, memory.Query{Limit: 1000})
	must(err)
	a.Tagged, err = s.List(t.Context(), scope, memory.Query{Limit: 1000, Filter: memory.Filter{Tags: []string{"t1"}}})
	must(err)
	for _, m := range a.Page.Memories {
		history, err := s.History(t.Context(), scope, m.ID)
		must(err)
		a.Histories = append(a.Histories, history)
	}
	a.Changes = map[string][]memory.Change{}
	for _, model := range []string{"a", "b"} {
		a.Changes[model], err = s.Changes(t.Context(), scope, model, 0, 1000)
		must(err)
	}
	return a
}

func answersAlike(t *testing.T, open Open) {
	from, to := open(t), open(t)
	scopes := []memory.Scope{{Tenant: "acme", Project: "default"}, {Tenant: "acme", Project: "side"}, {Tenant: "zeta", Project: "p"}}
	for _, scope := range scopes {
		Fill(t, from, scope)
	}
	path := filepath.Join(t.TempDir(), "all.rae")
	written, err := backup.Write(t.Context(), from, path, backup.Header{Format: backup.Format}, nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	restorer := backup.Restorer{Into: to}
	if _, err := restorer.Restore(t.Context(), file, ""); err != nil {
		t.Fatal(err)
	}
	for _, scope := range scopes {
		before := Ask(t, from, scope)
		if len(before.Page.Memories) < 30 || len(before.Tagged.Memories) < 10 || len(before.Changes["a"]) < 30 {
			t.Fatalf("there is little to compare: %d, %d, %d", len(before.Page.Memories), len(before.Tagged.Memories), len(before.Changes["a"]))
		}
		same(t, "answers of "+scope.String(), Ask(t, to, scope), before)
	}
	for _, tenant := range written.Tenants {
		same(t, "hash of "+tenant.Name, digest(t, to, tenant.Name), tenant)
	}
	// What is restored goes on like what was not.
	Fill(t, from, memory.Scope{Tenant: "acme", Project: "new"})
	err = to.Write(t.Context(), scopes[0], func(tx memory.Tx) error {
		m, outcome, err := tx.Put(t.Context(), memory.Memory{Content: "again", Layer: memory.Semantic}, memory.Why{})
		if err == nil && (outcome != memory.Created || m.Version != 1) {
			err = fmt.Errorf("put: %s", outcome)
		}
		if err == nil {
			err = tx.Delete(t.Context(), Ask(t, from, scopes[0]).Page.Memories[0].ID)
		}
		return err
	})
	same(t, "error of a write after it", err, nil)
}

func moves(t *testing.T, open Open) {
	s, scope := open(t), memory.Scope{Tenant: "acme", Project: "default"}
	Fill(t, s, scope)
	before, rows, d := Ask(t, s, scope), dump(t, s, "acme"), digest(t, s, "acme")
	Fill(t, s, memory.Scope{Tenant: "acme", Project: "later"})
	write(t, s, scope, "written since")
	seen, err := s.Head(t.Context(), scope)
	same(t, "error", err, nil)
	if _, err := s.EraseTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	restore(t, s, "acme", d.Hash, rows)
	after := Ask(t, s, scope)
	same(t, "memories", after.Page, before.Page)
	same(t, "hash", digest(t, s, "acme"), d)
	for _, follower := range []memory.Seq{1, before.Head, seen} {
		changes, err := s.Changes(t.Context(), scope, "a", follower, 1000)
		same(t, "error", err, nil)
		if len(changes) == 0 || !changes[0].Reset {
			t.Fatalf("a follower that stood at %d is told %d changes and not to start over", follower, len(changes))
		}
		same(t, "what it is told then", changes[1:], after.Changes["a"])
	}
}

func outnumbers(t *testing.T, open Open) {
	s, scope := open(t), memory.Scope{Tenant: "new", Project: "default"}
	for _, number := range []memory.Seq{500, 3} { // never lower
		if err := s.Outnumber(t.Context(), number); err != nil {
			t.Fatal(err)
		}
	}
	Fill(t, s, scope)
	if first := Ask(t, s, scope).Changes["a"][0].Seq; first <= 500 {
		t.Errorf("the first change has number %d", first)
	}
	erased, err := s.Dump(t.Context(), "new", func(backup.Row) error { return nil })
	same(t, "told", erased, memory.Seq(500))
	same(t, "error", err, nil)
}

func meetsWriter(t *testing.T, open Open) {
	s, scope := open(t), memory.Scope{Tenant: "acme", Project: "default"}
	rows := Rows("canary", 600)
	err := s.Restore(t.Context(), "acme", "h", func(yield func(backup.Row, error) bool) {
		for i, row := range rows {
			if i == len(rows)-1 { // the last but one batch is written
				write(t, s, scope, "meanwhile")
			}
			if !yield(row, nil) {
				return
			}
		}
	})
	wantKind(t, err, fault.Conflict)
	page, err := s.List(t.Context(), scope, memory.Query{Limit: 1000, Filter: memory.Filter{SessionID: "only"}})
	same(t, "error", err, nil)
	same(t, "written meanwhile", len(page.Memories), 1)
}

func write(t *testing.T, s memory.Store, scope memory.Scope, content string) {
	t.Helper()
	err := s.Write(t.Context(), scope, func(tx memory.Tx) error {
		_, _, err := tx.Put(t.Context(), memory.Memory{Content: content, SessionID: "only"}, memory.Why{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
