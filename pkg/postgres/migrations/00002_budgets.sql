-- Budgets: limits, what is booked and held, reservations, the log of costs, prices.
--
-- Money is an integer of nano-dollars; the checks hold whatever the program says. A period is the name of a UTC day
-- ("2026-11-23") or month ("2026-11"), so nothing is ever reset. Prices are the tenant's.

-- +goose Up

CREATE TABLE budgets (
    tenant            text COLLATE "C" NOT NULL,
    project           text COLLATE "C" NOT NULL,
    monthly_limit     bigint CHECK (monthly_limit >= 0), -- NULL: none
    daily_limit       bigint CHECK (daily_limit >= 0),
    monthly_tokens    bigint CHECK (monthly_tokens >= 0),
    daily_tokens      bigint CHECK (daily_tokens >= 0),
    warning_threshold double precision NOT NULL CHECK (warning_threshold > 0 AND warning_threshold <= 1),
    on_exhausted      text NOT NULL,
    updated_at        timestamptz NOT NULL,
    PRIMARY KEY (tenant, project)
);
SELECT rae_protect('budgets');

-- What live reservations hold, and the day the books were last open on.
CREATE TABLE budget_accounts (
    tenant      text COLLATE "C" NOT NULL,
    project     text COLLATE "C" NOT NULL,
    day         text NOT NULL,
    held_cost   bigint NOT NULL CHECK (held_cost >= 0),
    held_tokens bigint NOT NULL CHECK (held_tokens >= 0),
    PRIMARY KEY (tenant, project)
) WITH (fillfactor = 50);
SELECT rae_protect('budget_accounts');

CREATE TABLE budget_usage (
    tenant  text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    period  text COLLATE "C" NOT NULL,
    cost    bigint NOT NULL CHECK (cost >= 0),
    tokens  bigint NOT NULL CHECK (tokens >= 0),
    told    integer NOT NULL,              -- which thresholds have been announced
    PRIMARY KEY (tenant, project, period)
) WITH (fillfactor = 50);
SELECT rae_protect('budget_usage');

CREATE TABLE reservations (
    tenant          text COLLATE "C" NOT NULL,
    project         text COLLATE "C" NOT NULL,
    id              uuid NOT NULL,
    operation       text NOT NULL,
    provider        text NOT NULL,
    model           text NOT NULL,
    status          text NOT NULL,
    max_cost        bigint NOT NULL CHECK (max_cost >= 0),
    max_tokens      bigint NOT NULL CHECK (max_tokens >= 0),
    price_known     boolean NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL, -- '' = none
    fingerprint     text NOT NULL,             -- of the request the key stands for
    PRIMARY KEY (tenant, project, id)
);
CREATE UNIQUE INDEX reservations_key ON reservations (tenant, project, idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX reservations_held ON reservations (tenant, project, expires_at) WHERE status = 'held';
CREATE INDEX reservations_expiry ON reservations (expires_at) WHERE status = 'held';
SELECT rae_protect('reservations');
GRANT SELECT (tenant, project, status, expires_at) ON reservations TO rae_system;
CREATE POLICY due ON reservations FOR SELECT TO rae_system USING (current_user = 'rae_system' AND status = 'held');

-- One row per settled reservation.
CREATE TABLE cost_logs (
    tenant         text COLLATE "C" NOT NULL,
    project        text COLLATE "C" NOT NULL,
    reservation_id uuid NOT NULL,
    operation      text NOT NULL,
    provider       text NOT NULL,
    model          text NOT NULL,
    tokens_in      bigint NOT NULL,
    tokens_out     bigint NOT NULL,
    cached_tokens  bigint NOT NULL,
    cost           bigint NOT NULL CHECK (cost >= 0),
    priced         boolean NOT NULL,        -- computed from tokens, not told
    price_known    boolean NOT NULL,
    overrun        bigint NOT NULL,
    late           boolean NOT NULL,
    day            text NOT NULL,           -- the period it is booked in
    settled_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant, project, reservation_id)
);
CREATE INDEX cost_logs_time ON cost_logs (tenant, project, settled_at);
SELECT rae_protect('cost_logs');

-- Prices that tenants set; the catalogue is in the program. Nano-dollars per million tokens.
CREATE TABLE prices (
    tenant       text COLLATE "C" NOT NULL,
    model        text COLLATE "C" NOT NULL,
    input        bigint NOT NULL CHECK (input >= 0),
    output       bigint NOT NULL CHECK (output >= 0),
    cached_input bigint NOT NULL CHECK (cached_input >= 0),
    source       text NOT NULL,
    as_of        text NOT NULL,
    PRIMARY KEY (tenant, model)
);
SELECT rae_protect('prices');
