package inmem_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/job/jobtest"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

func openJobs(_ *testing.T, clock func() time.Time) (job.Store, outbox.Queue) {
	db := inmem.New(inmem.Options{Clock: clock})
	return inmem.NewJobs(db), db
}

func TestJobsKeepTheContract(t *testing.T) {
	t.Parallel()
	jobtest.Store(t, openJobs)
}

func TestErasingATenantErasesItsJobs(t *testing.T) {
	t.Parallel()
	db := inmem.New(inmem.Options{})
	jobtest.Erase(t, inmem.NewJobs(db), db)
}

var _ jobtest.Eraser = (memory.Store)(nil)

func TestJobsSurviveTheirWorkers(t *testing.T) {
	t.Parallel()
	jobtest.Kills(t, openJobs)
}
