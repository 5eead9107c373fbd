-- Budgets above the projects of a tenant: limits of its own, and what its projects use together.
--
-- The pot is what those reservations used that were made in a project without limits while the tenant had none either.

-- +goose Up

CREATE TABLE tenant_budgets (
    tenant            text COLLATE "C" NOT NULL PRIMARY KEY,
    monthly_limit     bigint CHECK (monthly_limit >= 0), -- NULL: none
    daily_limit       bigint CHECK (daily_limit >= 0),
    monthly_tokens    bigint CHECK (monthly_tokens >= 0),
    daily_tokens      bigint CHECK (daily_tokens >= 0),
    warning_threshold double precision NOT NULL CHECK (warning_threshold > 0 AND warning_threshold <= 1),
    on_exhausted      text NOT NULL,
    updated_at        timestamptz NOT NULL
);

-- What live reservations hold, and the day the books were last open on, of whatever project.
CREATE TABLE tenant_accounts (
    tenant      text COLLATE "C" NOT NULL PRIMARY KEY,
    day         text NOT NULL,
    held_cost   bigint NOT NULL CHECK (held_cost >= 0),
    held_tokens bigint NOT NULL CHECK (held_tokens >= 0),
    pot_cost    bigint NOT NULL CHECK (pot_cost >= 0),     -- part of held_cost
    pot_tokens  bigint NOT NULL CHECK (pot_tokens >= 0), -- part of held_tokens
    stamp       bigint NOT NULL DEFAULT (random() * 9e18)::bigint -- another one with every change of the tenant's books
) WITH (fillfactor = 50);

CREATE TABLE tenant_usage (
    tenant text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    pot    boolean NOT NULL,              -- false: of all projects
    cost   bigint NOT NULL CHECK (cost >= 0),
    tokens bigint NOT NULL CHECK (tokens >= 0),
    told   integer NOT NULL,              -- which thresholds have been announced
    PRIMARY KEY (tenant, period, pot)
) WITH (fillfactor = 50);

ALTER TABLE reservations ADD COLUMN pot boolean NOT NULL DEFAULT false;

-- Who asks for a hold first gives back what has ended in any project of the tenant.
DROP INDEX reservations_held;
CREATE INDEX reservations_held ON reservations (tenant, expires_at) WHERE status = 'held';

-- What projects have used so far. The owner of the tables sees rows only while they are not guarded against it.
ALTER TABLE budgets NO FORCE ROW LEVEL SECURITY;
ALTER TABLE budget_accounts NO FORCE ROW LEVEL SECURITY;
ALTER TABLE budget_usage NO FORCE ROW LEVEL SECURITY;
ALTER TABLE reservations NO FORCE ROW LEVEL SECURITY;

UPDATE reservations r SET pot = true WHERE status IN ('held', 'expired')
    AND NOT EXISTS (SELECT FROM budgets b WHERE b.tenant = r.tenant AND b.project = r.project);
INSERT INTO tenant_accounts (tenant, day, held_cost, held_tokens, pot_cost, pot_tokens)
    SELECT a.tenant, max(a.day), least(sum(a.held_cost), 9223372036854775807), least(sum(a.held_tokens), 9223372036854775807),
        least(coalesce(sum(a.held_cost) FILTER (WHERE b.tenant IS NULL), 0), 9223372036854775807),
        least(coalesce(sum(a.held_tokens) FILTER (WHERE b.tenant IS NULL), 0), 9223372036854775807)
    FROM budget_accounts a LEFT JOIN budgets b ON b.tenant = a.tenant AND b.project = a.project GROUP BY a.tenant;
INSERT INTO tenant_usage
    SELECT tenant, period, false, least(sum(cost), 9223372036854775807), least(sum(tokens), 9223372036854775807), 0
    FROM budget_usage GROUP BY tenant, period;
INSERT INTO tenant_usage
    SELECT u.tenant, u.period, true, least(sum(u.cost), 9223372036854775807), least(sum(u.tokens), 9223372036854775807), 0
    FROM budget_usage u WHERE NOT EXISTS (SELECT FROM budgets b WHERE b.tenant = u.tenant AND b.project = u.project)
    GROUP BY u.tenant, u.period;

ALTER TABLE budgets FORCE ROW LEVEL SECURITY;
ALTER TABLE budget_accounts FORCE ROW LEVEL SECURITY;
ALTER TABLE budget_usage FORCE ROW LEVEL SECURITY;
ALTER TABLE reservations FORCE ROW LEVEL SECURITY;

SELECT rae_protect('tenant_budgets'), rae_protect('tenant_accounts'), rae_protect('tenant_usage');

-- As 00006 has it: a backup of everything asks which tenants there are.
GRANT SELECT (tenant) ON tenant_budgets, tenant_accounts, tenant_usage TO rae_system;
CREATE POLICY named ON tenant_budgets FOR SELECT TO rae_system USING (current_user = 'rae_system');
CREATE POLICY named ON tenant_accounts FOR SELECT TO rae_system USING (current_user = 'rae_system');
CREATE POLICY named ON tenant_usage FOR SELECT TO rae_system USING (current_user = 'rae_system');

-- What a transaction ends by that began with books which no longer stand (pkg/postgres/memo.go).
-- +goose StatementBegin
CREATE FUNCTION rae_outdated() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the books have changed' USING ERRCODE = 'RAE01';
END
$$;
-- +goose StatementEnd
