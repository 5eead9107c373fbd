package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/servicetest"
)

// fresh returns the URL of a new, empty database with the newest schema, for the test to do with as it likes.
func fresh(t testing.TB) string {
	t.Helper()
	server := servicetest.Postgres(t)
	return server.Database(t, schema(t, server))
}

// lent returns the URL of an empty database with the newest schema, in which the test changes nothing but rows.
func lent(t testing.TB) string {
	t.Helper()
	server := servicetest.Postgres(t)
	return server.Lend(t, schema(t, server), empty)
}

// migrated makes a new, empty database with the newest schema on the server, and returns its superuser's URL.
func migrated(t testing.TB, server *servicetest.PostgresServer) string {
	t.Helper()
	return server.Database(t, schema(t, server))
}

// schema names a database with the newest schema, to be copied.
func schema(t testing.TB, server *servicetest.PostgresServer) string {
	t.Helper()
	return server.Template(t, "migrated", func(url string) error {
		_, err := postgres.Migrate(context.Background(), url)
		return err
	})
}

// empty removes all rows, as a superuser, whom row-level security does not hold.
func empty(url string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // the statement has been answered
	_, err = conn.Exec(ctx, `DO $$ DECLARE t regclass; BEGIN
		FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
			AND relname NOT IN ('goose_db_version', 'erased') LOOP
			EXECUTE 'DELETE FROM ' || t;
		END LOOP;
		UPDATE erased SET head = 0;
	END $$`)
	return err
}
