package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/knowledge/knowledgetest"
	"github.com/rae-memory/rae/pkg/sqlite"
)

func TestRegisterKeepsTheContract(t *testing.T) {
	t.Parallel()
	knowledgetest.RunRegister(t, "sqlite", func(t *testing.T, clock func() time.Time) knowledgetest.Registered {
		path := filepath.Join(t.TempDir(), "rae.db")
		db, beside := openAt(t, path, sqlite.Options{Clock: clock}), openAt(t, path, sqlite.Options{Clock: clock})
		return knowledgetest.Registered{Register: sqlite.NewRegister(db), Beside: sqlite.NewRegister(beside), Memories: db}
	})
}
