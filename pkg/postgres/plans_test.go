package postgres_test

import (
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/search"
)

// A question of a small tenant reads what is the tenant's, by indexes, whoever else is in the database. The database
// itself counts how its tables were read, under the role and the policies of every request.
func TestQuestionsReadTheirOwnScopeAlone(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	l, vectors := newLibrary(), newCloud(20, 16)
	large, small := sized(6000), sized(300)
	db := openAt(t, url, postgres.Options{})
	l.fill(t, db, large, 6000, vectors)
	l.fill(t, db, small, 300, vectors)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	analyze(t, url)
	read := func(how string) (n int) {
		askDatabase(t, url, `SELECT coalesce(sum(`+how+`), 0) FROM pg_stat_user_tables WHERE relname IN
			('memories', 'memory_versions', 'memory_vectors', 'term_blocks', 'graph_nodes', 'graph_edges')`, &n)
		return n
	}
	scanned, fetched := read("seq_tup_read"), read("idx_tup_fetch")
	db = openAt(t, url, postgres.Options{})
	l.askEverything(t, db, small)
	if err := db.Close(); err != nil { // with its last connection, what it read is counted
		t.Fatal(err)
	}
	if rows := read("seq_tup_read") - scanned; rows != 0 {
		t.Errorf("%d rows were read that no index led to", rows)
	}
	if rows := read("idx_tup_fetch") - fetched; rows == 0 {
		t.Error("nothing was counted")
	}
}

// askEverything asks each part often enough for plans that are kept.
func (l *library) askEverything(t *testing.T, db *postgres.DB, scope memory.Scope) {
	t.Helper()
	vectors := newCloud(20, 16)
	for i := range 12 {
		if i%4 == 3 { // a tail
			l.write(t, db, scope)
		}
		q := search.Query{Scope: scope, Text: l.say(6), Vector: vectors.vector()}
		if i%3 == 1 {
			q.Filter.Layers = memory.Layers()
		}
		askLegs(t, db, q)
		if _, err := db.Legs(model).Graph.Explore(t.Context(), scope, q.View, l.words[i], 2); err != nil && fault.KindOf(err) != fault.NotFound {
			t.Fatal(err)
		}
	}
}

func (l *library) write(t *testing.T, db *postgres.DB, scope memory.Scope) {
	t.Helper()
	err := db.Write(t.Context(), scope, func(tx memory.Tx) error {
		_, _, err := tx.Put(t.Context(), l.memory(), memory.Why{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// askLegs asks each part of a search.
func askLegs(t *testing.T, db *postgres.DB, q search.Query) {
	t.Helper()
	legs := db.Legs(model)
	hits, err := legs.Lexical.Retrieve(t.Context(), q, 100)
	if err != nil || len(hits) == 0 {
		t.Fatalf("%d hits, %v", len(hits), err)
	}
	if hits, err := legs.Dense.Retrieve(t.Context(), q, 100); err != nil || len(hits) == 0 {
		t.Fatalf("%d hits, %v", len(hits), err)
	}
	if _, err := legs.Graph.Retrieve(t.Context(), q, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := legs.Neighbourhood.Around(t.Context(), q, hits, 2); err != nil {
		t.Fatal(err)
	}
	ids := make([]memory.ID, len(hits))
	for i := range hits {
		ids[i] = hits[i].ID
	}
	if _, err := legs.Reranker.Rerank(t.Context(), q, ids); err != nil {
		t.Fatal(err)
	}
}
