package postgres_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/knowledge/knowledgetest"
	"github.com/rae-memory/rae/pkg/postgres"
)

func TestFactsKeepTheContract(t *testing.T) {
	t.Parallel()
	knowledgetest.RunFacts(t, "postgres", func(t *testing.T, clock func() time.Time) knowledgetest.Kept {
		db := open(t, postgres.Options{Clock: clock})
		return knowledgetest.Kept{FactStore: postgres.NewFacts(db), Memories: db}
	})
}
