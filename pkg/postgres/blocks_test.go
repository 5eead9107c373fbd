package postgres_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/block/blocktest"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/postgres"
)

func TestBlocksKeepTheContract(t *testing.T) {
	t.Parallel()
	blocktest.Run(t, "postgres", func(t *testing.T, clock func() time.Time) (block.Store, outbox.Queue) {
		db := open(t, postgres.Options{Clock: clock})
		return postgres.NewBlocks(db), db
	})
}

func TestErasingATenantErasesItsBlocks(t *testing.T) {
	t.Parallel()
	db := open(t, postgres.Options{})
	blocktest.Erase(t, postgres.NewBlocks(db), db)
}
