-- The gauges of all budgets: rae_system may see whose budgets there are and when they last moved, and reads how each stands
-- under the confinement of its scope. The policy that lets it see a tenant's name (00006) lets it see these rows.

-- +goose Up

GRANT SELECT (tenant, project, day) ON budget_accounts TO rae_system;
GRANT SELECT (tenant, project) ON budgets TO rae_system;
