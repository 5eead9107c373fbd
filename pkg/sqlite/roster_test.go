package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/rae-memory/rae/pkg/budget/budgettest"
	"github.com/rae-memory/rae/pkg/sqlite"
)

func TestLedgerKnowsWhoseBudgetsItKeeps(t *testing.T) {
	t.Parallel()
	budgettest.RunRoster(t, "sqlite", func(t *testing.T, s budgettest.Setup) budgettest.Opened {
		db := sqlite.Open(filepath.Join(t.TempDir(), "rae.db"), sqlite.Options{Clock: s.Clock})
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return budgettest.Opened{Ledger: sqlite.NewLedger(db, s.Policy), Outbox: db, Erase: db.EraseTenant}
	})
}
