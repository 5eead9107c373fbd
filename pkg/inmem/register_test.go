package inmem_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/knowledge/knowledgetest"
)

func TestRegisterKeepsTheContract(t *testing.T) {
	t.Parallel()
	knowledgetest.RunRegister(t, "inmem", func(_ *testing.T, clock func() time.Time) knowledgetest.Registered {
		db := inmem.New(inmem.Options{Clock: clock})
		return knowledgetest.Registered{Register: inmem.NewRegister(db), Beside: inmem.NewRegister(db), Memories: db}
	})
}
