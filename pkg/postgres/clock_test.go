package postgres_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/postgres"
)

// clockReaders are the places that may ask this process what time it is, and why no decision that another process sees
// depends on it.
var clockReaders = map[string]string{
	"books.go": "adds what has passed since the database told the time; the database refuses what is a second off, and has the last word (move.go)",
	"memo.go":  "forgets what it remembers after a while; whether it holds, the database says",
}

func TestNoProcessClockDecidesAnything(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		name := file.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			of, ok := selector.X.(*ast.Ident)
			if !ok || of.Name != "time" {
				return true
			}
			if s := selector.Sel.Name; s == "Now" || s == "Since" || s == "Until" {
				found[name] = true
			}
			return true
		})
	}
	for name := range found {
		if clockReaders[name] == "" {
			t.Errorf("%s reads the clock of its process: leases, expiry and times are the database's (rae_now)", name)
		}
	}
	for name := range clockReaders {
		if !found[name] {
			t.Errorf("%s no longer reads the clock: take it off the list", name)
		}
	}
}

// The clocks of machines differ; the lease of one is kept by another because both ask the database for the time.
func TestALeaseIsNoShorterForAnotherProcess(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	one, two := openAt(t, url, postgres.Options{}), openAt(t, url, postgres.Options{})
	if err := emitted(t.Context(), one, acme, "s", "leased"); err != nil {
		t.Fatal(err)
	}
	const lease = 1500 * time.Millisecond
	begun := time.Now()
	if records := claim(t, one, lease); len(records) != 1 {
		t.Fatalf("claimed %v", records)
	}
	for {
		asked := time.Now()
		records := claim(t, two, lease)
		if len(records) == 1 {
			if held := time.Since(begun); held < lease {
				t.Errorf("it was stolen after %s, leased for %s", held, lease)
			}
			return
		}
		if asked.Sub(begun) > lease+10*time.Second {
			t.Fatal("the lease does not end")
		}
		<-time.After(20 * time.Millisecond)
	}
}

func claim(t *testing.T, db *postgres.DB, lease time.Duration) []outbox.Record {
	t.Helper()
	records, err := db.Claim(t.Context(), 10, lease)
	if err != nil {
		t.Fatal(err)
	}
	return records
}
