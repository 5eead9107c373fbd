package index_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/search/searchtest"
	"github.com/rae-memory/rae/pkg/sqlite"
)

func TestTheIndexKeepsTheContractOfSearch(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, "index over inmem", func(_ *testing.T, clock func() time.Time) searchtest.Engine {
		db := inmem.New(inmem.Options{Clock: clock})
		return engine(db, inmem.NewRegister(db), clock)
	})
	searchtest.Run(t, "index over sqlite", func(t *testing.T, clock func() time.Time) searchtest.Engine {
		db := sqlite.Open(filepath.Join(t.TempDir(), "rae.db"), sqlite.Options{Clock: clock})
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return engine(db, sqlite.NewRegister(db), clock)
	})
}

func engine(store memory.Store, names knowledge.Register, clock func() time.Time) searchtest.Engine {
	set := index.NewSet(store, searchtest.Model)
	set.Clock = clock
	return searchtest.Engine{
		Store: store, Lexical: index.Lexical{Set: set}, Dense: index.Dense{Set: set}, Graph: search.Linked{Mentions: index.Graph{Set: set}, Names: names}, Mentions: index.Graph{Set: set}, Names: names,
		Neighbourhood: index.Neighbourhood{Set: set}, Freshness: set, Reranker: index.Reranker{Set: set},
	}
}
