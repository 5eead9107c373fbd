package postgres_test

import (
	"context"
	"testing"

	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/servicetest"
)

// fresh returns the URL of a new, empty database with the newest schema.
func fresh(t testing.TB) string {
	t.Helper()
	return migrated(t, servicetest.Postgres(t))
}

// migrated makes a new, empty database with the newest schema on the server, and returns its superuser's URL.
func migrated(t testing.TB, server *servicetest.PostgresServer) string {
	t.Helper()
	return server.Database(t, server.Template(t, "migrated", func(url string) error {
		_, err := postgres.Migrate(context.Background(), url)
		return err
	}))
}
