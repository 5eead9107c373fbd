package reflect

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

// operationsRoute is what cursors of the list are made for.
const operationsRoute = "GET /v1/knowledge/operations"

func (f *Function) registerKnowledge(api huma.API) {
	httpapi.Register(api, huma.Operation{
		OperationID: "list-knowledge-operations", Method: http.MethodGet, Path: "/v1/knowledge/operations", Tags: []string{tag},
		Summary: "List what was learned",
		Description: "Learnings that ended facts, and those that are `held`, because they would have ended too many or read like an attempt " +
			"to command: newest first. With `all`, also those that only added.",
	}, f.operations)
	httpapi.Register(api, huma.Operation{
		OperationID: "undo-knowledge-operation", Method: http.MethodPost, Path: "/v1/knowledge/operations/{id}/undo", Tags: []string{tag},
		Summary: "Take back what was learned", Errors: []int{http.StatusNotFound}, DefaultStatus: http.StatusOK,
		Description: "Its evidence goes, the facts that rest on nothing else go, and what it ended goes on as before. It is not learned " +
			"again from the same words. Doing it twice does nothing more.",
	}, f.undo)
}

type operationsInput struct {
	httpapi.Scoped
	httpapi.Paged
	All bool `query:"all" doc:"Also learnings that ended nothing."`
}

type operationsOutput struct {
	Body struct {
		Operations []knowledge.Operation `json:"operations" doc:"One page, newest first."`
		NextCursor string                `json:"next_cursor" doc:"Cursor of the next page; empty on the last."`
	}
}

func (f *Function) operations(ctx context.Context, in *operationsInput) (*operationsOutput, error) {
	after, err := in.After(in.Scope(), operationsRoute)
	if err != nil {
		return nil, err
	}
	q := knowledge.OperationQuery{Closing: !in.All, Limit: in.Limit}
	if after != "" {
		at, id, _ := strings.Cut(after, " ")
		micros, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return nil, fault.BadField("query.cursor", "is none of this route's")
		}
		q.After = knowledge.OperationCursor{At: time.UnixMicro(micros).UTC(), ID: memory.ID(id)}
	}
	page, err := f.Learner.Store.Operations(ctx, in.Scope(), q)
	if err != nil {
		return nil, err
	}
	out := &operationsOutput{}
	out.Body.Operations = append([]knowledge.Operation{}, page.Operations...)
	if next := page.Next; next.ID != "" {
		out.Body.NextCursor = httpapi.EncodeCursor(in.Scope(), operationsRoute, strconv.FormatInt(next.At.UnixMicro(), 10)+" "+string(next.ID))
	}
	return out, nil
}

type undoInput struct {
	httpapi.Scoped
	ID memory.ID `path:"id" doc:"Id of the operation."`
}

type operationOutput struct{ Body knowledge.Operation }

func (f *Function) undo(ctx context.Context, in *undoInput) (*operationOutput, error) {
	id, ok := memory.ParseID(string(in.ID))
	if !ok {
		return nil, fault.BadField("path.id", "must be a UUID")
	}
	o, err := f.Learner.Undo(ctx, in.Scope(), id)
	return &operationOutput{o}, err
}
