package store

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/httpapi"
)

const modelsPath = "/v1/embedding-models"

type standingInput struct{ httpapi.Scoped }

type standingOutput struct{ Body embed.Standing }

// moveInput, like the other changes, takes a key and need not remember it: repeated it finds what it wants.
type moveInput struct {
	httpapi.Scoped
	httpapi.Idempotent
	Body struct {
		Model string `json:"model" minLength:"1" maxLength:"256" doc:"Id of the model whose vectors are wanted."`
	}
}

type switchInput struct {
	httpapi.Scoped
	httpapi.Idempotent
	Body struct {
		Covered *float64 `json:"covered,omitempty" minimum:"0" maximum:"1" doc:"Share of the memories that must have a vector of the next model; 1 when absent."`
	}
}

type rollbackInput struct {
	httpapi.Scoped
	httpapi.Idempotent
}

type forgetInput struct {
	httpapi.Scoped
	httpapi.Idempotent
	Model string `path:"model" maxLength:"256" doc:"Id of the model."`
}

func (f *Function) registerModels(api huma.API) {
	httpapi.Register(api, huma.Operation{
		OperationID: "get-embedding-models", Method: http.MethodGet, Path: modelsPath, Tags: []string{tag},
		Summary: "Read a project's embedding models", Description: "Which model searches use, which the project is being moved to or can be switched back to, and how many memories have vectors of each.",
	}, f.standing)
	conflict := []int{http.StatusConflict}
	httpapi.Register(api, huma.Operation{
		OperationID: "move-embedding-model", Method: http.MethodPost, Path: modelsPath, Tags: []string{tag}, DefaultStatus: http.StatusAccepted, Errors: conflict,
		Summary:     "Begin to move a project to another embedding model",
		Description: "For administrators. What is written gets vectors of both models from now on, and a job gives them to what stands; searches go on using the active one. The job's result compares both. Repeating it goes on with the same job. 409 while the project is on its way to a third model.",
	}, f.move)
	httpapi.Register(api, huma.Operation{
		OperationID: "switch-embedding-model", Method: http.MethodPost, Path: modelsPath + "/switch", Tags: []string{tag}, DefaultStatus: http.StatusOK, Errors: conflict,
		Summary:     "Let searches use the next embedding model",
		Description: "For administrators. Every instance follows within some seconds. 409 when there is no next model, or it does not cover enough of the memories.",
	}, f.switchModel)
	httpapi.Register(api, huma.Operation{
		OperationID: "roll-back-embedding-model", Method: http.MethodPost, Path: modelsPath + "/rollback", Tags: []string{tag}, DefaultStatus: http.StatusOK, Errors: conflict,
		Summary:     "Let searches use the embedding model from before the last switch",
		Description: "For administrators. Every instance follows within some seconds. 409 when there is none to go back to.",
	}, f.rollBack)
	httpapi.Register(api, huma.Operation{
		OperationID: "forget-embedding-model", Method: http.MethodDelete, Path: modelsPath + "/{model}", Tags: []string{tag}, DefaultStatus: http.StatusAccepted, Errors: conflict,
		Summary:     "Forget the vectors of an embedding model",
		Description: "For administrators. Nothing gets vectors of it any more, and a job removes those there are. 409 for the one searches use.",
	}, f.forgetModel)
}

func (f *Function) standing(ctx context.Context, in *standingInput) (*standingOutput, error) {
	s, err := f.Models.Stands(ctx, in.Scope())
	return &standingOutput{s}, err
}

func (f *Function) move(ctx context.Context, in *moveInput) (*jobOutput, error) {
	if err := auth.RequireAdmin(ctx); err != nil {
		return nil, err
	}
	j, err := f.Models.Start(ctx, in.Scope(), in.Body.Model)
	return &jobOutput{j}, err
}

func (f *Function) switchModel(ctx context.Context, in *switchInput) (*standingOutput, error) {
	if err := auth.RequireAdmin(ctx); err != nil {
		return nil, err
	}
	covered := 1.0
	if in.Body.Covered != nil {
		covered = *in.Body.Covered
	}
	if _, err := f.Models.Switch(ctx, in.Scope(), covered); err != nil {
		return nil, err
	}
	return f.standing(ctx, &standingInput{in.Scoped})
}

func (f *Function) rollBack(ctx context.Context, in *rollbackInput) (*standingOutput, error) {
	if err := auth.RequireAdmin(ctx); err != nil {
		return nil, err
	}
	if _, err := f.Models.Rollback(ctx, in.Scope()); err != nil {
		return nil, err
	}
	return f.standing(ctx, &standingInput{in.Scoped})
}

func (f *Function) forgetModel(ctx context.Context, in *forgetInput) (*jobOutput, error) {
	if err := auth.RequireAdmin(ctx); err != nil {
		return nil, err
	}
	j, err := f.Models.Forget(ctx, in.Scope(), in.Model)
	return &jobOutput{j}, err
}
