package search

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Register implements serve.Function.
func (f *Function) Register(api huma.API) {
	op := func(id, method, path, summary, description string, more ...int) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: method, Path: path, Summary: summary, Description: description,
			Tags: []string{"search"}, Errors: more,
		}
	}
	httpapi.Register(api, op("search", http.MethodPost, "/v1/search", "Find the memories that matter",
		"Lexical, dense and graph retrieval run at once and are fused; a turn borrows from its conversation. A stage that "+
			"failed is named in `degraded`. A long query is cut, never refused.", http.StatusServiceUnavailable), f.search)
	httpapi.Register(api, op("context", http.MethodPost, "/v1/context", "Pack what matters into a token budget",
		"It begins with the blocks of the project, then of the agent, then of the user that `filters` names, as they are now, "+
			"each whole or not at all, down to a line of three dashes; the memories follow. "+
			"The text never exceeds `max_tokens`, counted as cl100k_base and o200k_base do, whichever counts more. Repeats are "+
			"left out. Every line of a memory has a citation, which names the bytes of the memory and the same bytes of the text.", http.StatusServiceUnavailable), f.context)
	f.registerGraph(api, op)
	f.registerFacts(api, op)
}

// Question is what search and context have in common. It is exported because only exported structs lend their fields
// to a body that embeds them.
type Question struct {
	Query     string         `json:"query" minLength:"1" maxLength:"1048576" doc:"What to find, in plain words." example:"When did Caroline go to the support group?"`
	Mode      search.Mode    `json:"mode,omitempty" enum:"hybrid,dense,lexical,graph" default:"hybrid" doc:"Which ways of retrieving to use."`
	Filters   *memory.Filter `json:"filters,omitempty" doc:"What a memory must satisfy to be considered."`
	AsOf      *time.Time     `json:"as_of,omitempty" doc:"Only what was true in the world at this time."`
	KnownAt   *time.Time     `json:"known_at,omitempty" doc:"What RAE held at this time, in the versions it held."`
	Rerank    *bool          `json:"rerank,omitempty" default:"true" doc:"Whether the best candidates get a second look."`
	Profile   string         `json:"profile,omitempty" enum:"factual,conceptual,relational,keyword,temporal" doc:"The type of question it is to be taken for; without it, what its words tell. It sets how much each leg counts."`
	Weights   search.Weights `json:"weights,omitempty" doc:"How much each leg counts in hybrid mode, 0 to 1 by its name (lexical, dense, graph), in place of what the profile says." example:"{\"lexical\": 1, \"dense\": 0.5}"`
	Diversity float64        `json:"diversity,omitempty" minimum:"0" maximum:"1" doc:"0 orders by score alone; towards 1, likeness to what already stands counts more and more against a memory."`
}

// request checks what the question asks for and makes it a search.
func (q *Question) request(scope memory.Scope, atLeast memory.Seq) (search.Request, error) {
	r := search.Request{
		Scope: scope, Query: q.Query, Mode: q.Mode, NoRerank: q.Rerank != nil && !*q.Rerank, Diversity: q.Diversity,
		View: memory.View{AsOf: q.AsOf, KnownAt: q.KnownAt}, AtLeast: atLeast, Profile: q.Profile, Weights: q.Weights,
	}
	if q.Filters != nil {
		r.Filter = *q.Filters
	}
	return r, ingest.CheckSelection(&r.Filter, r.View, "body.filters")
}

type searchInput struct {
	httpapi.Scoped
	httpapi.Priced
	httpapi.ConsistencyIn
	Body struct {
		Question
		Limit   int  `json:"limit,omitempty" minimum:"1" maximum:"100" default:"10" doc:"Results, at most."`
		Explain bool `json:"explain,omitempty" doc:"Say of every result why it was found."`
	}
}

type searchOutput struct {
	httpapi.ConsistencyOut
	Body struct {
		Results  []search.Result `json:"results" doc:"Best first; ties by id."`
		TookMS   float64         `json:"took_ms" doc:"Milliseconds spent."`
		Cached   bool            `json:"cached" doc:"Whether the answer was kept from an equal search with no write in between."`
		Degraded []string        `json:"degraded" doc:"Legs or stages that failed; their part is missing."`
	}
}

