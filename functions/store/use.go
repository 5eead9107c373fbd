package store

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/reflection"
)

// registerUse adds the routes of how memories are used.
func (f *Function) registerUse(api huma.API) {
	httpapi.Register(api, huma.Operation{
		OperationID: "rate-memory", Method: http.MethodPost, Path: "/v1/memories/{id}/feedback", Tags: []string{tag},
		Summary: "Say whether a memory helped", DefaultStatus: http.StatusOK, Errors: []int{http.StatusNotFound, http.StatusConflict},
		Description: "`helpful`, or a `score` from -1 to 1. It counts towards the memory's importance with the day's maintenance; of what is said " +
			"in words the last twenty are kept. With an `Idempotency-Key` it counts once.",
	}, f.rate)
	if f.Importance == nil {
		return
	}
	httpapi.Register(api, huma.Operation{
		OperationID: "get-memory-use", Method: http.MethodGet, Path: "/v1/memories/{id}/use", Tags: []string{tag},
		Summary: "Read how a memory is used", Errors: []int{http.StatusNotFound},
		Description: "How often answers of search and context held it, what was said of it, and what its importance is made of. Hits are noted " +
			"in the process that answers and written down within a minute or so; a process that is killed loses what it had noted.",
	}, f.use)
}

type rateInput struct {
	Writing
	One
	Body ingest.Feedback
}

type rateOutput struct{ Body ingest.Rated }

func (f *Function) rate(ctx context.Context, in *rateInput) (*rateOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	key := in.Key("POST /v1/memories/{id}/feedback", []any{id, in.Body})
	rated, _, err := f.Memories.Rate(ctx, in.Scope(), id, in.Body, key, auth.PrincipalOf(ctx).Subject)
	return &rateOutput{rated}, err
}

type useInput struct {
	httpapi.Scoped
	One
}

type useOutput struct{ Body reflection.UseOf }

func (f *Function) use(ctx context.Context, in *useInput) (*useOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	use, err := f.Importance.UseOf(ctx, in.Scope(), id)
	return &useOutput{use}, err
}
