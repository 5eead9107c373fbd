-- Jobs: long work, claimed under a lease with a fence and done in slices. Columns exist for what queries ask for; body
-- is the rest of the job as JSON. A job of the operator has tenant '-', which no tenant can be called.

-- +goose Up

CREATE TABLE jobs (
    tenant      text COLLATE "C" NOT NULL CHECK (tenant <> ''),
    project     text COLLATE "C" NOT NULL CHECK (project <> ''),
    id          uuid NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    status      text NOT NULL,
    due_at      timestamptz NOT NULL,      -- from here on it may be claimed: when queued, the end of the lease or of parking
    fence       bigint NOT NULL,           -- grows with every claim; an older one may not save
    arguments   text NOT NULL,             -- kept byte for byte, as jsonb would not
    cursor      text NOT NULL,             -- '' at the start
    route       text COLLATE "C" NOT NULL, -- with key, the request that made it; '' when it had no key
    key         text COLLATE "C" NOT NULL,
    fingerprint text NOT NULL,
    body        text NOT NULL,
    PRIMARY KEY (tenant, project, id)
);
CREATE UNIQUE INDEX jobs_key ON jobs (tenant, project, route, key) WHERE key <> '';
CREATE INDEX jobs_due ON jobs (due_at, id) WHERE status IN ('queued', 'running', 'parked');
SELECT rae_protect('jobs');
GRANT SELECT (tenant, project, id, kind, status, due_at) ON jobs TO rae_system;
CREATE POLICY due ON jobs FOR SELECT TO rae_system USING (current_user = 'rae_system' AND status IN ('queued', 'running', 'parked'));
