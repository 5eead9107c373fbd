package search

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"

	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/qdrant"
	"github.com/rae-memory/rae/pkg/search"
)

// parts are what a search is made of, filled by an index in this process or by the database itself.
type parts struct {
	lexical, dense search.Leg
	mentions       search.Mentions
	neighbourhood  search.Neighbourhood
	freshness      search.Freshness
	reranker       search.Reranker
	sittings       search.Sittings // nil: the parts share nothing
	places         qdrant.Places   // nil: hits of Qdrant don't tell where they stand in a conversation

	// holding is the model by which a search of the scope can be answered now, when it should be by the wanted one.
	holding func(scope memory.Scope, wanted string) string
	// refresh does what a change of the scope makes worth doing before the next search.
	refresh func(ctx context.Context, scope memory.Scope) error
	// forget drops what this process holds of a tenant and returns how many scopes that was.
	forget func(tenant string) int
}

// inProcess follows the store's feed with an index in memory: the fastest, once a scope has been read.
func inProcess(cfg *Config, db *database.DB, spaces *embed.Spaces) parts {
	set := index.NewSet(db.Memories, "")
	set.MaxBytes, set.Language = cfg.IndexMegabyte<<20, db.Languages.Of
	set.ModelOf = func(ctx context.Context, scope memory.Scope) (string, error) {
		models, err := spaces.Models(ctx, scope)
		return models.Active, err
	}
	return parts{
		lexical: index.Lexical{Set: set}, dense: index.Dense{Set: set}, mentions: index.Graph{Set: set},
		neighbourhood: index.Neighbourhood{Set: set}, freshness: set,
		reranker: index.Reranker{Set: set}, places: set, holding: set.Holding, refresh: set.Refresh, forget: set.ForgetTenant,
	}
}

// Vectors of a scope that outgrew exact search are indexed vectorSlice at a time, with one of vectorEvents events: faster
// than they can come, and at hardly any cost to the scopes that have not.
const (
	vectorSlice  = 1000
	vectorEvents = 100
)

// gatherEvents is how many events of a scope pass, on average, before somebody looks whether its newest words are worth
// gathering: a look costs a query, and a search that finds as many more of them hardly more than nothing. Chance needs no
// memory of scopes, and favours none.
const gatherEvents = 16

// inPostgres lets the database find: a process that begins has nothing to load, however large the scope.
func inPostgres(db *postgres.DB, spaces *embed.Spaces) parts {
	legs := db.Legs("") // every search names its model
	var events atomic.Int64
	refresh := func(ctx context.Context, scope memory.Scope) error {
		if rand.IntN(gatherEvents) == 0 {
			if _, err := db.Gather(ctx, scope); err != nil {
				return err
			}
		}
		if events.Add(1)%vectorEvents != 0 {
			return nil
		}
		embedders, err := spaces.Embedders(ctx, scope)
		for _, e := range embedders {
			dense := postgres.Dense{DB: db, Model: e.Model()}
			_, failed := dense.IndexVectors(ctx, scope, e.Dimensions(), vectorSlice)
			err = errors.Join(err, failed)
		}
		return err
	}
	return parts{
		lexical: legs.Lexical, dense: legs.Dense, mentions: legs.Mentions,
		neighbourhood: legs.Neighbourhood, freshness: legs.Freshness, reranker: legs.Reranker, sittings: db,
		holding: func(_ memory.Scope, wanted string) string { return wanted },
		refresh: refresh, forget: func(string) int { return 0 },
	}
}

// partsOf chooses: a store that finds by itself does, unless the settings say otherwise.
func partsOf(cfg *Config, db *database.DB, spaces *embed.Spaces) parts {
	if db.Postgres != nil && cfg.Index != "process" {
		return inPostgres(db.Postgres, spaces)
	}
	return inProcess(cfg, db, spaces)
}
