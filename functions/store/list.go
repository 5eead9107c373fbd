package store

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

// listRoute is what cursors of the list are made for.
const listRoute = "GET /v1/memories"

// Filtering is the filter of a list as query parameters.
type Filtering struct {
	Layers        []memory.Layer `query:"layer,explode" maxItems:"6" doc:"Any of these layers; may be repeated."`
	Tags          []string       `query:"tag,explode" maxItems:"64" doc:"All of these tags; may be repeated."`
	UserID        string         `query:"user_id" maxLength:"256" doc:"Memories of this user."`
	AgentID       string         `query:"agent_id" maxLength:"256" doc:"Memories of this agent."`
	SessionID     string         `query:"session_id" maxLength:"256" doc:"Memories of this session."`
	Since         time.Time      `query:"since" doc:"What happened (or, where that is unknown, was stored) at this time or later."`
	Until         time.Time      `query:"until" doc:"What happened (or was stored) before this time."`
	MinImportance float64        `query:"min_importance" minimum:"0" maximum:"1" doc:"Memories of at least this importance."`
	Archived      string         `query:"archived" enum:"include,only" doc:"Archived memories, too, or only those."`
}

func (f *Filtering) filter() memory.Filter {
	return memory.Filter{
		Layers: f.Layers, Tags: f.Tags, UserID: f.UserID, AgentID: f.AgentID, SessionID: f.SessionID,
		Since: given(f.Since), Until: given(f.Until), MinImportance: f.MinImportance, Archived: memory.Archived(f.Archived),
	}
}

type listInput struct {
	httpapi.Scoped
	httpapi.Paged
	Filtering
	Viewing
}

type listOutput struct {
	Body struct {
		Memories   []memory.Memory `json:"memories" doc:"One page, newest first."`
		NextCursor string          `json:"next_cursor" doc:"Cursor of the next page; empty on the last."`
	}
}

type selectInput struct {
	Writing
	Body selection
}

// selection says which memories to delete.
type selection struct {
	Filter memory.Filter `json:"filter" doc:"What to delete; it must restrict something."`
}

type selectOutput struct {
	httpapi.ConsistencyOut
	Body ingest.Deleted
}

func (f *Function) registerLists(api huma.API) {
	httpapi.Register(api, huma.Operation{
		OperationID: "list-memories", Method: http.MethodGet, Path: "/v1/memories", Tags: []string{tag},
		Summary: "List memories", Description: "Pages through the memories that match, newest first.",
	}, f.list)
	httpapi.Register(api, huma.Operation{
		OperationID: "delete-memories", Method: http.MethodPost, Path: "/v1/memories/delete", Tags: []string{tag},
		Summary:     "Delete every memory that matches",
		Description: "An empty filter is refused. Archived memories are deleted with the others. The work is done in slices: repeating a call that broke off deletes the rest.",
	}, f.deleteMany)
}

func (f *Function) list(ctx context.Context, in *listInput) (*listOutput, error) {
	after, err := in.After(in.Scope(), listRoute)
	if err != nil {
		return nil, err
	}
	page, err := f.Memories.List(ctx, in.Scope(), memory.Query{
		Filter: in.filter(), View: in.view(), After: memory.ID(after), Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	out := &listOutput{}
	out.Body.Memories = page.Memories
	out.Body.NextCursor = httpapi.EncodeCursor(in.Scope(), listRoute, string(page.Next))
	return out, nil
}

func (f *Function) deleteMany(ctx context.Context, in *selectInput) (*selectOutput, error) {
	deleted, _, err := f.Memories.DeleteWhere(ctx, in.Scope(), in.Body.Filter, in.Key("POST /v1/memories/delete", in.Body))
	if err != nil {
		return nil, err
	}
	return &selectOutput{ConsistencyOut: f.token(ctx, in.Scope()), Body: deleted}, nil
}
