package search

import (
	"context"
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
	lexical, dense, entities search.Leg
	graph                    graph
	neighbourhood            search.Neighbourhood
	freshness                search.Freshness
	reranker                 search.Reranker
	sittings                 search.Sittings // nil: the parts share nothing
	places                   qdrant.Places   // nil: hits of Qdrant don't tell where they stand in a conversation

	// refresh does what a change of the scope makes worth doing before the next search.
	refresh func(ctx context.Context, scope memory.Scope) error
	// forget drops what this process holds of a tenant and returns how many scopes that was.
	forget func(tenant string) int
}

// inProcess follows the store's feed with an index in memory: the fastest, once a scope has been read.
func inProcess(cfg *Config, db *database.DB, embedder embed.Embedder) parts {
	set := index.NewSet(db.Memories, embedder.Model())
	set.MaxBytes, set.Language = cfg.IndexMegabyte<<20, db.Languages.Of
	return parts{
		lexical: index.Lexical{Set: set}, dense: index.Dense{Set: set}, entities: index.Graph{Set: set},
		graph: index.Graph{Set: set}, neighbourhood: index.Neighbourhood{Set: set}, freshness: set,
		reranker: index.Reranker{Set: set}, places: set, refresh: set.Refresh, forget: set.ForgetTenant,
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
func inPostgres(db *postgres.DB, embedder embed.Embedder) parts {
	legs := db.Legs(embedder.Model())
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
		_, err := legs.Dense.IndexVectors(ctx, scope, embedder.Dimensions(), vectorSlice)
		return err
	}
	return parts{
		lexical: legs.Lexical, dense: legs.Dense, entities: legs.Graph, graph: legs.Graph,
		neighbourhood: legs.Neighbourhood, freshness: legs.Freshness, reranker: legs.Reranker, sittings: db,
		refresh: refresh, forget: func(string) int { return 0 },
	}
}

// partsOf chooses: a store that finds by itself does, unless the settings say otherwise.
func partsOf(cfg *Config, db *database.DB, embedder embed.Embedder) parts {
	if db.Postgres != nil && cfg.Index != "process" {
		return inPostgres(db.Postgres, embedder)
	}
	return inProcess(cfg, db, embedder)
}
