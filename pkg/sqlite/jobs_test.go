package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/job/jobtest"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/sqlite"
)

func openJobs(t *testing.T, clock func() time.Time) (job.Store, outbox.Queue) {
	db := openIn(t, clock)
	return sqlite.NewJobs(db), db
}

func openIn(t *testing.T, clock func() time.Time) *sqlite.DB {
	t.Helper()
	db := sqlite.Open(filepath.Join(t.TempDir(), "rae.db"), sqlite.Options{Clock: clock})
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestJobsKeepTheContract(t *testing.T) {
	t.Parallel()
	jobtest.Store(t, openJobs)
}

func TestErasingATenantErasesItsJobs(t *testing.T) {
	t.Parallel()
	db := openIn(t, nil)
	jobtest.Erase(t, sqlite.NewJobs(db), db)
}

func TestJobsSurviveTheirWorkers(t *testing.T) {
	t.Parallel()
	jobtest.Kills(t, openJobs)
}
