package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/reflection/reflectiontest"
	"github.com/rae-memory/rae/pkg/sqlite"
)

func TestReflectionsKeepTheContract(t *testing.T) {
	t.Parallel()
	reflectiontest.Run(t, "sqlite", func(t *testing.T, clock func() time.Time) (reflection.Store, outbox.Queue) {
		db := sqlite.Open(filepath.Join(t.TempDir(), "rae.db"), sqlite.Options{Clock: clock})
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return sqlite.NewReflections(db), db
	})
}
