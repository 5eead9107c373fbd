package postgres_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/reflection/reflectiontest"
)

func TestReflectionsKeepTheContract(t *testing.T) {
	t.Parallel()
	reflectiontest.Run(t, "postgres", func(t *testing.T, clock func() time.Time) (reflection.Store, outbox.Queue) {
		db := open(t, postgres.Options{Clock: clock})
		return postgres.NewReflections(db), db
	})
}
