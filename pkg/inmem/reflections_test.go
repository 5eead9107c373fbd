package inmem_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/reflection/reflectiontest"
)

func TestReflectionsKeepTheContract(t *testing.T) {
	t.Parallel()
	reflectiontest.Store(t, func(_ *testing.T, clock func() time.Time) (reflection.Store, outbox.Queue) {
		db := inmem.New(inmem.Options{Clock: clock})
		return inmem.NewReflections(db), db
	})
}
