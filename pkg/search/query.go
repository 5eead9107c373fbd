// Package search finds the few memories that matter: legs retrieve candidates, fusion merges them, context fusion
// lets a turn borrow from its conversation, a reranker reorders the best, and diversity keeps near-copies apart. A
// stage that fails is named in the answer and never fails it.
package search

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
)

// Mode chooses the legs of a search.
type Mode string

const (
	Hybrid  Mode = "hybrid"  // every leg
	Dense   Mode = "dense"   // vectors only
	Lexical Mode = "lexical" // words only
	Graph   Mode = "graph"   // entities only
)

// Query is one question as the legs see it.
type Query struct {
	Scope  memory.Scope
	Text   string
	Vector []float32 // embedding of Text; nil when no leg needs it or the embedder failed
	Model  string    // that made Vector; a leg compares it with vectors of the same model only. "": the leg's own
	Filter memory.Filter
	View   memory.View
	Found  []Hit // by the legs asked before, best first, for one that goes on from there; nil where it is asked alone
}

// Hit is a candidate. Score lies in 0..1 and is comparable between queries of the same leg.
type Hit struct {
	ID    memory.ID
	Score float64
	Place Place
	Terms []string // query terms the leg matched, for explain; may be nil
}

// Place says where in a conversation a memory stands. The zero Place is nowhere.
type Place struct {
	Session string // "" outside any session
	Turn    int    // position among the session's visible memories, from 0
	Speaker string // who said it, lower-cased; "" when unknown
}

// Leg retrieves candidates in one way; package searchtest holds its contract, and that of the other parts below. Retrieve
// returns at most depth hits, best first, ties by ID, every one of them inside q.Scope and passing q.Filter and q.View. It
// must honour ctx. Hits beside an error do not count, unless the error is a *Degraded.
type Leg interface {
	Name() string
	Retrieve(ctx context.Context, q Query, depth int) ([]Hit, error)
}

// Degraded is the error of a leg that answered in full, but without something it usually stands on: the hits beside it
// count, and the answer names the stage among those that failed.
type Degraded struct {
	Stage string // what is away, such as "qdrant"
	Err   error  // why, for the log
}

func (d *Degraded) Error() string { return d.Stage + " was done without: " + d.Err.Error() }
func (d *Degraded) Unwrap() error { return d.Err }

// Neighbourhood finds what was said around a hit.
type Neighbourhood interface {
	// Around returns the memories up to reach turns before or after the given hits in their sessions, the hits
	// themselves left out, with Score 0. Filter and View of q apply.
	Around(ctx context.Context, q Query, hits []Hit, reach int) ([]Hit, error)
}

// Freshness brings the indexes of a scope up to date. The returned number covers every write committed before the
// call, so it also names the generation of cached answers.
type Freshness interface {
	CatchUp(ctx context.Context, scope memory.Scope) (memory.Seq, error)
}

// Embedder turns a query into a vector of the space the memories' vectors live in.
type Embedder interface {
	EmbedQuery(ctx context.Context, text string) ([]float32, error)
}

// Closer is an Embedder that compares texts while somebody waits, because it computes in this process: some 100,000 lines
// a second. Closeness returns the cosine of each text with the query, -1..1, in the order given.
type Closer interface {
	Closeness(ctx context.Context, query string, texts []string) ([]float64, error)
}

// Spaces tells which model a scope's questions are embedded by, and embeds by it. While a scope is moved from one model to
// another every search uses one of them alone: the one Space named when it began.
type Spaces interface {
	Space(ctx context.Context, scope memory.Scope) (model string, e Embedder, err error)
}

// Reranker takes a second, costlier look at candidates. Rerank scores each id against the query, 0..1, in the order
// given; an id it cannot see scores 0. It must honour ctx.
type Reranker interface {
	Rerank(ctx context.Context, q Query, ids []memory.ID) ([]float64, error)
}

// Finder reads memories by id; memory.Store is one.
type Finder interface {
	Find(ctx context.Context, scope memory.Scope, ids []memory.ID, at memory.View) ([]memory.Memory, error)
}

// Sittings let the parts of one search share what they need of the store. The parts are handed the context that Sit
// returns, which lives no longer than the one it was given; end, called once when the last part has answered, gives back
// what they shared. No part fails because of another, and each answers without a sitting, too.
type Sittings interface {
	Sit(ctx context.Context, q Query) (sitting context.Context, end func())
}
