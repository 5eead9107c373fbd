-- Budgets: limits, what is booked and held, reservations, the log of costs, prices.
--
-- Every key starts with the tenant and the project; prices are the tenant's. Money is an integer of nano-dollars; the
-- checks hold whatever the program says. Times are microseconds since 1970 in UTC. A period is the name of a UTC day
-- ("2026-11-23") or month ("2026-11"), so nothing is ever reset.

-- +goose Up

CREATE TABLE budgets (
    tenant            TEXT NOT NULL,
    project           TEXT NOT NULL,
    monthly_limit     INTEGER CHECK (monthly_limit >= 0 AND typeof(monthly_limit) IN ('integer', 'null')),  -- NULL: none
    daily_limit       INTEGER CHECK (daily_limit >= 0 AND typeof(daily_limit) IN ('integer', 'null')),
    monthly_tokens    INTEGER CHECK (monthly_tokens >= 0 AND typeof(monthly_tokens) IN ('integer', 'null')),
    daily_tokens      INTEGER CHECK (daily_tokens >= 0 AND typeof(daily_tokens) IN ('integer', 'null')),
    warning_threshold REAL NOT NULL CHECK (warning_threshold > 0 AND warning_threshold <= 1),
    on_exhausted      TEXT NOT NULL,
    updated_at        INTEGER NOT NULL,
    PRIMARY KEY (tenant, project)
) WITHOUT ROWID;

-- What live reservations hold, and the day the books were last open on.
CREATE TABLE budget_accounts (
    tenant      TEXT NOT NULL,
    project     TEXT NOT NULL,
    day         TEXT NOT NULL,
    held_cost   INTEGER NOT NULL CHECK (held_cost >= 0 AND typeof(held_cost) = 'integer'),
    held_tokens INTEGER NOT NULL CHECK (held_tokens >= 0 AND typeof(held_tokens) = 'integer'),
    PRIMARY KEY (tenant, project)
) WITHOUT ROWID;

CREATE TABLE budget_usage (
    tenant  TEXT NOT NULL,
    project TEXT NOT NULL,
    period  TEXT NOT NULL,
    cost    INTEGER NOT NULL CHECK (cost >= 0 AND typeof(cost) = 'integer'),
    tokens  INTEGER NOT NULL CHECK (tokens >= 0 AND typeof(tokens) = 'integer'),
    told    INTEGER NOT NULL,              -- which thresholds have been announced
    PRIMARY KEY (tenant, project, period)
) WITHOUT ROWID;

CREATE TABLE reservations (
    tenant          TEXT NOT NULL,
    project         TEXT NOT NULL,
    id              TEXT NOT NULL,
    operation       TEXT NOT NULL,
    provider        TEXT NOT NULL,
    model           TEXT NOT NULL,
    status          TEXT NOT NULL,
    max_cost        INTEGER NOT NULL CHECK (max_cost >= 0 AND typeof(max_cost) = 'integer'),
    max_tokens      INTEGER NOT NULL CHECK (max_tokens >= 0 AND typeof(max_tokens) = 'integer'),
    price_known     INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    idempotency_key TEXT NOT NULL,         -- '' = none
    fingerprint     TEXT NOT NULL,         -- of the request the key stands for
    PRIMARY KEY (tenant, project, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX reservations_key ON reservations (tenant, project, idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX reservations_held ON reservations (tenant, project, expires_at) WHERE status = 'held';
CREATE INDEX reservations_expiry ON reservations (expires_at) WHERE status = 'held';

-- One row per settled reservation.
CREATE TABLE cost_logs (
    tenant         TEXT NOT NULL,
    project        TEXT NOT NULL,
    reservation_id TEXT NOT NULL,
    operation      TEXT NOT NULL,
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    tokens_in      INTEGER NOT NULL,
    tokens_out     INTEGER NOT NULL,
    cached_tokens  INTEGER NOT NULL,
    cost           INTEGER NOT NULL CHECK (cost >= 0 AND typeof(cost) = 'integer'),
    priced         INTEGER NOT NULL,       -- computed from tokens, not told
    price_known    INTEGER NOT NULL,
    overrun        INTEGER NOT NULL,
    late           INTEGER NOT NULL,
    day            TEXT NOT NULL,          -- the period it is booked in
    settled_at     INTEGER NOT NULL,
    PRIMARY KEY (tenant, project, reservation_id)
) WITHOUT ROWID;
CREATE INDEX cost_logs_time ON cost_logs (tenant, project, settled_at);

-- Prices that tenants set; the catalogue is in the program. Nano-dollars per million tokens.
CREATE TABLE prices (
    tenant       TEXT NOT NULL,
    model        TEXT NOT NULL,
    input        INTEGER NOT NULL CHECK (input >= 0 AND typeof(input) = 'integer'),
    output       INTEGER NOT NULL CHECK (output >= 0 AND typeof(output) = 'integer'),
    cached_input INTEGER NOT NULL CHECK (cached_input >= 0 AND typeof(cached_input) = 'integer'),
    source       TEXT NOT NULL,
    as_of        TEXT NOT NULL,
    PRIMARY KEY (tenant, model)
) WITHOUT ROWID;
