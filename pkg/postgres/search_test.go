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
		legs := db.Legs(searchtest.Model)
		return searchtest.Engine{
			Store: db, Lexical: legs.Lexical, Dense: legs.Dense, Graph: legs.Graph, Names: postgres.NewRegister(db), Mentions: legs.Mentions,
			Neighbourhood: legs.Neighbourhood, Freshness: legs.Freshness, Reranker: legs.Reranker,
		}
	})
}
