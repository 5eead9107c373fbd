package store

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/memory"
)

type eraseInput struct {
	Tenant string `path:"tenant" minLength:"1" maxLength:"64" pattern:"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$" doc:"Tenant to erase."`
}

type eraseOutput struct {
	Body memory.Receipt
}

func (f *Function) registerTenants(api huma.API) {
	httpapi.Register(api, huma.Operation{
		OperationID: "erase-tenant", Method: http.MethodDelete, Path: "/v1/tenants/{tenant}/data", Tags: []string{tag},
		Summary:     "Erase everything of a tenant",
		Description: "For administrators. Removes every row, vector and cache key of the tenant in every project, and answers a receipt that counts them. Repeating it finishes what broke off.",
	}, f.erase)
}

func (f *Function) erase(ctx context.Context, in *eraseInput) (*eraseOutput, error) {
	if err := auth.RequireAdmin(ctx); err != nil {
		return nil, err
	}
	receipt, err := f.Memories.Erase(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	return &eraseOutput{Body: receipt}, nil
}
