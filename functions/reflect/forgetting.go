package reflect

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
)

const (
	runRoute  = "POST /v1/forgetting/run"
	undoRoute = "POST /v1/forgetting/{id}/undo"
	runsRoute = "GET /v1/forgetting/runs"
)

func (f *Function) registerForgetting(api huma.API) {
	httpapi.Register(api, huma.Operation{
		OperationID: "get-forgetting", Method: http.MethodGet, Path: "/v1/forgetting", Tags: []string{tag},
		Summary: "Read how the project forgets", Description: "One policy of each layer. By default nothing is forgotten.",
	}, f.policies)
	httpapi.Register(api, huma.Operation{
		OperationID: "set-forgetting", Method: http.MethodPut, Path: "/v1/forgetting", Tags: []string{tag},
		Summary: "Set how the project forgets", DefaultStatus: http.StatusOK,
		Description: "Replaces all policies: a layer that is left out is not forgotten, and fades as it does by itself. The clock goes by " +
			"them once a day; `POST /v1/forgetting/run` with `dry_run` tells before what would go.",
	}, f.setPolicies)
	httpapi.Register(api, huma.Operation{
		OperationID: "run-forgetting", Method: http.MethodPost, Path: "/v1/forgetting/run", Tags: []string{tag},
		Summary: "Forget by the policies, or tell what would be forgotten", DefaultStatus: http.StatusAccepted,
		Errors: []int{http.StatusConflict},
		Description: "With `dry_run` nothing is changed: the answer is 200 with how many memories would go and the first hundred of them, each " +
			"with the reason. Without it, a run is queued (202), or done at once with `wait`: 200 with what it came to, or 202 when the time of " +
			"a request was not enough. It goes on by itself.",
	}, f.forget)
	httpapi.Register(api, huma.Operation{
		OperationID: "list-forgetting-runs", Method: http.MethodGet, Path: "/v1/forgetting/runs", Tags: []string{tag},
		Summary: "List runs of forgetting", Description: "Newest first: who asked, by which policies, what it came to; undoings, too.",
	}, f.runs)
	httpapi.Register(api, huma.Operation{
		OperationID: "undo-forgetting", Method: http.MethodPost, Path: "/v1/forgetting/{id}/undo", Tags: []string{tag},
		Summary: "Bring back what a run archived", DefaultStatus: http.StatusOK, Errors: []int{http.StatusNotFound, http.StatusConflict},
		Description: "Every memory the run archived, and that still is archived, is found again and is as it was before, to the byte. Until " +
			"`undo_until` of the run that is all of them. After it, what a policy of mode `delete` has deleted cannot be brought back. Doing it " +
			"twice does nothing more. 202 when the time of a request was not enough: it goes on by itself.",
	}, f.undo)
}

// Forgetful is the input of a change of what is forgotten.
type Forgetful struct {
	httpapi.Scoped
	httpapi.Idempotent
}

type policiesInput struct{ httpapi.Scoped }

type policiesOutput struct{ Body reflection.Policies }

func (f *Function) policies(ctx context.Context, in *policiesInput) (*policiesOutput, error) {
	p, err := f.service.Policies(ctx, in.Scope())
	return &policiesOutput{p}, err
}

type setPoliciesInput struct {
	httpapi.Scoped
	Body reflection.Policies
}

func (f *Function) setPolicies(ctx context.Context, in *setPoliciesInput) (*policiesOutput, error) {
	p, err := f.service.SetPolicies(ctx, in.Scope(), in.Body, auth.PrincipalOf(ctx).Subject)
	return &policiesOutput{p}, err
}

type forgetInput struct {
	Forgetful
	Body forgetOrder
}

type forgetOrder struct {
	DryRun bool `json:"dry_run,omitempty" doc:"Tell what would be forgotten, and change nothing."`
	Wait   bool `json:"wait,omitempty" doc:"Do it at once and answer with the result."`
}

