package servicetest_test

import (
	"testing"

	"github.com/rae-memory/rae/pkg/servicetest"
)

func TestMain(m *testing.M) { servicetest.Main(m) }
