-- Jobs that have ended are found by when that was, which is their due_at from then on.

-- +goose Up

CREATE INDEX jobs_ended ON jobs (due_at) WHERE status IN ('succeeded', 'failed', 'cancelled');
