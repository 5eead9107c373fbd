// Package backuptest is the contract suite of backup.Store: what every implementation must do, told in clauses.
package backuptest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/rae-memory/rae/pkg/backup"
	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Store is what is held to the contract: a store of memories, since what is carried is used there again.
type Store interface {
	memory.Store
	backup.Store
}

// Open returns an empty store.
type Open func(t *testing.T) Store

// Run holds the store named by on to its contract. Every clause gets stores of its own.
func Run(t *testing.T, on string, open Open) {
	run := contract.Begin(t, "backuptest", on)
	for _, c := range []struct {
		name  string
		prove func(*testing.T, Open)
	}{
		{"every row of every table is told as it was restored, in order", tellsAll},
		{"a restored store answers as the one before", answersAlike},
		{"a tenant is told without a byte of another", tellsOnlyOne},
		{"an interrupted restore goes on where it was, and is not told before", goesOn},
		{"rows that end in an error are not taken for the tenant", notHalf},
		{"a tenant that has rows is refused, and left as it was", refuses},
		{"a row in any one table makes a tenant known", knowsTenants},
		{"a feed that may be mistaken for an erased one is moved, and its followers told", moves},
		{"scopes new to the store are numbered above what the other one erased", outnumbers},
		{"a write while a tenant is restored is not lost", meetsWriter},
	} {
		run.Clause(t, c.name, func(t *testing.T) { c.prove(t, open) })
	}
}

func digest(t *testing.T, s backup.Source, tenant string) backup.Tenant {
	t.Helper()
	d, err := backup.Digest(t.Context(), s, tenant)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func restore(t *testing.T, s backup.Target, tenant, hash string, rows []backup.Row) {
	t.Helper()
	if err := s.Restore(t.Context(), tenant, hash, Each(rows)); err != nil {
		t.Fatal(err)
	}
}

func dump(t *testing.T, s backup.Source, tenant string) (rows []backup.Row) {
	t.Helper()
	_, err := s.Dump(t.Context(), tenant, func(r backup.Row) error {
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %.400v, want %.400v", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}

// sameRows tells the first row that differs.
func sameRows(t *testing.T, got, want []backup.Row) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("row %d of %d is missing: %s %q", i, len(want), want[i].Table.Name, want[i].Values)
		case i >= len(want):
			t.Fatalf("row %d is one too many: %s %q", i, got[i].Table.Name, got[i].Values)
		case got[i].Table.Name != want[i].Table.Name || !reflect.DeepEqual(got[i].Values, want[i].Values):
			t.Fatalf("row %d: got %s %q,\nwant %s %q", i, got[i].Table.Name, got[i].Values, want[i].Table.Name, want[i].Values)
		}
	}
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind {
		t.Errorf("got error %v, want %s", err, kind)
	}
}

func tellsAll(t *testing.T, open Open) {
	s := open(t)
	rows := Rows("canary", 700) // more than one batch of each table, and more than one page
	restore(t, s, "acme", "some hash", rows)
	sameRows(t, dump(t, s, "acme"), rows)
	mark, err := s.Mark(t.Context(), "acme")
	same(t, "mark", mark, backup.Mark{Hash: "some hash", Done: true, Rows: true})
	same(t, "error", err, nil)
	restore(t, s, "acme", "some hash", nil) // it is done
	sameRows(t, dump(t, s, "acme"), rows)
}

func tellsOnlyOne(t *testing.T, open Open) {
	s := open(t)
	restore(t, s, "acme", "1", Rows("nightingale", 3))
	restore(t, s, "acme2", "2", Rows("kingfisher", 3))
	sameRows(t, dump(t, s, "acme"), Rows("nightingale", 3))
	sameRows(t, dump(t, s, "acme2"), Rows("kingfisher", 3))
	same(t, "of nobody", len(dump(t, s, "acm")), 0)
}

func goesOn(t *testing.T, open Open) {
	s, want := open(t), Rows("canary", 300)
	random := rand.New(rand.NewPCG(1, 2))
	scope := memory.Scope{Tenant: "acme", Project: "default"}
	for range 5 {
		at := random.IntN(len(want))
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Restore(ctx, "acme", "h", func(yield func(backup.Row, error) bool) {
			passed := 0
			for row, err := range Each(want) {
				if passed++; passed == at {
					cancel()
				}
				if !yield(row, err) {
					return
				}
			}
			yield(backup.Row{}, ctx.Err())
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at row %d: %v", at, err)
		}
		_, err = s.Dump(t.Context(), "acme", func(backup.Row) error { return nil })
		wantKind(t, err, fault.Conflict)
		head, err := s.Head(t.Context(), scope)
		same(t, "head of a feed that has not begun", head, memory.Seq(0))
		same(t, "error", err, nil)
	}
	mark, err := s.Mark(t.Context(), "acme")
	same(t, "mark", mark, backup.Mark{Hash: "h", Rows: true})
	same(t, "error", err, nil)
	wantKind(t, s.Restore(t.Context(), "acme", "other", Each(want)), fault.Conflict)
	restore(t, s, "acme", "h", want)
	sameRows(t, dump(t, s, "acme"), want)
}

func notHalf(t *testing.T, open Open) {
	s, rows := open(t), Rows("canary", 3)
	damaged := errors.New("damaged")
	err := s.Restore(t.Context(), "acme", "h", func(yield func(backup.Row, error) bool) {
		for row := range Each(rows) {
			yield(row, nil)
		}
		yield(backup.Row{}, damaged)
	})
	if !errors.Is(err, damaged) {
		t.Errorf("got %v", err)
	}
	_, err = s.Dump(t.Context(), "acme", func(backup.Row) error { return nil })
	wantKind(t, err, fault.Conflict)
}

func refuses(t *testing.T, open Open) {
	s := open(t)
	rows := Rows("canary", 2)
	restore(t, s, "acme", "1", rows)
	wantKind(t, s.Restore(t.Context(), "acme", "2", Each(Rows("other", 2))), fault.Conflict)
	sameRows(t, dump(t, s, "acme"), rows)
	if _, err := s.EraseTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	mark, err := s.Mark(t.Context(), "acme")
	same(t, "mark of an erased tenant", mark, backup.Mark{})
	same(t, "error", err, nil)
	stop := errors.New("stop")
	restore(t, s, "acme", "1", rows)
	_, err = s.Dump(t.Context(), "acme", func(backup.Row) error { return stop })
	if err != stop {
		t.Errorf("an error of emit came back as %v", err)
	}
}

func knowsTenants(t *testing.T, open Open) {
	s := open(t)
	var want []string
	rows := Rows("canary", 1)
	for i, table := range backup.Tables() {
		switch table.Name {
		case "memories", "memory_versions", "memory_vectors", "tombstones", "facts", "fact_evidence", "knowledge_operations":
			continue // none is without its scope
		}
		one := slices.DeleteFunc(slices.Clone(rows), func(r backup.Row) bool { return r.Table.Name != table.Name })
		tenant := fmt.Sprintf("tenant%02d-%s", i, table.Name)
		restore(t, s, tenant, "h", one)
		want = append(want, tenant)
	}
	var got []string
	for after := ""; ; {
		next, err := s.NextTenant(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		if next == "" {
			break
		}
		got, after = append(got, next), next
	}
	same(t, "tenants", got, want)
}
