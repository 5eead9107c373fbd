package inmem_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/knowledge/knowledgetest"
)

func TestFactsKeepTheContract(t *testing.T) {
	t.Parallel()
	knowledgetest.RunFacts(t, "inmem", func(_ *testing.T, clock func() time.Time) knowledgetest.Kept {
		db := inmem.New(inmem.Options{Clock: clock})
		return knowledgetest.Kept{FactStore: inmem.NewFacts(db), Memories: db}
	})
}
