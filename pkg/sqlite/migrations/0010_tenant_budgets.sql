-- Budgets above the projects of a tenant: limits of its own, and what its projects use together.
--
-- The pot is what those reservations used that were made in a project without limits while the tenant had none either.

-- +goose Up

CREATE TABLE tenant_budgets (
    tenant            TEXT NOT NULL PRIMARY KEY,
    monthly_limit     INTEGER CHECK (monthly_limit >= 0 AND typeof(monthly_limit) IN ('integer', 'null')),  -- NULL: none
    daily_limit       INTEGER CHECK (daily_limit >= 0 AND typeof(daily_limit) IN ('integer', 'null')),
    monthly_tokens    INTEGER CHECK (monthly_tokens >= 0 AND typeof(monthly_tokens) IN ('integer', 'null')),
    daily_tokens      INTEGER CHECK (daily_tokens >= 0 AND typeof(daily_tokens) IN ('integer', 'null')),
    warning_threshold REAL NOT NULL CHECK (warning_threshold > 0 AND warning_threshold <= 1),
    on_exhausted      TEXT NOT NULL,
    updated_at        INTEGER NOT NULL
) WITHOUT ROWID;

-- What live reservations hold, and the day the books were last open on, of whatever project.
CREATE TABLE tenant_accounts (
    tenant      TEXT NOT NULL PRIMARY KEY,
    day         TEXT NOT NULL,
    held_cost   INTEGER NOT NULL CHECK (held_cost >= 0 AND typeof(held_cost) = 'integer'),
    held_tokens INTEGER NOT NULL CHECK (held_tokens >= 0 AND typeof(held_tokens) = 'integer'),
    pot_cost    INTEGER NOT NULL CHECK (pot_cost >= 0 AND typeof(pot_cost) = 'integer'),      -- part of held_cost
    pot_tokens  INTEGER NOT NULL CHECK (pot_tokens >= 0 AND typeof(pot_tokens) = 'integer')   -- part of held_tokens
) WITHOUT ROWID;

CREATE TABLE tenant_usage (
    tenant TEXT NOT NULL,
    period TEXT NOT NULL,
    pot    INTEGER NOT NULL,              -- 0: of all projects, 1: of the pot
    cost   INTEGER NOT NULL CHECK (cost >= 0 AND typeof(cost) = 'integer'),
    tokens INTEGER NOT NULL CHECK (tokens >= 0 AND typeof(tokens) = 'integer'),
    told   INTEGER NOT NULL,              -- which thresholds have been announced
    PRIMARY KEY (tenant, period, pot)
) WITHOUT ROWID;

ALTER TABLE reservations ADD COLUMN pot INTEGER NOT NULL DEFAULT 0;

-- Who asks for a hold first gives back what has ended in any project of the tenant.
DROP INDEX reservations_held;
CREATE INDEX reservations_held ON reservations (tenant, expires_at) WHERE status = 'held';

-- What projects have used so far.
UPDATE reservations SET pot = 1 WHERE status IN ('held', 'expired')
    AND NOT EXISTS (SELECT 1 FROM budgets b WHERE b.tenant = reservations.tenant AND b.project = reservations.project);
INSERT INTO tenant_accounts
    SELECT a.tenant, max(a.day), sum(a.held_cost), sum(a.held_tokens),
        coalesce(sum(a.held_cost) FILTER (WHERE b.tenant IS NULL), 0), coalesce(sum(a.held_tokens) FILTER (WHERE b.tenant IS NULL), 0)
    FROM budget_accounts a LEFT JOIN budgets b ON b.tenant = a.tenant AND b.project = a.project GROUP BY a.tenant;
INSERT INTO tenant_usage SELECT tenant, period, 0, sum(cost), sum(tokens), 0 FROM budget_usage GROUP BY tenant, period;
INSERT INTO tenant_usage SELECT u.tenant, u.period, 1, sum(u.cost), sum(u.tokens), 0 FROM budget_usage u
    WHERE NOT EXISTS (SELECT 1 FROM budgets b WHERE b.tenant = u.tenant AND b.project = u.project) GROUP BY u.tenant, u.period;
