package postgres_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/knowledge/knowledgetest"
	"github.com/rae-memory/rae/pkg/postgres"
)

func TestRegisterKeepsTheContract(t *testing.T) {
	t.Parallel()
	knowledgetest.RunRegister(t, "postgres", func(t *testing.T, clock func() time.Time) knowledgetest.Registered {
		url := lent(t)
		db, beside := openAt(t, url, postgres.Options{Clock: clock}), openAt(t, url, postgres.Options{Clock: clock})
		return knowledgetest.Registered{Register: postgres.NewRegister(db), Beside: postgres.NewRegister(beside), Memories: db}
	})
}
