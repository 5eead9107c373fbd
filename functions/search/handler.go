package search

import (
	"context"
	"net/http"
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
		"The text never exceeds `max_tokens`, counted as cl100k_base and o200k_base do, whichever counts more. Repeats are "+
			"left out. Every line that is no date has a citation, which names the bytes of the memory and the same bytes of the text.", http.StatusServiceUnavailable), f.context)
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
		MaxTokens int `json:"max_tokens,omitempty" minimum:"1" maximum:"200000" default:"2000" doc:"What the text may take up."`
	}
}

type contextOutput struct {
	Body struct {
		Text      string            `json:"text" doc:"One memory a line, by session in the order things happened, under lines with the date where max_tokens is 100 or more."`
		Tokens    int               `json:"tokens" doc:"Tokens of the text; at most max_tokens."`
		Citations []search.Citation `json:"citations" doc:"Where every part of the text comes from."`
		Truncated bool              `json:"truncated" doc:"Whether something relevant did not fit."`
		Degraded  []string          `json:"degraded" doc:"Legs or stages that failed."`
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
	packed, err := f.service.Context(ctx, r, in.Body.MaxTokens)
	if err != nil {
		return nil, err
	}
	out := &contextOutput{}
	out.Body.Text, out.Body.Tokens, out.Body.Truncated = packed.Text, packed.Tokens, packed.Truncated
	out.Body.Citations = append([]search.Citation{}, packed.Citations...)
	out.Body.Degraded = append([]string{}, packed.Degraded...)
	return out, nil
}

func token(scope memory.Scope, seq memory.Seq) httpapi.ConsistencyOut {
	return httpapi.ConsistencyOut{Consistency: httpapi.EncodeConsistency(scope, seq)}
}

// milliseconds keeps microseconds: most searches take less than one.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
