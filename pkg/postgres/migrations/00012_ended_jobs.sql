-- Jobs that have ended are found by when that was, which is their due_at from then on, and swept by the system role.

-- +goose Up

CREATE INDEX jobs_ended ON jobs (due_at) WHERE status IN ('succeeded', 'failed', 'cancelled');
GRANT DELETE ON jobs TO rae_system;
CREATE POLICY ended ON jobs FOR DELETE TO rae_system
    USING (current_user = 'rae_system' AND status IN ('succeeded', 'failed', 'cancelled'));
