package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
)

// Policies implements reflection.Store.
func (s *Reflections) Policies(ctx context.Context, scope memory.Scope) (reflection.Policies, error) {
	var p reflection.Policies
	db, err := s.db.read(ctx)
	if err != nil {
		return p, err
	}
	var body string
	err = db.QueryRowContext(ctx, `SELECT body FROM forgetting_policies WHERE tenant = ? AND project = ?`, scope.Tenant, scope.Project).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return p, nil
	}
	if err != nil {
		return p, classify(ctx, fmt.Errorf("read policies: %w", err))
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
	return s.db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.WithoutCancel(ctx), `INSERT INTO forgetting_policies (tenant, project, body) VALUES (?, ?, ?)
			ON CONFLICT (tenant, project) DO UPDATE SET body = excluded.body`, scope.Tenant, scope.Project, string(body))
		if err != nil {
			return fmt.Errorf("write policies: %w", err)
		}
		return nil
	})
}

// PolicyScopes implements reflection.Store.
func (s *Reflections) PolicyScopes(ctx context.Context, after memory.Scope, limit int) ([]memory.Scope, error) {
	return s.scopes(ctx, `SELECT tenant, project FROM forgetting_policies WHERE (tenant, project) > (?, ?)
		ORDER BY tenant, project LIMIT ?`, after, limit)
}