func (f *Function) search(ctx context.Context, in *searchInput) (*searchOutput, error) {
	began := time.Now()
	atLeast, err := in.Seq(in.Scope())
	if err != nil {
		return nil, err
	}
	r, err := in.Body.request(in.Scope(), atLeast)
	if err != nil {
		return nil, err
	}
	r.Limit = in.Body.Limit
	found, err := f.service.Search(ctx, r)
	if err != nil {
		return nil, err
	}
	out := &searchOutput{ConsistencyOut: token(in.Scope(), found.Seq)}
	out.Body.Results = make([]search.Result, len(found.Results))
	for i, result := range found.Results {
		if !in.Body.Explain {
			result.Explain = nil
		}
		out.Body.Results[i] = result
	}
	f.used.Note(ctx, in.Scope(), idsOf(found.Results))
	out.Body.Cached, out.Body.Degraded = found.Cached, append([]string{}, found.Degraded...)
	out.Body.TookMS = milliseconds(time.Since(began))
	return out, nil
}

type contextInput struct {
	httpapi.Scoped
	httpapi.Priced
	httpapi.ConsistencyIn
	Body struct {
		Question
		MaxTokens int   `json:"max_tokens,omitempty" minimum:"1" maximum:"200000" default:"2000" doc:"What the text may take up, blocks included."`
		Blocks    *bool `json:"blocks,omitempty" default:"true" doc:"Whether the text begins with blocks."`
	}
}

type contextOutput struct {
	Body struct {
		Text      string                `json:"text" doc:"Blocks, each under a line with # and its name, their lines indented; a line of three dashes; then one memory a line, by session in the order things happened, under lines with the date where 100 tokens or more are left for them."`
		Tokens    int                   `json:"tokens" doc:"Tokens of the text; at most max_tokens."`
		Blocks    []search.PlacedBlock  `json:"blocks" doc:"What the text begins with, and where."`
		Omitted   []search.OmittedBlock `json:"blocks_omitted" doc:"Blocks that belong there and are not, and why: room, they do not fit; known_at, blocks are told as they are now alone."`
		Citations []search.Citation     `json:"citations" doc:"Where every memory of the text comes from."`
		Truncated bool                  `json:"truncated" doc:"Whether something relevant did not fit."`
		Degraded  []string              `json:"degraded" doc:"Legs or stages that failed; blocks where the blocks could not be read."`
	}
}

func (f *Function) context(ctx context.Context, in *contextInput) (*contextOutput, error) {
	atLeast, err := in.Seq(in.Scope())
	if err != nil {
		return nil, err
	}
	r, err := in.Body.request(in.Scope(), atLeast)
	if err != nil {
		return nil, err
	}
	r.NoBlocks = in.Body.Blocks != nil && !*in.Body.Blocks
	packed, err := f.service.Context(ctx, r, in.Body.MaxTokens)
	if err != nil {
		return nil, err
	}
	cited := make([]memory.ID, 0, len(packed.Citations))
	for _, c := range packed.Citations {
		if !slices.Contains(cited, c.MemoryID) {
			cited = append(cited, c.MemoryID)
		}
	}
	f.used.Note(ctx, in.Scope(), cited)
	out := &contextOutput{}
	out.Body.Text, out.Body.Tokens, out.Body.Truncated = packed.Text, packed.Tokens, packed.Truncated
	out.Body.Citations = append([]search.Citation{}, packed.Citations...)
	out.Body.Degraded = append([]string{}, packed.Degraded...)
	out.Body.Blocks, out.Body.Omitted = packed.Blocks, packed.Omitted
	return out, nil
}

func idsOf(results []search.Result) []memory.ID {
	ids := make([]memory.ID, len(results))
	for i := range results {
		ids[i] = results[i].Memory.ID
	}
	return ids
}

func token(scope memory.Scope, seq memory.Seq) httpapi.ConsistencyOut {
	return httpapi.ConsistencyOut{Consistency: httpapi.EncodeConsistency(scope, seq)}
}

// milliseconds keeps microseconds: most searches take less than one.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
