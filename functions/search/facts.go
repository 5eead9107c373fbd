package search

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

// factsRoute is what cursors of the list are made for.
const factsRoute = "GET /v1/facts"

func (f *Function) registerFacts(api huma.API, op func(id, method, path, summary, description string, more ...int) huma.Operation) {
	httpapi.Register(api, op("list-facts", http.MethodGet, "/v1/facts", "List facts",
		"What memories come to: statements about entities with the time they are true for, and the memories that say so. Without "+
			"`as_of`, those of the past are among them. By id."), f.listFacts)
	httpapi.Register(api, op("get-fact", http.MethodGet, "/v1/facts/{id}", "Read a fact",
		"404 when it is not true or not known at the times asked for.", http.StatusNotFound), f.fact)
	httpapi.Register(api, op("fact-history", http.MethodGet, "/v1/facts/{id}/history", "What was known of a fact, and when",
		"Every version, newest first: from `recorded_from` until `recorded_to` RAE held it.", http.StatusNotFound), f.factHistory)
}

// Times are the two a reader of facts may ask for.
type Times struct {
	AsOf    time.Time `query:"as_of" doc:"Only what was true in the world at this time."`
	KnownAt time.Time `query:"known_at" doc:"What RAE held at this time, in the versions it held."`
}

func (in *Times) view() memory.View {
	view := viewAt(in.AsOf)
	view.KnownAt = viewAt(in.KnownAt).AsOf
	return view
}

type factsInput struct {
	httpapi.Scoped
	httpapi.Paged
	Times
	Entity   string    `query:"entity" maxLength:"200" doc:"The subject or the object: an entity's id or its name." example:"Ann Smith"`
	Relation string    `query:"relation" maxLength:"64" pattern:"^[a-z0-9_]*$" doc:"Facts of this relation." example:"lives_in"`
	Memory   memory.ID `query:"memory_id" maxLength:"36" doc:"Facts for which this memory is evidence."`
	User     string    `query:"user_id" maxLength:"1024" doc:"Facts that this user's memories tell."`
}

type factsOutput struct {
	Body struct {
		Facts      []knowledge.Fact `json:"facts"`
		NextCursor string           `json:"next_cursor" doc:"Cursor of the next page; empty on the last."`
	}
}

func (f *Function) listFacts(ctx context.Context, in *factsInput) (*factsOutput, error) {
	after, err := in.After(in.Scope(), factsRoute)
	if err != nil {
		return nil, err
	}
	if err := ingest.CheckSelection(&memory.Filter{UserID: in.User}, in.view(), "query"); err != nil {
		return nil, err
	}
	q := knowledge.FactQuery{View: in.view(), UserID: in.User, After: memory.ID(after), Limit: in.Limit}
	if in.Entity != "" {
		id := knowledge.ThingID(in.Scope(), in.Entity)
		if given, ok := memory.ParseID(in.Entity); ok {
			id = string(given)
		}
		if id == "" {
			return nil, fault.BadField("query.entity", "must be an id or a name")
		}
		q.Entities = []string{id}
	}
	if in.Relation != "" {
		q.Relations = []string{in.Relation}
	}
	if in.Memory != "" {
		var ok bool
		if q.Memory, ok = memory.ParseID(string(in.Memory)); !ok {
			return nil, fault.BadField("query.memory_id", "must be a UUID")
		}
	}
	page, err := f.facts.List(ctx, in.Scope(), q)
	if err != nil {
		return nil, err
	}
	out := &factsOutput{}
	out.Body.Facts = append([]knowledge.Fact{}, page.Facts...)
	out.Body.NextCursor = httpapi.EncodeCursor(in.Scope(), factsRoute, string(page.Next))
	return out, nil
}

// OneFact is the fact a route is about.
type OneFact struct {
	ID memory.ID `path:"id" doc:"Id of the fact."`
}

func (in *OneFact) id() (memory.ID, error) {
	id, ok := memory.ParseID(string(in.ID))
	if !ok {
		return "", fault.BadField("path.id", "must be a UUID")
	}
	return id, nil
}

type factInput struct {
	httpapi.Scoped
	OneFact
	Times
}

type factOutput struct{ Body knowledge.Fact }

func (f *Function) fact(ctx context.Context, in *factInput) (*factOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	if err := ingest.CheckSelection(&memory.Filter{}, in.view(), "query"); err != nil {
		return nil, err
	}
	fact, err := f.facts.Get(ctx, in.Scope(), id, in.view())
	return &factOutput{fact}, err
}

type factHistoryInput struct {
	httpapi.Scoped
	OneFact
}

type factHistoryOutput struct {
	Body struct {
		Versions []knowledge.Fact `json:"versions" doc:"Newest first."`
	}
}

func (f *Function) factHistory(ctx context.Context, in *factHistoryInput) (*factHistoryOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	out := &factHistoryOutput{}
	out.Body.Versions, err = f.facts.History(ctx, in.Scope(), id)
	return out, err
}
