package postgres_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/servicetest"
)

// BenchmarkImport stores 20,000 memories in slices of 500, as an import does, in a durable database, and holds the time
// against that of binary COPYs of the same in the same turn. It reports the median over the turns of how long each COPY
// took by how long the import did (1 would be as fast):
//
//	/bare     what a caller tells, into a table without indexes; the mean of before and after
//	/keyed    an id and the content, into a table with that key; the mean of before and after
//	/indexed  the rows of memories, into a table with its columns and indexes: what is left is words, entities, vectors,
//	          the outbox, and recognising what stands
func BenchmarkImport(b *testing.B) {
	for _, with := range []struct {
		name       string
		dimensions int
	}{{"texts", 0}, {"vectors", 256}} {
		b.Run(with.name, func(b *testing.B) { benchmarkImport(b, with.dimensions) })
	}
}

const (
	imported    = 20_000
	importSlice = 500
)

func benchmarkImport(b *testing.B, dimensions int) {
	url := migrated(b, servicetest.OwnPostgres(b, nil))
	db := openAt(b, url, postgres.Options{})
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	execute(b, conn, `CREATE SCHEMA control`) // elsewhere: the store would not start over tables that nothing guards
	b.Cleanup(func() { _ = conn.Close(context.Background()) })
	ratios := map[string][]float64{}
	vectors, turn := newCloud(200, max(dimensions, 1)), 0
	for b.Loop() {
		l, scope := newLibrary(), sized(turn)
		turn++
		all := make([]memory.Entry, imported)
		for i := range all {
			all[i].Memory = l.memory()
			if dimensions > 0 {
				all[i].Vectors = []memory.Vector{{Model: model, Values: vectors.vector()}}
			}
		}
		bare, keyed := copyBare(b, conn, scope, all), copyKeyed(b, conn, all)
		began := time.Now()
		for slice := range slices.Chunk(all, importSlice) {
			err := db.Write(b.Context(), scope, func(tx memory.Tx) error {
				_, err := tx.PutAll(b.Context(), slice, memory.Why{})
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		took := time.Since(began)
		bare, keyed = (bare+copyBare(b, conn, scope, all))/2, (keyed+copyKeyed(b, conn, all))/2
		indexed := copyIndexed(b, conn, scope)
		b.Logf("COPY: bare %v, keyed %v, indexed %v; import %v", bare, keyed, indexed, took)
		for unit, of := range map[string]time.Duration{"/bare": bare, "/keyed": keyed, "/indexed": indexed} {
			ratios[unit] = append(ratios[unit], of.Seconds()/took.Seconds())
		}
		ratios["memories/s"] = append(ratios["memories/s"], imported/took.Seconds())
	}
	for unit, values := range ratios {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], unit)
	}
}

// copyBare times the copying of what a caller tells into a table without indexes.
func copyBare(b *testing.B, conn *pgx.Conn, scope memory.Scope, all []memory.Entry) time.Duration {
	b.Helper()
	execute(b, conn, `DROP TABLE IF EXISTS control.bare`)
	execute(b, conn, `CREATE TABLE control.bare (tenant text, project text, external_id text, session_id text, content text,
		entities text[], vector real[])`)
	began := time.Now()
	_, err := conn.CopyFrom(b.Context(), pgx.Identifier{"control", "bare"}, []string{"tenant", "project", "external_id", "session_id",
		"content", "entities", "vector"}, pgx.CopyFromSlice(len(all), func(i int) ([]any, error) {
		e := &all[i]
		var names []string
		for _, entity := range e.Entities {
			names = append(names, entity.Name)
		}
		var vector []float32
		for _, v := range e.Vectors {
			vector = v.Values
		}
		return []any{scope.Tenant, scope.Project, e.ExternalID, e.SessionID, e.Content, names, vector}, nil
	}))
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// copyKeyed times the copying of contents into a table whose key is a random id.
func copyKeyed(b *testing.B, conn *pgx.Conn, all []memory.Entry) time.Duration {
	b.Helper()
	execute(b, conn, `DROP TABLE IF EXISTS control.keyed`)
	execute(b, conn, `CREATE TABLE control.keyed (id uuid PRIMARY KEY, content text NOT NULL)`)
	began := time.Now()
	_, err := conn.CopyFrom(b.Context(), pgx.Identifier{"control", "keyed"}, []string{"id", "content"},
		pgx.CopyFromSlice(len(all), func(i int) ([]any, error) { return []any{[16]byte(uuid.New()), all[i].Content}, nil }))
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// copyIndexed times the copying of the scope's rows of memories into a table of the same kind.
func copyIndexed(b *testing.B, conn *pgx.Conn, scope memory.Scope) time.Duration {
	b.Helper()
	execute(b, conn, `DROP TABLE IF EXISTS control.twin`)
	execute(b, conn, `CREATE TABLE control.twin (LIKE memories INCLUDING ALL)`)
	var columns []string
	rows, err := conn.Query(b.Context(), `SELECT attname::text FROM pg_attribute WHERE attrelid = 'memories'::regclass AND attnum > 0
		AND attgenerated = '' AND NOT attisdropped ORDER BY attnum`)
	if err == nil {
		columns, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		b.Fatal(err)
	}
	rows, err = conn.Query(b.Context(), `SELECT `+strings.Join(columns, ", ")+` FROM memories WHERE tenant = $1 ORDER BY seq`, scope.Tenant)
	if err != nil {
		b.Fatal(err)
	}
	var kept [][]any
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			b.Fatal(err)
		}
		kept = append(kept, values)
	}
	began := time.Now()
	if _, err := conn.CopyFrom(b.Context(), pgx.Identifier{"control", "twin"}, columns, pgx.CopyFromRows(kept)); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

func execute(b *testing.B, conn *pgx.Conn, query string) {
	b.Helper()
	if _, err := conn.Exec(b.Context(), query); err != nil {
		b.Fatal(err)
	}
}
