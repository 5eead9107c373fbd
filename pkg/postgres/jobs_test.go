package postgres_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/job/jobtest"
	"github.com/rae-memory/rae/pkg/memory/memorytest"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/postgres"
)

func openJobs(t *testing.T, clock func() time.Time) (job.Store, outbox.Queue) {
	db := open(t, postgres.Options{Clock: clock})
	return postgres.NewJobs(db), db
}

func TestJobsKeepTheContract(t *testing.T) {
	t.Parallel()
	jobtest.Store(t, openJobs)
}

func TestErasingATenantErasesItsJobs(t *testing.T) {
	t.Parallel()
	db := open(t, postgres.Options{})
	jobtest.Erase(t, postgres.NewJobs(db), db)
}

func TestJobsSurviveTheirWorkers(t *testing.T) {
	t.Parallel()
	jobtest.Kills(t, openJobs)
}

func TestStoreKeepsTheContractOfAFollowedStore(t *testing.T) {
	t.Parallel()
	memorytest.RunFollowed(t, func(t *testing.T, clock func() time.Time) memorytest.Followed {
		return open(t, postgres.Options{Clock: clock})
	})
}

func TestModelsKeepTheContract(t *testing.T) {
	t.Parallel()
	memorytest.RunModelled(t, "postgres", func(t *testing.T, clock func() time.Time) memorytest.ModelledStore {
		return open(t, postgres.Options{Clock: clock})
	})
}
