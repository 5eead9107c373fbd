package servicetest_test

import (
	"testing"

	"github.com/rae-memory/rae/pkg/servicetest"
)

func TestPromtoolRuns(t *testing.T) {
	t.Parallel()
	servicetest.Promtool(t, "--version")
}