// forgot is the answer: one of both.
type forgot struct {
	Run    *reflection.Reflection `json:"run,omitempty" doc:"The run; not of a dry run."`
	DryRun *reflection.Rehearsal  `json:"dry_run,omitempty" doc:"What a run would do now."`
}

type forgetOutput struct {
	Status int
	Body   forgot
}

func (f *Function) forget(ctx context.Context, in *forgetInput) (*forgetOutput, error) {
	if in.Body.DryRun {
		rehearsal, err := f.service.RehearseForgetting(ctx, in.Scope())
		return &forgetOutput{http.StatusOK, forgot{DryRun: &rehearsal}}, err
	}
	r, err := f.service.StartForgetting(ctx, in.Scope(), auth.PrincipalOf(ctx).Subject, in.Key(runRoute, in.Body))
	if err != nil {
		return nil, err
	}
	if !in.Body.Wait {
		queued := r.AsQueued()
		return &forgetOutput{http.StatusAccepted, forgot{Run: &queued}}, nil
	}
	status, r, err := f.await(ctx, in.Scope(), r.ID)
	return &forgetOutput{status, forgot{Run: &r}}, err
}

// lookAgain is how soon a request that waits looks again at what another worker has: the event that wakes one may be quicker.
const lookAgain = 50 * time.Millisecond

// await works on a reflection, or waits for who does, for as long as a request may take.
func (f *Function) await(ctx context.Context, scope memory.Scope, id memory.ID) (int, reflection.Reflection, error) {
	waiting, stop := context.WithDeadline(ctx, waitUntil(ctx, time.Now()))
	defer stop()
	for {
		done, err := f.service.Run(waiting, scope, id)
		if err != nil && (waiting.Err() == nil || ctx.Err() != nil) {
			return 0, done, err
		}
		if err != nil { // the wait is over, the work is back in the queue
			done, err = f.service.Get(ctx, scope, id)
			return http.StatusAccepted, done, err
		}
		if done.Status.Final() {
			return http.StatusOK, done, nil
		}
		if done.NotBefore != nil { // it waits for its time, or for the budget's
			return http.StatusAccepted, done, nil
		}
		select {
		case <-waiting.Done():
			return http.StatusAccepted, done, nil
		case <-time.After(lookAgain):
		}
	}
}

type runsInput struct {
	httpapi.Scoped
	httpapi.Paged
}

type runsOutput struct {
	Body struct {
		Runs       []reflection.Reflection `json:"runs" doc:"One page, newest first."`
		NextCursor string                  `json:"next_cursor" doc:"Cursor of the next page; empty on the last."`
	}
}

func (f *Function) runs(ctx context.Context, in *runsInput) (*runsOutput, error) {
	after, err := in.After(in.Scope(), runsRoute)
	if err != nil {
		return nil, err
	}
	page, err := f.service.List(ctx, in.Scope(), reflection.Query{Kind: reflection.Forgetting, After: memory.ID(after), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &runsOutput{}
	out.Body.Runs = page.Reflections
	out.Body.NextCursor = httpapi.EncodeCursor(in.Scope(), runsRoute, string(page.Next))
	return out, nil
}

type undoInput struct {
	Forgetful
	ARun
}

// ARun is the path of a run.
type ARun struct {
	ID memory.ID `path:"id" doc:"Id of the run."`
}

func (f *Function) undo(ctx context.Context, in *undoInput) (*forgetOutput, error) {
	one := oneInput{ID: in.ID}
	id, err := one.id()
	if err != nil {
		return nil, err
	}
	r, err := f.service.Undo(ctx, in.Scope(), id, auth.PrincipalOf(ctx).Subject, in.Key(undoRoute, id))
	if err != nil {
		return nil, err
	}
	status, r, err := f.await(ctx, in.Scope(), r.ID)
	return &forgetOutput{status, forgot{Run: &r}}, err
}
