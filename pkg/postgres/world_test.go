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
	server := servicetest.Postgres(t)
	return server.Database(t, server.Template(t, "migrated", func(url string) error {
		_, err := postgres.Migrate(context.Background(), url)
		return err
	}))
}
