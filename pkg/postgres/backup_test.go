package postgres_test

import (
	"testing"

	"github.com/rae-memory/rae/pkg/backup/backuptest"
	"github.com/rae-memory/rae/pkg/postgres"
)

func TestStoreKeepsTheContractOfBackupStore(t *testing.T) {
	t.Parallel()
	backuptest.Run(t, "postgres", func(t *testing.T) backuptest.Store { return open(t, postgres.Options{}) })
}
