package sqlite_test

import (
	"testing"

	"github.com/rae-memory/rae/pkg/backup/backuptest"
	"github.com/rae-memory/rae/pkg/sqlite"
)

func TestStoreKeepsTheContractOfBackupStore(t *testing.T) {
	t.Parallel()
	backuptest.Run(t, "sqlite", func(t *testing.T) backuptest.Store { return open(t, sqlite.Options{}) })
}

func TestBackupsLoseNoColumn(t *testing.T) {
	t.Parallel()
	columns, err := sqlite.TenantColumns(t.Context(), open(t, sqlite.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	backuptest.CheckSchema(t, columns, backuptest.Derived{
		"memories":       {"row": "numbers rows of one file"},
		"memory_vectors": {"dim": "the vector's own"},
		"memory_tags":    {"*": "of the bodies"},
		"memory_sources": {"*": "of the bodies"},
		"outbox":         {"position": "rows are told in its order", "due_at": "a lease or a wait of this store's relay"},
		"dead_letters":   {"position": "rows are told in its order"},
		"projections":    {"*": "of indexes elsewhere, which follow a restored feed from its beginning"},
		"restores":       {"*": "of this store"},
	})
}
