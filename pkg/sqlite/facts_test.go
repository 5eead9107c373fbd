package sqlite_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/knowledge/knowledgetest"
	"github.com/rae-memory/rae/pkg/sqlite"
)

func TestFactsKeepTheContract(t *testing.T) {
	t.Parallel()
	knowledgetest.RunFacts(t, "sqlite", func(t *testing.T, clock func() time.Time) knowledgetest.Kept {
		db := openIn(t, clock)
		return knowledgetest.Kept{FactStore: sqlite.NewFacts(db), Memories: db}
	})
}
