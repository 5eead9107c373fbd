-- What the log of costs tells of a call besides its numbers, and the lines of what caches spared.
--
-- A line of a cache hit has no reservation: reservation_id is its own id, cost and tokens are 0, and calls is how many
-- calls were spared.

-- +goose Up

ALTER TABLE cost_logs ADD COLUMN latency_ms   INTEGER NOT NULL DEFAULT 0 CHECK (latency_ms >= 0); -- 0: nobody measured
ALTER TABLE cost_logs ADD COLUMN estimated    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cost_logs ADD COLUMN request_id   TEXT    NOT NULL DEFAULT '';
ALTER TABLE cost_logs ADD COLUMN cache_hit    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cost_logs ADD COLUMN calls        INTEGER NOT NULL DEFAULT 1 CHECK (calls >= 0);
ALTER TABLE cost_logs ADD COLUMN saved_tokens INTEGER NOT NULL DEFAULT 0 CHECK (saved_tokens >= 0);
ALTER TABLE cost_logs ADD COLUMN saved        INTEGER NOT NULL DEFAULT 0 CHECK (saved >= 0 AND typeof(saved) = 'integer');
