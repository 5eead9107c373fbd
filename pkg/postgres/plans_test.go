package postgres_test

import (
	"testing"

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

// What is read grows with what is asked for, and not with the scope or the table, where the database knows nothing of
// either: nobody has counted anything since the tables were filled, nobody will, and whoever asks keeps the plans that
// were made when there was hardly anything.
func TestQuestionsReadLittleWhereNothingIsKnownOfTheTables(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	unattended(t, url)
	l, vectors := newLibrary(), newCloud(20, 16)
	loader, scopes := openAt(t, url, postgres.Options{}), []memory.Scope{sized(300), sized(4000)}
	asking := make([]*postgres.DB, len(scopes))
	for i, scope := range scopes {
		asking[i] = openAt(t, url, postgres.Options{})
		l.fill(t, loader, scope, 200, vectors)
		l.askEverything(t, asking[i], scope)
	}
	l.fill(t, loader, scopes[0], 100, vectors)
	l.fill(t, loader, scopes[1], 3800, vectors)
	if err := loader.Close(); err != nil {
		t.Fatal(err)
	}
	for i, scope := range scopes {
		before := rowsRead(t, url)
		l.askEverything(t, asking[i], scope)
		if err := asking[i].Close(); err != nil { // with its last connection, what it read is counted
			t.Fatal(err)
		}
		for table, n := range rowsRead(t, url) {
			n = (n - before[table]) / questionsAsked
			if most := readAtMost[table]; n > most || n == 0 && table == "memories" {
				t.Errorf("%s: %d rows of %s are read for a question of each part, want 1 to %d", scope, n, table, most)
			}
		}
	}
}

// readAtMost is how many rows of a table may be read for one question of each part that wants a hundred hits: some for
// each hit and each turn of its session, and the scope wherever vectors are compared under a filter, a third of the times.
var readAtMost = map[string]int{"memories": 12_000, "memory_versions": 500, "graph_edges": 2000, "graph_nodes": 500, "term_blocks": 500}

// rowsRead is how many rows of the tables have been read, by whatever way.
func rowsRead(t *testing.T, url string) map[string]int {
	t.Helper()
	read := map[string]int{}
	for table := range readAtMost {
		var n int
		askDatabase(t, url, `SELECT sum(idx_tup_read) + (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = '`+table+`')
			FROM pg_stat_user_indexes WHERE relname = '`+table+`'`, &n)
		read[table] = n
	}
	return read
}

// unattended sees to it that nobody analyses the tables.
func unattended(t *testing.T, url string) {
	t.Helper()
	conn := connect(t, url)
	_, err := conn.Exec(t.Context(), `DO $$ DECLARE t regclass; BEGIN
		FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
			EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', t);
		END LOOP;
	END $$`)
	if err != nil {
		t.Fatal(err)
	}
}

// questionsAsked is how often askEverything asks each part.
const questionsAsked = 12

// askEverything asks each part often enough for plans that are kept.
func (l *library) askEverything(t *testing.T, db *postgres.DB, scope memory.Scope) {
	t.Helper()
	vectors := newCloud(20, 16)
	for i := range questionsAsked {
		if i%4 == 3 { // a tail
			l.write(t, db, scope)
		}
		q := search.Query{Scope: scope, Text: l.say(6), Vector: vectors.vector()}
		if i%3 == 1 {
			q.Filter.Layers = memory.Layers()
		}
		askLegs(t, db, q)
		if _, err := db.Legs(model).Mentions.Nodes(t.Context(), scope, q.View, search.NamedIn(scope, l.words[i])); err != nil {
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
	q.Found = hits
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
