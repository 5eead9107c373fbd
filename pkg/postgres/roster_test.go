package postgres_test

import (
	"testing"

	"github.com/rae-memory/rae/pkg/budget/budgettest"
	"github.com/rae-memory/rae/pkg/postgres"
)

func TestLedgerKnowsWhoseBudgetsItKeeps(t *testing.T) {
	t.Parallel()
	budgettest.RunRoster(t, "postgres", func(t *testing.T, s budgettest.Setup) budgettest.Opened {
		db := open(t, postgres.Options{Clock: s.Clock})
		return budgettest.Opened{Ledger: postgres.NewLedger(db, s.Policy), Outbox: db, Erase: db.EraseTenant}
	})
}
