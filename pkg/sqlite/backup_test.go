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
