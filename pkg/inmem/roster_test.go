package inmem_test

import (
	"testing"

	"github.com/rae-memory/rae/pkg/budget/budgettest"
	"github.com/rae-memory/rae/pkg/inmem"
)

func TestLedgerKnowsWhoseBudgetsItKeeps(t *testing.T) {
	t.Parallel()
	budgettest.RunRoster(t, "inmem", func(_ *testing.T, s budgettest.Setup) budgettest.Opened {
		db := inmem.New(inmem.Options{Clock: s.Clock})
		return budgettest.Opened{Ledger: inmem.NewLedger(db, s.Policy), Outbox: db, Erase: db.EraseTenant}
	})
}
