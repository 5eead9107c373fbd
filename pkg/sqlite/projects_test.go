package sqlite_test

import (
	"testing"

	"github.com/rae-memory/rae/pkg/job/jobtest"
)

func TestProjectsOfATenantAreListed(t *testing.T) {
	t.Parallel()
	jobtest.Projects(t, openIn(t, nil))
}
