package store

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
)

// jobsRoute is what cursors of the list are made for.
const jobsRoute = "GET /v1/jobs"

type jobsInput struct {
	httpapi.Scoped
	httpapi.Paged
	Kind   string `query:"kind" maxLength:"64" doc:"Jobs of this kind, such as reembed."`
	Status string `query:"status" enum:"queued,running,succeeded,failed,parked,cancelled" doc:"Jobs that stand like this."`
}

type jobsOutput struct {
	Body struct {
		Jobs       []job.Job `json:"jobs" doc:"One page, newest first."`
		NextCursor string    `json:"next_cursor" doc:"Cursor of the next page; empty on the last."`
	}
}

// OneJob is the path of a single job; exported, like the other parts of inputs, for huma to see its fields.
type OneJob struct {
	httpapi.Scoped
	ID memory.ID `path:"id" doc:"Id of the job."`
}

// id is the id as the store spells it.
func (in *OneJob) id() (memory.ID, error) {
	id, ok := memory.ParseID(string(in.ID))
	if !ok {
		return "", fault.BadField("path.id", "must be a UUID")
	}
	return id, nil
}

// cancelInput takes a key like every change, and need not remember it: calling off what is called off changes nothing.
type cancelInput struct {
	OneJob
	httpapi.Idempotent
}

type jobOutput struct{ Body job.Job }

func (f *Function) registerJobs(api huma.API) {
	httpapi.Register(api, huma.Operation{
		OperationID: "list-jobs", Method: http.MethodGet, Path: "/v1/jobs", Tags: []string{tag},
		Summary: "List jobs", Description: "Pages through the long work of the project that matches, newest first.",
	}, f.listJobs)
	httpapi.Register(api, huma.Operation{
		OperationID: "get-job", Method: http.MethodGet, Path: "/v1/jobs/{id}", Tags: []string{tag},
		Summary: "Read a job", Description: "How it stands and how far it has come.", Errors: []int{http.StatusNotFound},
	}, f.getJob)
	httpapi.Register(api, huma.Operation{
		OperationID: "cancel-job", Method: http.MethodDelete, Path: "/v1/jobs/{id}", Tags: []string{tag},
		Summary: "Call off a job", DefaultStatus: http.StatusOK, Errors: []int{http.StatusNotFound, http.StatusConflict},
		Description: "What is queued is not begun, what is running stops before its next step; what it has done stays done. The job " +
			"itself stays to be read. Repeating it changes nothing; 409 when the job has ended otherwise.",
	}, f.cancelJob)
}

func (f *Function) listJobs(ctx context.Context, in *jobsInput) (*jobsOutput, error) {
	after, err := in.After(in.Scope(), jobsRoute)
	if err != nil {
		return nil, err
	}
	page, err := f.Jobs.Store.List(ctx, in.Scope(), job.Query{
		Kind: in.Kind, Status: job.Status(in.Status), After: memory.ID(after), Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	out := &jobsOutput{}
	out.Body.Jobs = page.Jobs
	out.Body.NextCursor = httpapi.EncodeCursor(in.Scope(), jobsRoute, string(page.Next))
	return out, nil
}

func (f *Function) getJob(ctx context.Context, in *OneJob) (*jobOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	j, err := f.Jobs.Store.Get(ctx, in.Scope(), id)
	return &jobOutput{j}, err
}

func (f *Function) cancelJob(ctx context.Context, in *cancelInput) (*jobOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	j, err := f.Jobs.Store.Cancel(ctx, in.Scope(), id)
	return &jobOutput{j}, err
}
