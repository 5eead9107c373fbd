-- Reflections that wait: for another attempt, or for the refill of a budget. leased_to is when one of them is due: of a queued or
-- parked one as it waits, 0 where it does not, the last there is where somebody has to call it.

-- +goose Up

UPDATE reflections SET leased_to = 0 WHERE status = 'queued';
DROP INDEX reflections_open;
CREATE INDEX reflections_open ON reflections (created_at, id) WHERE status IN ('queued', 'running', 'parked');
