package servicetest_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/servicetest"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) }) //nolint:errcheck // it may be cut
	return conn
}

func do(t *testing.T, conn *pgx.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func one[T any](t *testing.T, conn *pgx.Conn, query string, args ...any) T {
	t.Helper()
	rows, err := conn.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	got, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return got
}

func TestPostgresHasVectors(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	server := servicetest.Postgres(t)
	t.Logf("%s; there after %s", server.Version(), time.Since(begun).Round(time.Millisecond))
	conn := connect(t, server.Database(t, ""))
	do(t, conn, "CREATE EXTENSION vector")
	if got := one[float64](t, conn, "SELECT '[3,4]'::vector <-> '[0,0]'"); got != 5 {
		t.Errorf("distance of [3,4] to the origin is %v", got)
	}
	do(t, conn, "CREATE TABLE points (at halfvec(2))")
	do(t, conn, "CREATE INDEX ON points USING hnsw (at halfvec_l2_ops)")
	do(t, conn, "SET hnsw.iterative_scan = strict_order") // of pgvector 0.8
}

func TestPostgresSettings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		server *servicetest.PostgresServer
		want   map[string]string
	}{
		{"shared", servicetest.Postgres(t), map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200", "shared_buffers": "128MB"}},
		{"own", servicetest.OwnPostgres(t, map[string]string{"max_connections": "20"}), map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": "20"}},
	} {
		conn := connect(t, test.server.URL("postgres"))
		for name, want := range test.want {
			if got := one[string](t, conn, "SELECT current_setting($1)", name); got != want {
				t.Errorf("%s: %s is %s, want %s", test.name, name, got, want)
			}
		}
	}
}

func TestPostgresDatabasesAreApart(t *testing.T) {
	t.Parallel()
	server := servicetest.Postgres(t)
	var fills atomic.Int64
	fill := func(url string) error {
		fills.Add(1)
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			return err
		}
		_, err = conn.Exec(t.Context(), "CREATE TABLE notes (text text); INSERT INTO notes VALUES ('of the template')")
		conn.Close(t.Context()) //nolint:errcheck // a template with a connection is refused below
		return err
	}
	var mu sync.Mutex
	var names []string
	t.Run("each", func(t *testing.T) {
		for range 4 {
			t.Run("test", func(t *testing.T) {
				t.Parallel()
				conn := connect(t, server.Database(t, server.Template(t, "notes", fill)))
				do(t, conn, "INSERT INTO notes VALUES ('of the test')")
				if got := one[int](t, conn, "SELECT count(*) FROM notes"); got != 2 {
					t.Errorf("%d notes, want the template's and this test's", got)
				}
				mu.Lock()
				defer mu.Unlock()
				names = append(names, one[string](t, conn, "SELECT current_database()"))
			})
		}
	})
	if n := fills.Load(); n != 1 {
		t.Errorf("the template was filled %d times", n)
	}
	left := one[int](t, connect(t, server.URL("postgres")), "SELECT count(*) FROM pg_database WHERE datname = any($1)", names)
	if len(names) != 4 || left != 0 {
		t.Errorf("of %v, %d are left after their tests", names, left)
	}
}

func TestPostgresComesBackWithWhatWasCommitted(t *testing.T) {
	t.Parallel()
	server := servicetest.OwnPostgres(t, nil)
	url := server.Database(t, "")
	do(t, connect(t, url), "CREATE TABLE kept (n int)")
	address := server.Addr()
	for n, end := range []func() error{
		func() error {
			if err := server.Kill(); err != nil {
				return err
			}
			if conn, err := pgx.Connect(t.Context(), url); err == nil {
				conn.Close(t.Context()) //nolint:errcheck // there should be none
				t.Error("the server answers after Kill")
			}
			return server.Start()
		},
		func() error { return server.Restart(true) },
		func() error { return server.Restart(false) },
	} {
		conn := connect(t, url)
		do(t, conn, "INSERT INTO kept VALUES ($1)", n)
		begun := time.Now()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		t.Logf("ended and back in %s", time.Since(begun).Round(time.Millisecond))
		if err := conn.Ping(t.Context()); err == nil {
			t.Error("a connection outlived its server")
		}
		if got := one[int](t, connect(t, url), "SELECT count(*) FROM kept"); got != n+1 || server.Addr() != address {
			t.Errorf("%d rows at %s, want %d at %s", got, server.Addr(), n+1, address)
		}
	}
	if err := server.Kill(); err != nil { // what is left ends with the test all the same
		t.Error(err)
	}
}

func TestPostgresThatIsSharedIsNotKilled(t *testing.T) {
	t.Parallel()
	server := servicetest.Postgres(t)
	for name, end := range map[string]func() error{"Kill": server.Kill, "Start": server.Start, "Restart": func() error { return server.Restart(true) }} {
		if end() == nil {
			t.Errorf("%s of the shared server went through", name)
		}
	}
}
