package postgres_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/search/searchtest"
)

func TestTheLegsKeepTheContractOfSearch(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, "postgres", func(t *testing.T, clock func() time.Time) searchtest.Engine {
		db := open(t, postgres.Options{Clock: clock})
		return searchtest.Engine{
			Store: db, Lexical: postgres.Lexical{DB: db}, Freshness: postgres.Freshness{DB: db},
		}
	})
}
