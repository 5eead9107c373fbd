-- What the log of costs tells of a call besides its numbers, and the lines of what caches spared.
--
-- A line of a cache hit has no reservation: reservation_id is its own id, cost and tokens are 0, and calls is how many
-- calls were spared.

-- +goose Up

ALTER TABLE cost_logs
    ADD COLUMN latency_ms   bigint  NOT NULL DEFAULT 0 CHECK (latency_ms >= 0),     -- 0: nobody measured
    ADD COLUMN estimated    boolean NOT NULL DEFAULT false,
    ADD COLUMN request_id   text    NOT NULL DEFAULT '',
    ADD COLUMN cache_hit    boolean NOT NULL DEFAULT false,
    ADD COLUMN calls        bigint  NOT NULL DEFAULT 1 CHECK (calls >= 0),
    ADD COLUMN saved_tokens bigint  NOT NULL DEFAULT 0 CHECK (saved_tokens >= 0),
    ADD COLUMN saved        bigint  NOT NULL DEFAULT 0 CHECK (saved >= 0);

-- Lines come in the order of time, so that this index of a few pages finds those of a month among those of years, and costs
-- a settlement next to nothing.
CREATE INDEX cost_logs_across ON cost_logs USING brin (settled_at) WITH (pages_per_range = 32, autosummarize = on);

-- Who looks after all tenants sums the log across them. What caused a call, and its reservation, stay the tenant's.
GRANT SELECT (tenant, project, operation, provider, model, tokens_in, tokens_out, cached_tokens, cost, price_known, overrun,
    settled_at, latency_ms, cache_hit, calls, saved_tokens, saved) ON cost_logs TO rae_system;
