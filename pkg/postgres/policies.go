package postgres

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
)

// Policies implements reflection.Store.
func (s *Reflections) Policies(ctx context.Context, scope memory.Scope) (p reflection.Policies, err error) {
	var body string
	err = s.db.view(ctx, scope, func(in *session) error {
		err := in.row(`SELECT body FROM forgetting_policies WHERE tenant = $1 AND project = $2`, []any{scope.Tenant, scope.Project}, &body)
		if errors.Is(err, pgx.ErrNoRows) {
			body = "{}"
			return nil
		}
		return err
	})
	if err != nil {
		return p, s.db.failed(ctx, "read policies", err)
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		return p, fault.Wrap(fault.Internal, err, "decode policies")
	}
	return p, nil
}

// SetPolicies implements reflection.Store.
func (s *Reflections) SetPolicies(ctx context.Context, scope memory.Scope, p reflection.Policies) error {
	body, err := json.Marshal(p)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode policies")
	}
	err = s.db.amend(ctx, scope, func(tx *session) error {
		tx.exec(`INSERT INTO forgetting_policies (tenant, project, body) VALUES ($1, $2, $3)
			ON CONFLICT (tenant, project) DO UPDATE SET body = excluded.body`, scope.Tenant, scope.Project, string(body))
		return nil
	})
	return s.db.failed(ctx, "write policies", err)
}

// PolicyScopes implements reflection.Store.
func (s *Reflections) PolicyScopes(ctx context.Context, after memory.Scope, limit int) ([]memory.Scope, error) {
	scopes, err := s.db.scopes(ctx, `SELECT tenant, project FROM forgetting_policies WHERE (tenant, project) > ($1, $2)
		ORDER BY tenant, project LIMIT $3`, after, limit)
	return scopes, s.db.failed(ctx, "list scopes with policies", err)
}
