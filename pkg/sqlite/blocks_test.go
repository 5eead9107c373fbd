package sqlite_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/block/blocktest"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/sqlite"
)

func TestBlocksKeepTheContract(t *testing.T) {
	t.Parallel()
	blocktest.Run(t, "sqlite", func(t *testing.T, clock func() time.Time) (block.Store, outbox.Queue) {
		db := openIn(t, clock)
		return sqlite.NewBlocks(db), db
	})
}

func TestErasingATenantErasesItsBlocks(t *testing.T) {
	t.Parallel()
	db := openIn(t, nil)
	blocktest.Erase(t, sqlite.NewBlocks(db), db)
}
