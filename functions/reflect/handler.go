package reflect

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
)

const (
	tag        = "reflect"
	startRoute = "POST /v1/reflections" // what idempotency keys are remembered for
	listRoute  = "GET /v1/reflections"  // what cursors are made for
)

// Register implements serve.Function.
func (f *Function) Register(api huma.API) {
	api.OpenAPI().Components.Schemas.RegisterTypeAlias(reflect.TypeFor[budget.Cost](), reflect.TypeFor[costSchema]())
	httpapi.Register(api, huma.Operation{
		OperationID: "start-reflection", Method: http.MethodPost, Path: "/v1/reflections", Tags: []string{tag},
		Summary: "Reflect", DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusConflict},
		Description: "Queues the work and answers 202 with the reflection as it was queued. With `wait` it is done at once and " +
			"the answer is 200 with what came of it, or 202 if the time of a request was not enough: then it goes on by itself.\n\n" +
			"`insight` writes one memory per group of related memories, `consolidate` one per group of near-duplicates, `extract` one " +
			"per entity that several memories mention, each quoting its sources; `decay` lowers the importance of what nobody " +
			"touched for long.",
	}, f.start)
	httpapi.Register(api, huma.Operation{
		OperationID: "list-reflections", Method: http.MethodGet, Path: "/v1/reflections", Tags: []string{tag},
		Summary: "List reflections", Description: "Pages through the reflections that match, newest first.",
	}, f.list)
	httpapi.Register(api, huma.Operation{
		OperationID: "get-reflection", Method: http.MethodGet, Path: "/v1/reflections/{id}", Tags: []string{tag},
		Summary: "Read a reflection", Errors: []int{http.StatusNotFound},
	}, f.get)
	httpapi.Register(api, huma.Operation{
		OperationID: "cancel-reflection", Method: http.MethodPost, Path: "/v1/reflections/{id}/cancel", Tags: []string{tag},
		Summary: "Call off a reflection", Errors: []int{http.StatusNotFound, http.StatusConflict}, DefaultStatus: http.StatusOK,
		Description: "What is queued is not begun, what is running writes nothing more. 409 when it has already ended.",
	}, f.cancel)
	if f.Learner != nil {
		f.registerKnowledge(api)
	}
}

// costSchema describes what is an integer in Go and a decimal number on the wire.
type costSchema struct{}

// Schema is called by huma.
func (*costSchema) Schema(huma.Registry) *huma.Schema {
	zero := 0.0
	return &huma.Schema{
		Type: huma.TypeNumber, Minimum: &zero, Examples: []any{0.0},
		Extensions: map[string]any{"x-unit": "US dollars, exact to 9 decimals"},
	}
}

type startInput struct {
	httpapi.Scoped
	httpapi.Priced
	httpapi.Idempotent
	Body order
}

// order is what a caller asks for.
type order struct {
	Kind    reflection.Kind `json:"kind,omitempty" enum:"insight,consolidate,extract,decay" default:"insight" doc:"What to do."`
	Filters memory.Filter   `json:"filters,omitempty" doc:"Memories to reflect upon; those of layer reflective never are."`
	Since   *time.Time      `json:"since,omitempty" doc:"What happened (or, where that is unknown, was stored) at this time or later."`
	Until   *time.Time      `json:"until,omitempty" doc:"What happened (or was stored) before this time."`
	Wait    bool            `json:"wait,omitempty" doc:"Do it at once and answer with the result."`
}

type startOutput struct {
	Status int
	Body   reflection.Reflection
}

type reflectionOutput struct{ Body reflection.Reflection }

func (f *Function) start(ctx context.Context, in *startInput) (*startOutput, error) {
	order := &in.Body
	request := reflection.Request{Kind: order.Kind, Filters: order.Filters, Since: order.Since, Until: order.Until}
	if llm.DryRunOf(ctx) != nil {
		return nil, f.service.Rehearse(ctx, in.Scope(), request)
	}
	r, err := f.service.Start(ctx, in.Scope(), request, in.Key(startRoute, in.Body))
	if err != nil {
		return nil, err
	}
	if !order.Wait {
		return &startOutput{http.StatusAccepted, r.AsQueued()}, nil // a repetition gets the same answer, whatever has happened since
	}
	waiting, stop := context.WithDeadline(ctx, waitUntil(ctx, time.Now()))
	defer stop()
	done, err := f.service.Run(waiting, in.Scope(), r.ID)
	if err != nil && (waiting.Err() == nil || ctx.Err() != nil) {
		return nil, err
	}
	if err != nil { // the wait is over, the work is back in the queue
		if done, err = f.service.Get(ctx, in.Scope(), r.ID); err != nil {
			return nil, err
		}
	}
	if !done.Status.Final() {
		return &startOutput{http.StatusAccepted, done}, nil
	}
	return &startOutput{http.StatusOK, done}, nil
}

// waitUntil is when a waiting request must have its answer: in time for it to be written.
func waitUntil(ctx context.Context, now time.Time) time.Time {
	const longest = 25 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		return now.Add(min(longest, deadline.Sub(now)*4/5))
	}
	return now.Add(longest)
}

type listInput struct {
	httpapi.Scoped
	httpapi.Paged
	Kind   string `query:"kind" enum:"insight,consolidate,extract,decay" doc:"Reflections of this kind."`
	Status string `query:"status" enum:"queued,running,succeeded,failed,parked,cancelled" doc:"Reflections that stand like this."`
}

type listOutput struct {
	Body struct {
		Reflections []reflection.Reflection `json:"reflections" doc:"One page, newest first."`
		NextCursor  string                  `json:"next_cursor" doc:"Cursor of the next page; empty on the last."`
	}
}

func (f *Function) list(ctx context.Context, in *listInput) (*listOutput, error) {
	after, err := in.After(in.Scope(), listRoute)
	if err != nil {
		return nil, err
	}
	page, err := f.service.List(ctx, in.Scope(), reflection.Query{
		Kind: reflection.Kind(in.Kind), Status: reflection.Status(in.Status), After: memory.ID(after), Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	out := &listOutput{}
	out.Body.Reflections = page.Reflections
	out.Body.NextCursor = httpapi.EncodeCursor(in.Scope(), listRoute, string(page.Next))
	return out, nil
}

type oneInput struct {
	httpapi.Scoped
	ID memory.ID `path:"id" doc:"Id of the reflection."`
}

// id is the id as the store spells it.
func (in *oneInput) id() (memory.ID, error) {
	id, ok := memory.ParseID(string(in.ID))
	if !ok {
		return "", fault.BadField("path.id", "must be a UUID")
	}
	return id, nil
}

func (f *Function) get(ctx context.Context, in *oneInput) (*reflectionOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	r, err := f.service.Get(ctx, in.Scope(), id)
	return &reflectionOutput{r}, err
}

func (f *Function) cancel(ctx context.Context, in *oneInput) (*reflectionOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	r, err := f.service.Cancel(ctx, in.Scope(), id)
	return &reflectionOutput{r}, err
}
