package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/servicetest"
	"github.com/rae-memory/rae/test/ledger"
)

func TestMain(m *testing.M) {
	ledger.Child()
	servicetest.Main(m)
}

// fresh returns the superuser's URL of a new database with the newest schema.
func fresh(t *testing.T) string {
	t.Helper()
	server := servicetest.Postgres(t)
	return server.Database(t, server.Template(t, "migrated", func(url string) error {
		_, err := postgres.Migrate(context.Background(), url)
		return err
	}))
}

func TestProcessesThatSpendAtOnceAndAreKilledNeverOverspend(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		report, err := ledger.Run(t.Context(), ledger.Options{
			URL: fresh(t), Dir: t.TempDir(), Seed: seed, Processes: 4, Goroutines: 64, Hot: 2,
			Duration: 3 * time.Second, Generation: 1500 * time.Millisecond, KillEvery: 500 * time.Millisecond, Effort: 5_000_000,
		})
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if report != nil {
			t.Logf("seed %d: %s", seed, report)
		}
	}
}

func TestAProcessKilledBetweenReserveAndSettleLeaksNothing(t *testing.T) {
	t.Parallel()
	report, err := ledger.Kills(t.Context(), fresh(t), t.TempDir(), 1, 10)
	if err != nil {
		t.Error(err)
	}
	t.Log(report)
	if report != nil && report.Held == 0 {
		t.Error("no process held anything when it was killed: the test proves little")
	}
}
