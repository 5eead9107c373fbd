-- Reflections that wait: for another attempt, or for the refill of a budget. leased_to is when one of them is due: of a queued or
-- parked one as it waits, '-infinity' where it does not, 'infinity' where somebody has to call it.

-- +goose Up

DROP INDEX reflections_open;
CREATE INDEX reflections_open ON reflections (created_at, id) WHERE status IN ('queued', 'running', 'parked');
DROP POLICY due ON reflections;
CREATE POLICY due ON reflections FOR SELECT TO rae_system USING (current_user = 'rae_system' AND status IN ('queued', 'running', 'parked'));
