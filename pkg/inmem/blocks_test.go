package inmem_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/block/blocktest"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/outbox"
)

func TestBlocksKeepTheContract(t *testing.T) {
	t.Parallel()
	blocktest.Run(t, "inmem", func(_ *testing.T, clock func() time.Time) (block.Store, outbox.Queue) {
		db := inmem.New(inmem.Options{Clock: clock})
		return inmem.NewBlocks(db), db
	})
}

func TestErasingATenantErasesItsBlocks(t *testing.T) {
	t.Parallel()
	db := inmem.New(inmem.Options{})
	blocktest.Erase(t, inmem.NewBlocks(db), db)
}
